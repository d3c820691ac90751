//! The report's part about people: verdicts -> what the page shows.
//!
//! Does not count votes: `people` does. Holds always: a person appears as the first digits of a keyed hash, because the
//! page may be published.

use std::collections::BTreeSet;

use super::error::ReportError;
use super::words::category_name;
use crate::domain::{ItemVerdict, Verdict};
use crate::pool::Pool;
use crate::render::report::{Disputed, Opinion, People, Person};
use crate::stage::annotate::{PeopleResult, people_result, rule_words};

/// Disputed images on the page.
const DISPUTED: usize = 24;
/// Digits of a person's hash that the page shows.
const NAME: usize = 8;

/// Figures over all answers; `None` without answers.
pub fn people(pool: &Pool) -> Result<Option<People>, ReportError> {
    let spec = pool.spec();
    let Some(result) = people_result(pool)? else { return Ok(None) };
    let count = |wanted: Verdict| result.items.iter().filter(|item| item.verdict == wanted).count() as u64;
    let mut opinions = Vec::with_capacity(result.agreement.len());
    for (question, agreement) in spec.annotate.questions.iter().zip(&result.agreement) {
        opinions.push(Opinion {
            question: question.about("the category"),
            votes: agreement.votes,
            agreement: agreement.percent,
            alpha: agreement.alpha,
            interval: agreement.interval,
        });
    }
    let mut people = Vec::with_capacity(result.people.len());
    for row in &result.people {
        people.push(Person {
            name: row.person.chars().take(NAME).collect(),
            sheets: row.sheets,
            set_aside: row.set_aside,
            votes: row.votes,
            agreement: row.agreement,
        });
    }
    Ok(Some(People {
        rule: rule_words(spec),
        accepted: count(Verdict::Accept),
        rejected: count(Verdict::Reject),
        undecided: count(Verdict::Undecided),
        assignments: result.assignments.len() as u64,
        set_aside: result.assignments.iter().filter(|row| row.reason.is_some()).count() as u64,
        opinions,
        people,
        disputed: disputed(pool, &result)?,
    }))
}

fn disputed(pool: &Pool, result: &PeopleResult) -> Result<Vec<Disputed>, ReportError> {
    let spec = pool.spec();
    let mut split: Vec<&ItemVerdict> = result.items.iter().filter(|item| dissent(item) > 0.0).collect();
    split.sort_by(|a, b| dissent(b).total_cmp(&dissent(a)).then(a.item_id.cmp(&b.item_id)));
    split.truncate(DISPUTED);
    let images = pool.find_images(&split.iter().map(|item| item.item_id).collect::<BTreeSet<_>>())?;
    let mut shown = Vec::with_capacity(split.len());
    for item in split {
        let thumbnail = images.get(&item.item_id).map(|image| pool.thumbnail(&image.row));
        let votes = spec.annotate.questions.iter().zip(&item.tallies);
        shown.push(Disputed {
            item_id: item.item_id.to_string(),
            label: category_name(spec, &item.category),
            verdict: item.verdict.name().to_owned(),
            thumbnail_jpeg: thumbnail.unwrap_or_default(),
            votes: votes.map(|(question, tally)| (question.id.clone(), tally.votes.map(u64::from))).collect(),
        });
    }
    Ok(shown)
}

/// The largest share, over the questions, of votes that are not the most frequent answer; 0 if all agree.
fn dissent(item: &ItemVerdict) -> f64 {
    let of = |votes: [u32; 3]| {
        let (all, most) = (votes.iter().sum::<u32>(), votes.iter().max().copied().unwrap_or(0));
        if all == 0 { 0.0 } else { 1.0 - f64::from(most) / f64::from(all) }
    };
    item.tallies.iter().map(|tally| of(tally.votes)).fold(0.0, f64::max)
}
