//! A short `annotate serve`: one person fills in one sheet, and the server is stopped.
//!
//! A client of few lines; `tests/annotate/server.rs` tests the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::Hardset;

/// Answers every task of the first sheet that the server gives; `answer`: of a task and a question.
pub fn answer_one_sheet(hardset: &Hardset, run: &str, questions: &[&str], answer: impl Fn(&str, &str) -> &'static str) {
    let line = format!("annotate serve {run} --port 0 --people ada --format json -q");
    let mut command = hardset.command(&line.split(' ').collect::<Vec<_>>());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("it says where it is");
    let said: Value = serde_json::from_str(&line).expect("in JSON");
    let address = said["address"].as_str().expect("an address");
    let link = said["people"][0]["link"].as_str().expect("a link");
    let path = link.split_once(address).map_or("/", |(_, path)| path);

    let head = ask(address, &format!("GET {path}"), "", "").to_lowercase();
    let cookie = between(&head, "set-cookie: ", ";");
    let cookie = format!("cookie: {cookie}\r\n");
    let page = ask(address, "GET /", &cookie, "");
    let csrf = between(&page, "name=\"csrf\" content=\"", "\"").to_lowercase();
    let sheet = ask(address, "GET /api/sheet", &cookie, "");
    let sheet: Value = serde_json::from_str(sheet.split_once("\r\n\r\n").expect("a body").1).expect("a sheet is JSON");
    for task in sheet["tasks"].as_array().expect("tasks") {
        let name = task["task"].as_str().expect("a name");
        // The page loads the picture, so that the run keeps it.
        ask(address, &format!("GET {}", task["image"].as_str().expect("a path")), &cookie, "");
        for question in questions {
            let said = answer(name, question);
            let body = json!({ "batch": sheet["batch"], "task": name, "question": question, "answer": said });
            let headers = format!("{cookie}x-csrf-token: {csrf}\r\ncontent-type: application/json\r\n");
            let status = ask(address, "POST /api/answers", &headers, &body.to_string());
            assert!(status.starts_with("HTTP/1.1 204"), "{status}");
        }
    }
    let stopped = Command::new("kill").arg(child.id().to_string()).status();
    assert!(stopped.is_ok_and(|status| status.success()));
    child.wait().expect("it ends");
}

/// One request on a new connection; the whole answer.
fn ask(address: &str, request: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(format!("{head}{headers}\r\n{body}").as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    String::from_utf8_lossy(&answer).into_owned()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{before} is not in {text}")).1;
    rest.split_once(after).map_or(rest, |(found, _)| found)
}
