//! The evidence for each item of a release: plan, image, predictions, verdicts and votes, read one shard at a time.
//!
//! Does not decide what is released. Holds always: at most `CACHED_PREDICTIONS` predictions are in memory,
//! and people are numbered for the release, because neither their names nor their hashes may be published.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use rayon::prelude::*;

use super::ReleaseError;
use super::choose::damaged;
use super::inspect::InspectedImage;
use crate::domain::{Answer, Category, HardRow, ImageRow, ItemId, ItemVerdict, PlanRow, Prediction};
use crate::pool::Pool;
use crate::render::release::safe_names;
use crate::stage::annotate::PeopleResult;

/// Kind of the images that have no nuisance.
pub const NO_KIND: &str = "photographs";

/// An item of the release.
#[derive(Debug, Clone)]
pub struct ChosenItem {
    /// The mining's row.
    pub hard: HardRow,
    /// Its image.
    pub image: ImageRow,
    /// Place of its category in the set.
    pub label: usize,
    /// `<kind>/<category>/<file>`: safe names.
    pub path: String,
    shard: usize,
}

impl ChosenItem {
    /// Kind of its nuisance, if it has one.
    pub fn nuisance_kind(&self) -> Option<&str> {
        self.hard.nuisance.as_ref().map(|(kind, _)| kind.as_str())
    }

    /// The folder of its kind.
    pub fn folder(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

fn kind(hard: &HardRow) -> &str {
    hard.nuisance.as_ref().map_or(NO_KIND, |(kind, _)| kind)
}

/// The items of the release, with the paths that their images have.
pub fn chosen(pool: &Pool, inspected: Vec<InspectedImage>) -> Result<Vec<ChosenItem>, ReleaseError> {
    let entries = &pool.spec().categories.entries;
    let labels: HashMap<&str, usize> = entries.iter().enumerate().map(|(at, entry)| (entry.id.as_str(), at)).collect();
    let folders = safe_names(entries.iter().map(|entry| entry.id.as_str()));
    let kinds: BTreeSet<String> = inspected.iter().map(|image| kind(&image.hard).to_owned()).collect();
    let kind_folders = safe_names(kinds.iter().map(String::as_str));
    let mut chosen = Vec::with_capacity(inspected.len());
    for InspectedImage { hard, image, shard, extension, .. } in inspected {
        let category = hard.category.as_str();
        let (Some(&label), Some(folder)) = (labels.get(category), folders.get(category)) else {
            let problem = format!("item {} is of the category {category}, which its spec.toml lacks", hard.item_id);
            return Err(damaged(pool, problem));
        };
        let path = format!("{}/{folder}/{}.{extension}", kind_folders[kind(&hard)], image.item_id);
        chosen.push(ChosenItem { hard, image, label, path, shard });
    }
    Ok(chosen)
}

/// One vote that counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountingVote {
    /// Place of the question in the recipe.
    pub question: usize,
    /// Number of the person in the release, from 1.
    pub person: u32,
    /// The answer.
    pub answer: Answer,
}

/// All that is known about an item.
pub struct Evidence<'a> {
    /// The item.
    pub item: &'a ChosenItem,
    /// Its category.
    pub category: &'a Category,
    /// The plan's row.
    pub plan: &'a PlanRow,
    /// What the surrogates of the mining predicted, in its order.
    pub predictions: Vec<&'a Prediction>,
    /// What people decided.
    pub verdict: Option<&'a ItemVerdict>,
    /// Their valid votes, by question and person.
    pub votes: &'a [CountingVote],
    /// The encoded image; empty unless it was asked for.
    pub bytes: Vec<u8>,
}

/// What one shard of the run has about the items of the release.
struct Shard {
    index: usize,
    plans: HashMap<ItemId, PlanRow>,
    predictions: Vec<HashMap<ItemId, Prediction>>,
}

/// Reads evidence, shard by shard. It stays in memory for the next form of the release, up to
/// `CACHED_PREDICTIONS`.
pub struct Reader<'a> {
    pool: &'a Pool<'a>,
    chosen: &'a [ChosenItem],
    threads: rayon::ThreadPool,
    verdicts: HashMap<ItemId, ItemVerdict>,
    votes: HashMap<ItemId, Vec<CountingVote>>,
    shards: Vec<Shard>,
}

/// Predictions that stay in memory with the rest of the evidence: some 200 bytes each.
const CACHED_PREDICTIONS: usize = 1 << 18;

impl<'a> Reader<'a> {
    /// A reader for the items `chosen`.
    pub fn new(
        pool: &'a Pool<'a>,
        chosen: &'a [ChosenItem],
        people: Option<&PeopleResult>,
    ) -> Result<Self, ReleaseError> {
        let items = people.into_iter().flat_map(|people| &people.items);
        let votes = people.map(|people| votes(pool, people)).transpose()?;
        Ok(Self {
            pool,
            chosen,
            threads: pool.ctx().thread_pool()?,
            verdicts: items.map(|item| (item.item_id, item.clone())).collect(),
            votes: votes.unwrap_or_default(),
            shards: Vec::new(),
        })
    }

