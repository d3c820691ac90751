//! Which items still lack votes, counting those expected from open sheets, because nobody should be paid twice.
//!
//! Holds always: every item on a sheet is either to be asked about or counted under the reason why not, because those
//! who wait for votes must know what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::check::{CheckedAnswers, is_done};
use super::choose::Candidate;
use super::round::Round;
use crate::domain::{AnnotateSpec, HardRow, ItemId, ItemVerdict, Task};

/// What people are still to be asked about, and why not about the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Items to ask about.
    pub candidates: Vec<Candidate>,
    /// The others.
    pub others: NotAsked,
}

/// Numbers of items on sheets that nobody has to be asked about again, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotAsked {
    /// They have as many valid votes as the recipe asks for.
    pub enough: u64,
    /// Open sheets will bring the votes that they lack.
    pub expected: u64,
    /// They lack votes, but the current mining does not find them hard.
    pub not_hard: u64,
    /// They lack votes, but their images cannot be read.
    pub unreadable: u64,
    /// Whether any answer was collected.
    pub answered: bool,
}

impl fmt::Display for NotAsked {
    /// Each reason that holds, with what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { enough, expected, not_hard, unreadable, answered } = *self;
        let waits =
            if answered { "wait for them, then run" } else { "no answer was collected yet: when there are some, run" };
        let reasons = [
            (enough, "have enough votes".to_owned()),
            (expected, format!("lack votes that open sheets will bring ({waits} `hardset annotate collect`)")),
            (
                not_hard,
                "lack votes, but are not hard by the current mining (mine by the earlier rule again)".to_owned(),
            ),
            (unreadable, "lack votes, but cannot be read (restore their images)".to_owned()),
        ];
        write!(f, "of {} images on sheets", enough + expected + not_hard + unreadable)?;
        for (at, (count, text)) in reasons.iter().filter(|(count, _)| *count > 0).enumerate() {
            write!(f, "{} {count} {text}", if at == 0 { "," } else { ";" })?;
        }
        Ok(())
    }
}

impl Missing {
    /// What of this the current mining finds hard: the others need no more votes.
    pub fn still_hard(mut self, hard: &[HardRow]) -> Self {
        let before = self.candidates.len();
        self.candidates = still_hard(self.candidates, hard);
        self.others.not_hard += (before - self.candidates.len()) as u64;
        self
    }
}

/// [`lacking`], and why nobody has to be asked about the other items.
pub fn missing(spec: &AnnotateSpec, rounds: &[Round], checked: &CheckedAnswers, items: &[ItemVerdict]) -> Missing {
    let candidates = lacking(spec, rounds, checked, items);
    let asked: BTreeSet<ItemId> = candidates.iter().map(|candidate| candidate.item_id).collect();
    let mut others = NotAsked { answered: !checked.votes.is_empty(), ..NotAsked::default() };
    for item in items.iter().filter(|item| !asked.contains(&item.item_id)) {
        if votes(item) >= spec.people_per_batch {
            others.enough += 1;
        } else {
            others.expected += 1;
        }
    }
    Missing { candidates, others }
}

/// Valid votes on an item, on the question that has the fewest.
fn votes(item: &ItemVerdict) -> u32 {
    item.tallies.iter().map(|tally| tally.votes.iter().sum::<u32>()).min().unwrap_or(0)
}

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
        let expected = expected.get(&item.item_id).copied().unwrap_or(0);
        let people = spec.people_per_batch.saturating_sub(votes(item).saturating_add(expected));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_that_holds_is_said_with_its_number_and_no_other() {
        let all = NotAsked { enough: 1, expected: 2, not_hard: 3, unreadable: 4, answered: true };
        for (others, said, unsaid) in [
            (
                all,
                vec!["of 10 images", "1 have enough", "2 lack", "wait for them", "3 lack", "4 lack"],
                vec!["no answer"],
            ),
            (NotAsked { enough: 5, answered: true, ..NotAsked::default() }, vec!["of 5", "5 have"], vec!["lack"]),
            (
                NotAsked { expected: 5, ..NotAsked::default() },
                vec!["5 lack", "no answer was"],
                vec!["enough", "not hard"],
            ),
            (NotAsked { not_hard: 5, ..NotAsked::default() }, vec!["5 lack", "not hard"], vec!["open", "read"]),
            (
                NotAsked { unreadable: 5, ..NotAsked::default() },
                vec!["5 lack", "cannot be read"],
                vec!["open", "not hard"],
            ),
        ] {
            let text = others.to_string();
            assert!(said.iter().all(|part| text.contains(part)), "{text}");
            assert!(!unsaid.iter().any(|part| text.contains(part)), "{text}");
        }
    }
}
