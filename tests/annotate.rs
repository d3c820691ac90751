//! The part of people, from task sheets to verdicts: thirty simulated people of different care answer through every format
//! that there is; what reaches them tells nothing; what comes back is read whatever it is.
//!
//! The tests on made-up images need nothing; those on real photographs say so loudly where the data is absent.

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{Hardset, Run, copy, fake_recipe, hashes, ort_library, strings, table, test_data};
use hardset::domain::{Answer, ItemId, Philox, Task, TaskImage, TaskKind};
use hardset::table::tasks_table;
use serde_json::{Value, json};

const QUESTIONS: [&str; 2] = ["recognise", "use"];

/// A mined run with made-up images in `run`; `annotate` are lines of that section.
fn mined(images_per_category: u32, annotate: &str) -> Hardset {
    let hardset = built(images_per_category, annotate);
    with_secret(&hardset);
    hardset
}

/// The same with a secret of its own.
fn built(images_per_category: u32, annotate: &str) -> Hardset {
    let hardset = Hardset::new();
    let generate = format!("images_per_category = {images_per_category}");
    let recipe = fake_recipe("people", &generate, "rule = \"at-least=2\"");
    hardset.write(
        "recipe.toml",
        format!("{recipe}\n[annotate]\nimage_px = 64\nsentinels = {{ min_prob = 0.3 }}\n{annotate}"),
    );
    hardset.line("build recipe.toml --run-dir run").ok();
    hardset
}

/// A secret that is known, so that a test does the same each time.
fn with_secret(hardset: &Hardset) {
    hardset.write("run/batches/secret", "5e".repeat(32) + "\n");
}

fn tasks(run: &Path, round: usize) -> Vec<Task> {
    let file = |name: &str| run.join(format!("batches/{round:05}.{name}.parquet"));
    tasks_table::decode(&file("tasks"), &file("sentinels")).expect("the round is there")
}

