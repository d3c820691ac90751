//! The resolved recipe of a run: everything that its result depends on, as stored in `spec.toml`.
//!
//! Holds always: paths, hashes and defaults are filled in; two runs with equal specs and inputs give equal bytes.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    AnnotateSpec, BenchmarkSource, CATEGORIES, CategorySet, ClassSpace, DiffusionSource, FormatVersion, Geometry,
    IMAGENET_1K, ImportedModel, InputSpec, Key, OnnxGraph, PinnedFile, ReleaseSpec, SelectSpec, Sha256, ZeroShotModel,
};

/// A resolved recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Version of the run directory's format.
    pub format: FormatVersion,
    /// Name and version of the tool that wrote it.
    pub tool: String,
    /// Name of the benchmark.
    pub name: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Items per shard: the unit of work and of commit.
    pub shard_items: u32,
    /// Where images come from.
    pub generate: GenerateSpec,
    /// Which models score them, and how hard items are selected.
    pub mine: MineSpec,
    /// How people judge them.
    #[serde(default)]
    pub annotate: AnnotateSpec,
    /// The metadata of its release.
    #[serde(default)]
    pub release: ReleaseSpec,
    /// What the images show.
    pub categories: CategorySet,
}

impl RunSpec {
    /// The surrogates that vote in the current mining, in its order.
    pub fn voters(&self) -> Vec<&SurrogateSpec> {
        self.named(&self.mine.select.surrogates)
    }

    /// The models that are scored like surrogates and do not vote.
    pub fn targets(&self) -> Vec<&SurrogateSpec> {
        self.named(&self.mine.targets)
    }

    /// Every scorer of the current mining: surrogates, then targets.
    pub fn scored(&self) -> Vec<&SurrogateSpec> {
        self.voters().into_iter().chain(self.targets()).collect()
    }

    /// The names of a target and of a voter that are the same model, if there are such: a target must not vote.
    pub fn voting_target(&self) -> Option<(&str, &str)> {
        for target in self.targets() {
            for voter in self.voters() {
                if target.is_same_model(voter) {
                    return Some((target.name.as_str(), voter.name.as_str()));
                }
            }
        }
        None
    }

    fn named(&self, names: &[String]) -> Vec<&SurrogateSpec> {
        names.iter().filter_map(|name| self.mine.surrogates.iter().find(|one| one.name == *name)).collect()
    }

    /// The spec that may be published: every path is reduced to its last part.
    pub fn published(&self) -> Self {
        let mut spec = self.clone();
        let shorten = |path: &mut PathBuf| *path = path.file_name().map(PathBuf::from).unwrap_or_default();
        match &mut spec.generate {
            GenerateSpec::Folder(source) => {
                shorten(&mut source.root);
                source.labels_csv.iter_mut().for_each(|csv| shorten(&mut csv.path));
            }
            GenerateSpec::Diffusion(source) => {
                source.model.path = PathBuf::new();
                source.model.name = source.model.short_name();
            }
            GenerateSpec::Benchmark(source) => {
                shorten(&mut source.root);
                source.photographs.iter_mut().for_each(shorten);
            }
            GenerateSpec::Fake(_) => {}
        }
        for surrogate in &mut spec.mine.surrogates {
            match &mut surrogate.model {
                SurrogateModel::Onnx(onnx) => shorten(&mut onnx.weights.path),
                SurrogateModel::Imported(imported) => shorten(&mut imported.file.path),
                SurrogateModel::ZeroShot(model) => model.files_mut().for_each(|file| shorten(&mut file.path)),
                SurrogateModel::Fake(_) => {}
            }
        }
        spec.annotate.sentinels.known_good.iter_mut().for_each(shorten);
        spec
    }

    /// The class space `name`, if it is not ImageNet-1k's, whose names are not part of a spec.
    pub fn other_space(&self, name: &str) -> Option<ClassSpace> {
        match name {
            IMAGENET_1K => None,
            CATEGORIES => Some(ClassSpace::of_categories(&self.categories)),
            list => self.mine.spaces.iter().find(|space| space.name == list).cloned(),
        }
    }

    /// The space that the voters of the current mining share; `None` if their spaces differ.
    pub fn shared_space(&self) -> Option<&str> {
        let voters = self.voters();
        let first = voters.first().map_or(IMAGENET_1K, |voter| voter.space.as_str());
        voters.iter().all(|voter| voter.space == first).then_some(first)
    }

