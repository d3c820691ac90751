//! Does the time of an image's first request tell which task is a sentinel?
//!
//! Usage: cargo bench --bench annotate_first_request [-- --sheets N]      makes a run of photographs-to-be in a
//! temporary folder; HARDSET names another program, for example an older one
//!
//! The pool has small pictures, the folder of images known to be good has large PNGs: the worst case for whoever makes
//! an image when it is asked for. One person for each sheet asks for each of its images once, in the order of the
//! sheet. Prints the area under the ROC curve of these times, sentinels against candidates, over all sheets and within
//! each, with 95 % bootstrap intervals over sheets (2,000 resamples). Chance is 0.5.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use hardset::domain::{Philox, Task, TaskKind};
use hardset::imaging::{RgbImage, encode_png};
use hardset::table::tasks_table;
use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const RESAMPLES: u64 = 2000;

fn program() -> String {
    std::env::var("HARDSET").unwrap_or_else(|_| env!("CARGO_BIN_EXE_hardset").to_owned())
}

fn recipe(images_per_category: usize, known_good: &Path) -> String {
    format!(
        "name = \"times\"\ncategories = \"imagenet-d\"\n[generate]\nsource = \"fake\"\n\
         images_per_category = {images_per_category}\n[mine]\nsurrogates = [\"fake-a\", \"fake-b\", \"fake-c\"]\n\
         rule = \"at-least=2\"\n[annotate]\nimage_px = 128\npeople_per_batch = 1\n\
         sentinels = {{ min_prob = 0.3, known_good = \"{}\" }}\n",
        known_good.display()
    )
}

/// Folders of large pictures for some categories.
fn known_good(folder: &Path) -> Result<()> {
    for (at, category) in ["backpack", "banana", "bench"].iter().enumerate() {
        std::fs::create_dir_all(folder.join(category))?;
        for picture in 0..4 {
            let noise = Philox::new(picture, at as u64);
            let pixels = (0..900 * 700 * 3).map(|place| noise.words(place / 16)[0] as u8).collect();
            let image = RgbImage::new(900, 700, pixels)?;
            std::fs::write(folder.join(category).join(format!("{picture}.png")), encode_png(&image, &[])?)?;
        }
    }
    Ok(())
}

/// One person's connection.
struct Person {
    stream: BufReader<TcpStream>,
    host: String,
    cookie: String,
}

impl Person {
    fn join(host: &str, link: &str) -> Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        let mut person = Self { stream: BufReader::new(stream), host: host.to_owned(), cookie: String::new() };
        let (head, _) = person.get(link.split_once(host).ok_or("a link")?.1)?;
        let cookie = head.split_once("set-cookie: ").ok_or("a cookie")?.1;
        person.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(person)
    }

    fn get(&mut self, path: &str) -> Result<(String, Vec<u8>)> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\r\n", self.host, self.cookie);
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
        Ok((head, body))
    }

    /// The name of each task of the sheet and the time of its image's first request, in seconds.
    fn times(&mut self) -> Result<Vec<(String, f64)>> {
        let (_, sheet) = self.get("/api/sheet")?;
        let sheet: Value = serde_json::from_slice(&sheet)?;
        let mut times = Vec::new();
        for task in sheet["tasks"].as_array().ok_or("tasks")? {
            let path = task["image"].as_str().ok_or("a path")?;
            let before = Instant::now();
            let (head, _) = self.get(path)?;
            times.push((task["task"].as_str().ok_or("a name")?.to_owned(), before.elapsed().as_secs_f64()));
            if !head.starts_with("http/1.1 200") {
                return Err(format!("{path}: {head}").into());
            }
        }
        Ok(times)
    }
}

/// How many pairs (sentinel, candidate) there are, and in how many the sentinel took longer.
fn pairs(times: &[(f64, bool)]) -> (f64, f64) {
    let mut sorted = times.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let sentinels = sorted.iter().filter(|(_, sentinel)| *sentinel).count() as f64;
    let ranks: f64 =
        sorted.iter().zip(1..).filter(|((_, sentinel), _)| *sentinel).map(|(_, rank)| f64::from(rank)).sum();
    (sentinels * (sorted.len() as f64 - sentinels), ranks - sentinels * (sentinels + 1.0) / 2.0)
}

