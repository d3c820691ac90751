//! What a release says about itself: figures over the pool, source, surrogates, people.
//!
//! Does not write documents: `render::release` words these facts. Holds always: nothing here names a path or a person,
//! because the facts are published.

use std::collections::{BTreeMap, BTreeSet};

use super::ReleaseError;
use super::choose::{LeftOut, Reason};
use super::columns::Column;
use super::evidence::ChosenItem;
use crate::domain::{NearDuplicates, ReleaseForm, RunSpec, SurrogateModel, SurrogateRecord, SurrogateSpec};
use crate::pool::Pool;
use crate::render::release::{
    CategoryFacts, ChangeFacts, FileFacts, NearRow, PeopleFacts, QuestionFacts, Release, SurrogateFacts,
};
use crate::source::source;
use crate::stage::annotate::{PeopleResult, rule_words};
use crate::stage::prepare::TOOL;

/// Counts over the pool.
pub struct PoolCounts {
    items: u64,
    hard: u64,
    /// For each surrogate of the mining: right on the pool, right on the release.
    right: Vec<(u64, u64)>,
}

/// Counts over all shards; `chosen`: the release's items.
pub fn count_pool(pool: &Pool, chosen: &[ChosenItem]) -> Result<PoolCounts, ReleaseError> {
    let released: BTreeSet<u32> = chosen.iter().map(|item| item.image.item_id.0).collect();
    let surrogates = pool.spec().mine.select.surrogates.len();
    let mut counts = PoolCounts { items: 0, hard: 0, right: vec![(0, 0); surrogates] };
    for shard in 0..pool.shards() {
        pool.ctx().check_stop()?;
        let shard = pool.judge(shard)?;
        for (at, item) in shard.judged.iter().enumerate() {
            counts.items += 1;
            counts.hard += u64::from(item.hard);
            let is_released = released.contains(&item.item_id);
            for (votes, right) in shard.votes.iter().zip(&mut counts.right) {
                right.0 += u64::from(votes.correct[at]);
                right.1 += u64::from(votes.correct[at] && is_released);
            }
        }
    }
    Ok(counts)
}

/// The parts of a release from which its facts are made.
pub struct Contents<'a> {
    /// The recipe.
    pub spec: &'a RunSpec,
    /// The items.
    pub chosen: &'a [ChosenItem],
    /// The other hard items.
    pub left_out: &'a [LeftOut],
    /// Near duplicates.
    pub near: &'a [NearRow],
    /// Folders that were compared with: name, images read, images that could not be.
    pub others: &'a [(String, u64, u64)],
    /// The columns.
    pub columns: &'a [Column],
    /// What people answered.
    pub people: Option<&'a PeopleResult>,
    /// Other forms.
    pub forms: &'a [ReleaseForm],
    /// What changed.
    pub changes: Option<ChangeFacts>,
}