    /// Name of the current mining's table: readable, and different for each rule, bound, order and model.
    pub fn mining_id(&self) -> String {
        let select = &self.mine.select;
        let voters = self.voters();
        let mut key = Key::new("mining name", 1)
            .field("select", select.identity())
            .field("batch", self.mine.batch_in_keys())
            .list("names", voters.iter().map(|voter| &voter.name))
            .list("models", voters.iter().map(|voter| voter.model.identity()));
        // Runs from before there were other spaces keep their names.
        if self.shared_space() != Some(IMAGENET_1K) {
            let identity = |voter: &&SurrogateSpec| self.other_space(&voter.space).map(|space| space.identity());
            key = key.list("spaces", voters.iter().map(identity));
        }
        format!("{}.{}", select.label(), key.finish().short())
    }

    /// The last part of [`RunSpec::mining_id`], for names of folders.
    pub fn mining_hash(&self) -> String {
        let id = self.mining_id();
        id.rsplit('.').next().unwrap_or(&id).to_owned()
    }
}

impl MineSpec {
    /// Images per call on a CPU unless the recipe says otherwise: small batches are the fastest there
    /// (`docs/performance.md`).
    pub const CPU_BATCH: u32 = 2;

    /// The batch that is part of keys, because another batch may round sums in another way: the recipe's, else the
    /// CPU's.
    ///
    /// It is not the device's own batch, because a run that continues on another device would then make its predictions
    /// again, and its mining would get another name. Records say what made the predictions.
    pub fn batch_in_keys(&self) -> u32 {
        self.batch.unwrap_or(Self::CPU_BATCH)
    }
}

impl SurrogateSpec {
    /// Hash of its weights; `None` for a fake surrogate.
    pub fn weights_sha256(&self) -> Option<Sha256> {
        match &self.model {
            SurrogateModel::Onnx(onnx) => Some(onnx.sha256()),
            SurrogateModel::Imported(imported) => Some(imported.file.sha256),
            SurrogateModel::ZeroShot(model) => Some(model.sha256()),
            SurrogateModel::Fake(_) => None,
        }
    }

    /// Whether both are the same model: by the hash of their weights, else by everything that their numbers depend on.
    pub fn is_same_model(&self, other: &Self) -> bool {
        match self.weights_sha256() {
            Some(weights) => other.weights_sha256() == Some(weights),
            None => other.model.identity() == self.model.identity(),
        }
    }
}

/// Where images come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum GenerateSpec {
    /// Photographs in a folder.
    Folder(FolderSource),
    /// Images of a diffusion model.
    Diffusion(DiffusionSource),
    /// A pool whose images somebody else has made.
    Benchmark(BenchmarkSource),
    /// Noise made on the spot, for trying a recipe without any data.
    Fake(FakeImages),
}

/// Photographs in a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FolderSource {
    /// The folder.
    pub root: PathBuf,
    /// Where labels come from.
    pub labels: LabelSource,
    /// The CSV of labels (`path,label`) and its hash, for [`LabelSource::Csv`].
    pub labels_csv: Option<PinnedFile>,
    /// Whether sub-folders are searched.
    pub recursive: bool,
    /// Largest picture that is decoded.
    pub max_pixels: u64,
    /// Largest file that is read.
    pub max_file_bytes: u64,
}

/// Where a photograph's label comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelSource {
    /// The one WordNet id in the file's name (`n01440764_tench.JPEG`, `ILSVRC2012_val_00000293_n01440764.JPEG`).
    WordnetId,
    /// The name of the file's folder: a WordNet id or a category's id.
    ParentFolder,
    /// The name of the file's folder: an index of ImageNet-1k's classes, 0 to 999, with or without zeros before it.
    ClassIndex,
    /// A CSV with the columns `path,label`; the label is a WordNet id or a category's id.
    Csv,
}

/// Noise images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FakeImages {
    /// Images of each category.
    pub images_per_category: u32,
    /// Side of the square pictures.
    pub size_px: u32,
    /// Every n-th item fails, to show what a failure looks like; `None`: no item fails.
    pub fail_every: Option<u32>,
}

/// Which models score, and how hard items are selected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MineSpec {
    /// Images per call of a model, if the recipe sets it; else a number that suits the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// The current mining.
    pub select: SelectSpec,
    /// Names of the targets: their predictions are kept, and they never vote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Whether the probabilities of all classes are kept beside the predictions.
    #[serde(default, skip_serializing_if = "is_not")]
    pub keep_scores: bool,
    /// All surrogates and targets whose predictions the run keeps.
    pub surrogates: Vec<SurrogateSpec>,
    /// The lists of classes over which they speak; ImageNet-1k and the categories are not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spaces: Vec<ClassSpace>,
}

