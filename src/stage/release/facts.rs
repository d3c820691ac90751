//! What a release says of itself: figures over the pool, sources, surrogates, people; no bytes of documents.

use std::collections::{BTreeMap, BTreeSet};

use super::choose::{LeftOut, Reason};
use super::columns::Column;
use super::evidence::Kept;
use crate::domain::{
    GenerateSpec, NearDuplicates, ReleaseForm, RunSpec, SurrogateModel, SurrogateRecord, SurrogateSpec,
};
use crate::render::release::{
    CategoryFacts, ChangeFacts, FileFacts, NearRow, PeopleFacts, QuestionFacts, Release, SourceFacts, SurrogateFacts,
};
use crate::stage::collect::Said;
use crate::stage::judge::judge_shard;
use crate::stage::planned::Planned;
use crate::stage::report_people::rule;
use crate::stage::{Context, StageError};

/// Counts over the pool.
pub struct Pool {
    items: u64,
    hard: u64,
    /// For each surrogate of the mining: right on the pool, right on the release.
    right: Vec<(u64, u64)>,
}

/// Counts over all shards; `kept`: the release's items.
pub fn count_pool(ctx: &Context, spec: &RunSpec, kept: &[Kept]) -> Result<Pool, StageError> {
    let select = &spec.mine.select;
    let released: BTreeSet<u32> = kept.iter().map(|kept| kept.image.item_id.0).collect();
    let mut pool = Pool { items: 0, hard: 0, right: vec![(0, 0); select.surrogates.len()] };
    for shard in 0..Planned::open(ctx, spec)?.ranges.len() {
        ctx.check_stop()?;
        let judged = judge_shard(ctx, select, shard)?;
        for (at, verdict) in judged.judged.iter().enumerate() {
            pool.items += 1;
            pool.hard += u64::from(verdict.hard);
            let is_released = released.contains(&verdict.item_id);
            for (votes, right) in judged.votes.iter().zip(&mut pool.right) {
                right.0 += u64::from(votes.correct[at]);
                right.1 += u64::from(votes.correct[at] && is_released);
            }
        }
    }
    Ok(pool)
}

/// All of a release that its facts are made of.
pub struct Contents<'a> {
    /// The recipe.
    pub spec: &'a RunSpec,
    /// The items.
    pub kept: &'a [Kept],
    /// The other hard items.
    pub left_out: &'a [LeftOut],
    /// Near duplicates.
    pub near: &'a [NearRow],
    /// Folders that were compared with: name, images read, images that could not be.
    pub others: &'a [(String, u64, u64)],
    /// The columns.
    pub columns: &'a [Column],
    /// What people said.
    pub said: Option<&'a Said>,
    /// Other forms.
    pub forms: &'a [ReleaseForm],
    /// What changed.
    pub changes: Option<ChangeFacts>,
}

impl Contents<'_> {
    /// The facts; `files`: the data files, `recipe_sha256`: of the recipe as it is published.
    pub fn facts(&self, pool: &Pool, files: Vec<FileFacts>, recipe_sha256: String) -> Release {
        let spec = self.spec;
        let release = spec.release.clone();
        Release {
            name: spec.name.clone(),
            version: release.version,
            title: release.title,
            tool: crate::stage::resolve::TOOL.to_owned(),
            license: release.license,
            homepage: release.homepage,
            authors: release.authors,
            description: release.description,
            citation_of: release.cite,
            verified: self.said.map(|said| people(spec, said)),
            images: self.kept.len() as u64,
            pool_items: pool.items,
            hard_items: pool.hard,
            excluded: excluded(self.left_out).into_iter().map(|(reason, n)| (reason.to_string(), n)).collect(),
            near_duplicates: near_duplicates(spec, self.near, self.others),
            forms: self.forms.iter().map(|form| (form.folder().to_owned(), form_words(*form).to_owned())).collect(),
            rule: rule_words(spec),
            label_space: spec.mine.select.label_space.to_string(),
            mining: spec.mining_id(),
            source: source(spec),
            categories: categories(spec, self.kept),
            kinds: kinds(self.kept),
            surrogates: self.surrogates(pool),
            columns: self.columns.iter().map(|column| column.facts.clone()).collect(),
            files,
            recipe_sha256,
            date: release.date,
            changes: self.changes.clone(),
        }
    }

    fn surrogates(&self, pool: &Pool) -> Vec<SurrogateFacts> {
        let released = self.kept.len() as f64;
        let facts = |(surrogate, (on_pool, on_release)): (&SurrogateSpec, &(u64, u64))| SurrogateFacts {
            name: surrogate.name.clone(),
            weights_sha256: weights(surrogate).map_or_else(|| "none (made up)".to_owned(), |hash| hash.to_string()),
            licence: match &surrogate.model {
                SurrogateModel::Onnx(onnx) => onnx.licence.clone(),
                SurrogateModel::Fake(_) => None,
            },
            accuracy_on_pool: *on_pool as f64 / pool.items as f64,
            accuracy_on_release: *on_release as f64 / released,
        };
        self.spec.voters().into_iter().zip(&pool.right).map(facts).collect()
    }
}

