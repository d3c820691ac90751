//! What results depend on, of each part of a spec: the fields of keys.
//!
//! Does not make the keys of results: the verbs do, from these. Holds always: every field of a struct is named here or
//! left out by name, so that a new field does not compile until somebody has decided whether results depend on it.
//! Paths, names for people and licences are left out, because results do not depend on them; the hash of a file stands
//! for the file.

use super::{
    AnnotateSpec, BenchmarkSource, Category, CategorySet, ChannelOrder, CheckSpec, Crop, DiffusionSource, Dtype,
    FakeImages, FakeModel, FolderNames, FolderSource, GenerateSpec, Geometry, ImageTower, ImportedModel,
    ImportedScores, InputSpec, Interpolation, ItemChoice, Key, LabelSource, Layout, NuisanceSet, NuisanceValue,
    OnnxGraph, OnnxModel, OutputKind, OutputSpec, ParquetColumns, PromptGrid, Question, Resize, SelectSpec, Sentinels,
    Sha256, SurrogateModel, TextTower, VerdictRule, ZeroShotModel,
};

impl GenerateSpec {
    /// Hash of everything that its images depend on.
    pub fn identity(&self) -> Sha256 {
        match self {
            Self::Folder(source) => folder(source),
            Self::Diffusion(source) => diffusion(source, source.model.sha256),
            Self::Benchmark(source) => benchmark(source),
            Self::Fake(source) => fake_images(source),
        }
    }

    /// Hash of everything that its plan depends on: a plan can be made before the model is there.
    pub fn plan_identity(&self) -> Sha256 {
        match self {
            Self::Diffusion(source) => diffusion(source, None),
            Self::Folder(_) | Self::Fake(_) | Self::Benchmark(_) => self.identity(),
        }
    }
}

fn folder(source: &FolderSource) -> Sha256 {
    let FolderSource { root, labels, labels_csv, recursive, max_pixels, max_file_bytes } = source;
    let labels = match labels {
        LabelSource::WordnetId => "wordnet-id",
        LabelSource::ParentFolder => "parent-folder",
        LabelSource::ClassIndex => "class-index",
        LabelSource::Csv => "csv",
    };
    Key::new("folder", 1)
        .field("root", root.to_string_lossy().as_ref())
        .field("labels", labels)
        .field("labels_csv", labels_csv.as_ref().map(|csv| csv.sha256))
        .field("recursive", *recursive)
        .field("max_pixels", *max_pixels)
        .field("max_file_bytes", *max_file_bytes)
        .finish()
}

fn benchmark(source: &BenchmarkSource) -> Sha256 {
    // The contents stand for the place: a pool that was moved is the same pool.
    let BenchmarkSource {
        root: _,
        layout,
        contents,
        photographs: _,
        folders,
        columns,
        border_px,
        prepared_px,
        max_pixels,
        max_file_bytes,
    } = source;
    let folders = folders.map(|folders| match folders {
        FolderNames::Label => "label",
        FolderNames::ClassIndex => "class-index",
        FolderNames::WordnetId => "wordnet-id",
    });
    Key::new("benchmark", 1)
        .field("layout", layout.name())
        .field("contents", *contents)
        .field("folders", folders)
        .field("columns", columns.as_ref().map(parquet_columns))
        .field("border_px", *border_px)
        .field("prepared_px", *prepared_px)
        .field("max_pixels", *max_pixels)
        .field("max_file_bytes", *max_file_bytes)
        .finish()
}

fn parquet_columns(columns: &ParquetColumns) -> Sha256 {
    let ParquetColumns { image, label, file, split } = columns;
    Key::new("parquet columns", 1)
        .field("image", image)
        .field("label", label)
        .field("file", file.as_deref())
        .field("split", split.as_deref())
        .finish()
}