/// One surrogate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SurrogateSpec {
    /// Its name: the stem of its TOML file.
    pub name: String,
    /// The name of its class space.
    #[serde(default = "imagenet", skip_serializing_if = "is_imagenet")]
    pub space: String,
    /// What scores the images.
    pub model: SurrogateModel,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_not(flag: &bool) -> bool {
    !*flag
}

fn imagenet() -> String {
    IMAGENET_1K.to_owned()
}

fn is_imagenet(space: &str) -> bool {
    space == IMAGENET_1K
}

/// What scores images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SurrogateModel {
    /// A classifier in ONNX format.
    Onnx(Box<OnnxModel>),
    /// Two towers in ONNX format: classes are texts.
    #[serde(rename = "zero-shot")]
    ZeroShot(Box<ZeroShotModel>),
    /// A fake classifier, for trying a recipe without any model.
    Fake(FakeModel),
    /// Predictions that another program has made.
    Imported(ImportedModel),
}

impl SurrogateModel {
    /// Its graphs; none for a fake.
    pub fn graphs(&self) -> Vec<OnnxGraph> {
        match self {
            Self::Onnx(model) => vec![model.graph()],
            Self::ZeroShot(model) => model.graphs().cloned().collect(),
            Self::Fake(_) | Self::Imported(_) => Vec::new(),
        }
    }

    /// The paths of its graphs and tokenizer, or of its file of predictions; none for a fake.
    pub fn paths(&self) -> Vec<PathBuf> {
        let other = match self {
            Self::ZeroShot(model) => Some(model.text.tokenizer.path.clone()),
            Self::Imported(model) => Some(model.file.path.clone()),
            Self::Fake(_) | Self::Onnx(_) => None,
        };
        self.graphs().into_iter().map(|graph| graph.weights.path).chain(other).collect()
    }

    /// Whether another program has made its predictions.
    pub fn is_imported(&self) -> bool {
        matches!(self, Self::Imported(_))
    }

    /// Whether ONNX Runtime scores.
    pub fn needs_runtime(&self) -> bool {
        !matches!(self, Self::Fake(_) | Self::Imported(_))
    }

    /// Licence of the weights, if the data manifest has them.
    pub fn licence(&self) -> Option<&str> {
        match self {
            Self::Onnx(model) => model.licence.as_deref(),
            Self::ZeroShot(model) => model.licence.as_deref(),
            Self::Fake(_) | Self::Imported(_) => None,
        }
    }
}

/// A fake classifier for fake images: right with a given probability, decided by a hash of the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FakeModel {
    /// Makes two fake classifiers differ.
    pub seed: u64,
    /// Probability of being right, in [0, 1].
    pub accuracy: f64,
}

/// A classifier in ONNX format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OnnxModel {
    /// The graph, with its own hash; see [`OnnxGraph::sha256`].
    pub weights: PinnedFile,
    /// Files of weights that the graph names, relative to its folder, sorted by path; none for a model of one file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<PinnedFile>,
    /// From a picture to the model's size.
    pub preprocess: Geometry,
    /// From pixels to the input tensor.
    pub input: InputSpec,
    /// From the output tensor to the classes of the scorer's space.
    pub output: OutputSpec,
    /// Licence of the weights, from the data manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

impl OnnxModel {
    /// Its graph with its files of weights.
    pub fn graph(&self) -> OnnxGraph {
        OnnxGraph { weights: self.weights.clone(), data: self.data.clone() }
    }

    /// Hash of the model, see [`OnnxGraph::sha256`].
    pub fn sha256(&self) -> Sha256 {
        self.graph().sha256()
    }
}

/// The output tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputSpec {
    /// What its numbers are.
    pub kind: OutputKind,
    /// How many classes it has; `[n, classes]`, with axes of length 1 anywhere.
    pub classes: u32,
    /// Number of extra classes in front (1 for a background class): index in the space = model class - offset.
    pub offset: u32,
    /// Its name, needed if the model has several outputs.
    pub name: Option<String>,
}

/// What the output's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// Before the softmax.
    Logits,
    /// After it.
    Probabilities,
}

/// Where models run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The first CUDA device if this build and machine have one, else the CPU; the choice is printed and recorded.
    Auto,
    /// The processor.
    Cpu,
    /// The CUDA device with this index.
    Cuda(u32),
}

impl Device {
    /// `cpu`, `cuda` or `auto`, without an index, as records have it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda(_) => "cuda",
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => (text.strip_prefix("cuda:").and_then(|n| n.parse().ok()).map(Self::Cuda))
                .ok_or_else(|| format!("`{text}` is not a device; write `auto`, `cpu` or `cuda:N`")),
        }
    }
}

