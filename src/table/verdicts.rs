//! `verdicts/all.{votes,assignments,items,people,agreement}.parquet`: which votes count, which assignments were set
//! aside, and what people decided.

use polars::prelude::*;

use super::answers;
use super::frame::{self, TableError};
use crate::domain::{Agreement, Answer, Assignment, ItemVerdict, PersonRow, VoteRow};

/// All votes; those that do not count have a reason.
pub fn encode_votes(rows: &[VoteRow]) -> Result<Vec<u8>, TableError> {
    let mut columns = answers::columns(rows.iter().map(|row| &row.given));
    // The column `problem` is left out, because a problem of the row is part of the reason.
    columns.pop();
    columns.extend([
        Column::new("batch".into(), rows.iter().map(|row| row.batch.as_deref()).collect::<Vec<Option<&str>>>()),
        Column::new(
            "item_id".into(),
            rows.iter().map(|row| row.item_id.map(|item| item.0)).collect::<Vec<Option<u32>>>(),
        ),
        Column::new("counts".into(), rows.iter().map(|row| row.reason.is_none()).collect::<Vec<bool>>()),
        Column::new("reason".into(), rows.iter().map(|row| row.reason.as_deref()).collect::<Vec<Option<&str>>>()),
    ]);
    frame::encode(columns)
}

/// All assignments; those set aside have a reason.
pub fn encode_assignments(rows: &[Assignment]) -> Result<Vec<u8>, TableError> {
    let numbers = |name: &str, number: fn(&Assignment) -> u32| {
        Column::new(name.into(), rows.iter().map(number).collect::<Vec<u32>>())
    };
    frame::encode(vec![
        Column::new("batch".into(), rows.iter().map(|row| row.batch.as_str()).collect::<Vec<&str>>()),
        Column::new("person".into(), rows.iter().map(|row| row.person.as_str()).collect::<Vec<&str>>()),
        numbers("answers", |row| row.answers),
        numbers("positives_passed", |row| row.positives.passed),
        numbers("positives", |row| row.positives.all),
        numbers("negatives_passed", |row| row.negatives.passed),
        numbers("negatives", |row| row.negatives.all),
        numbers("repeats_passed", |row| row.repeats.passed),
        numbers("repeats", |row| row.repeats.all),
        Column::new("counts".into(), rows.iter().map(|row| row.reason.is_none()).collect::<Vec<bool>>()),
        Column::new("reason".into(), rows.iter().map(|row| row.reason.as_deref()).collect::<Vec<Option<&str>>>()),
    ])
}

/// The items' verdicts; columns `<question>_yes`, `_no`, `_not_sure` and `_score` for each of `questions`.
pub fn encode_items(questions: &[String], rows: &[ItemVerdict]) -> Result<Vec<u8>, TableError> {
    let mut columns = vec![
        Column::new("item_id".into(), rows.iter().map(|row| row.item_id.0).collect::<Vec<u32>>()),
        Column::new("category".into(), rows.iter().map(|row| row.category.as_str()).collect::<Vec<&str>>()),
        Column::new("verdict".into(), rows.iter().map(|row| row.verdict.name()).collect::<Vec<&str>>()),
    ];
    for (at, question) in questions.iter().enumerate() {
        for (place, answer) in Answer::ALL.iter().enumerate() {
            let votes: Vec<u32> = rows.iter().map(|row| row.tallies[at].votes[place]).collect();
            columns.push(Column::new(format!("{question}_{}", answer.name()).into(), votes));
        }
        let scores: Vec<Option<f64>> = rows.iter().map(|row| row.tallies[at].score).collect();
        columns.push(Column::new(format!("{question}_score").into(), scores));
    }
    frame::encode(columns)
}

/// What each person contributed.
pub fn encode_people(rows: &[PersonRow]) -> Result<Vec<u8>, TableError> {
    let counts = |name: &str, count: fn(&PersonRow) -> u64| {
        Column::new(name.into(), rows.iter().map(count).collect::<Vec<u64>>())
    };
    frame::encode(vec![
        Column::new("person".into(), rows.iter().map(|row| row.person.as_str()).collect::<Vec<&str>>()),
        counts("sheets", |row| row.sheets),
        counts("set_aside", |row| row.set_aside),
        counts("votes", |row| row.votes),
        Column::new("agreement".into(), rows.iter().map(|row| row.agreement).collect::<Vec<Option<f64>>>()),
    ])
}