/// What is true of the items: which of them people can recognise and use.
fn truth(item: ItemId, question: &str) -> Answer {
    let chance = Philox::new(77, question.len() as u64).unit_f32(item.0.into());
    if chance < 0.7 { Answer::Yes } else { Answer::No }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Care {
    Careful,
    Sloppy,
    Random,
    AlwaysYes,
    CopyPaste,
}

/// Thirty people.
fn care(person: usize) -> Care {
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
struct Said {
    person: String,
    batch: String,
    task: String,
    question: String,
    answer: Answer,
}

fn answer(person: usize, task: &Task, question: &str) -> Answer {
    let right = match (&task.kind, &task.image) {
        (TaskKind::Positive, _) => Answer::Yes,
        (TaskKind::Negative, _) => Answer::No,
        (_, TaskImage::Item(item)) => truth(*item, question),
        (_, TaskImage::Known(_)) => Answer::Yes,
    };
    let stream = Philox::new(1000 + person as u64, u64::from_str_radix(&task.name, 16).unwrap_or(0));
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
fn people(tasks: &[Task]) -> Vec<Said> {
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

fn by_task(said: &[Said]) -> BTreeMap<(&str, &str), Vec<&Said>> {
    let mut rows: BTreeMap<(&str, &str), Vec<&Said>> = BTreeMap::new();
    said.iter().for_each(|row| rows.entry((&row.person, &row.task)).or_default().push(row));
    rows
}

fn of<'a>(row: &[&'a Said], question: &str) -> &'a str {
    row.iter().find(|said| said.question == question).map_or("", |said| said.answer.name())
}

/// Label Studio's export, as its version 1.23 writes it.
fn label_studio(said: &[Said]) -> Vec<u8> {
    let mut annotations: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for ((person, task), row) in by_task(said) {
        let result = row.iter().map(|said| {
            json!({ "id": "x", "from_name": said.question, "to_name": "image", "type": "choices", "origin": "manual",
                    "value": { "choices": [said.answer.name()] } })
        });
        annotations.entry(task).or_default().push(json!({
            "id": 1, "completed_by": { "id": 1, "email": person }, "was_cancelled": false, "lead_time": 4.2,
            "result": result.collect::<Vec<_>>(),
        }));
    }
    let task = |(task, annotations): (&str, Vec<Value>)| json!({ "id": 1, "data": { "task": task }, "annotations": annotations });
    serde_json::to_vec(&annotations.into_iter().map(task).collect::<Vec<_>>()).expect("it is JSON")
}

fn csv(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<u8> {
    let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
    let line = |cells: Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\r\n";
    let header = line(header.iter().map(|&cell| cell.to_owned()).collect());
    (header + &rows.map(line).collect::<String>()).into_bytes()
}

fn prolific(said: &[Said]) -> Vec<u8> {
    let header = ["Participant id", "META_TASK", "META_TASK_GROUP_ID", "Can you? [recognise]", "Could it? [use]"];
    let spoken = |answer: &str| match answer {
        "yes" => "Yes".to_owned(),
        "no" => "No".to_owned(),
        _ => "Not sure".to_owned(),
    };
    let row = |((person, task), row): ((&str, &str), Vec<&Said>)| {
        let [first, second] = QUESTIONS.map(|question| spoken(of(&row, question)));
        vec![person.to_owned(), task.to_owned(), row[0].batch.clone(), first, second]
    };
    csv(&header, by_task(said).into_iter().map(row))
}

fn ours(said: &[Said]) -> Vec<u8> {
    let header = ["batch", "task", "category", "person", "recognise", "use"];
    let row = |((person, task), row): ((&str, &str), Vec<&Said>)| {
        let [first, second] = QUESTIONS.map(|question| of(&row, question).to_owned());
        vec![row[0].batch.clone(), task.to_owned(), "=\"mug\"\nbig".to_owned(), person.to_owned(), first, second]
    };
    csv(&header, by_task(said).into_iter().map(row))
}

fn turk(said: &[Said]) -> Vec<u8> {
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
    let row = |((person, task), row): ((&str, &str), Vec<&Said>)| {
        let used = of(&row, "use");
        let chosen = ["yes", "no", "not_sure"].map(|choice| (used == choice).to_string());
        let fixed = ["h", person, "Tue Feb 12 09:41:01 PST 2013", task, of(&row, "recognise")].map(str::to_owned);
        fixed.into_iter().chain(chosen).collect()
    };
    csv(&header, by_task(said).into_iter().map(row))
}

/// What the page from disk saves, one file for each person.
fn pages(said: &[Said]) -> Vec<Vec<u8>> {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for row in said {
        let line = json!({ "format": "hardset-answers-1", "batch": row.batch, "person": row.person, "task": row.task,
                           "question": row.question, "answer": row.answer.name() });
        *files.entry(&row.person).or_default() += &format!("{line}\n");
    }
    files.into_values().map(String::into_bytes).collect()
}

/// A copy of the run without answers, so that each format starts from nothing.
fn fresh(hardset: &Hardset, name: &str) -> PathBuf {
    let run = hardset.path(name);
    copy(&hardset.path("run"), &run);
    run
}

fn collect(hardset: &Hardset, run: &Path, files: &[PathBuf]) -> Value {
    let mut args = vec!["annotate".into(), "collect".into(), run.display().to_string()];
    args.extend(files.iter().map(|file| file.display().to_string()));
    args.extend(["--format".to_owned(), "json".to_owned(), "-q".to_owned()]);
    hardset.run(&args).ok().json()
}

fn verdicts(run: &Path) -> BTreeMap<u32, String> {
    let items = table(&run.join("verdicts/all.items.parquet"));
    let ids = items.column("item_id").expect("a column").u32().expect("of numbers").into_no_null_iter();
    ids.zip(strings(&items, "verdict")).collect()
}

/// Precision and recall of what was accepted, against the simulated truth.
fn quality(verdicts: &BTreeMap<u32, String>) -> (f64, f64) {
    let good = |item: u32| QUESTIONS.iter().all(|question| truth(ItemId(item), question) == Answer::Yes);
    let accepted: Vec<u32> = verdicts.iter().filter(|(_, v)| *v == "accept").map(|(item, _)| *item).collect();
    let right = accepted.iter().filter(|&&item| good(item)).count() as f64;
    let all = verdicts.keys().filter(|&&item| good(item)).count() as f64;
    (right / accepted.len() as f64, right / all)
}

/// People whose assignments were set aside, by care, of how many.
fn set_aside(run: &Path) -> BTreeMap<Care, (usize, usize)> {
    let key = fs::read_to_string(run.join("batches/secret")).expect("there is a secret");
    let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).expect("hex")).collect();
    let secret = hardset::domain::Secret::new(bytes.try_into().expect("32 bytes"));
    let names: HashMap<String, usize> =
        (0..30).map(|person| (secret.name("person", &format!("p{person:02}@x.org")), person)).collect();
    let rows = table(&run.join("verdicts/all.assignments.parquet"));
    let counts = rows.column("counts").expect("a column").bool().expect("of flags").iter().collect::<Vec<_>>();
    let mut found: BTreeMap<Care, (usize, usize)> = BTreeMap::new();
    for (person, counts) in strings(&rows, "person").iter().zip(counts) {
        let (aside, all) = found.entry(care(names[person])).or_default();
        *aside += usize::from(counts == Some(false));
        *all += 1;
    }
    found
}

fn write_all(hardset: &Hardset, name: &str, files: Vec<Vec<u8>>) -> Vec<PathBuf> {
    files.iter().enumerate().map(|(at, bytes)| hardset.write(&format!("{name}-{at}"), bytes)).collect()
}

