//! What people have answered so far, from the tables in `verdicts/`.

use super::AnnotateError;
use super::collect::{self, Standing};
use crate::domain::{Agreement, Assignment, ItemVerdict, PersonRow, RunSpec, VoteRow};
use crate::store::Check;
use crate::table::verdicts_table;
use crate::work::Context;

/// What people have answered so far.
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
/// They are read from the tables that `annotate collect` wrote; if these are not of the present answers and recipe,
/// they are worked out again.
pub fn people_result(ctx: &Context, spec: &RunSpec) -> Result<Option<PeopleResult>, AnnotateError> {
    if ctx.run.answered().is_empty() {
        return Ok(None);
    }
    let unit = ctx.run.verdicts();
    if unit.done(collect::key(ctx, spec), Check::Hashes).is_none() {
        return Ok(Some(worked_out(ctx, spec)?));
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

fn worked_out(ctx: &Context, spec: &RunSpec) -> Result<PeopleResult, AnnotateError> {
    let Standing { tallied, decided, .. } = collect::standing(ctx, spec)?;
    let votes = tallied.votes.into_iter().filter(|vote| vote.reason.is_none()).collect();
    Ok(PeopleResult {
        assignments: tallied.assignments,
        votes,
        items: decided.items,
        agreement: decided.agreement,
        people: decided.people,
    })
}

/// When an image is accepted, in words.
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