/// How much people agree on each question.
pub fn encode_agreement(rows: &[Agreement]) -> Result<Vec<u8>, TableError> {
    let figures = |name: &str, figure: fn(&Agreement) -> Option<f64>| {
        Column::new(name.into(), rows.iter().map(figure).collect::<Vec<Option<f64>>>())
    };
    frame::encode(vec![
        Column::new("question".into(), rows.iter().map(|row| row.question.as_str()).collect::<Vec<&str>>()),
        Column::new("votes".into(), rows.iter().map(|row| row.votes).collect::<Vec<u64>>()),
        figures("percent_agreement", |row| row.percent),
        figures("alpha", |row| row.alpha),
        figures("alpha_low", |row| row.interval.map(|(low, _)| low)),
        figures("alpha_high", |row| row.interval.map(|(_, high)| high)),
    ])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::{ItemId, Passed, Tally, Verdict};

    #[test]
    fn assignments_and_items_come_back_as_they_went_in() {
        let assignment = Assignment {
            batch: "b".into(),
            person: "p".into(),
            answers: 96,
            positives: Passed { passed: 2, all: 3 },
            negatives: Passed::default(),
            repeats: Passed { passed: 4, all: 4 },
            reason: Some("random".into()),
        };
        let tally = |score| Tally { votes: [1, 0, 4], score };
        let item = ItemVerdict {
            item_id: ItemId(5),
            category: "mug".into(),
            tallies: vec![tally(Some(0.8)), tally(None)],
            verdict: Verdict::Accept,
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, encode_assignments(std::slice::from_ref(&assignment)).unwrap()).unwrap();
        assert_eq!(decode_assignments(&path).unwrap(), [assignment]);
        let questions = ["recognise".to_owned(), "use".to_owned()];
        std::fs::write(&path, encode_items(&questions, std::slice::from_ref(&item)).unwrap()).unwrap();
        assert_eq!(decode_items(&path, &questions).unwrap(), [item]);
    }

    /// The assignments of the file.
    fn decode_assignments(path: &Path) -> Result<Vec<Assignment>, TableError> {
        let columns = [
            "batch",
            "person",
            "answers",
            "positives_passed",
            "positives",
            "negatives_passed",
            "negatives",
            "repeats_passed",
            "repeats",
            "reason",
        ];
        frame::read_rows(path, &columns, |frame| {
            let (batches, people) = (frame::full_strings(frame, "batch")?, frame::full_strings(frame, "person")?);
            let (answers, reasons) = (frame::u32s(frame, "answers")?, frame::strings(frame, "reason")?);
            let passed = |name: &str| -> PolarsResult<Vec<Passed>> {
                let (passed, all) = (frame::u32s(frame, &format!("{name}_passed"))?, frame::u32s(frame, name)?);
                Ok(passed.into_iter().zip(all).map(|(passed, all)| Passed { passed, all }).collect())
            };
            let (positives, negatives, repeats) = (passed("positives")?, passed("negatives")?, passed("repeats")?);
            let rows = batches.into_iter().zip(people).zip(reasons).enumerate();
            Ok(rows
                .map(|(at, ((batch, person), reason))| Assignment {
                    batch,
                    person,
                    answers: answers[at],
                    positives: positives[at],
                    negatives: negatives[at],
                    repeats: repeats[at],
                    reason,
                })
                .collect())
        })
    }

    /// The items of the file.
    fn decode_items(path: &Path, questions: &[String]) -> Result<Vec<ItemVerdict>, TableError> {
        let own = ["no", "not_sure", "yes", "score"];
        let of_questions = questions.iter().flat_map(|question| own.map(|part| format!("{question}_{part}")));
        let names: Vec<String> =
            ["item_id", "category", "verdict"].map(str::to_owned).into_iter().chain(of_questions).collect();
        frame::read_rows(path, &names.iter().map(String::as_str).collect::<Vec<_>>(), |frame| {
            let (ids, categories) = (frame::u32s(frame, "item_id")?, frame::full_strings(frame, "category")?);
            let verdicts = frame::full_strings(frame, "verdict")?;
            let mut tallies = vec![Vec::with_capacity(questions.len()); ids.len()];
            for question in questions {
                let [no, unsure, yes] =
                    Answer::ALL.map(|answer| frame::u32s(frame, &format!("{question}_{}", answer.name())));
                let (no, unsure, yes) = (no?, unsure?, yes?);
                let scores = frame.column(&format!("{question}_score"))?.f64()?;
                for (at, tallies) in tallies.iter_mut().enumerate() {
                    tallies.push(Tally { votes: [no[at], unsure[at], yes[at]], score: scores.get(at) });
                }
            }
            let rows = ids.into_iter().zip(categories).zip(verdicts).zip(tallies);
            Ok(rows
                .map(|(((id, category), verdict), tallies)| ItemVerdict {
                    item_id: ItemId(id),
                    category,
                    tallies,
                    verdict: verdict_of(&verdict),
                })
                .collect())
        })
    }

    fn verdict_of(text: &str) -> Verdict {
        match text {
            "accept" => Verdict::Accept,
            "reject" => Verdict::Reject,
            _ => Verdict::Undecided,
        }
    }
}
