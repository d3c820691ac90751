//! The report's part about people: from verdicts to what the page says.

use std::collections::{BTreeMap, BTreeSet};

use super::collect::{Said, said};
use super::planned::Planned;
use super::report::{category_name, thumbnail_of};
use super::{Context, StageError};
use crate::domain::{ItemId, ItemVerdict, RunSpec, Verdict};
use crate::render::report::{Disputed, Opinion, People, Person};
use crate::table::images_table;

/// Disputed images on the page.
const DISPUTED: usize = 24;
/// Digits of a person's hash that the page shows.
const NAME: usize = 8;

/// What people said, if anybody has.
pub fn people(ctx: &Context, spec: &RunSpec, plan: &Planned) -> Result<Option<People>, StageError> {
    let Some(said) = said(ctx, spec)? else { return Ok(None) };
    let verdicts = |wanted: Verdict| said.items.iter().filter(|item| item.verdict == wanted).count() as u64;
    let disputed = disputed(ctx, spec, plan, &said)?;
    let opinion = |(at, agreement): (usize, &super::Agreement)| Opinion {
        question: spec.annotate.questions[at].about("the category"),
        votes: agreement.votes,
        agreement: agreement.percent,
        alpha: agreement.alpha,
        interval: agreement.interval,
    };
    let person = |row: &crate::domain::PersonRow| Person {
        name: row.person.chars().take(NAME).collect(),
        sheets: row.sheets,
        set_aside: row.set_aside,
        votes: row.votes,
        agreement: row.agreement,
    };
    Ok(Some(People {
        rule: rule(spec),
        accepted: verdicts(Verdict::Accept),
        rejected: verdicts(Verdict::Reject),
        undecided: verdicts(Verdict::Undecided),
        assignments: said.assignments.len() as u64,
        set_aside: said.assignments.iter().filter(|row| row.reason.is_some()).count() as u64,
        opinions: said.agreement.iter().enumerate().map(opinion).collect(),
        people: said.people.iter().map(person).collect(),
        disputed,
    }))
}

/// When an image is accepted, in words.
pub(super) fn rule(spec: &RunSpec) -> String {
    let annotate = &spec.annotate;
    let bounds: Vec<String> =
        annotate.questions.iter().map(|question| format!("{} >= {}", question.id, question.accept_at)).collect();
    format!(
        "An image is accepted with {} ({}, of at least {} votes that count); agreement is the share of pairs of votes on one image that are equal.",
        bounds.join(" and "),
        annotate.verdict.aggregate.name(),
        annotate.verdict.min_votes
    )
}

fn disputed(ctx: &Context, spec: &RunSpec, plan: &Planned, said: &Said) -> Result<Vec<Disputed>, StageError> {
    let mut split: Vec<&ItemVerdict> = said.items.iter().filter(|item| dissent(item) > 0.0).collect();
    split.sort_by(|a, b| dissent(b).total_cmp(&dissent(a)).then(a.item_id.cmp(&b.item_id)));
    split.truncate(DISPUTED);
    let mut thumbnails = thumbnails(ctx, spec, plan, split.iter().map(|item| item.item_id).collect())?;
    let shown = |item: &&ItemVerdict| Disputed {
        item_id: item.item_id.to_string(),
        label: category_name(spec, &item.category),
        verdict: item.verdict.name().to_owned(),
        thumbnail_jpeg: thumbnails.remove(&item.item_id).unwrap_or_default(),
        votes: (spec.annotate.questions.iter().zip(&item.tallies))
            .map(|(question, tally)| (question.id.clone(), tally.votes.map(u64::from)))
            .collect(),
    };
    Ok(split.iter().map(shown).collect())
}

/// The largest share, over the questions, of votes that are not with the most: 0 where all agree.
fn dissent(item: &ItemVerdict) -> f64 {
    let of = |votes: [u32; 3]| {
        let (all, most) = (votes.iter().sum::<u32>(), votes.iter().max().copied().unwrap_or(0));
        if all == 0 { 0.0 } else { 1.0 - f64::from(most) / f64::from(all) }
    };
    item.tallies.iter().map(|tally| of(tally.votes)).fold(0.0, f64::max)
}

fn thumbnails(
    ctx: &Context,
    spec: &RunSpec,
    plan: &Planned,
    mut wanted: BTreeSet<ItemId>,
) -> Result<BTreeMap<ItemId, Vec<u8>>, StageError> {
    let mut found = BTreeMap::new();
    for shard in 0..plan.ranges.len() {
        if wanted.is_empty() {
            break;
        }
        for row in images_table::decode(&ctx.run.images(shard).file("parquet"))? {
            if wanted.remove(&row.item_id) {
                found.insert(row.item_id, thumbnail_of(ctx, spec, &row));
            }
        }
    }
    Ok(found)
}
