//! Which items still lack votes, counting those expected from open sheets, because nobody should be paid twice.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{CheckedAnswers, is_done};
use super::choose::Candidate;
use super::round::Round;
use crate::domain::{AnnotateSpec, HardRow, ItemId, ItemVerdict, Task};

/// Items with fewer valid votes than the recipe asks for, with the number of people that they still need.
///
/// Votes that open sheets (given to fewer people than they are for) will bring are counted as valid.
pub fn lacking(
    spec: &AnnotateSpec,
    rounds: &[Round],
    checked: &CheckedAnswers,
    items: &[ItemVerdict],
) -> Vec<Candidate> {
    let expected = expected(rounds, checked);
    let mut candidates = Vec::new();
    for item in items {
        let votes = item.tallies.iter().map(|tally| tally.votes.iter().sum::<u32>()).min().unwrap_or(0);
        let expected = expected.get(&item.item_id).copied().unwrap_or(0);
        let people = spec.people_per_batch.saturating_sub(votes.saturating_add(expected));
        if people > 0 {
            candidates.push(Candidate { item_id: item.item_id, category: item.category.clone(), people });
        }
    }
    candidates
}

/// Votes that open sheets will bring, by item.
fn expected(rounds: &[Round], checked: &CheckedAnswers) -> BTreeMap<ItemId, u32> {
    let mut finished: BTreeMap<&str, u32> = BTreeMap::new();
    for assignment in checked.assignments.iter().filter(|assignment| is_done(assignment)) {
        *finished.entry(&assignment.batch).or_default() += 1;
    }
    let mut expected: BTreeMap<ItemId, u32> = BTreeMap::new();
    for sheet in rounds.iter().flat_map(Round::sheets) {
        let people = sheet[0].people.saturating_sub(finished.get(sheet[0].batch.as_str()).copied().unwrap_or(0));
        for item in sheet.iter().filter_map(Task::judged) {
            *expected.entry(item).or_default() += people;
        }
    }
    expected
}

/// The candidates that the current mining finds hard: the others need no more votes.
pub fn still_hard(mut candidates: Vec<Candidate>, hard: &[HardRow]) -> Vec<Candidate> {
    let hard: BTreeSet<ItemId> = hard.iter().map(|row| row.item_id).collect();
    candidates.retain(|candidate| hard.contains(&candidate.item_id));
    candidates
}
