//! Votes and verdicts of all answers that have been collected, from the tables in `verdicts/`.
//!
//! Holds always: the tables are used only if they are of the present answers, recipe, rounds and unreadable images,
//! because verdicts on anything else are wrong.

use super::AnnotateError;
use super::collect::{self, Evaluation};
use crate::domain::{Agreement, Assignment, ItemVerdict, PersonRow, RunSpec, VoteRow};
use crate::store::Check;
use crate::table::verdicts_table;
use crate::work::Context;

/// Votes and verdicts of all answers that have been collected.
pub struct PeopleResult {
    /// Assignments.
    pub assignments: Vec<Assignment>,
    /// Votes that count.
    pub votes: Vec<VoteRow>,
    /// Items.
    pub items: Vec<ItemVerdict>,
    /// How far people agree, question by question.
    pub agreement: Vec<Agreement>,
    /// People.
    pub people: Vec<PersonRow>,
}

/// The verdicts of all answers that have been collected; `None` before the first answers.
///
/// Read from the tables that `annotate collect` wrote, or computed again if these are not of the present answers,
/// recipe and sheets.
pub fn people_result(ctx: &Context, spec: &RunSpec) -> Result<Option<PeopleResult>, AnnotateError> {
    if ctx.run.answered().is_empty() {
        return Ok(None);
    }
    let unit = ctx.run.verdicts();
    let record = unit.done(collect::key(ctx, spec), Check::Hashes);
    let sheets = record.as_ref().and_then(|record| record.facts.get(collect::SHEETS));
    if sheets != Some(&collect::sheets(ctx).to_string()) {
        return Ok(Some(computed(ctx, spec)?));
    }
    let questions: Vec<String> = spec.annotate.questions.iter().map(|question| question.id.clone()).collect();
    Ok(Some(PeopleResult {
        assignments: verdicts_table::decode_assignments(&unit.file("assignments.parquet"))?,
        votes: verdicts_table::decode_counting_votes(&unit.file("votes.parquet"))?,
        items: verdicts_table::decode_items(&unit.file("items.parquet"), &questions)?,
        agreement: verdicts_table::decode_agreement(&unit.file("agreement.parquet"))?,
        people: verdicts_table::decode_people(&unit.file("people.parquet"))?,
    }))
}

fn computed(ctx: &Context, spec: &RunSpec) -> Result<PeopleResult, AnnotateError> {
    let Evaluation { checked, decisions, .. } = collect::evaluate(ctx, spec)?;
    let votes = checked.votes.into_iter().filter(|vote| vote.reason.is_none()).collect();
    Ok(PeopleResult {
        assignments: checked.assignments,
        votes,
        items: decisions.items,
        agreement: decisions.agreement,
        people: decisions.people,
    })
}

/// The rule of acceptance, for people.
pub fn rule_words(spec: &RunSpec) -> String {
    let annotate = &spec.annotate;
    let bounds: Vec<String> =
        annotate.questions.iter().map(|question| format!("{} >= {}", question.id, question.accept_at)).collect();
    format!(
        "An image is accepted with {} ({}, of at least {} votes that count); agreement is the share of pairs of votes \
         on one image that are equal.",
        bounds.join(" and "),
        annotate.verdict.aggregate.name(),
        annotate.verdict.min_votes
    )
}
