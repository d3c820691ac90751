//! Candidates and sentinels -> sheets: which task is at which place, under which name.
//!
//! Holds always: every sheet has as many sentinels of each kind as the recipe says, or there is an error (a sheet for
//! which there are too few candidates may have fewer repeats); names, order and places depend on the run's secret, and
//! a place says nothing about the kind of its task, because people learn such patterns.

use super::choose::Candidate;
use super::missing::NotAsked;
use super::shuffle::{Draws, shuffle};
use super::supply::Supply;
use crate::domain::{AnnotateSpec, Secret, Task, TaskImage, TaskKind};

/// Letters of a task's name: 64 bits.
const TASK_LETTERS: usize = 16;
/// Letters of a sheet's name: 40 bits.
const BATCH_LETTERS: usize = 10;

/// Why there are no sheets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// There is no item to judge.
    #[error(
        "there is no image to judge: the current mining has no hard item; mine by another rule or other surrogates \
         (`hardset mine`)"
    )]
    NoCandidates,
    /// No item that is to be judged can be shown.
    #[error("none of the {0} images to judge can be read; restore them, then run the same command again")]
    NoneReadable(u64),
    /// There is no vote to ask for.
    #[error("no vote is missing: {0}")]
    NothingMissing(NotAsked),
    /// There are too few images of which the surrogates are sure.
    #[error(
        "a sheet needs {wanted} {kind} sentinels, but the run has {found} image(s) that can be one; lower \
         annotate.sentinels.{key} or annotate.sentinels.min_prob, or name a folder with annotate.sentinels.known_good"
    )]
    Sentinels {
        /// Kind, for people.
        kind: &'static str,
        /// Key of the recipe.
        key: &'static str,
        /// How many a sheet needs.
        wanted: u32,
        /// How many the run has.
        found: usize,
    },
}

/// The settings of sheets.
pub struct Design<'a> {
    /// The recipe.
    pub spec: &'a AnnotateSpec,
    /// The run's secret.
    pub secret: &'a Secret,
    /// The round, from 0.
    pub round: usize,
}

/// A task without a place.
struct UnplacedTask {
    category: String,
    image: TaskImage,
    kind: TaskKind,
}

impl Design<'_> {
    /// Sheets for all candidates, those whose items need the most people first.
    ///
    /// The last sheet is filled with candidates of other sheets, so that it is not shorter. If all candidates do not
    /// fill one sheet, that sheet is shorter.
    pub fn compose(&self, candidates: Vec<Candidate>, supply: &Supply) -> Result<Vec<Task>, SheetError> {
        if candidates.is_empty() {
            return Err(SheetError::NoCandidates);
        }
        let mut candidates = shuffle(candidates, self.secret.seed("items", &self.round.to_string()));
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.people));
        let size = self.spec.candidates_per_batch() as usize;
        let missing =
            if candidates.len() > size { candidates.len().next_multiple_of(size) - candidates.len() } else { 0 };
        candidates.extend_from_within(..missing);
        let mut sentinels_left = SentinelQueues::new(supply);
        let mut tasks = Vec::with_capacity(candidates.len());
        for (at, candidates) in candidates.chunks(size).enumerate() {
            tasks.extend(self.sheet(at, candidates, &mut sentinels_left)?);
        }
        Ok(tasks)
    }

    fn sheet(
        &self,
        at: usize,
        candidates: &[Candidate],
        sentinels_left: &mut SentinelQueues,
    ) -> Result<Vec<Task>, SheetError> {
        let wanted = &self.spec.sentinels;
        let mut entries: Vec<UnplacedTask> = candidates.iter().map(UnplacedTask::candidate).collect();
        sentinels_left.positives.add_to(&mut entries, wanted.positives, &TaskKind::Positive)?;
        sentinels_left.negatives.add_to(&mut entries, wanted.negatives, &TaskKind::Negative)?;
        let place = format!("{}.{at}", self.round);
        let mut draws = Draws::new(self.secret.seed("places", &place));
        // A short sheet may not have room for all repeats; they take at most a quarter of it.
        let repeats = (wanted.repeats as usize).min(candidates.len()).min(entries.len() / 3);
        let length = entries.len() + repeats;
        let mut twice: Vec<usize> = shuffle((0..candidates.len()).collect(), self.secret.seed("repeats", &place));
        twice.truncate(repeats);
        let pairs = pairs(repeats, length, &mut draws);
        let free = (0..length).filter(|slot| !pairs.iter().any(|&(a, b)| a == *slot || b == *slot)).collect();
        let mut free = shuffle(free, self.secret.seed("order", &place)).into_iter();
        let name = |slot: usize| self.secret.word("task", &format!("{place}.{slot}"), TASK_LETTERS);
        let mut slots: Vec<(usize, UnplacedTask)> = Vec::with_capacity(length);
        for (entry, number) in entries.into_iter().zip(0..) {
            let Some(pair) = twice.iter().position(|&candidate| candidate == number) else {
                slots.push((free.next().unwrap_or_default(), entry));
                continue;
            };
            let (first, second) = pairs[pair];
            slots.push((second, UnplacedTask { kind: TaskKind::Repeat(name(first)), ..entry.again() }));
            slots.push((first, entry));
        }
        slots.sort_by_key(|(slot, _)| *slot);
        let batch = self.secret.word("batch", &place, BATCH_LETTERS);
        let people = candidates.iter().map(|candidate| candidate.people).max().unwrap_or(1);
        let mut tasks = Vec::with_capacity(length);
        for (slot, UnplacedTask { category, image, kind }) in slots {
            let (batch, position) = (batch.clone(), slot as u32);
            tasks.push(Task { batch, people, position, name: name(slot), category, image, kind });
        }
        Ok(tasks)
    }
}

