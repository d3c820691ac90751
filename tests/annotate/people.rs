//! Simulated people: how careful each is, and what they answer.

use std::collections::BTreeMap;
use std::path::Path;

use hardset::domain::{Answer, ItemId, Philox, Task, TaskImage, TaskKind};
use serde_json::json;

use crate::runs::{QUESTIONS, tasks};

/// What is true of the items: which of them people can recognise and use.
pub fn truth(item: ItemId, question: &str) -> Answer {
    let chance = Philox::new(77, question.len() as u64).unit_f32(item.0.into());
    if chance < 0.7 { Answer::Yes } else { Answer::No }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Care {
    Careful,
    Sloppy,
    Random,
    AlwaysYes,
    CopyPaste,
}

/// Thirty people.
pub fn care(person: usize) -> Care {
    match person {
        0..18 => Care::Careful,
        18..22 => Care::Sloppy,
        22..25 => Care::Random,
        25..28 => Care::AlwaysYes,
        _ => Care::CopyPaste,
    }
}

/// One answer of a simulated person.
#[derive(Debug, Clone)]
pub struct Said {
    pub person: String,
    pub batch: String,
    pub task: String,
    pub question: String,
    pub answer: Answer,
}

pub fn answer(person: usize, task: &Task, question: &str) -> Answer {
    let right = match (&task.kind, &task.image) {
        (TaskKind::Positive, _) => Answer::Yes,
        (TaskKind::Negative, _) => Answer::No,
        (_, TaskImage::Item(item)) => truth(*item, question),
        (_, TaskImage::Known(_)) => Answer::Yes,
    };
    let stream = Philox::new(1000 + person as u64, u64::from_str_radix(&task.name[..12], 36).expect("letters"));
    let at = question.len() as u64;
    let wrong = if right == Answer::Yes { Answer::No } else { Answer::Yes };
    match care(person) {
        Care::Careful if stream.unit_f32(at) < 0.005 => Answer::NotSure,
        Care::Careful => right,
        Care::Sloppy if stream.unit_f32(at) < 0.12 => wrong,
        Care::Sloppy => right,
        Care::Random => Answer::ALL[stream.words(at)[0] as usize % 3],
        Care::AlwaysYes => Answer::Yes,
        // The same three answers again and again.
        Care::CopyPaste => [Answer::Yes, Answer::No, Answer::No][task.position as usize % 3],
    }
}

/// Every person fills in one sheet; sheets go round.
pub fn people(tasks: &[Task]) -> Vec<Said> {
    let sheets: Vec<&[Task]> = tasks.chunk_by(|a, b| a.batch == b.batch).collect();
    let mut said = Vec::new();
    for person in 0..30 {
        for task in sheets[person % sheets.len()] {
            said.extend(QUESTIONS.map(|question| Said {
                person: format!("p{person:02}@x.org"),
                batch: task.batch.clone(),
                task: task.name.clone(),
                question: question.to_owned(),
                answer: answer(person, task, question),
            }));
        }
    }
    said
}

pub fn by_task(said: &[Said]) -> BTreeMap<(&str, &str), Vec<&Said>> {
    let mut rows: BTreeMap<(&str, &str), Vec<&Said>> = BTreeMap::new();
    said.iter().for_each(|row| rows.entry((&row.person, &row.task)).or_default().push(row));
    rows
}

pub fn of<'a>(row: &[&'a Said], question: &str) -> &'a str {
    row.iter().find(|said| said.question == question).map_or("", |said| said.answer.name())
}

/// Answers of careful people to the first sheet of the run, as lines with a time.
pub fn careful(run: &Path, people: &[&str], at: &str, answer_of: impl Fn(&Task, &str) -> Answer) -> Vec<u8> {
    let tasks = tasks(run, 0);
    let sheet = tasks.chunk_by(|a, b| a.batch == b.batch).next().expect("a sheet");
    let line = |person: &str, task: &Task, question: &str| {
        let answer = answer_of(task, question).name();
        json!({ "person": person, "task": task.name, "question": question, "answer": answer, "at": at }).to_string()
            + "\n"
    };
    let of = |person: &&str| {
        sheet.iter().flat_map(|task| QUESTIONS.map(|question| line(person, task, question))).collect::<String>()
    };
    people.iter().map(of).collect::<String>().into_bytes()
}

/// Yes, but to what everybody must see to be wrong.
pub fn right(task: &Task, _question: &str) -> Answer {
    if task.kind == TaskKind::Negative { Answer::No } else { Answer::Yes }
}