/// The whole way back, through every format; all of them must come to the same verdicts.
fn round_trip(hardset: &Hardset) {
    let said = people(&tasks(&hardset.path("run"), 0));
    let formats: [(&str, Vec<Vec<u8>>); 5] = [
        ("label-studio", vec![label_studio(&said)]),
        ("prolific", vec![prolific(&said)]),
        ("csv", vec![ours(&said)]),
        ("turk", vec![turk(&said)]),
        ("html", pages(&said)),
    ];
    let mut all = Vec::new();
    for (name, files) in formats {
        let run = fresh(hardset, &format!("run-{name}"));
        let files = write_all(hardset, name, files);
        let collected = collect(hardset, &run, &files);
        assert_eq!(collected["answers"], said.len(), "{name}: {collected}");
        all.push((name, verdicts(&run), set_aside(&run)));
        // The same files once more, in another order, change nothing.
        let before = hashes(&run);
        collect(hardset, &run, &files.iter().rev().cloned().collect::<Vec<_>>());
        assert_eq!(hashes(&run), before, "{name}");
    }
    let run = fresh(hardset, "run-server");
    through_the_server(hardset, &run, &said);
    collect(hardset, &run, &[]);
    all.push(("server", verdicts(&run), set_aside(&run)));
    let (_, expected, aside) = all[0].clone();
    for (name, verdicts, others) in &all {
        assert_eq!((verdicts, others), (&expected, &aside), "{name}");
    }
    let (precision, recall) = quality(&expected);
    eprintln!("precision {precision:.3}, recall {recall:.3}, set aside {aside:?}");
    assert!(precision >= 0.95 && recall >= 0.9, "precision {precision}, recall {recall}");
    assert_eq!(aside[&Care::Careful].0, 0, "{aside:?}");
    for care in [Care::Random, Care::AlwaysYes, Care::CopyPaste] {
        assert_eq!(aside[&care].0, aside[&care].1, "{aside:?}");
    }
}

#[test]
fn thirty_people_over_made_up_images_come_to_the_same_verdicts_in_every_format() {
    let hardset = mined(1, "people_per_batch = 15");
    hardset.line("annotate export run --to csv --out out").ok();
    round_trip(&hardset);
}

#[test]
fn thirty_people_over_the_mined_photographs() {
    let (Some(photos), Some(surrogates), Some(library)) = (test_data("photos"), test_data("surrogates"), ort_library())
    else {
        return;
    };
    let hardset = Hardset::new();
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/photos.toml");
    let root = format!("generate.root={}", photos.display());
    let args = ["build", &recipe.to_string_lossy(), "--run-dir", "run", "--set", &root];
    Run::of(hardset.command(&args).env("ORT_DYLIB_PATH", library).env("HARDSET_DATA_DIR", surrogates)).ok();
    with_secret(&hardset);
    hardset.line("annotate export run --to html --out out").ok();
    round_trip(&hardset);
    // Whom the sentinels found out is asked for again: 30 people, 8 of them set aside.
    let missing = hardset.line("annotate export run-csv --missing --to csv --out missing --format json").ok().json();
    let asked: BTreeSet<u32> = (tasks(&hardset.path("run-csv"), 1).iter())
        .filter_map(|task| match (&task.kind, &task.image) {
            (TaskKind::Candidate, TaskImage::Item(item)) => Some(item.0),
            _ => None,
        })
        .collect();
    assert_eq!(asked, lacking(&hardset.path("run-csv")), "{missing}");
    assert_eq!(missing["round"], 2);
    let page = fs::read_to_string(hardset.path("run-csv/report/index.html")).expect("there is a page");
    assert!(!page.contains("id=\"people\""));
    hardset.line("report run-csv").ok();
    let page = fs::read_to_string(hardset.path("run-csv/report/index.html")).expect("there is a page");
    assert!(page.contains("id=\"people\"") && page.contains("Disputed images"));
    hardset.line("verify run-csv").ok();
}

/// Items with fewer than ten votes that count.
fn lacking(run: &Path) -> BTreeSet<u32> {
    let items = table(&run.join("verdicts/all.items.parquet"));
    let ids = items.column("item_id").expect("a column").u32().expect("of numbers");
    let votes = |name: &str| items.column(name).expect("a column").u32().expect("of numbers").clone();
    let [no, unsure, yes] = ["recognise_no", "recognise_not_sure", "recognise_yes"].map(votes);
    let few = |at: &usize| [&no, &unsure, &yes].iter().filter_map(|votes| votes.get(*at)).sum::<u32>() < 10;
    (0..items.height()).filter(few).filter_map(|at| ids.get(at)).collect()
}

/// A running `annotate serve`.
struct Server {
    child: Child,
    address: String,
    owner: String,
    links: BTreeMap<String, String>,
}

impl Server {
    fn start(hardset: &Hardset, run: &Path, more: &[&str]) -> Self {
        let run = run.display().to_string();
        let mut args = vec!["annotate", "serve", &run, "--port", "0", "--format", "json", "-q"];
        args.extend(more);
        let mut child = hardset.command(&args).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("it says where it is");
        let said: Value = serde_json::from_str(&line).expect("in JSON");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let people = said["people"].as_array().cloned().unwrap_or_default();
        let links = people.iter().map(|person| (text(&person["name"]), text(&person["link"]))).collect();
        Self { child, address: text(&said["address"]), owner: text(&said["owner"]), links }
    }

