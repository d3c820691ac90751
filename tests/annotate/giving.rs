//! What the server does when it gives out a sheet and takes it back: images, and answers that are missing.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::runs::{QUESTIONS, mined, tasks};
use crate::server::Server;

/// Files of the tasks of a sheet.
fn images(run: &std::path::Path, sheet: &Value) -> Vec<PathBuf> {
    let tasks = sheet["tasks"].as_array().expect("tasks");
    let file = |task: &Value| run.join(format!("batches/images/64/{}.jpg", task["task"].as_str().expect("a name")));
    tasks.iter().map(file).collect()
}

/// The sheet's images as the server sends them.
fn sent(server: &Server, cookie: &str, sheet: &Value) -> Vec<Vec<u8>> {
    let get = |task: &Value| {
        let request = format!("GET {}", task["image"].as_str().expect("a path"));
        let (status, head, body) = server.ask(&request, &[("cookie", cookie)], "");
        assert_eq!(status, 200, "{head}");
        body
    };
    sheet["tasks"].as_array().expect("tasks").iter().map(get).collect()
}

#[test]
fn the_images_of_a_sheet_exist_when_it_is_given_out() {
    let hardset = mined(12, "people_per_batch = 1");
    let run = hardset.path("run");
    let people: Vec<String> = (0..4).map(|at| format!("p{at}")).collect();
    let server = Server::start(&hardset, &run, &["--people", &people.join(",")]);
    let mut sheets = BTreeSet::new();
    for person in &people {
        let (cookie, _) = server.join(person);
        let sheet = server.sheet(&cookie).expect("a sheet");
        let files = images(&run, &sheet);
        let lacking = files.iter().filter(|file| !file.is_file()).count();
        assert_eq!(lacking, 0, "of {} images, before anybody has asked for one", files.len());
        let on_disk: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).expect("there")).collect();
        assert!(sent(&server, &cookie, &sheet) == on_disk, "the images sent are others");
        sheets.insert(sheet["batch"].to_string());
    }
    assert_eq!(sheets.len(), 4);
    // The next sheets are made ahead: nobody has asked for them.
    let made = || fs::read_dir(run.join("batches/images/64")).expect("there").count();
    let wanted = tasks(&run, 0).chunk_by(|a, b| a.batch == b.batch).take(6).flatten().count();
    for _ in 0..200 {
        if made() >= wanted {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("only {} images were made ahead", made());
}

#[test]
fn images_that_cannot_be_saved_or_are_removed_are_shown_all_the_same() {
    let hardset = mined(1, "people_per_batch = 3");
    let run = hardset.path("run");
    // A file where the folder should be: nothing can be written, as on a full disk.
    fs::create_dir_all(run.join("batches/images")).expect("it can be made");
    fs::write(run.join("batches/images/64"), "").expect("it can be written");
    let server = Server::start(&hardset, &run, &["--people", "ada"]);
    let (cookie, _) = server.join("ada");
    let sheet = server.sheet(&cookie).expect("a sheet");
    let in_memory = sent(&server, &cookie, &sheet);
    drop(server);
    // Later there is room: the same bytes.
    fs::remove_file(run.join("batches/images/64")).expect("it is there");
    let server = Server::start(&hardset, &run, &["--people", "ada"]);
    let sheet = server.sheet(&cookie).expect("the same sheet");
    assert!(sent(&server, &cookie, &sheet) == in_memory);
    // Somebody removes the images, or a part of one: all are there again after the first request.
    let files = images(&run, &sheet);
    for file in &files {
        fs::remove_file(file).expect("it is there");
    }
    let first = format!("GET {}", sheet["tasks"][7]["image"].as_str().expect("a path"));
    assert_eq!(server.ask(&first, &[("cookie", &cookie)], "").0, 200);
    assert!(files.iter().all(|file| file.is_file()), "one request makes the sheet's images, not one image");
    assert!(sent(&server, &cookie, &sheet) == in_memory);
    drop(server);
    fs::write(&files[3], "cut off").expect("it can be written");
    let server = Server::start(&hardset, &run, &["--people", "ada"]);
    assert!(server.sheet(&cookie).is_some());
    assert!(sent(&server, &cookie, &sheet) == in_memory, "a file of another size is not an image");
}

#[test]
fn a_sheet_whose_first_request_was_given_up_can_be_finished() {
    let hardset = mined(1, "people_per_batch = 4");
    let run = hardset.path("run");
    let people = ["ada", "bob", "eve", "joe"];
    let server = Server::start(&hardset, &run, &["--people", &people.join(",")]);
    for (person, wait_ms) in people.iter().zip([0, 1, 5, 20]) {
        let (cookie, csrf) = server.join(person);
        let mut stream = TcpStream::connect(&server.address).expect("it listens");
        let head = format!("GET /api/sheet HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n", server.address);
        stream.write_all(head.as_bytes()).expect("it is sent");
        std::thread::sleep(Duration::from_millis(wait_ms));
        drop(stream);
        let sheet = server.sheet(&cookie).expect("the same sheet");
        for task in sheet["tasks"].as_array().expect("tasks") {
            for question in QUESTIONS {
                let body =
                    json!({ "batch": sheet["batch"], "task": task["task"], "question": question, "answer": "yes" });
                assert_eq!(server.post("/api/answers", &cookie, &csrf, &body), 204);
            }
        }
        let finish = json!({ "batch": sheet["batch"] });
        assert_eq!(server.post("/api/finish", &cookie, &csrf, &finish), 204, "{person}");
    }
}

#[test]
fn a_sheet_is_finished_with_every_answer_and_not_before() {
    let hardset = mined(1, "people_per_batch = 1");
    let run = hardset.path("run");
    let server = Server::start(&hardset, &run, &["--people", "ada"]);
    let (cookie, csrf) = server.join("ada");
    let sheet = server.sheet(&cookie).expect("a sheet");
    let batch = &sheet["batch"];
    let finish = || {
        let body = json!({ "batch": batch }).to_string();
        let headers = [("cookie", &*cookie), ("x-csrf-token", &*csrf), ("content-type", "application/json")];
        let (status, _, text) = server.ask("POST /api/finish", &headers, &body);
        (status, String::from_utf8_lossy(&text).into_owned())
    };
    let answer = |task: &Value, question: &str, answer: Value| {
        let body = json!({ "batch": batch, "task": task["task"], "question": question, "answer": answer });
        server.post("/api/answers", &cookie, &csrf, &body)
    };
    let tasks = sheet["tasks"].as_array().expect("tasks");
    let all = tasks.len() * QUESTIONS.len();
    let refused = |missing: usize| {
        (409, format!("{missing} of {all} answers to this sheet are missing; answer every question, then finish"))
    };
    assert_eq!(finish(), refused(all));
    for (at, task) in tasks.iter().enumerate() {
        for question in QUESTIONS {
            assert_eq!(answer(task, question, json!(if at % 3 == 0 { "not_sure" } else { "yes" })), 204);
        }
        let missing = all - (at + 1) * QUESTIONS.len();
        if [0, 1, 30, 95].contains(&missing) {
            assert_eq!(finish(), if missing == 0 { (204, String::new()) } else { refused(missing) });
        }
    }
    assert!(server.sheet(&cookie).is_none_or(|next| next["batch"] != *batch));
    // Once more, because the reply may have been lost; and an answer is changed, but not taken back.
    assert_eq!(finish().0, 204);
    assert_eq!([answer(&tasks[0], "use", json!("no")), answer(&tasks[0], "use", Value::Null)], [204, 409]);
    assert_eq!(finish().0, 204);
}
