//! What a release says about itself: figures over the pool, source, surrogates, people.
//!
//! Does not write documents: `render::release` words these facts. Holds always: nothing here names a path or a person,
//! because the facts are published; the facts come from `release.json`, the published recipe and the rows alone,
//! because `verify` makes the documents again from these and compares them.

use std::collections::{BTreeMap, BTreeSet};

use super::ReleaseError;
use super::choose::{LeftOut, Reason};
use super::columns::release_columns;
use super::evidence::ChosenItem;
use crate::config::space_of;
use crate::domain::{
    BaseRecord, CategoryCount, ComparedRecord, DataFileRecord, NearDuplicates, PeopleRecord, QuestionRecord,
    ReleaseForm, ReleaseRecord, RunSpec, SurrogateRecord,
};
use crate::pool::Pool;
use crate::render::release::{
    CategoryFacts, ChangeFacts, FileFacts, PeopleFacts, QuestionFacts, Release, SurrogateFacts, class_names,
};
use crate::source::source;
use crate::stage::annotate::{PeopleResult, rule_words};

/// Counts over the pool.
pub struct PoolCounts {
    /// Its images.
    pub images: u64,
    /// Of them, hard ones.
    pub hard: u64,
    /// Images of the pool on which each surrogate of the mining is right.
    pub right: Vec<u64>,
    /// The same of the release.
    pub right_on_release: Vec<u64>,
}

/// Counts over all shards; `chosen`: the release's items.
pub fn count_pool(pool: &Pool, chosen: &[ChosenItem]) -> Result<PoolCounts, ReleaseError> {
    let released: BTreeSet<u32> = chosen.iter().map(|item| item.image.item_id.0).collect();
    let surrogates = pool.spec().mine.select.surrogates.len();
    let (right, right_on_release) = (vec![0; surrogates], vec![0; surrogates]);
    let mut counts = PoolCounts { images: 0, hard: 0, right, right_on_release };
    for shard in 0..pool.shards() {
        pool.ctx().check_stop()?;
        let shard = pool.judge(shard)?;
        for (at, item) in shard.judged.iter().enumerate() {
            counts.images += 1;
            counts.hard += u64::from(item.hard);
            let is_released = released.contains(&item.item_id);
            for (surrogate, votes) in shard.votes.iter().enumerate() {
                counts.right[surrogate] += u64::from(votes.correct[at]);
                counts.right_on_release[surrogate] += u64::from(votes.correct[at] && is_released);
            }
        }
    }
    Ok(counts)
}

/// The parts of a release from which its facts are made.
pub struct Contents<'a> {
    /// The published recipe.
    pub recipe: &'a RunSpec,
    /// `release.json`.
    pub record: &'a ReleaseRecord,
    /// Hard images that were left out, by reason.
    pub excluded: Vec<(String, u64)>,
    /// Kinds of nuisance with their images.
    pub kinds: Vec<(String, u64)>,
    /// Images on which each surrogate is right.
    pub right: Vec<u64>,
    /// Hash of the published recipe.
    pub recipe_sha256: String,
}

impl Contents<'_> {
    /// The facts.
    pub fn facts(self) -> Release {
        let (record, recipe) = (self.record, self.recipe);
        let surrogates = self.surrogates();
        let release = recipe.release.clone();
        let form = |form: &ReleaseForm| (form.folder().to_owned(), form_words(*form).to_owned());
        let categories = categories(recipe, record.categories.iter().map(|category| category.images));
        Release {
            name: recipe.name.clone(),
            version: release.version,
            title: release.title,
            tool: record.tool.clone(),
            license: release.license,
            homepage: release.homepage,
            authors: release.authors,
            description: release.description,
            citation_of: release.cite,
            verified: record.people.as_ref().map(|people| people_facts(recipe, people)),
            images: record.images,
            pool_items: record.pool_images,
            hard_items: record.images + record.excluded,
            excluded: self.excluded,
            near_duplicates: near_duplicates(recipe, record.near_duplicates, &record.compared),
            forms: record.also.iter().map(form).collect(),
            rule: mining_rule(recipe),
            label_space: recipe.mine.select.label_space.to_string(),
            mining: recipe.mining_id(),
            source: source(&recipe.generate).facts(),
            categories,
            kinds: self.kinds,
            surrogates,
            columns: release_columns(recipe, record.verified),
            files: record.files.iter().map(file_facts).collect(),
            recipe_sha256: self.recipe_sha256,
            date: release.date,
            changes: record.base.as_ref().map(change_facts),
        }
    }

    fn surrogates(&self) -> Vec<SurrogateFacts> {
        let (pool, released) = (self.record.pool_images as f64, self.record.images as f64);
        let mut facts = Vec::with_capacity(self.right.len());
        let counts = self.record.surrogates.iter().zip(&self.right);
        for (surrogate, (record, right)) in self.recipe.voters().into_iter().zip(counts) {
            let weights = surrogate.weights_sha256();
            facts.push(SurrogateFacts {
                name: surrogate.name.clone(),
                weights_sha256: weights.map_or_else(|| "none (fake)".to_owned(), |hash| hash.to_string()),
                is_imported: surrogate.model.is_imported(),
                space: surrogate.space.clone(),
                classes: space_of(self.recipe, &surrogate.space).map_or(0, |space| space.len() as u64),
                licence: surrogate.model.licence().map(str::to_owned),
                accuracy_on_pool: record.right_on_pool as f64 / pool,
                accuracy_on_release: *right as f64 / released,
            });
        }
        facts
    }
}

fn file_facts(file: &DataFileRecord) -> FileFacts {
    FileFacts { path: file.path.clone(), bytes: file.bytes, sha256: file.sha256.to_string(), rows: file.images }
}