    /// One request on a connection of its own: status, headers, body.
    fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, Vec<u8>) {
        let mut head = format!("{request} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "host") {
            head += &format!("host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        // A server that refuses a body may hang up before it has read it.
        let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, head, answer.get(end + 4..).unwrap_or_default().to_vec())
    }

    fn path<'a>(&self, link: &'a str) -> &'a str {
        link.split_once(&self.address).map_or("/", |(_, path)| path)
    }

    /// A person's session: the cookie, and the token that the page sends along.
    fn join(&self, person: &str) -> (String, String) {
        let (status, head, _) = self.ask(&format!("GET {}", self.path(&self.links[person])), &[], "");
        assert_eq!(status, 303, "{head}");
        // Headers are in lower case here; so are the digits of tokens.
        let cookie =
            head.split_once("set-cookie: ").and_then(|(_, rest)| rest.split(';').next()).expect("a cookie").to_owned();
        let (_, _, page) = self.ask("GET /", &[("cookie", &cookie)], "");
        let page = String::from_utf8_lossy(&page).into_owned();
        let csrf = page.split_once("name=\"csrf\" content=\"").and_then(|(_, rest)| rest.split('"').next());
        (cookie, csrf.expect("the page has a token").to_owned())
    }

    fn sheet(&self, cookie: &str) -> Option<Value> {
        let (status, _, body) = self.ask("GET /api/sheet", &[("cookie", cookie)], "");
        (status == 200).then(|| serde_json::from_slice(&body).expect("a sheet is JSON"))
    }

    fn post(&self, path: &str, (cookie, csrf): (&str, &str), body: &Value) -> u16 {
        let headers = [("cookie", cookie), ("x-csrf-token", csrf), ("content-type", "application/json")];
        self.ask(&format!("POST {path}"), &headers, &body.to_string()).0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// All people answer over HTTP, each on the sheet that the server gives; half of them before a kill -9, half after.
fn through_the_server(hardset: &Hardset, run: &Path, said: &[Said]) {
    let names: BTreeSet<&str> = said.iter().map(|row| row.person.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let rows = by_task(said);
    for half in [&names[..15], &names[15..]] {
        let mut server = Server::start(hardset, run, &["--people", &names.join(",")]);
        for person in half {
            let (cookie, csrf) = server.join(person);
            let sheet = server.sheet(&cookie).expect("there is a sheet for everybody");
            let number: usize = person[1..3].parse().expect("a number");
            let every = tasks(run, 0);
            for task in sheet["tasks"].as_array().expect("tasks") {
                let name = task["task"].as_str().expect("a name");
                // The server gives sheets by its own order; the person answers as ever.
                let known = every.iter().find(|task| task.name == name).expect("a task of the round");
                for question in QUESTIONS {
                    let answer = match rows.get(&(*person, name)) {
                        Some(row) => of(row, question).to_owned(),
                        None => answer(number, known, question).name().to_owned(),
                    };
                    let body = json!({ "batch": sheet["batch"], "task": name, "question": question, "answer": answer });
                    assert_eq!(server.post("/api/answers", (&cookie, &csrf), &body), 204);
                }
            }
            assert_eq!(server.post("/api/finish", (&cookie, &csrf), &json!({ "batch": sheet["batch"] })), 204);
        }
        server.child.kill().expect("kill -9");
    }
    // What the server has and nobody has collected would be missing from a release.
    let out = hardset.path("too-early");
    let args = ["release".into(), run.to_owned(), "--out".into(), out];
    hardset.run(&args).refused(2, &["annotate collect"]);
}

#[test]
fn strangers_other_sites_and_other_peoples_sheets_get_nothing_from_the_server() {
    let hardset = mined(2, "people_per_batch = 1");
    let run = hardset.path("run");
    let refused = hardset.line("annotate serve run --bind 0.0.0.0").expect(2);
    assert!(refused.stderr.contains("--allow-remote"), "{}", refused.stderr);
    let server = Server::start(&hardset, &run, &["--people", "ada,bob"]);
    assert!(hardset.line("annotate serve run --port 0").expect(4).stderr.contains("in use by"));
    let (ada, csrf) = server.join("ada");
    let (bob, _) = server.join("bob");
    let (mine, theirs) = (server.sheet(&ada).expect("a sheet"), server.sheet(&bob).expect("a sheet"));
    assert_ne!(mine["batch"], theirs["batch"]);
    let image = |sheet: &Value| format!("GET {}", sheet["tasks"][0]["image"].as_str().expect("a path"));
    for (request, cookie, status) in [
        (image(&mine), ada.as_str(), 200),
        (image(&theirs), &ada, 404),
        (image(&mine), "", 401),
        ("GET /api/sheet".to_owned(), "", 401),
        ("GET /".to_owned(), "hardset_person=00.11", 401),
        ("GET /images/..%2f..%2fspec.toml".to_owned(), &ada, 404),
        ("GET /images/../../spec.toml".to_owned(), &ada, 404),
        ("GET /join/0123456789abcdef.0123456789abcdef0123456789abcdef".to_owned(), "", 403),
        ("GET /owner".to_owned(), &ada, 401),
        ("GET /nothing".to_owned(), &ada, 404),
    ] {
        let (found, head, _) = server.ask(&request, &[("cookie", cookie)], "");
        assert_eq!(found, status, "{request}: {head}");
        assert!(head.contains("content-security-policy: default-src 'none'") && head.contains("nosniff"), "{head}");
    }
    let task = mine["tasks"][0]["task"].clone();
    let body = json!({ "batch": mine["batch"], "task": task, "question": "use", "answer": "yes" });
    let with = |change: &str, value: Value| {
        let mut body = body.clone();
        body[change] = value;
        server.post("/api/answers", (&ada, &csrf), &body)
    };
    assert_eq!(server.post("/api/answers", (&ada, "0"), &body), 403);
    assert_eq!(server.post("/api/answers", ("", &csrf), &body), 401);
    assert_eq!([with("batch", theirs["batch"].clone()), with("question", json!("colour"))], [400, 400]);
    assert_eq!(with("task", theirs["tasks"][0]["task"].clone()), 400);
    assert!((400..500).contains(&with("answer", json!("maybe"))));
    assert_eq!(with("task", json!("x".repeat(10_000))), 413);
    assert_eq!([with("answer", json!("yes")), with("answer", json!("yes")), with("answer", Value::Null)], [204; 3]);
    let host = server.ask("GET /", &[("host", "evil.example"), ("cookie", &ada)], "").0;
    let headers = [
        ("origin", "https://evil.example"),
        ("cookie", ada.as_str()),
        ("x-csrf-token", csrf.as_str()),
        ("content-type", "application/json"),
    ];
    let origin = server.ask("POST /api/answers", &headers, &body.to_string()).0;
    assert_eq!((host, origin), (421, 403));
    // Guessing links ends soon.
    let guess = |at: u32| server.ask(&format!("GET /join/{at:016x}.{at:032x}"), &[], "").0;
    assert!((0..80).map(guess).any(|status| status == 429));
    // No page and no sheet says what is a sentinel.
    let text = format!("{mine}{theirs}").to_lowercase();
    assert!(
        !["positive", "negative", "sentinel", "repeat", "candidate", "item_id"].iter().any(|word| text.contains(word))
    );
}

#[test]
fn the_owner_sees_progress_and_lets_somebody_in() {
    let hardset = mined(1, "people_per_batch = 2");
    let server = Server::start(&hardset, &hardset.path("run"), &["--people", "ada"]);
    let (status, head, _) = server.ask(&format!("GET {}", server.path(&server.owner)), &[], "");
    assert_eq!(status, 303, "{head}");
    let cookie =
        head.split_once("set-cookie: ").and_then(|(_, rest)| rest.split(';').next()).expect("a cookie").to_owned();
    let page =
        |server: &Server| String::from_utf8_lossy(&server.ask("GET /owner", &[("cookie", &cookie)], "").2).into_owned();
    let text = page(&server);
    assert!(text.contains("ada") && !text.contains("Eve &lt;b&gt;"));
    let csrf = text
        .split_once("name=\"csrf\" value=\"")
        .and_then(|(_, rest)| rest.split('"').next())
        .expect("a token")
        .to_owned();
    let form = [("cookie", cookie.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let origin = format!("http://{}", server.address);
    let form: Vec<(&str, &str)> =
        form.into_iter().chain([("origin", origin.as_str()), ("sec-fetch-site", "same-origin")]).collect();
    let add = |csrf: &str| server.ask("POST /owner/people", &form, &format!("name=Eve+%3Cb%3E&csrf={csrf}")).0;
    assert_eq!((add("wrong"), add(&csrf)), (403, 303));
    let text = page(&server);
    assert!(text.contains("Eve &lt;b&gt;") && !text.contains("Eve <b>"), "{text}");
}

#[test]
fn nothing_in_500_batches_tells_a_sentinel_from_a_candidate() {
    // Noise for images: what could tell is the packing alone.
    let hardset = mined(520, "people_per_batch = 1\nimages_per_batch = 48");
    hardset.line("annotate export run --to csv --out out").ok();
    let tasks = tasks(&hardset.path("run"), 0);
    let sheets = tasks.chunk_by(|a, b| a.batch == b.batch).count();
    assert!(sheets >= 500, "{sheets}");
    let out = hardset.path("out");
    let sizes: BTreeSet<u64> = tasks.iter().map(|task| fs::metadata(image(&out, task)).expect("there").len()).collect();
    assert_eq!(sizes.len(), 1);
    let (train, test) = tasks.split_at(tasks.len() / 2);
    let auc = auc(&learn(&out, train), &out, test);
    eprintln!("area under the curve over {sheets} batches: {auc:.4}");
    // Half of 24,000 images, a sixth of them sentinels: the standard error of chance is 0.007.
    assert!((auc - 0.5).abs() < 0.025, "{auc}");
    // Images that come twice differ in name and bytes.
    for task in tasks.iter().take(480) {
        let TaskKind::Repeat(first) = &task.kind else { continue };
        let first = tasks.iter().find(|other| other.name == *first).expect("the first one");
        let read = |task: &Task| fs::read(image(&out, task)).expect("there");
        let (a, b) = (read(first), read(task));
        let scan =
            |bytes: &[u8]| bytes[bytes.windows(2).rposition(|two| two == [0xff, 0xda]).expect("a scan")..].to_vec();
        assert!(first.name != task.name && a != b && scan(&a) != scan(&b));
    }
    let text = fs::read_to_string(out.join("tasks.csv")).expect("there")
        + &fs::read_to_string(out.join("tasks.jsonl")).expect("there");
    assert!(
        !["positive", "negative", "sentinel", "repeat", "candidate", "item"].iter().any(|word| text.contains(word))
    );
}

fn image(out: &Path, task: &Task) -> PathBuf {
    out.join(format!("images/{}/{}.jpg", task.batch, task.name))
}

/// What somebody could see of a task without looking at the picture.
fn features(out: &Path, task: &Task) -> Vec<f64> {
    let path = image(out, task);
    let bytes = fs::read(&path).expect("the image is there");
    let header = &bytes[..bytes.len().min(4096)];
    let modified = fs::metadata(&path).and_then(|meta| meta.modified()).expect("a date");
    let since = modified.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let mut features: Vec<f64> = task.name.chars().map(|c| f64::from(c.to_digit(16).unwrap_or(0)) / 15.0).collect();
    features.extend((0..48).map(|place| f64::from(u8::from(task.position == place))));
    features.push(bytes.len() as f64 / 1e5);
    features.push((since - 946_684_800.0) / 1e6);
    features.push(header.iter().map(|&byte| f64::from(byte)).sum::<f64>() / header.len() as f64 / 255.0);
    features.extend(
        (0..8).map(|part| header.iter().filter(|&&byte| byte / 32 == part).count() as f64 / header.len() as f64),
    );
    features.push(1.0);
    features
}

/// Logistic regression by stochastic gradient descent.
fn learn(out: &Path, tasks: &[Task]) -> Vec<f64> {
    let rows: Vec<(Vec<f64>, f64)> =
        tasks.iter().map(|task| (features(out, task), f64::from(u8::from(task.kind != TaskKind::Candidate)))).collect();
    let mut weights = vec![0.0; rows[0].0.len()];
    for step in 0..20 {
        let rate = 0.1 / (1.0 + f64::from(step));
        for (row, label) in &rows {
            let error = label - 1.0 / (1.0 + (-score(&weights, row)).exp());
            weights.iter_mut().zip(row).for_each(|(weight, x)| *weight += rate * error * x);
        }
    }
    weights
}

fn score(weights: &[f64], row: &[f64]) -> f64 {
    weights.iter().zip(row).map(|(weight, x)| weight * x).sum()
}

fn auc(weights: &[f64], out: &Path, tasks: &[Task]) -> f64 {
    let mut scored: Vec<(f64, bool)> =
        tasks.iter().map(|task| (score(weights, &features(out, task)), task.kind != TaskKind::Candidate)).collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = scored.iter().filter(|(_, sentinel)| *sentinel).count() as f64;
    let ranks: f64 =
        scored.iter().zip(1..).filter(|((_, sentinel), _)| *sentinel).map(|(_, rank)| f64::from(rank)).sum();
    (ranks - positives * (positives + 1.0) / 2.0) / (positives * (scored.len() as f64 - positives))
}

#[test]
fn what_cannot_be_exported_or_collected_is_an_error_that_says_what_to_do() {
    let hardset = mined(1, "");
    let check = |line: &str, code: i32, part: &str| {
        let run = hardset.line(line).expect(code);
        assert!(run.stderr.contains(part), "{line}: {}", run.stderr);
    };
    check("annotate collect run", 2, "annotate export run");
    check("annotate export nowhere --to csv --out out", 2, "nowhere");
    check("annotate export run --to prolific --out out", 2, "--image-url");
    check(
        "annotate export run --to csv --out out --set annotate.sentinels.min_prob=1",
        2,
        "annotate.sentinels.min_prob",
    );
    check("annotate export run --to csv --out out --set mine.rule=all", 2, "[annotate]");
    hardset.write("full/notes.txt", "mine");
    check("annotate export run --to csv --out full --set annotate.sentinels.min_prob=0.3", 2, "notes.txt");
    hardset.line("annotate export run --to csv --out out").ok();
    check("annotate collect run nowhere.csv", 2, "nowhere.csv");
    hardset.write("bad.csv", "a,b\n1,2\n");
    check("annotate collect run bad.csv", 2, "no column for the task");
    let huge = fs::File::create(hardset.path("huge.csv")).expect("a file");
    huge.set_len(1 << 30).expect("a sparse file");
    check("annotate collect run huge.csv", 2, "split it");
    assert!(!hardset.path("run/verdicts").exists());
}

#[test]
fn hostile_rows_cost_themselves_alone() {
    let hardset = mined(1, "");
    hardset.line("annotate export run --to csv --out out").ok();
    let task = &tasks(&hardset.path("run"), 0)[0].name;
    let long = "p".repeat(10_000);
    let rows = [
        format!("ada,{task},recognise,yes"),
        format!("{long},{task},recognise,yes"),
        format!("bob,{task},recognise,=cmd|' /C calc'!A0"),
        "bob,../../etc/passwd,recognise,yes".to_owned(),
        format!("bob,{task},colour,yes"),
        format!("\"bo\nb\",{task},recognise,\"yes\n\""),
        format!("<script>alert(1)</script>,{task},recognise,no"),
        format!("eve,{task},recognise,"),
        format!("ada,{task},recognise,no"),
    ];
    hardset.write("a.csv", format!("person,task,question,answer\n{}\n", rows.join("\n")));
    let said = hardset.line("annotate collect run a.csv --format json").expect(3).json();
    assert_eq!((said["answers"].as_u64(), said["inputs"][0]["problems"].as_u64()), (Some(9), Some(2)), "{said}");
    let reasons = said["reasons"].as_object().expect("reasons").keys().cloned().collect::<Vec<_>>().join("\n");
    for part in ["none of yes", "on no sheet", "does not have this question", "changed this answer", "is empty"] {
        assert!(reasons.contains(part), "{reasons}");
    }
    let bytes: Vec<u8> = hashes(&hardset.path("run"))
        .keys()
        .flat_map(|file| fs::read(hardset.path("run").join(file)).expect("there"))
        .collect();
    assert!(!bytes.windows(20).any(|part| *part == long.as_bytes()[..20]), "a person's id is in the run");
}

#[test]
fn a_build_exports_what_the_recipe_names_and_an_interrupted_export_goes_on() {
    let hardset = built(1, "export = [\"csv\", \"html\"]");
    let (csv, html) = (hardset.path("run/export/csv"), hardset.path("run/export/html"));
    assert!(csv.join("tasks.csv").is_file() && html.join("README.txt").is_file());
    let before = hashes(&csv);
    let gone = before.keys().find(|name| name.ends_with(".jpg")).expect("an image");
    fs::remove_file(csv.join(gone)).expect("it can be removed");
    hardset.line("build recipe.toml --run-dir run").ok();
    assert!(hashes(&csv) == before, "the export differs");
    hardset.line("verify run").ok();
}

/// Answers of careful people to the first sheet of the run, as lines with a time.
fn careful(run: &Path, people: &[&str], at: &str, answer_of: impl Fn(&Task, &str) -> Answer) -> Vec<u8> {
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

fn right(task: &Task, question: &str) -> Answer {
    match &task.kind {
        TaskKind::Negative => Answer::No,
        TaskKind::Positive => Answer::Yes,
        TaskKind::Candidate | TaskKind::Repeat(_) if question == "use" => Answer::Yes,
        TaskKind::Candidate | TaskKind::Repeat(_) => Answer::Yes,
    }
}

fn accepted(run: &Path) -> usize {
    verdicts(run).values().filter(|verdict| *verdict == "accept").count()
}

#[test]
fn people_correct_themselves_and_the_last_answer_counts_in_whatever_order_files_come() {
    let hardset = mined(1, "");
    hardset.line("annotate export run --to csv --out out").ok();
    let run = hardset.path("run");
    let no = |task: &Task, _: &str| if task.kind == TaskKind::Positive { Answer::Yes } else { Answer::No };
    let people = ["ada", "bob", "eve"];
    let early = hardset.write("early.jsonl", careful(&run, &people, "2026-11-22T10:00:00Z", no));
    let late = hardset.write("late.jsonl", careful(&run, &[" Ada", "BOB ", "eve"], "2026-11-22T11:00:00Z", right));
    for (name, files) in [("a", [&early, &late]), ("b", [&late, &early])] {
        let run = fresh(&hardset, name);
        files.iter().for_each(|file| drop(collect(&hardset, &run, &[(*file).clone()])));
        assert!(accepted(&run) >= 40, "{name}: {}", accepted(&run));
    }
}

#[test]
fn a_table_is_read_again_for_questions_that_were_not_asked_then() {
    let hardset = mined(1, "");
    hardset.line("annotate export run --to csv --out out").ok();
    let run = hardset.path("run");
    let said: Vec<Said> = (0..3)
        .flat_map(|person| {
            tasks(&run, 0)
                .iter()
                .flat_map(|task| {
                    QUESTIONS.map(|question| Said {
                        person: format!("p{person}"),
                        batch: task.batch.clone(),
                        task: task.name.clone(),
                        question: question.to_owned(),
                        answer: right(task, question),
                    })
                })
                .collect::<Vec<_>>()
        })
        .collect();
    let file = hardset.write("w.csv", ours(&said));
    let one = "annotate.questions=[{ id = 'recognise', text = 'x', accept_at = 0.7, negatives = true }]";
    let first = hardset.run(&["annotate", "collect", "run", "w.csv", "--set", one, "--format", "json"]).ok().json();
    let both = "annotate.questions=[{ id = 'recognise', text = 'x', accept_at = 0.7, negatives = true }, { id = 'use', text = 'y', accept_at = 0.5 }]";
    let second = hardset.run(&["annotate", "collect", "run", "w.csv", "--set", both, "--format", "json"]).ok().json();
    assert_eq!(
        (first["answers"].as_u64(), second["answers"].as_u64()),
        (Some(said.len() as u64 / 2), Some(said.len() as u64))
    );
    assert_eq!(accepted(&run), verdicts(&run).len());
    collect(&hardset, &run, &[file]);
}

#[test]
fn sheets_that_are_out_are_waited_for_and_other_settings_want_another_folder() {
    let hardset = mined(1, "people_per_batch = 3");
    hardset.line("annotate export run --to csv --out out").ok();
    hardset.line("annotate export run --missing --to csv --out more").refused(2, &["open sheets"]);
    let spec = fs::read(hardset.path("run/spec.toml")).expect("there");
    hardset.line("annotate export run --to csv --out out --set annotate.image_px=128").refused(2, &["other settings"]);
    assert_eq!(fs::read(hardset.path("run/spec.toml")).expect("there"), spec, "a command that failed changed the run");
    hardset.line("annotate export run --to csv --out run/answers").refused(2, &["inside the run"]);
    // Two of three answer the first sheet, one of them with yes to everything: two people lack.
    let run = hardset.path("run");
    let yes = |_: &Task, _: &str| Answer::Yes;
    let both = [
        careful(&run, &["ada", "bob"], "2026-11-22T10:00:00Z", right),
        careful(&run, &["eve"], "2026-11-22T10:00:00Z", yes),
    ];
    hardset.write("a.jsonl", both.concat());
    hardset.line("annotate collect run a.jsonl").ok();
    let more = hardset.line("annotate export run --missing --to csv --out more --format json").ok().json();
    assert_eq!((more["round"].as_u64(), more["assignments"].as_u64()), (Some(2), Some(1)), "{more}");
    // Once more, to another tool: the same sheets, as long as they are out.
    let again = hardset.line("annotate export run --missing --to html --out pages --format json").ok().json();
    assert_eq!((again["round"].as_u64(), again["assignments"].as_u64()), (Some(2), Some(1)), "{again}");
    let all = hardset.line("annotate export run --to html --out first --format json").ok().json();
    assert_eq!(all["round"], 1, "{all}");
}

#[test]
fn an_image_that_is_gone_costs_itself_alone() {
    let (Some(photos), Some(surrogates), Some(library)) = (test_data("photos"), test_data("surrogates"), ort_library())
    else {
        return;
    };
    let hardset = Hardset::new();
    copy(&photos, &hardset.path("photos"));
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/photos.toml");
    let root = format!("generate.root={}", hardset.path("photos").display());
    let args = ["build", &recipe.to_string_lossy(), "--run-dir", "run", "--set", &root];
    Run::of(hardset.command(&args).env("ORT_DYLIB_PATH", library).env("HARDSET_DATA_DIR", surrogates)).ok();
    let hard = table(&hardset.path("run/manifest.parquet"));
    let flags: Vec<bool> =
        hard.column("hard").expect("a column").bool().expect("flags").iter().map(|flag| flag == Some(true)).collect();
    let gone: Vec<String> =
        strings(&hard, "path").into_iter().zip(flags).filter(|(_, hard)| *hard).map(|(path, _)| path).take(2).collect();
    fs::remove_file(hardset.path("photos").join(&gone[0])).expect("it was there");
    let said = hardset.line("annotate export run --to csv --out out --format json").expect(3).json();
    assert_eq!(said["left_out"], 1, "{said}");
    // One that goes after its round was made leaves a grey square.
    fs::write(hardset.path("photos").join(&gone[1]), "changed").expect("it can be written");
    let said = hardset.line("annotate export run --to label-studio --out later --format json").expect(3).json();
    assert_eq!(said["left_out"].as_u64().map(|n| n >= 2), Some(true), "{said}");
    hardset.line("verify run").ok();
}