impl UnplacedTask {
    fn candidate(candidate: &Candidate) -> Self {
        Self {
            category: candidate.category.clone(),
            image: TaskImage::Item(candidate.item_id),
            kind: TaskKind::Candidate,
        }
    }

    fn again(&self) -> Self {
        Self { category: self.category.clone(), image: self.image.clone(), kind: TaskKind::Candidate }
    }
}

/// Places of images that appear twice: `count` disjoint pairs (first, second) on a sheet of `length`.
///
/// First places take at most a quarter of the sheet, so that free pairs are found soon. The two places are at least a
/// quarter of the sheet apart, also around its end. Which of them is the sentinel is random, so that both are at every
/// place equally often.
fn pairs(count: usize, length: usize, draws: &mut Draws) -> Vec<(usize, usize)> {
    let apart = (length / 4).max(1);
    let mut pairs: Vec<(usize, usize)> = Vec::with_capacity(count);
    while pairs.len() < count {
        let first = draws.below(length);
        let second = (first + apart + draws.below(length + 1 - 2 * apart)) % length;
        let free = |slot: usize| !pairs.iter().any(|&(a, b)| a == slot || b == slot);
        if free(first) && free(second) {
            pairs.push((first, second));
        }
    }
    pairs
}

/// Sentinels of both kinds, used in turn.
struct SentinelQueues<'a> {
    positives: SentinelQueue<'a>,
    negatives: SentinelQueue<'a>,
}

impl<'a> SentinelQueues<'a> {
    fn new(supply: &'a Supply) -> Self {
        let queue = |kind, key, images: &'a [(String, TaskImage)]| SentinelQueue { kind, key, images, next: 0 };
        Self {
            positives: queue("positive", "positives", &supply.positives),
            negatives: queue("negative", "negatives", &supply.negatives),
        }
    }
}

struct SentinelQueue<'a> {
    kind: &'static str,
    key: &'static str,
    images: &'a [(String, TaskImage)],
    next: usize,
}