/// Which engine runs the networks of a diffusion model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineChoice {
    /// ONNX Runtime where it is available, else candle; a run that has images keeps the engine that made them.
    Auto,
    /// ONNX Runtime.
    Ort,
    /// candle, which needs no library.
    Candle,
}

impl EngineChoice {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ort => "ort",
            Self::Candle => "candle",
        }
    }
}

impl FromStr for EngineChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Auto, Self::Ort, Self::Candle];
        let found = known.into_iter().find(|engine| engine.name() == text);
        found.ok_or_else(|| format!("`{text}` is not an engine; write `auto`, `ort` or `candle`"))
    }
}

/// One or more devices that share generation and mining: `cuda:0,1,3` or `cpu,cpu`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devices(pub Vec<Device>);

impl Devices {
    /// The first device, on which everything runs that is not shared.
    pub fn first(&self) -> Device {
        self.0.first().copied().unwrap_or(Device::Auto)
    }
}

impl FromStr for Devices {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut devices = Vec::new();
        for part in text.split(',') {
            // `cuda:0,1`: a number alone takes its kind from the device before it.
            let cuda = matches!(devices.last(), Some(Device::Cuda(_))).then(|| part.parse().ok().map(Device::Cuda));
            let device = cuda.flatten().map_or_else(|| part.parse(), Ok)?;
            if devices.contains(&device) && device != Device::Cpu {
                return Err(format!("`{text}` names {device} twice"));
            }
            devices.push(device);
        }
        if devices.len() > 1 && devices.contains(&Device::Auto) {
            return Err(format!("`{text}` has `auto` among others; name each device"));
        }
        if devices.iter().any(|device| device.kind() != devices[0].kind()) {
            return Err(format!("`{text}` has a CPU and GPUs, which round differently; name devices of one kind"));
        }
        Ok(Self(devices))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LabelSpace;

    fn spec(names: &[&str], accuracy: f64) -> RunSpec {
        let surrogate = |name: &&str| SurrogateSpec {
            name: (*name).to_owned(),
            space: IMAGENET_1K.to_owned(),
            model: SurrogateModel::Fake(FakeModel { seed: 1, accuracy }),
        };
        let select = SelectSpec {
            surrogates: names.iter().map(|name| (*name).to_owned()).collect(),
            rule: "at-least=1".parse().unwrap(),
            label_space: LabelSpace::AnyOfIds,
            max_true_prob: 1.0,
            max_margin: 0.0,
            near_tie: 0.0,
        };
        RunSpec {
            format: FormatVersion { major: 2, minor: 0 },
            tool: String::new(),
            name: String::new(),
            seed: 0,
            shard_items: 1,
            generate: GenerateSpec::Fake(FakeImages { images_per_category: 1, size_px: 1, fail_every: None }),
            mine: MineSpec {
                keep_scores: false,
                batch: Some(1),
                select,
                targets: Vec::new(),
                surrogates: names.iter().map(surrogate).collect(),
                spaces: Vec::new(),
            },
            annotate: AnnotateSpec::default(),
            release: ReleaseSpec::default(),
            categories: CategorySet { name: String::new(), sha256: Sha256::of(b""), entries: Vec::new() },
        }
    }

    #[test]
    fn devices_are_read_one_by_one_or_as_a_list() {
        let check =
            |text: &str, expected: &[Device]| assert_eq!(text.parse(), Ok(Devices(expected.to_vec())), "{text}");
        check("auto", &[Device::Auto]);
        check("cuda:0,1,3", &[Device::Cuda(0), Device::Cuda(1), Device::Cuda(3)]);
        check("cuda:2,cuda:1", &[Device::Cuda(2), Device::Cuda(1)]);
        check("cpu,cpu", &[Device::Cpu, Device::Cpu]);
        for wrong in ["", "cuda:0,0", "auto,cpu", "cpu,1", "tpu"] {
            assert!(wrong.parse::<Devices>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_tell_minings_apart() {
        let id = spec(&["a", "b"], 0.5).mining_id();
        assert!(id.starts_with("at-least-1-of-2.any-of-ids."), "{id}");
        assert_ne!(id, spec(&["b", "a"], 0.5).mining_id());
        assert_ne!(id, spec(&["a", "b"], 0.6).mining_id(), "another model under the same name");
        let mut other = spec(&["a", "b"], 0.5);
        other.mine.select.near_tie = 0.1;
        assert_ne!(id, other.mining_id());
    }
}