fn weights(surrogate: &SurrogateSpec) -> Option<crate::domain::Sha256> {
    match &surrogate.model {
        SurrogateModel::Onnx(onnx) => Some(onnx.weights.sha256),
        SurrogateModel::Fake(_) => None,
    }
}

/// Surrogates of the mining with their weights.
pub fn surrogate_records(spec: &RunSpec) -> Vec<SurrogateRecord> {
    let record = |surrogate: &SurrogateSpec| SurrogateRecord {
        name: surrogate.name.clone(),
        weights_sha256: weights(surrogate),
    };
    spec.voters().into_iter().map(record).collect()
}

/// Hard items that were left out, by reason.
pub fn excluded(left_out: &[LeftOut]) -> BTreeMap<Reason, u64> {
    let mut reasons = BTreeMap::new();
    left_out.iter().for_each(|row| *reasons.entry(row.reason).or_default() += 1);
    reasons
}

/// Categories by label, with their images.
pub fn categories(spec: &RunSpec, kept: &[Kept]) -> Vec<CategoryFacts> {
    let mut images = vec![0; spec.categories.entries.len()];
    kept.iter().for_each(|kept| images[kept.label] += 1);
    let facts = |(category, images): (&crate::domain::Category, u64)| CategoryFacts {
        id: category.id.clone(),
        name: category.name.clone(),
        imagenet_ids: category.imagenet_ids.clone(),
        images,
    };
    spec.categories.entries.iter().zip(images).map(facts).collect()
}

fn kinds(kept: &[Kept]) -> Vec<(String, u64)> {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    let with_kind = kept.iter().filter(|kept| kept.hard.nuisance.is_some());
    with_kind.for_each(|kept| *kinds.entry(kept.kind()).or_default() += 1);
    kinds.into_iter().map(|(kind, images)| (kind.to_owned(), images)).collect()
}

fn near_duplicates(spec: &RunSpec, near: &[NearRow], others: &[(String, u64, u64)]) -> String {
    let distance = spec.release.max_distance;
    let became = match (near.len(), spec.release.near_duplicates) {
        (0, _) => "none was found".to_owned(),
        (found, NearDuplicates::Exclude) => format!("{found} were found and left out, which near-duplicates.csv lists"),
        (found, NearDuplicates::Keep) => {
            format!("{found} were found and listed in near-duplicates.csv; those of each other were kept")
        }
    };
    let other = |(name, read, unread): &(String, u64, u64)| match unread {
        0 => format!(" They were compared with {read} images of {name} too."),
        unread => format!(" They were compared with {read} images of {name} too; {unread} more could not be read."),
    };
    let others: String = others.iter().map(other).collect();
    format!(
        "Images whose perceptual hashes (pHash, 64 bits) differ in at most {distance} bits are near duplicates: {became}. Mirrored \
         and strongly cropped copies are not found this way.{others}"
    )
}

fn form_words(form: ReleaseForm) -> &'static str {
    match form {
        ReleaseForm::ImageFolder => {
            "folders kind/category as ImageNet-D has them, for torchvision's ImageFolder; metadata.jsonl"
        }
        ReleaseForm::WebDataset => "tar files with image, class and evidence of each sample, for webdataset",
        ReleaseForm::FiftyOne => "images and labels.json, a FiftyOneImageClassificationDataset",
    }
}

/// The rule with its bounds.
fn rule_words(spec: &RunSpec) -> String {
    let select = &spec.mine.select;
    let bounds = [
        (select.max_true_prob < 1.0).then(|| format!(", true probability at most {}", select.max_true_prob)),
        (select.max_margin < 0.0).then(|| format!(", margin at most {}", select.max_margin)),
    ];
    format!("{} of {} fail{}", select.rule, select.surrogates.len(), bounds.into_iter().flatten().collect::<String>())
}

fn source(spec: &RunSpec) -> SourceFacts {
    match &spec.generate {
        GenerateSpec::Folder(folder) => SourceFacts::Photographs {
            folder_name: folder.root.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        },
        GenerateSpec::Diffusion(source) => SourceFacts::Diffusion {
            model: source.model.short_name(),
            model_sha256: source.model.sha256.map_or_else(String::new, |hash| hash.to_string()),
            model_licence: source.model.licence.clone(),
            sampler: source.sampler.map_or("of the model", |sampler| sampler.name()).to_owned(),
            steps: source.steps,
            guidance: source.guidance,
            width_px: source.width_px,
            height_px: source.height_px,
        },
        GenerateSpec::Fake(_) => SourceFacts::Fake,
    }
}

fn people(spec: &RunSpec, said: &Said) -> PeopleFacts {
    let questions = spec.annotate.questions.iter().zip(&said.agreement).map(|(question, agreement)| QuestionFacts {
        text: question.about("the category"),
        accept_at: question.accept_at,
        votes: agreement.votes,
        percent_agreement: agreement.percent,
        alpha: agreement.alpha,
        alpha_interval: agreement.interval,
    });
    PeopleFacts {
        judged: said.items.len() as u64,
        people: said.people.len() as u64,
        assignments: said.assignments.len() as u64,
        set_aside: said.assignments.iter().filter(|row| row.reason.is_some()).count() as u64,
        rule: rule(spec),
        questions: questions.collect(),
    }
}
