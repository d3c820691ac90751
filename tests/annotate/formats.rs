//! Answers as each of the tools for annotation writes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::people::{Said, by_task, of};
use crate::runs::QUESTIONS;

/// The number that a tool gives to the person `p07@x.org`.
pub fn number(person: &str) -> u32 {
    let digits: String = person.chars().filter(char::is_ascii_digit).collect();
    100 + digits.parse::<u32>().expect("a name with a number")
}

/// Label Studio's export, as its version 1.23 writes it.
pub fn label_studio(said: &[Said]) -> Vec<u8> {
    let mut annotations: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for ((person, task), row) in by_task(said) {
        let result = row.iter().map(|said| {
            json!({ "id": "x", "from_name": said.question, "to_name": "image", "type": "choices", "origin": "manual",
                    "value": { "choices": [said.answer.name()] } })
        });
        annotations.entry(task).or_default().push(json!({
            "id": 1, "completed_by": { "id": number(person), "email": person }, "was_cancelled": false,
            "lead_time": 4.2,
            "result": result.collect::<Vec<_>>(),
        }));
    }
    let mut tasks = Vec::new();
    for (task, annotations) in annotations {
        tasks.push(json!({ "id": 1, "data": { "task": task }, "annotations": annotations }));
    }
    serde_json::to_vec(&tasks).expect("it is JSON")
}

pub fn csv(header: &[&str], rows: Vec<Vec<String>>) -> Vec<u8> {
    let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
    let line = |cells: Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\r\n";
    let header = line(header.iter().map(|&cell| cell.to_owned()).collect());
    (header + &rows.into_iter().map(line).collect::<String>()).into_bytes()
}

pub fn prolific(said: &[Said]) -> Vec<u8> {
    let header = ["Participant id", "META_TASK", "META_TASK_GROUP_ID", "Can you? [recognise]", "Could it? [use]"];
    let spoken = |answer: &str| match answer {
        "yes" => "Yes".to_owned(),
        "no" => "No".to_owned(),
        _ => "Not sure".to_owned(),
    };
    let mut rows = Vec::new();
    for ((person, task), row) in by_task(said) {
        let [first, second] = QUESTIONS.map(|question| spoken(of(&row, question)));
        rows.push(vec![person.to_owned(), task.to_owned(), row[0].batch.clone(), first, second]);
    }
    csv(&header, rows)
}

pub fn ours(said: &[Said]) -> Vec<u8> {
    let header = ["batch", "task", "category", "person", "recognise", "use"];
    let mut rows = Vec::new();
    for ((person, task), row) in by_task(said) {
        let [first, second] = QUESTIONS.map(|question| of(&row, question).to_owned());
        let category = "=\"mug\"\nbig".to_owned();
        rows.push(vec![row[0].batch.clone(), task.to_owned(), category, person.to_owned(), first, second]);
    }
    csv(&header, rows)
}

pub fn turk(said: &[Said]) -> Vec<u8> {
    let header = [
        "HITId",
        "WorkerId",
        "SubmitTime",
        "Input.task",
        "Answer.recognise",
        "Answer.use.yes",
        "Answer.use.no",
        "Answer.use.not_sure",
    ];
    let mut rows = Vec::new();
    for ((person, task), row) in by_task(said) {
        let used = of(&row, "use");
        let chosen = ["yes", "no", "not_sure"].map(|choice| (used == choice).to_string());
        let fixed = ["h", person, "Tue Feb 12 09:41:01 PST 2013", task, of(&row, "recognise")].map(str::to_owned);
        rows.push(fixed.into_iter().chain(chosen).collect());
    }
    csv(&header, rows)
}

/// What the page from disk saves, one file for each person.
pub fn pages(said: &[Said]) -> Vec<Vec<u8>> {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for row in said {
        let line = json!({ "format": "hardset-answers-1", "batch": row.batch, "person": row.person, "task": row.task,
                           "question": row.question, "answer": row.answer.name() });
        *files.entry(&row.person).or_default() += &format!("{line}\n");
    }
    files.into_values().map(String::into_bytes).collect()
}