/// Over all pairs, and over those within a sheet.
fn areas(sheets: &[&Vec<(f64, bool)>]) -> [f64; 2] {
    let all: Vec<(f64, bool)> = sheets.iter().flat_map(|sheet| sheet.iter().copied()).collect();
    let (all, longer) = pairs(&all);
    let within = sheets.iter().map(|sheet| pairs(sheet)).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    [longer / all, within.1 / within.0]
}

fn report(what: &str, sheets: &[Vec<(f64, bool)>]) {
    let noise = Philox::new(7, 7);
    let mut resampled: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for resample in 0..RESAMPLES {
        let pick =
            |place: u64| &sheets[(noise.u64(resample * sheets.len() as u64 + place) % sheets.len() as u64) as usize];
        let areas = areas(&(0..sheets.len() as u64).map(pick).collect::<Vec<_>>());
        resampled.iter_mut().zip(areas).for_each(|(all, area)| all.push(area));
    }
    let found = areas(&sheets.iter().collect::<Vec<_>>());
    for ((name, found), mut all) in ["over all sheets", "within each sheet"].iter().zip(found).zip(resampled) {
        all.sort_by(f64::total_cmp);
        let at = |share: f64| all[((all.len() - 1) as f64 * share) as usize];
        eprintln!("{what}, {name}: area under the curve {found:.3} ({:.3} to {:.3})", at(0.025), at(0.975));
    }
}

fn main() -> Result<()> {
    let sheets: usize =
        std::env::args().skip_while(|word| word != "--sheets").nth(1).map_or(Ok(500), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    let (good, run) = (folder.path().join("good"), folder.path().join("run").display().to_string());
    known_good(&good)?;
    let file = folder.path().join("times.toml");
    std::fs::write(&file, recipe(sheets + sheets / 20 + 3, &good))?;
    let built =
        Command::new(program()).args(["build", &file.display().to_string(), "--run-dir", &run, "-q"]).output()?;
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).into());
    }
    let names: Vec<String> = (0..sheets).map(|at| format!("p{at}")).collect();
    let mut server = Command::new(program())
        .args(["annotate", "serve", &run, "--port", "0", "--format", "json", "-q", "--people", &names.join(",")])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(server.stdout.take().ok_or("a pipe")?).read_line(&mut line)?;
    let said: Value = serde_json::from_str(&line)?;
    let host = said["address"].as_str().ok_or("an address")?;
    let links = said["people"].as_array().ok_or("people")?.iter().filter_map(|person| person["link"].as_str());
    let times = links.map(|link| Person::join(host, link)?.times()).collect::<Result<Vec<_>>>();
    server.kill()?;
    server.wait()?;
    let tasks = tasks(Path::new(&run))?;
    let kinds: HashMap<&str, &TaskKind> = tasks.iter().map(|task| (task.name.as_str(), &task.kind)).collect();
    let (mut all, mut positives) = (Vec::new(), Vec::new());
    for sheet in times?.iter().filter(|sheet| !sheet.is_empty()) {
        let kind = |name: &str| kinds[name];
        all.push(sheet.iter().map(|(name, time)| (*time, *kind(name) != TaskKind::Candidate)).collect());
        let checked = sheet.iter().filter(|(name, _)| matches!(kind(name), TaskKind::Candidate | TaskKind::Positive));
        positives.push(checked.map(|(name, time)| (*time, *kind(name) == TaskKind::Positive)).collect());
    }
    eprintln!("{} sheets, {} first requests", all.len(), all.iter().map(Vec::len).sum::<usize>());
    report("all sentinels", &all);
    report("positive sentinels (known good)", &positives);
    Ok(())
}

fn tasks(run: &Path) -> Result<Vec<Task>> {
    let mut files = [std::path::PathBuf::new(), std::path::PathBuf::new()];
    for entry in std::fs::read_dir(run.join("batches"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for (at, kind) in ["tasks", "sentinels"].iter().enumerate() {
            if name.starts_with("00000.") && name.ends_with(&format!("{kind}.parquet")) {
                files[at] = path.clone();
            }
        }
    }
    Ok(tasks_table::decode(&files[0], &files[1])?)
}
