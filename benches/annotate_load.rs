//! 200 people answer a sheet of 48 images at the same time, as fast as they can send: how long does an answer take to
//! be safe?
//!
//! Usage: cargo bench --bench annotate_load [-- --people N]      a mined run with made-up images is made in a temporary
//! folder; HARDSET names another program, for example an older one
//!
//! Every person has one connection and sends the next answer when the last one is acknowledged. Prints the percentiles
//! of the time from sending to acknowledgement, and compares what was sent with what `annotate collect` finds.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const RECIPE: &str = r#"
name = "load"
categories = "imagenet-d"
[generate]
source = "fake"
images_per_category = 4
[mine]
surrogates = ["fake-a", "fake-b", "fake-c"]
rule = "at-least=2"
[annotate]
image_px = 64
people_per_batch = 1000
max_items = 40
sentinels = { min_prob = 0.3 }
"#;

/// The program: this build, or another one that HARDSET names.
fn program() -> String {
    std::env::var("HARDSET").unwrap_or_else(|_| env!("CARGO_BIN_EXE_hardset").to_owned())
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One person's connection.
struct Person {
    stream: BufReader<TcpStream>,
    host: String,
    cookie: String,
    csrf: String,
}

impl Person {
    fn join(host: &str, link: &str) -> Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        let mut person =
            Self { stream: BufReader::new(stream), host: host.to_owned(), cookie: String::new(), csrf: String::new() };
        let (_, head, _) = person.ask("GET", link.split_once(host).ok_or("a link")?.1, "")?;
        let cookie = head.split_once("set-cookie: ").ok_or("a cookie")?.1;
        person.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let (_, _, page) = person.ask("GET", "/", "")?;
        let token = page.split_once("name=\"csrf\" content=\"").ok_or("a token")?.1;
        person.csrf = token.split('"').next().unwrap_or_default().to_owned();
        Ok(person)
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<(u16, String, String)> {
        let (host, cookie, csrf, length) = (&self.host, &self.cookie, &self.csrf, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\nx-csrf-token: {csrf}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err("the server hung up".into());
            }
        }
        let head = head.to_lowercase();
        let length =
            head.split_once("content-length: ").and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut body)?;
        Ok((head.get(9..12).ok_or("a status")?.parse()?, head, String::from_utf8(body)?))
    }

    /// Answers the whole sheet; the time that each answer took.
    fn answer(&mut self) -> Result<Vec<Duration>> {
        let (_, _, sheet) = self.ask("GET", "/api/sheet", "")?;
        let sheet: Value = serde_json::from_str(&sheet)?;
        let mut times = Vec::new();
        for task in sheet["tasks"].as_array().ok_or("tasks")? {
            let answer =
                json!({ "batch": sheet["batch"], "task": task["task"], "question": "recognise", "answer": "yes" });
            let before = Instant::now();
            let (status, _, _) = self.ask("POST", "/api/answers", &answer.to_string())?;
            times.push(before.elapsed());
            if status != 204 {
                return Err(format!("status {status}").into());
            }
        }
        Ok(times)
    }
}

fn hardset(args: &[&str]) -> Result<String> {
    let output = Command::new(program()).args(args).arg("-q").output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn main() -> Result<()> {
    let people: usize =
        std::env::args().skip_while(|word| word != "--people").nth(1).map_or(Ok(200), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    let (recipe, run) = (folder.path().join("load.toml"), folder.path().join("run").display().to_string());
    std::fs::write(&recipe, RECIPE)?;
    hardset(&["build", &recipe.display().to_string(), "--run-dir", &run])?;
    let names: Vec<String> = (0..people).map(|at| format!("p{at}")).collect();
    let mut server = Command::new(program())
        .args(["annotate", "serve", &run, "--port", "0", "--format", "json", "-q", "--people", &names.join(",")])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(server.stdout.take().ok_or("a pipe")?).read_line(&mut line)?;
    let said: Value = serde_json::from_str(&line)?;
    let host = said["address"].as_str().ok_or("an address")?;
    let links: Vec<&str> =
        said["people"].as_array().ok_or("people")?.iter().filter_map(|p| p["link"].as_str()).collect();
    let (start, begun) = (Barrier::new(people), Instant::now());
    let times: Result<Vec<Vec<Duration>>> = std::thread::scope(|scope| {
        let person = |link: &str| -> Result<Vec<Duration>> {
            let person = Person::join(host, link);
            start.wait();
            person?.answer()
        };
        let threads: Vec<_> = links.iter().map(|link| scope.spawn(move || person(link))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread died")?).collect()
    });
    let took = begun.elapsed().as_secs_f64();
    server.kill()?;
    server.wait()?;
    let mut times: Vec<Duration> = times?.concat();
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let collected: Value = serde_json::from_str(&hardset(&["annotate", "collect", &run, "--format", "json"])?)?;
    eprintln!(
        "{people} people, {} answers sent in {took:.1} s ({:.0} a second), {} kept; \
         median {:.1} ms, p90 {:.1}, p99 {:.1}, worst {:.1}",
        times.len(),
        times.len() as f64 / took,
        collected["answers"],
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
    Ok(())
}
