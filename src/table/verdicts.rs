//! `verdicts/all.{votes,assignments,items,people,agreement}.parquet`: which votes count, whose assignments were set
//! aside, what was decided.

use std::path::Path;

use polars::prelude::*;

use super::answers;
use super::frame::{self, TableError};
use crate::domain::{
    Agreement, Answer, AnswerRow, Assignment, ChecksPassed, ItemId, ItemVerdict, PersonRow, Tally, Verdict, VoteRow,
};

/// All votes, those that do not count with the reason.
pub fn encode_votes(rows: &[VoteRow]) -> Result<Vec<u8>, TableError> {
    let mut columns = answers::columns(rows.iter().map(|row| &row.given));
    // What was wrong with the row alone is part of the reason.
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

/// All assignments, those set aside with the reason.
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

/// The assignments of the file.
pub fn decode_assignments(path: &Path) -> Result<Vec<Assignment>, TableError> {
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
        let passed = |name: &str| -> PolarsResult<Vec<ChecksPassed>> {
            let (passed, all) = (frame::u32s(frame, &format!("{name}_passed"))?, frame::u32s(frame, name)?);
            Ok(passed.into_iter().zip(all).map(|(passed, all)| ChecksPassed { passed, all }).collect())
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

/// What each person did.
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

/// How far people agree on each question.
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

/// The items of the file.
pub fn decode_items(path: &Path, questions: &[String]) -> Result<Vec<ItemVerdict>, TableError> {
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

/// The votes of the file that count, in its order.
pub fn decode_counting_votes(path: &Path) -> Result<Vec<VoteRow>, TableError> {
    let columns = ["person", "task", "question", "answer", "at_ms", "batch", "item_id", "counts"];
    frame::read_rows(path, &columns, |frame| {
        let frame = &frame.filter(frame.column("counts")?.bool()?)?;
        let (people, tasks) = (frame::full_strings(frame, "person")?, frame::full_strings(frame, "task")?);
        let (questions, answers) = (frame::full_strings(frame, "question")?, frame::strings(frame, "answer")?);
        let (times, batches) = (frame.column("at_ms")?.i64()?, frame::strings(frame, "batch")?);
        let items = frame.column("item_id")?.u32()?;
        let mut rows = Vec::with_capacity(people.len());
        for (at, person) in people.into_iter().enumerate() {
            let given = AnswerRow {
                person,
                task: tasks[at].clone(),
                question: questions[at].clone(),
                answer: answers[at].as_deref().and_then(Answer::read),
                at_ms: times.get(at),
                problem: None,
                annotation: None,
            };
            let item_id = items.get(at).map(ItemId);
            // An answer to a sentinel never counts as a vote.
            rows.push(VoteRow { given, batch: batches[at].clone(), item_id, is_sentinel: false, reason: None });
        }
        Ok(rows)
    })
}

/// The people of the file.
pub fn decode_people(path: &Path) -> Result<Vec<PersonRow>, TableError> {
    frame::read_rows(path, &["person", "sheets", "set_aside", "votes", "agreement"], |frame| {
        let people = frame::full_strings(frame, "person")?;
        let [sheets, set_aside, votes] = ["sheets", "set_aside", "votes"].map(|name| frame::u64s(frame, name));
        let (sheets, set_aside, votes) = (sheets?, set_aside?, votes?);
        let agreement = frame.column("agreement")?.f64()?;
        let mut rows = Vec::with_capacity(people.len());
        for (at, person) in people.into_iter().enumerate() {
            rows.push(PersonRow {
                person,
                sheets: sheets[at],
                set_aside: set_aside[at],
                votes: votes[at],
                agreement: agreement.get(at),
            });
        }
        Ok(rows)
    })
}

/// The agreement of the file, question by question.
pub fn decode_agreement(path: &Path) -> Result<Vec<Agreement>, TableError> {
    let columns = ["question", "votes", "percent_agreement", "alpha", "alpha_low", "alpha_high"];
    frame::read_rows(path, &columns, |frame| {
        let (questions, votes) = (frame::full_strings(frame, "question")?, frame::u64s(frame, "votes")?);
        let (percent, alpha) = (frame.column("percent_agreement")?.f64()?, frame.column("alpha")?.f64()?);
        let (low, high) = (frame.column("alpha_low")?.f64()?, frame.column("alpha_high")?.f64()?);
        let mut rows = Vec::with_capacity(questions.len());
        for (at, question) in questions.into_iter().enumerate() {
            rows.push(Agreement {
                question,
                votes: votes[at],
                percent: percent.get(at),
                alpha: alpha.get(at),
                interval: low.get(at).zip(high.get(at)),
            });
        }
        Ok(rows)
    })
}

fn verdict_of(text: &str) -> Verdict {
    match text {
        "accept" => Verdict::Accept,
        "reject" => Verdict::Reject,
        _ => Verdict::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_and_items_come_back_as_they_went_in() {
        let assignment = Assignment {
            batch: "b".into(),
            person: "p".into(),
            answers: 96,
            positives: ChecksPassed { passed: 2, all: 3 },
            negatives: ChecksPassed::default(),
            repeats: ChecksPassed { passed: 4, all: 4 },
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
    #[test]
    fn votes_that_count_people_and_agreement_come_back_as_they_went_in() {
        let vote = |task: &str, reason: Option<&str>| VoteRow {
            given: AnswerRow {
                person: "p".into(),
                task: task.into(),
                question: "use".into(),
                answer: Some(Answer::No),
                at_ms: (task == "t1").then_some(7),
                problem: None,
                annotation: None,
            },
            batch: Some("b".into()),
            item_id: Some(ItemId(9)),
            is_sentinel: false,
            reason: reason.map(str::to_owned),
        };
        let votes = [vote("t1", None), vote("t2", Some("late")), vote("t3", None)];
        let person = |agreement| PersonRow { person: "p".into(), sheets: 3, set_aside: 1, votes: 2, agreement };
        let agreement = |alpha: Option<f64>| Agreement {
            question: "use".into(),
            votes: 12,
            percent: Some(0.75),
            alpha,
            interval: alpha.map(|alpha| (alpha - 0.1, alpha + 0.1)),
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, encode_votes(&votes).unwrap()).unwrap();
        assert_eq!(decode_counting_votes(&path).unwrap(), [votes[0].clone(), votes[2].clone()]);
        let people = [person(None), person(Some(0.1 + 0.2))];
        std::fs::write(&path, encode_people(&people).unwrap()).unwrap();
        assert_eq!(decode_people(&path).unwrap(), people);
        let agreements = [agreement(None), agreement(Some(1.0 / 3.0))];
        std::fs::write(&path, encode_agreement(&agreements).unwrap()).unwrap();
        assert_eq!(decode_agreement(&path).unwrap(), agreements);
    }
}