fn diffusion(source: &DiffusionSource, model: Option<Sha256>) -> Sha256 {
    let DiffusionSource { width_px, height_px, steps, guidance, sampler, precision, prompts, model: _ } = source;
    let PromptGrid { negative_prompt, images_per_prompt, pairs_per_category, nuisances } = prompts;
    Key::new("diffusion", 1)
        .field("width_px", *width_px)
        .field("height_px", *height_px)
        .field("steps", *steps)
        .field("guidance", *guidance)
        .field("sampler", sampler.map(|sampler| sampler.name()))
        .field("precision", precision.name())
        .field("model", model)
        .field("negative_prompt", negative_prompt)
        .field("images_per_prompt", *images_per_prompt)
        .field("pairs_per_category", *pairs_per_category)
        .list("nuisances", nuisances.iter().map(nuisance_set))
        .finish()
}

fn nuisance_set(set: &NuisanceSet) -> Sha256 {
    // The hash is that of the file, in which comments may change.
    let NuisanceSet { kind, sha256: _, templates, values } = set;
    Key::new("nuisances", 1)
        .field("kind", kind)
        .list("templates", templates)
        .list("values", values.iter().map(nuisance_value))
        .finish()
}

fn nuisance_value(value: &NuisanceValue) -> Sha256 {
    let NuisanceValue { id, phrase, template } = value;
    Key::new("nuisance", 1)
        .field("id", id)
        .field("phrase", phrase.as_deref())
        .field("template", template.as_deref())
        .finish()
}

fn fake_images(source: &FakeImages) -> Sha256 {
    let FakeImages { images_per_category, size_px, fail_every } = source;
    Key::new("fake images", 1)
        .field("images_per_category", *images_per_category)
        .field("size_px", *size_px)
        .field("fail_every", *fail_every)
        .finish()
}

impl CategorySet {
    /// Hash of the categories; the set's name and the comments in its file are not part of it.
    pub fn identity(&self) -> Sha256 {
        let Self { name: _, sha256: _, entries } = self;
        Key::new("categories", 1).list("entries", entries.iter().map(category)).finish()
    }
}

fn category(category: &Category) -> Sha256 {
    // What it accepts in other class spaces is part of the identity of those: a pool is not another one because a
    // scorer comes to it.
    let Category { id, name, noun, plural, aliases: _, gloss, imagenet_ids, classes: _ } = category;
    Key::new("category", 1)
        .field("id", id)
        .field("name", name)
        .field("noun", noun.as_deref())
        .field("plural", *plural)
        .field("gloss", gloss.as_deref())
        .field("imagenet_ids", imagenet_ids.as_slice())
        .finish()
}

impl SurrogateModel {
    /// Hash of everything that its numbers depend on.
    pub fn identity(&self) -> Sha256 {
        match self {
            Self::Fake(FakeModel { seed, accuracy }) => {
                Key::new("fake model", 1).field("seed", *seed).field("accuracy", *accuracy).finish()
            }
            Self::Onnx(model) => onnx_model(model),
            Self::Imported(model) => imported_model(model),
            Self::ZeroShot(model) => zero_shot_model(model),
        }
    }
}

fn imported_model(model: &ImportedModel) -> Sha256 {
    let ImportedModel { file, scores, offset, column } = model;
    let scores = match scores {
        ImportedScores::Logits => "logits",
        ImportedScores::Probabilities => "probabilities",
        ImportedScores::TopK => "top-k",
    };
    Key::new("imported predictions", 1)
        .field("file", file.sha256)
        .field("scores", scores)
        .field("offset", *offset)
        .field("column", column.as_deref())
        .finish()
}

fn onnx_model(model: &OnnxModel) -> Sha256 {
    // The hash of the model stands for its files.
    let OnnxModel { weights: _, data: _, preprocess, input: inputs, output: outputs, licence: _ } = model;
    Key::new("onnx model", 1)
        .field("weights", model.sha256())
        .field("preprocess", geometry(*preprocess))
        .field("input", input(inputs))
        .field("output", output(outputs))
        .finish()
}

fn zero_shot_model(model: &ZeroShotModel) -> Sha256 {
    let ZeroShotModel { image, text, templates, names, activation, scale, bias, licence: _ } = model;
    let ImageTower { graph, preprocess, input: inputs, output } = image;
    Key::new("zero-shot model", 1)
        .field("image", graph.sha256())
        .field("preprocess", geometry(*preprocess))
        .field("input", input(inputs))
        .field("output", output.as_deref())
        .field("text", text_tower(text))
        .list("templates", templates)
        .list("names", names)
        .field("activation", activation.name())
        .field("scale", *scale)
        .field("bias", *bias)
        .finish()
}