fn change_facts(base: &BaseRecord) -> ChangeFacts {
    ChangeFacts { base_version: base.called(), added: base.added, removed: base.removed, relabelled: base.relabelled }
}

/// Surrogates of the mining with their weights; `right`: images of the pool on which each is right.
pub fn surrogate_records(spec: &RunSpec, right: &[u64]) -> Vec<SurrogateRecord> {
    let mut records = Vec::with_capacity(right.len());
    for (surrogate, right_on_pool) in spec.voters().into_iter().zip(right.iter().copied()) {
        let weights_sha256 = surrogate.weights_sha256();
        records.push(SurrogateRecord { name: surrogate.name.clone(), weights_sha256, right_on_pool });
    }
    records
}

/// Hard items that were left out, by reason.
pub fn excluded(left_out: &[LeftOut]) -> BTreeMap<Reason, u64> {
    let mut reasons = BTreeMap::new();
    left_out.iter().for_each(|row| *reasons.entry(row.reason).or_default() += 1);
    reasons
}

/// The same with the reasons in words.
pub fn in_words(reasons: &BTreeMap<Reason, u64>) -> Vec<(String, u64)> {
    reasons.iter().map(|(reason, images)| (reason.to_string(), *images)).collect()
}

/// Images of each category, by label.
pub fn images_by_label(spec: &RunSpec, chosen: &[ChosenItem]) -> Vec<u64> {
    let mut images = vec![0; spec.categories.entries.len()];
    chosen.iter().for_each(|item| images[item.label] += 1);
    images
}

/// Categories by label; `images`: those of each.
pub fn categories(spec: &RunSpec, images: impl IntoIterator<Item = u64>) -> Vec<CategoryFacts> {
    let mut facts = Vec::with_capacity(spec.categories.entries.len());
    for (category, images) in spec.categories.entries.iter().zip(images) {
        facts.push(CategoryFacts {
            id: category.id.clone(),
            name: category.name.clone(),
            imagenet_ids: category.imagenet_ids.clone(),
            list_ids: (spec.mine.spaces.iter())
                .map(|space| (space.name.clone(), space.accepted(&category.id).to_vec()))
                .collect(),
            images,
        });
    }
    facts
}

/// Categories for `release.json`, by label; `images`: those of each.
pub fn category_counts(spec: &RunSpec, images: Vec<u64>) -> Vec<CategoryCount> {
    let categories = categories(spec, images);
    let classes = class_names(&categories);
    let mut counts = Vec::with_capacity(categories.len());
    for (category, class) in categories.into_iter().zip(classes) {
        counts.push(CategoryCount { id: category.id, class, images: category.images });
    }
    counts
}

/// Kinds of nuisance with their images.
pub fn kinds(chosen: &[ChosenItem]) -> Vec<(String, u64)> {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    chosen.iter().filter_map(ChosenItem::nuisance_kind).for_each(|kind| *kinds.entry(kind).or_default() += 1);
    kinds.into_iter().map(|(kind, images)| (kind.to_owned(), images)).collect()
}

fn near_duplicates(spec: &RunSpec, near: u64, compared: &[ComparedRecord]) -> String {
    let distance = spec.release.max_distance;
    let became = match (near, spec.release.near_duplicates) {
        (0, _) => "none was found".to_owned(),
        (found, NearDuplicates::Exclude) => format!("{found} were found and left out, which near-duplicates.csv lists"),
        (found, NearDuplicates::Keep) => {
            format!("{found} were found and listed in near-duplicates.csv; those of each other were kept")
        }
    };
    let mut others = String::new();
    for ComparedRecord { name, images, unread } in compared {
        others += &format!(" They were compared with {images} images of {name} too");
        others += &if *unread == 0 { ".".to_owned() } else { format!("; {unread} more could not be read.") };
    }
    format!(
        "Images whose perceptual hashes (pHash, 64 bits) differ in at most {distance} bits are near duplicates: \
         {became}. Mirrored and strongly cropped copies are not found this way.{others}"
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

/// What people did, for `release.json`.
pub fn people_record(spec: &RunSpec, result: &PeopleResult) -> PeopleRecord {
    let finite = |number: Option<f64>| number.filter(|number| number.is_finite());
    let mut questions = Vec::with_capacity(result.agreement.len());
    for (question, agreement) in spec.annotate.questions.iter().zip(&result.agreement) {
        let interval = agreement.interval.filter(|(low, high)| low.is_finite() && high.is_finite());
        questions.push(QuestionRecord {
            id: question.id.clone(),
            votes: agreement.votes,
            percent_agreement: finite(agreement.percent),
            alpha: finite(agreement.alpha),
            alpha_interval: interval.map(|(low, high)| [low, high]),
        });
    }
    PeopleRecord {
        judged: result.items.len() as u64,
        people: result.people.len() as u64,
        assignments: result.assignments.len() as u64,
        set_aside: result.assignments.iter().filter(|row| row.reason.is_some()).count() as u64,
        questions,
    }
}

fn people_facts(spec: &RunSpec, people: &PeopleRecord) -> PeopleFacts {
    let mut questions = Vec::with_capacity(people.questions.len());
    for (question, record) in spec.annotate.questions.iter().zip(&people.questions) {
        questions.push(QuestionFacts {
            text: question.about("the category"),
            accept_at: question.accept_at,
            votes: record.votes,
            percent_agreement: record.percent_agreement,
            alpha: record.alpha,
            alpha_interval: record.alpha_interval.map(|[low, high]| (low, high)),
        });
    }
    PeopleFacts {
        judged: people.judged,
        people: people.people,
        assignments: people.assignments,
        set_aside: people.set_aside,
        rule: rule_words(spec),
        questions,
    }
}
