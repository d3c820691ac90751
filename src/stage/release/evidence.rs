//! What a run knows of each item of a release: plan, image, predictions, verdicts and votes, read one shard at a time.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use rayon::prelude::*;

use super::look::Seen;
use crate::domain::{Answer, Category, ImageRow, ItemId, ItemVerdict, PlanRow, Prediction, RunSpec};
use crate::render::release::safe_names;
use crate::stage::collect::Said;
use crate::stage::judge::judge_shard;
use crate::stage::planned::Planned;
use crate::stage::{Context, StageError, images};
use crate::table::{HardRow, predictions_table};

/// Kind of the images that have no nuisance.
const NO_KIND: &str = "photographs";

/// An item of the release.
#[derive(Debug, Clone)]
pub struct Kept {
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

impl Kept {
    /// Kind of its nuisance, or what stands for none.
    pub fn kind(&self) -> &str {
        kind(&self.hard)
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
pub fn kept(spec: &RunSpec, seen: Vec<Seen>) -> Vec<Kept> {
    let entries = &spec.categories.entries;
    let labels: HashMap<&str, usize> = entries.iter().enumerate().map(|(at, entry)| (entry.id.as_str(), at)).collect();
    let folders = safe_names(entries.iter().map(|entry| entry.id.as_str()));
    let kinds: BTreeSet<String> = seen.iter().map(|seen| kind(&seen.hard).to_owned()).collect();
    let kind_folders = safe_names(kinds.iter().map(String::as_str));
    let item = |seen: Seen| {
        let (label, folder) = (labels.get(seen.hard.category.as_str())?, folders.get(seen.hard.category.as_str())?);
        let path = format!("{}/{folder}/{}.{}", kind_folders[kind(&seen.hard)], seen.image.item_id, seen.extension);
        Some(Kept { hard: seen.hard, image: seen.image, label: *label, path, shard: seen.shard })
    };
    seen.into_iter().filter_map(item).collect()
}

/// One valid vote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ballot {
    /// Place of the question in the recipe.
    pub question: usize,
    /// Number of the person in the release, from 1.
    pub person: u32,
    /// The answer.
    pub answer: Answer,
}

/// All that is known of an item.
pub struct Evidence<'a> {
    /// The item.
    pub kept: &'a Kept,
    /// Its category.
    pub category: &'a Category,
    /// The plan's row.
    pub plan: &'a PlanRow,
    /// What the surrogates of the mining said, in its order.
    pub predictions: Vec<&'a Prediction>,
    /// Names of those that fail.
    pub failed_by: Vec<String>,
    /// What people decided.
    pub verdict: Option<&'a ItemVerdict>,
    /// Their valid votes, by question and person.
    pub votes: &'a [Ballot],
    /// The encoded image; empty where it was not asked for.
    pub bytes: Vec<u8>,
}

/// What one shard of the run says of the release's items.
struct Shard {
    index: usize,
    plans: HashMap<ItemId, PlanRow>,
    predictions: Vec<HashMap<ItemId, Prediction>>,
    failed: HashMap<ItemId, u64>,
}

/// Reads evidence.
pub struct Reader<'a> {
    ctx: &'a Context<'a>,
    spec: &'a RunSpec,
    kept: &'a [Kept],
    plan: Planned,
    pool: rayon::ThreadPool,
    verdicts: HashMap<ItemId, ItemVerdict>,
    votes: HashMap<ItemId, Vec<Ballot>>,
    shard: Option<Shard>,
}

impl<'a> Reader<'a> {
    /// For the items `kept`.
    pub fn new(ctx: &'a Context, spec: &'a RunSpec, kept: &'a [Kept], said: Option<&Said>) -> Result<Self, StageError> {
        let items = said.into_iter().flat_map(|said| &said.items);
        Ok(Self {
            ctx,
            spec,
            kept,
            plan: Planned::open(ctx, spec)?,
            pool: ctx.pool()?,
            verdicts: items.map(|item| (item.item_id, item.clone())).collect(),
            votes: said.map(|said| votes(spec, said)).unwrap_or_default(),
            shard: None,
        })
    }