impl Contents<'_> {
    /// The facts. `files`: the data files; `recipe_sha256`: hash of the published recipe.
    pub fn facts(&self, pool: &PoolCounts, files: Vec<FileFacts>, recipe_sha256: String) -> Release {
        let spec = self.spec;
        let release = spec.release.clone();
        Release {
            name: spec.name.clone(),
            version: release.version,
            title: release.title,
            tool: TOOL.to_owned(),
            license: release.license,
            homepage: release.homepage,
            authors: release.authors,
            description: release.description,
            citation_of: release.cite,
            verified: self.people.map(|result| people(spec, result)),
            images: self.chosen.len() as u64,
            pool_items: pool.items,
            hard_items: pool.hard,
            excluded: excluded(self.left_out).into_iter().map(|(reason, n)| (reason.to_string(), n)).collect(),
            near_duplicates: near_duplicates(spec, self.near, self.others),
            forms: self.forms.iter().map(|form| (form.folder().to_owned(), form_words(*form).to_owned())).collect(),
            rule: mining_rule(spec),
            label_space: spec.mine.select.label_space.to_string(),
            mining: spec.mining_id(),
            source: source(&spec.generate).facts(),
            categories: categories(spec, self.chosen),
            kinds: kinds(self.chosen),
            surrogates: self.surrogates(pool),
            columns: self.columns.iter().map(|column| column.facts.clone()).collect(),
            files,
            recipe_sha256,
            date: release.date,
            changes: self.changes.clone(),
        }
    }

    fn surrogates(&self, pool: &PoolCounts) -> Vec<SurrogateFacts> {
        let released = self.chosen.len() as f64;
        let mut facts = Vec::with_capacity(pool.right.len());
        for (surrogate, (on_pool, on_release)) in self.spec.voters().into_iter().zip(&pool.right) {
            let weights = surrogate.weights_sha256();
            facts.push(SurrogateFacts {
                name: surrogate.name.clone(),
                weights_sha256: weights.map_or_else(|| "none (fake)".to_owned(), |hash| hash.to_string()),
                licence: match &surrogate.model {
                    SurrogateModel::Onnx(onnx) => onnx.licence.clone(),
                    SurrogateModel::Fake(_) => None,
                },
                accuracy_on_pool: *on_pool as f64 / pool.items as f64,
                accuracy_on_release: *on_release as f64 / released,
            });
        }
        facts
    }
}

/// Surrogates of the mining with their weights.
pub fn surrogate_records(spec: &RunSpec) -> Vec<SurrogateRecord> {
    let record = |surrogate: &SurrogateSpec| SurrogateRecord {
        name: surrogate.name.clone(),
        weights_sha256: surrogate.weights_sha256(),
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
pub fn categories(spec: &RunSpec, chosen: &[ChosenItem]) -> Vec<CategoryFacts> {
    let mut images = vec![0; spec.categories.entries.len()];
    chosen.iter().for_each(|item| images[item.label] += 1);
    let mut facts = Vec::with_capacity(images.len());
    for (category, images) in spec.categories.entries.iter().zip(images) {
        facts.push(CategoryFacts {
            id: category.id.clone(),
            name: category.name.clone(),
            imagenet_ids: category.imagenet_ids.clone(),
            images,
        });
    }
    facts
}

fn kinds(chosen: &[ChosenItem]) -> Vec<(String, u64)> {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    let with_kind = chosen.iter().filter(|item| item.hard.nuisance.is_some());
    with_kind.for_each(|item| *kinds.entry(item.kind()).or_default() += 1);
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
    let mut compared = String::new();
    for (name, read, unread) in others {
        compared += &format!(" They were compared with {read} images of {name} too");
        compared += &if *unread == 0 { ".".to_owned() } else { format!("; {unread} more could not be read.") };
    }
    format!(
        "Images whose perceptual hashes (pHash, 64 bits) differ in at most {distance} bits are near duplicates: \
         {became}. Mirrored and strongly cropped copies are not found this way.{compared}"
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
fn mining_rule(spec: &RunSpec) -> String {
    let select = &spec.mine.select;
    let bounds = [
        (select.max_true_prob < 1.0).then(|| format!(", true probability at most {}", select.max_true_prob)),
        (select.max_margin < 0.0).then(|| format!(", margin at most {}", select.max_margin)),
    ];
    format!("{} of {} fail{}", select.rule, select.surrogates.len(), bounds.into_iter().flatten().collect::<String>())
}

fn people(spec: &RunSpec, result: &PeopleResult) -> PeopleFacts {
    let questions = spec.annotate.questions.iter().zip(&result.agreement).map(|(question, agreement)| QuestionFacts {
        text: question.about("the category"),
        accept_at: question.accept_at,
        votes: agreement.votes,
        percent_agreement: agreement.percent,
        alpha: agreement.alpha,
        alpha_interval: agreement.interval,
    });
    PeopleFacts {
        judged: result.items.len() as u64,
        people: result.people.len() as u64,
        assignments: result.assignments.len() as u64,
        set_aside: result.assignments.iter().filter(|row| row.reason.is_some()).count() as u64,
        rule: rule_words(spec),
        questions: questions.collect(),
    }
}