impl SentinelQueue<'_> {
    /// Adds `wanted` sentinels to a sheet; none shows an image that is already on it.
    fn add_to(&mut self, entries: &mut Vec<UnplacedTask>, wanted: u32, kind: &TaskKind) -> Result<(), SheetError> {
        let before = entries.len();
        for _ in 0..self.images.len() {
            if entries.len() - before == wanted as usize {
                break;
            }
            let (category, image) = &self.images[self.next % self.images.len()];
            self.next += 1;
            if !entries.iter().any(|entry| entry.image == *image) {
                entries.push(UnplacedTask { category: category.clone(), image: image.clone(), kind: kind.clone() });
            }
        }
        let found = entries.len() - before;
        if found < wanted as usize {
            return Err(SheetError::Sentinels { kind: self.kind, key: self.key, wanted, found });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::ItemId;

    fn candidates(count: u32) -> Vec<Candidate> {
        (0..count).map(|item| Candidate { item_id: ItemId(item), category: "mug".into(), people: 3 }).collect()
    }

    fn supply(count: u32) -> Supply {
        let images =
            |from: u32| (from..from + count).map(|item| ("cup".to_owned(), TaskImage::Item(ItemId(item)))).collect();
        Supply { positives: images(10_000), negatives: images(20_000) }
    }

    fn sheets(count: u32) -> Vec<Task> {
        let (spec, secret) = (AnnotateSpec::default(), Secret::new([3; 32]));
        Design { spec: &spec, secret: &secret, round: 0 }.compose(candidates(count), &supply(7)).unwrap()
    }

    #[test]
    fn every_sheet_has_what_the_recipe_says_and_every_item_is_on_one() {
        let tasks = sheets(94);
        let sheets: Vec<&[Task]> = tasks.chunk_by(|a, b| a.batch == b.batch).collect();
        assert_eq!(sheets.iter().map(|sheet| sheet.len()).collect::<Vec<_>>(), [48, 48, 48]);
        for sheet in sheets {
            let count = |kind: &str| sheet.iter().filter(|task| task.kind.name() == kind).count();
            assert_eq!(["candidate", "positive", "negative", "repeat"].map(count), [40, 3, 3, 2]);
            assert!(sheet.iter().zip(0..).all(|(task, position)| task.position == position));
            for task in sheet {
                let TaskKind::Repeat(first) = &task.kind else { continue };
                let first = sheet.iter().find(|other| other.name == *first).unwrap();
                assert_eq!((&first.image, &first.kind), (&task.image, &TaskKind::Candidate));
                assert!(first.position.abs_diff(task.position) >= 12);
            }
        }
        let judged = |task: &Task| if task.kind == TaskKind::Candidate { Some(task.image.clone()) } else { None };
        let items: Vec<_> = tasks.iter().filter_map(judged).collect();
        assert_eq!(items.iter().map(|image| format!("{image:?}")).collect::<BTreeSet<_>>().len(), 94);
        assert_eq!(tasks.iter().map(|task| &task.name).collect::<BTreeSet<_>>().len(), tasks.len());
    }

    /// Whether a spreadsheet would read a cell as something else than text, and so write something else back.
    fn is_changed_by_a_spreadsheet(cell: &str) -> bool {
        const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let lower = cell.trim().to_lowercase();
        let number = lower.replace(',', "").replace('d', "e").parse::<f64>().is_ok();
        let date = MONTHS.iter().any(|month| lower.contains(month)) && lower.contains(|c: char| c.is_ascii_digit())
            || lower.starts_with(|c: char| c.is_ascii_digit()) && lower.contains(['-', '/', ':']);
        let hexadecimal = lower.strip_prefix("0x").is_some_and(|rest| u64::from_str_radix(rest, 16).is_ok());
        let word = ["true", "false", "yes", "no", "na", "n/a", "nan", "null", "none", "inf", ""].contains(&&*lower);
        number || date || hexadecimal || word || lower.starts_with(['=', '+', '-', '@', '\'', '#', '%', '$'])
    }

    #[test]
    fn no_name_is_a_number_or_a_date_or_anything_but_text_to_a_spreadsheet() {
        for cell in ["123e4", "0012", "4711", "1d5", "dec1", "mar12", "1e05", "0x1f", "1-2", "1/2", "inf", "nan"]
            .into_iter()
            .chain(["1,000", "true", "FALSE", "=a1", "+a", "-a", "@a", "1:30", "1.5", "#name", "$1", "null", ""])
        {
            assert!(is_changed_by_a_spreadsheet(cell), "the check does not know {cell}");
        }
        let (spec, mut tasks, mut batches, mut sheets) = (AnnotateSpec::default(), BTreeSet::new(), BTreeSet::new(), 0);
        for secret in 0..40 {
            let secret = Secret::new([secret; 32]);
            for round in 0..5 {
                let design = Design { spec: &spec, secret: &secret, round };
                for task in design.compose(candidates(200), &supply(20)).unwrap() {
                    sheets += u32::from(task.position == 0);
                    batches.insert(task.batch);
                    assert!(tasks.insert(task.name), "a name comes twice");
                }
            }
        }
        assert_eq!((tasks.len(), batches.len(), sheets), (40 * 5 * 5 * 48, 1000, 1000));
        for name in tasks.iter().chain(&batches) {
            assert!(!is_changed_by_a_spreadsheet(name) && !name.contains(|c: char| !c.is_ascii_lowercase()), "{name}");
            // Neither can any part of it be, if a tool cuts it: no digit, no sign, no vowel.
            assert!(!name.contains(['a', 'e', 'i', 'o', 'u', 'y']), "{name}");
        }
    }

    #[test]
    fn fewer_items_than_a_sheet_holds_make_one_shorter_sheet_with_all_sentinels() {
        assert_eq!(sheets(10).len(), 18);
    }

    #[test]
    fn a_place_tells_nothing_of_what_is_there() {
        let tasks = sheets(40 * 800);
        let mut seen = vec![[0_u32; 2]; 48];
        for task in &tasks {
            seen[task.position as usize][usize::from(task.kind != TaskKind::Candidate)] += 1;
        }
        // 8 of 48 are sentinels; chi-squared over the places, with 47 degrees of freedom, stays below 82.7 in 999 of
        // 1,000.
        let expected = 800.0 * 8.0 / 48.0;
        let chi: f64 = seen.iter().map(|[_, found]| (f64::from(*found) - expected).powi(2) / expected).sum();
        assert!(chi < 82.7, "{chi}");
    }

    #[test]
    fn too_few_sentinels_are_refused_with_the_key_to_change() {
        let (spec, secret) = (AnnotateSpec::default(), Secret::new([3; 32]));
        let design = Design { spec: &spec, secret: &secret, round: 0 };
        let error = design.compose(candidates(50), &supply(2)).unwrap_err().to_string();
        assert!(error.contains("needs 3 positive") && error.contains("annotate.sentinels.positives"), "{error}");
        assert_eq!(design.compose(Vec::new(), &supply(9)), Err(SheetError::NoCandidates));
    }
}