fn text_tower(text: &TextTower) -> Sha256 {
    let TextTower { graph, tokenizer, positions, padding, clean, output } = text;
    Key::new("text tower", 1)
        .field("graph", graph.as_ref().map(OnnxGraph::sha256))
        .field("tokenizer", tokenizer.sha256)
        .field("positions", *positions)
        .field("padding", padding.as_deref())
        .field("clean", clean.name())
        .field("output", output.as_deref())
        .finish()
}

fn geometry(geometry: Geometry) -> Sha256 {
    let Geometry { resize, interpolation, antialias, crop_px, crop } = geometry;
    let (resize, size_px) = match resize {
        Resize::Shorter(size_px) => ("shorter", Some(size_px)),
        Resize::Squash(size_px) => ("squash", Some(size_px)),
        Resize::None => ("none", None),
    };
    let interpolation = match interpolation {
        Interpolation::Bilinear => "bilinear",
        Interpolation::Bicubic => "bicubic",
        Interpolation::Lanczos => "lanczos",
        Interpolation::Nearest => "nearest",
    };
    let key = Key::new("preprocess", 1)
        .field("resize", resize)
        .field("size_px", size_px)
        .field("interpolation", interpolation)
        .field("crop_px", crop_px);
    // Keys of runs that could not say it stay as they are.
    let key = if crop == Crop::Floor { key.field("crop", "floor") } else { key };
    let key = if antialias { key } else { key.field("antialias", false) };
    key.finish()
}

fn input(input: &InputSpec) -> Sha256 {
    let InputSpec { layout, dtype, channels, scale, mean, std, batch } = input;
    let layout = match layout {
        Layout::Nchw => "nchw",
        Layout::Nhwc => "nhwc",
    };
    let dtype = match dtype {
        Dtype::F32 => "f32",
        Dtype::F16 => "f16",
        Dtype::U8 => "u8",
    };
    let channels = match channels {
        ChannelOrder::Rgb => "rgb",
        ChannelOrder::Bgr => "bgr",
    };
    Key::new("input", 1)
        .field("layout", layout)
        .field("dtype", dtype)
        .field("channels", channels)
        .field("scale", *scale)
        .field("mean", mean.as_slice())
        .field("std", std.as_slice())
        .field("batch", *batch)
        .finish()
}

fn output(output: &OutputSpec) -> Sha256 {
    let OutputSpec { kind, classes, offset, name } = output;
    let kind = match kind {
        OutputKind::Logits => "logits",
        OutputKind::Probabilities => "probabilities",
    };
    Key::new("output", 1)
        .field("kind", kind)
        .field("classes", *classes)
        .field("offset", *offset)
        .field("name", name.as_deref())
        .finish()
}

impl SelectSpec {
    /// Hash of the rule and its bounds; the surrogates are keyed by what they are, not by their names.
    pub fn identity(&self) -> Sha256 {
        let Self { surrogates: _, rule, label_space, max_true_prob, max_margin, near_tie } = self;
        Key::new("select", 1)
            .field("rule", rule.to_string())
            .field("label_space", label_space.to_string())
            .field("max_true_prob", *max_true_prob)
            .field("max_margin", *max_margin)
            .field("near_tie", *near_tie)
            .finish()
    }
}

impl AnnotateSpec {
    /// Hash of everything that verdicts depend on beside sheets and answers; pay and the formats of sheets are not part
    /// of it.
    pub fn identity(&self) -> Sha256 {
        let Self {
            items,
            max_items,
            images_per_batch,
            people_per_batch,
            sentinels,
            image_px,
            questions,
            check,
            verdict,
            pay: _,
            export: _,
        } = self;
        let items = match items {
            ItemChoice::Hard => "hard",
            ItemChoice::Stratified => "stratified",
        };
        let CheckSpec { answered, positives, negatives, repeats, closes } = check;
        let VerdictRule { min_votes, aggregate } = verdict;
        Key::new("annotate", 1)
            .field("items", items)
            .field("max_items", *max_items)
            .field("images_per_batch", *images_per_batch)
            .field("people_per_batch", *people_per_batch)
            .field("sentinels", sentinels.identity())
            .field("image_px", *image_px)
            .list("questions", questions.iter().map(Question::identity))
            .field("check", [*answered, *positives, *negatives, *repeats].as_slice())
            .field("closes", closes.as_deref())
            .field("min_votes", *min_votes)
            .field("aggregate", aggregate.name())
            .finish()
    }
}

