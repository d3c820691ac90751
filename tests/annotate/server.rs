//! The answering server: a client for it, and what strangers and the owner get.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::common::Hardset;
use crate::runs::mined;

/// A running `annotate serve`.
pub struct Server {
    pub child: Child,
    pub address: String,
    pub owner: String,
    pub links: BTreeMap<String, String>,
}

impl Server {
    pub fn start(hardset: &Hardset, run: &Path, more: &[&str]) -> Self {
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

    /// One request on a new connection: status, headers, body.
    pub fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, Vec<u8>) {
        let mut head = format!("{request} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "host") {
            head += &format!("host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        self.raw(&format!("{head}\r\n{body}"))
    }

    /// The bytes of a request on a new connection, as they are.
    pub fn raw(&self, request: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        // A server that refuses a body may hang up before it has read it.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, head, answer.get(end + 4..).unwrap_or_default().to_vec())
    }

    pub fn path<'a>(&self, link: &'a str) -> &'a str {
        link.split_once(&self.address).map_or("/", |(_, path)| path)
    }

    /// A person's session: the cookie, and the token that the page sends along.
    pub fn join(&self, person: &str) -> (String, String) {
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

    pub fn sheet(&self, cookie: &str) -> Option<Value> {
        let (status, _, body) = self.ask("GET /api/sheet", &[("cookie", cookie)], "");
        (status == 200).then(|| serde_json::from_slice(&body).expect("a sheet is JSON"))
    }

    pub fn post(&self, path: &str, cookie: &str, csrf: &str, body: &Value) -> u16 {
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
        server.post("/api/answers", &ada, &csrf, &body)
    };
    assert_eq!(server.post("/api/answers", &ada, "0", &body), 403);
    assert_eq!(server.post("/api/answers", "", &csrf, &body), 401);
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
