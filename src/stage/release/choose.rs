//! Which hard items a release may have: those that people accepted, or all if nobody was asked.
//!
//! Does not look at images. Holds always: a hard item is chosen or has a reason for being left out, because readers of
//! a release must be able to account for every one.

use std::collections::BTreeMap;
use std::fmt;

use super::ReleaseError;
use crate::domain::{HardRow, ItemId, Verdict};
use crate::pool::Pool;
use crate::stage::annotate::{PeopleResult, not_collected, people_result};

/// Why a hard item is not in the release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// People said no.
    Rejected,
    /// Too few valid votes.
    Undecided,
    /// People were not asked about it.
    NotAsked,
    /// The image is gone, has changed or is broken.
    Unreadable,
    /// The pool has the same file under another category.
    OtherCategory,
    /// Its image is byte for byte that of another item.
    SameImage,
    /// It looks like another item's image.
    NearDuplicate,
    /// It looks like an image in a folder that was compared.
    NearOther,
}

impl Reason {
    /// All, in the order in which documents list them.
    pub const ALL: [Self; 8] = [
        Self::Rejected,
        Self::Undecided,
        Self::NotAsked,
        Self::Unreadable,
        Self::OtherCategory,
        Self::SameImage,
        Self::NearDuplicate,
        Self::NearOther,
    ];

    /// The detail of a near duplicate.
    pub fn detail(distance: u32, like: &str) -> String {
        format!("{distance} of 64 bits from {like}")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected => "rejected by people",
            Self::Undecided => "undecided: too few valid votes",
            Self::NotAsked => "not shown to people",
            Self::Unreadable => "the image cannot be read any more, or has changed",
            Self::OtherCategory => "the pool has the same file under another category",
            Self::SameImage => "the same file as another image",
            Self::NearDuplicate => "near duplicate of another image",
            Self::NearOther => "near duplicate of an image that the release should not have",
        })
    }
}

/// A hard item that is not in the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The item.
    pub item_id: ItemId,
    /// Its category's id.
    pub category: String,
    /// Why.
    pub reason: Reason,
    /// Details; may be empty.
    pub detail: String,
}

impl LeftOut {
    /// The item of `row`.
    pub fn new(row: &HardRow, reason: Reason, detail: impl Into<String>) -> Self {
        Self { item_id: row.item_id, category: row.category.clone(), reason, detail: detail.into() }
    }
}

/// The hard items, chosen or left out.
pub struct Chosen {
    /// Items, ascending.
    pub items: Vec<HardRow>,
    /// The other hard items.
    pub left_out: Vec<LeftOut>,
    /// What people answered; `None` if nobody has.
    pub people: Option<PeopleResult>,
}

/// Chooses among the hard items of the current mining.
pub fn choose(pool: &Pool) -> Result<Chosen, ReleaseError> {
    let hard = pool.hard()?.to_vec();
    if !hard.is_sorted_by(|a, b| a.item_id < b.item_id) {
        return Err(damaged(pool, "the hard items of its mining do not ascend".to_owned()));
    }
    check_collected(pool)?;
    let Some(people) = people_result(pool)? else {
        return Ok(Chosen { items: hard, left_out: Vec::new(), people: None });
    };
    if people.agreement.len() != pool.spec().annotate.questions.len() {
        return Err(damaged(pool, "its verdicts are about other questions than its spec.toml has".to_owned()));
    }
    let verdicts: BTreeMap<ItemId, Verdict> = people.items.iter().map(|item| (item.item_id, item.verdict)).collect();
    let (mut items, mut left_out) = (Vec::new(), Vec::new());
    for row in hard {
        let reason = match verdicts.get(&row.item_id) {
            Some(Verdict::Accept) => {
                items.push(row);
                continue;
            }
            Some(Verdict::Reject) => Reason::Rejected,
            Some(Verdict::Undecided) => Reason::Undecided,
            None => Reason::NotAsked,
        };
        left_out.push(LeftOut::new(&row, reason, ""));
    }
    Ok(Chosen { items, left_out, people: Some(people) })
}

/// Parts of the run that do not belong together.
pub fn damaged(pool: &Pool, problem: String) -> ReleaseError {
    ReleaseError::RunDamaged { run: pool.ctx().run_name(), problem }
}

/// An error unless each hard item is released or left out with a reason, once.
pub fn account(pool: &Pool, released: &[ItemId], left_out: &[LeftOut]) -> Result<(), ReleaseError> {
    let hard = pool.hard()?;
    let mut accounted: Vec<ItemId> = left_out.iter().map(|row| row.item_id).chain(released.iter().copied()).collect();
    accounted.sort_unstable();
    if hard.iter().map(|row| row.item_id).eq(accounted.iter().copied()) {
        return Ok(());
    }
    Err(ReleaseError::Accounting { given: hard.len() as u64, accounted: accounted.len() as u64 })
}

/// An error if the run's own server has answers that are not collected, because the release would ignore them.
fn check_collected(pool: &Pool) -> Result<(), ReleaseError> {
    match not_collected(pool.ctx(), pool.spec())? {
        None => Ok(()),
        Some(answers) => Err(ReleaseError::NotCollected { run: pool.ctx().run_name(), answers }),
    }
}
