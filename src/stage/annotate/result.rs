//! Votes and verdicts of all answers that have been collected, from the tables in `verdicts/`.
//!
//! Holds always: the tables are used only if they are of the present answers, recipe, rounds and unreadable images,
//! because verdicts on anything else are wrong.

use super::AnnotateError;
use super::collect::{self, Evaluation};
use super::rounds::check_images;
use crate::domain::{Agreement, Assignment, ItemVerdict, PersonRow, RunSpec, Sha256, VoteRow};
use crate::pool::Pool;
use crate::store::{Check, UnitState};
use crate::table::verdicts_table;
use crate::work::Context;

/// Votes and verdicts of all answers that have been collected.
pub struct PeopleResult {
    /// Hash of what it follows from: sheets, answers and the recipe's rules.
    pub identity: Sha256,
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
pub fn people_result(pool: &Pool) -> Result<Option<PeopleResult>, AnnotateError> {
    let (ctx, spec) = (pool.ctx(), pool.spec());
    if ctx.run.answered()?.is_empty() {
        return Ok(None);
    }
    check_images(pool)?;
    let (unit, key) = (ctx.run.verdicts(), collect::key(ctx, spec)?);
    let record = match unit.state(key, Check::Hashes)? {
        UnitState::Done(record) => Some(record),
        // The answers are there: what follows from them is computed again.
        UnitState::ToDo | UnitState::Damaged(..) => None,
    };
    let Some(record) = record else { return Ok(Some(computed(ctx, spec, key)?)) };
    let questions: Vec<String> = spec.annotate.questions.iter().map(|question| question.id.clone()).collect();
    Ok(Some(PeopleResult {
        identity: key,
        assignments: verdicts_table::decode_assignments(&unit.checked(&record, "assignments.parquet")?)?,
        votes: verdicts_table::decode_counting_votes(&unit.checked(&record, "votes.parquet")?)?,
        items: verdicts_table::decode_items(&unit.checked(&record, "items.parquet")?, &questions)?,
        agreement: verdicts_table::decode_agreement(&unit.checked(&record, "agreement.parquet")?)?,
        people: verdicts_table::decode_people(&unit.checked(&record, "people.parquet")?)?,
    }))
}

fn computed(ctx: &Context, spec: &RunSpec, identity: Sha256) -> Result<PeopleResult, AnnotateError> {
    let Evaluation { checked, decisions, .. } = collect::evaluate(ctx, spec)?;
    let votes = checked.votes.into_iter().filter(|vote| vote.reason.is_none()).collect();
    Ok(PeopleResult {
        identity,
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