    /// The items.
    pub fn kept(&self) -> &'a [Kept] {
        self.kept
    }

    /// Gives the evidence of the items at `range` to `each`, in their order; with their images if `images`.
    pub fn read(
        &mut self,
        range: Range<usize>,
        images: bool,
        mut each: impl FnMut(&Evidence) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        self.ctx.check_stop()?;
        let kept = &self.kept[range];
        let bytes = if images { self.images(kept)? } else { vec![Vec::new(); kept.len()] };
        for (kept, bytes) in kept.iter().zip(bytes) {
            if self.shard.as_ref().is_none_or(|shard| shard.index != kept.shard) {
                self.shard = Some(self.load(kept.shard)?);
            }
            let Some(shard) = &self.shard else { continue };
            each(&self.evidence(kept, shard, bytes)?)?;
        }
        Ok(())
    }

    fn images(&self, kept: &[Kept]) -> Result<Vec<Vec<u8>>, StageError> {
        let read = |kept: &Kept| {
            images::read_bytes(&self.ctx.run, self.spec, &kept.image)
                .map_err(|reason| StageError::ReleaseImage { item: kept.image.item_id.to_string(), reason })
        };
        self.pool.install(|| kept.par_iter().map(read).collect())
    }

    fn evidence<'b>(&'b self, kept: &'b Kept, shard: &'b Shard, bytes: Vec<u8>) -> Result<Evidence<'b>, StageError> {
        let item = kept.image.item_id;
        let lost = || StageError::ReleaseImage {
            item: item.to_string(),
            reason: "the run's tables do not have all of it; `hardset verify` says more".to_owned(),
        };
        let predictions = shard.predictions.iter().map(|rows| rows.get(&item)).collect::<Option<Vec<_>>>();
        let failed = shard.failed.get(&item).copied().ok_or_else(lost)?;
        let names = &self.spec.mine.select.surrogates;
        Ok(Evidence {
            kept,
            category: &self.spec.categories.entries[kept.label],
            plan: shard.plans.get(&item).ok_or_else(lost)?,
            predictions: predictions.ok_or_else(lost)?,
            failed_by: names
                .iter()
                .enumerate()
                .filter(|(bit, _)| failed >> bit & 1 == 1)
                .map(|(_, n)| n.clone())
                .collect(),
            verdict: self.verdicts.get(&item),
            votes: self.votes.get(&item).map(Vec::as_slice).unwrap_or_default(),
            bytes,
        })
    }

    fn load(&self, index: usize) -> Result<Shard, StageError> {
        let here = self.kept.iter().filter(|kept| kept.shard == index);
        let wanted: HashSet<ItemId> = here.map(|kept| kept.image.item_id).collect();
        let select = &self.spec.mine.select;
        let plans = self.plan.rows(index)?.into_iter().filter(|row| wanted.contains(&row.item_id));
        let judged = judge_shard(self.ctx, select, index)?.judged.into_iter();
        let failed = judged.map(|judged| (ItemId(judged.item_id), judged.failed));
        let predictions = select.surrogates.iter().map(|name| -> Result<HashMap<_, _>, StageError> {
            let rows = predictions_table::decode(&self.ctx.run.predictions(name, index).file("parquet"))?;
            Ok(rows.into_iter().filter(|row| wanted.contains(&row.item_id)).map(|row| (row.item_id, row)).collect())
        });
        Ok(Shard {
            index,
            plans: plans.map(|row| (row.item_id, row)).collect(),
            predictions: predictions.collect::<Result<_, _>>()?,
            failed: failed.filter(|(item, _)| wanted.contains(item)).collect(),
        })
    }
}

/// The votes that count, by item. People get numbers, in the order of their keyed hashes.
fn votes(spec: &RunSpec, said: &Said) -> HashMap<ItemId, Vec<Ballot>> {
    let valid = || said.votes.iter().filter(|vote| vote.reason.is_none());
    let mut names: Vec<&str> = valid().map(|vote| vote.given.person.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut votes: HashMap<ItemId, Vec<Ballot>> = HashMap::new();
    for vote in valid() {
        let question = spec.annotate.questions.iter().position(|question| question.id == vote.given.question);
        let person = names.binary_search(&vote.given.person.as_str());
        if let (Some(question), Ok(person), Some(item), Some(answer)) =
            (question, person, vote.item_id, vote.given.answer)
        {
            votes.entry(item).or_default().push(Ballot { question, person: person as u32 + 1, answer });
        }
    }
    votes.values_mut().for_each(|votes| votes.sort());
    votes
}