impl Sentinels {
    /// Hash of all of its fields; of `known_good` the path.
    pub fn identity(&self) -> Sha256 {
        let Self { positives, negatives, repeats, min_prob, max_other_prob, known_good } = self;
        Key::new("sentinels", 1)
            .field("counts", [*positives, *negatives, *repeats].as_slice())
            .field("min_prob", *min_prob)
            .field("max_other_prob", *max_other_prob)
            .field("known_good", known_good.as_ref().map(|folder| folder.to_string_lossy().into_owned()))
            .finish()
    }
}

impl Question {
    /// Hash of all of its fields.
    pub fn identity(&self) -> Sha256 {
        let Self { id, text, accept_at, positives, negatives } = self;
        Key::new("question", 1)
            .field("id", id)
            .field("text", text)
            .field("accept_at", *accept_at)
            .field("positives", *positives)
            .field("negatives", *negatives)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Rule;

    #[test]
    fn identities_are_pinned_because_runs_on_disk_have_them() {
        let fake = GenerateSpec::Fake(FakeImages { images_per_category: 2, size_px: 32, fail_every: None });
        let select = SelectSpec {
            surrogates: vec!["a".to_owned()],
            rule: Rule::AtLeast(1),
            label_space: super::super::LabelSpace::AnyOfIds,
            max_true_prob: 1.0,
            max_margin: 0.0,
            near_tie: 0.01,
        };
        let categories = CategorySet {
            name: "set".to_owned(),
            sha256: Sha256::of(b""),
            entries: vec![Category::new("mug", &[504])],
        };
        let pinned = [
            (fake.identity(), "59672f182e7b5405cda799fa265502815165126dcd9852e04a92285391a714db"),
            (
                SurrogateModel::Fake(FakeModel { seed: 1, accuracy: 0.5 }).identity(),
                "cc30dd3dbe073751736518fa94556b4099306be8a480484cc3714670efb69048",
            ),
            (select.identity(), "89f49ec45d6b730508af39976b2d3b1a6960aba963b37e8fbbcacc5baaddc845"),
            (categories.identity(), "5d79ee371d1a5a8ae9c4d1dcf76ceaf015b6c77f58d7598c3265464a3311f5f0"),
            (AnnotateSpec::default().identity(), "a3348b4ebc1b8d6e273417c5c04c2652f73959c3fd4597640c79b21f2d234581"),
        ];
        for (identity, pin) in pinned {
            assert_eq!(identity.to_string(), pin);
        }
    }

    #[test]
    fn a_crop_that_older_runs_could_not_name_changes_no_key_of_theirs() {
        let resize = Resize::Shorter(256);
        let of = |crop| {
            let interpolation = Interpolation::Bicubic;
            geometry(Geometry { resize, interpolation, antialias: true, crop_px: 224, crop })
        };
        let older = Key::new("preprocess", 1)
            .field("resize", "shorter")
            .field("size_px", 256_u32)
            .field("interpolation", "bicubic")
            .field("crop_px", 224_u32);
        assert_eq!(of(Crop::Round), older.finish());
        assert_ne!(of(Crop::Floor), of(Crop::Round));
    }

    #[test]
    fn paths_of_weights_and_names_of_surrogates_are_no_part_of_an_identity() {
        let mut select = SelectSpec {
            surrogates: vec!["a".to_owned()],
            rule: Rule::All,
            label_space: super::super::LabelSpace::Masked,
            max_true_prob: 1.0,
            max_margin: 0.0,
            near_tie: 0.0,
        };
        let before = select.identity();
        select.surrogates = vec!["b".to_owned()];
        assert_eq!(select.identity(), before);
        select.max_margin = -0.1;
        assert_ne!(select.identity(), before);
    }
}
