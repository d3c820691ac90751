//! Which hard items a release may have: those that people accepted, or all if nobody was asked.
//!
//! Does not look at images. Holds always: a hard item is chosen or has a reason for being left out, because readers of
//! a release must be able to account for every one.

use std::collections::BTreeMap;
use std::fmt;

use super::ReleaseError;
use crate::domain::{HardRow, ItemId, Verdict};
use crate::pool::Pool;
use crate::stage::annotate::{PeopleResult, people_result};
use crate::store::read_ballots;
use crate::work::Context;

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
    check_collected(pool.ctx())?;
    let Some(people) = people_result(pool.ctx(), pool.spec())? else {
        return Ok(Chosen { items: hard, left_out: Vec::new(), people: None });
    };
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

/// An error if the run's own server has answers that are not collected, because the release would ignore them.
fn check_collected(ctx: &Context) -> Result<(), ReleaseError> {
    let ballots = ctx.run.ballots();
    if !ballots.is_file() {
        return Ok(());
    }
    let (id, given) = read_ballots(&ballots, true)?;
    let collected = ctx.run.answers(&format!("server-{id}")).record().map_or(0, |record| record.rows.given);
    let answers = given.len() as u64;
    if answers == collected {
        return Ok(());
    }
    Err(ReleaseError::NotCollected { run: ctx.run_name(), answers: answers.saturating_sub(collected) })
}