    /// The items.
    pub fn chosen(&self) -> &'a [ChosenItem] {
        self.chosen
    }

    /// Calls `each` with the evidence for the items at `range`, in their order; with their images if `images`.
    pub fn read(
        &mut self,
        range: Range<usize>,
        images: bool,
        mut each: impl FnMut(&Evidence) -> Result<(), ReleaseError>,
    ) -> Result<(), ReleaseError> {
        self.pool.ctx().check_stop()?;
        let chosen = &self.chosen[range];
        let bytes = if images { self.images(chosen)? } else { vec![Vec::new(); chosen.len()] };
        for (item, bytes) in chosen.iter().zip(bytes) {
            let place = self.shard_of(item)?;
            each(&self.evidence(item, &self.shards[place], bytes)?)?;
        }
        Ok(())
    }

    fn images(&self, chosen: &[ChosenItem]) -> Result<Vec<Vec<u8>>, ReleaseError> {
        let read = |item: &ChosenItem| {
            self.pool.images().bytes(&item.image).map_err(|problem| ReleaseError::Image {
                item: item.image.item_id.to_string(),
                reason: problem.to_string(),
            })
        };
        self.threads.install(|| chosen.par_iter().map(read).collect())
    }

    /// Place of the item's shard in `shards`; reads the shard if necessary.
    fn shard_of(&mut self, item: &ChosenItem) -> Result<usize, ReleaseError> {
        if let Some(place) = self.shards.iter().rposition(|shard| shard.index == item.shard) {
            return Ok(place);
        }
        let shard = self.load(item.shard)?;
        let held: usize = self.shards.iter().map(|shard| shard.plans.len()).sum();
        if (held + shard.plans.len()) * shard.predictions.len().max(1) > CACHED_PREDICTIONS {
            self.shards.clear();
        }
        self.shards.push(shard);
        Ok(self.shards.len() - 1)
    }

    fn evidence<'b>(
        &'b self,
        item: &'b ChosenItem,
        shard: &'b Shard,
        bytes: Vec<u8>,
    ) -> Result<Evidence<'b>, ReleaseError> {
        let id = item.image.item_id;
        let lacks = |table: &str| damaged(self.pool, format!("its {table} have no row for item {id}"));
        let mut predictions = Vec::with_capacity(shard.predictions.len());
        for rows in &shard.predictions {
            predictions.push(rows.get(&id).ok_or_else(|| lacks("predictions"))?);
        }
        let category = &self.pool.spec().categories.entries[item.label];
        let plan = shard.plans.get(&id).ok_or_else(|| lacks("plan's rows"))?;
        let ids: Vec<i32> = category.imagenet_ids.iter().map(|&id| id as i32).collect();
        if plan.category != category.id
            || plan.label_ids != ids
            || plan.nuisance_kind.as_deref() != item.nuisance_kind()
        {
            let problem = format!("item {id} is another one in its plan than in its mining or its spec.toml");
            return Err(damaged(self.pool, problem));
        }
        Ok(Evidence {
            item,
            category,
            plan,
            predictions,
            verdict: self.verdicts.get(&id),
            votes: self.votes.get(&id).map(Vec::as_slice).unwrap_or_default(),
            bytes,
        })
    }

    fn load(&self, index: usize) -> Result<Shard, ReleaseError> {
        let here = self.chosen.iter().filter(|item| item.shard == index);
        let wanted: HashSet<ItemId> = here.map(|item| item.image.item_id).collect();
        let surrogates = &self.pool.spec().mine.select.surrogates;
        let mut plans = HashMap::with_capacity(wanted.len());
        for row in self.pool.items(index)? {
            if wanted.contains(&row.item_id) {
                plans.insert(row.item_id, row);
            }
        }
        let mut predictions = Vec::with_capacity(surrogates.len());
        for name in surrogates {
            let rows = self.pool.predictions(name, index)?.into_iter();
            let rows = rows.filter(|row| wanted.contains(&row.item_id)).map(|row| (row.item_id, row));
            predictions.push(rows.collect::<HashMap<_, _>>());
        }
        Ok(Shard { index, plans, predictions })
    }
}

/// The votes that count, by item. People get numbers, in the order of their keyed hashes.
fn votes(pool: &Pool, people: &PeopleResult) -> Result<HashMap<ItemId, Vec<CountingVote>>, ReleaseError> {
    let questions = &pool.spec().annotate.questions;
    let mut names: Vec<&str> = people.votes.iter().map(|vote| vote.given.person.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut votes: HashMap<ItemId, Vec<CountingVote>> = HashMap::with_capacity(people.items.len());
    votes.extend(people.items.iter().map(|item| (item.item_id, Vec::new())));
    for vote in &people.votes {
        let question = questions.iter().position(|question| question.id == vote.given.question);
        let person = names.partition_point(|name| *name < vote.given.person.as_str()) as u32 + 1;
        let place = vote.item_id.and_then(|item| votes.get_mut(&item));
        let (Some(place), Some(question), Some(answer)) = (place, question, vote.given.answer) else {
            let problem =
                format!("a vote on the task {} is about no question or item of its verdicts", vote.given.task);
            return Err(damaged(pool, problem));
        };
        place.push(CountingVote { question, person, answer });
    }
    for votes in votes.values_mut() {
        votes.sort();
    }
    Ok(votes)
}
