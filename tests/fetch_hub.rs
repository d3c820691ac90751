//! Fetching from a Hugging Face hub: hashes are checked, files without one are pinned, broken connections are gone on
//! with.
//!
//! The hub is a thread of this test on 127.0.0.1 that answers what `hf-hub` asks; nothing leaves the machine.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use common::{Hardset, Run, has_unit_file, sha256};

/// What the hub has and has been asked.
#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// So many more answers stop after so many bytes.
    break_off: Vec<usize>,
    /// Path and range of each request.
    asked: Vec<(String, String)>,
}

/// A hub on this machine; its thread ends with the test program.
struct Hub {
    address: String,
    state: Arc<Mutex<State>>,
}

impl Hub {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = format!("http://{}", listener.local_addr().expect("it has an address"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away costs its own connection only.
                let _ = answer(stream, &shared);
            }
        });
        Self { address, state }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().expect("no thread panicked with it"))
    }

    /// Puts a file of `acme/tiny`, revision `main`, on the hub.
    fn put(&self, path: &str, bytes: &[u8]) {
        self.with(|state| state.files.insert(format!("/acme/tiny/resolve/main/{path}"), bytes.to_vec()));
    }

    /// Ranges asked for so far, but for those of one byte with which `hf-hub` asks for a file's size.
    fn ranges(&self) -> Vec<String> {
        self.with(|state| state.asked.iter().map(|(_, range)| range.clone()).filter(|r| r != "bytes=0-0").collect())
    }
}

fn answer(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let range = headers.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("range: ").map(str::to_owned));
    let range = range.unwrap_or_default();
    let (file, stop) = {
        let mut state = state.lock().expect("no thread panicked with it");
        state.asked.push((path.clone(), range.clone()));
        let stop = if range == "bytes=0-0" { None } else { state.break_off.pop() };
        (state.files.get(&path).cloned(), stop)
    };
    match file {
        Some(file) => send(stream, &file, &range, stop),
        None => (&stream).write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
    }
}

fn send(mut stream: TcpStream, file: &[u8], range: &str, stop: Option<usize>) -> std::io::Result<()> {
    let (first, last) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
    let first: usize = first.parse().unwrap_or(0);
    let end = last.parse().map_or(file.len(), |last: usize| (last + 1).min(file.len()));
    if first >= file.len() {
        return stream
            .write_all(b"HTTP/1.1 416 Range Not Satisfiable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
    let part = &file[first..end];
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\ncontent-length: {}\r\ncontent-range: bytes {first}-{}/{}\r\n\
         etag: \"{}\"\r\nx-repo-commit: 0123456789abcdef0123456789abcdef01234567\r\nconnection: close\r\n\r\n",
        part.len(),
        end - 1,
        file.len(),
        sha256(file),
    )?;
    stream.write_all(&part[..stop.unwrap_or(part.len()).min(part.len())])
}

/// A program whose folder has a data manifest with the one entry `tiny`.
fn with_entry(hash: Option<&str>) -> Hardset {
    let hardset = Hardset::new();
    let hash = hash.map_or_else(String::new, |hash| format!("sha256 = \"{hash}\"\n"));
    let entry = "[[file]]\nid = \"tiny\"\nfile = \"tiny-weights.onnx\"\nlicence = \"MIT\"\n\
                 hub = { repo = \"acme/tiny\", revision = \"main\", path = \"onnx/model.onnx\" }\n";
    hardset.write("data-manifest.toml", format!("{entry}{hash}"));
    hardset
}

fn fetch(hardset: &Hardset, hub: &Hub) -> Run {
    let mut command = hardset.command(&["fetch", "tiny", "--format", "json"]);
    Run::of(
        command.env("HF_ENDPOINT", &hub.address).env("HF_HOME", hardset.path("hf-home")).env("NO_PROXY", "127.0.0.1"),
    )
}

/// Half a megabyte that no part of it resembles.
fn content(seed: u8) -> Vec<u8> {
    (0..1_u32 << 19).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed).collect()
}

#[test]
fn a_file_is_fetched_once_checked_and_found_again() {
    let (hub, bytes) = (Hub::start(), content(1));
    hub.put("onnx/model.onnx", &bytes);
    let hardset = with_entry(Some(&sha256(&bytes)));
    let first = fetch(&hardset, &hub).ok().json()["files"][0].clone();
    assert_eq!((&first["fresh"], &first["sha256"]), (&true.into(), &sha256(&bytes).into()));
    assert_eq!(fs::read(first["path"].as_str().unwrap()).unwrap(), bytes);
    assert!(hardset.path("cache/tiny-weights.onnx").is_file());
    let asked = hub.with(|state| state.asked.len());
    let second = fetch(&hardset, &hub).ok().json()["files"][0].clone();
    assert_eq!((&second["fresh"], &second["path"]), (&false.into(), &first["path"]));
    assert_eq!(hub.with(|state| state.asked.len()), asked, "nobody was asked again");
    assert!(hardset.line("fetch tiny").ok().stdout.contains("was there"));
}

#[test]
fn a_file_with_another_hash_is_refused_and_removed() {
    let hub = Hub::start();
    hub.put("onnx/model.onnx", &content(2));
    let hardset = with_entry(Some(&sha256(&content(1))));
    for _ in 0..2 {
        fetch(&hardset, &hub).refused(2, &["tiny", &sha256(&content(1)), &sha256(&content(2))]);
        assert!(!hardset.path("cache/tiny-weights.onnx").exists());
    }
    hub.put("onnx/model.onnx", &content(1));
    fetch(&hardset, &hub).ok();
}

#[test]
fn a_file_without_a_hash_is_pinned_by_the_first_fetch() {
    let (hub, hardset) = (Hub::start(), with_entry(None));
    hub.put("onnx/model.onnx", &content(3));
    let run = fetch(&hardset, &hub).ok();
    let pin = sha256(&content(3));
    assert!(run.stderr.contains(&format!("pinned now: {pin}")), "{}", run.stderr);
    assert!(fs::read_to_string(hardset.path("cache/pins.toml")).unwrap().contains(&pin));
    fs::write(hardset.path("cache/tiny-weights.onnx"), content(4)).unwrap();
    fetch(&hardset, &hub).refused(2, &["tiny", &pin, &sha256(&content(4))]);
}

#[test]
fn a_pinned_file_that_the_hub_has_changed_is_refused_when_it_is_fetched_again() {
    let (hub, hardset) = (Hub::start(), with_entry(None));
    hub.put("onnx/model.onnx", &content(3));
    fetch(&hardset, &hub).ok();
    fs::remove_file(hardset.path("cache/tiny-weights.onnx")).unwrap();
    hub.put("onnx/model.onnx", &content(4));
    fetch(&hardset, &hub).refused(2, &["tiny", &sha256(&content(3)), &sha256(&content(4))]);
    hub.put("onnx/model.onnx", &content(3));
    fetch(&hardset, &hub).ok();
}

#[test]
fn a_connection_that_breaks_off_is_gone_on_with_where_it_broke() {
    let (hub, bytes) = (Hub::start(), content(5));
    hub.put("onnx/model.onnx", &bytes);
    hub.with(|state| state.break_off = vec![100_000]);
    let hardset = with_entry(Some(&sha256(&bytes)));
    fetch(&hardset, &hub).ok();
    assert_eq!(hub.ranges(), ["bytes=0-", "bytes=100000-"]);
}

/// A program that has given up on a hub whose every answer breaks off after 1,000 bytes; the hub is mended since.
fn gave_up(hub: &Hub, bytes: &[u8], hash: Option<&str>) -> Hardset {
    hub.put("onnx/model.onnx", bytes);
    hub.with(|state| state.break_off = vec![1000; 100]);
    let hardset = with_entry(hash);
    fetch(&hardset, hub).refused(4, &["cannot fetch `tiny`", "acme/tiny@main:onnx/model.onnx"]);
    hub.with(|state| state.break_off.clear());
    hardset
}

#[test]
fn a_fetch_that_gave_up_goes_on_with_the_next_call() {
    let (hub, bytes) = (Hub::start(), content(6));
    let hardset = gave_up(&hub, &bytes, Some(&sha256(&bytes)));
    let attempts = hub.ranges().len();
    fetch(&hardset, &hub).ok();
    let expected: Vec<String> = (0..=attempts).map(|at| format!("bytes={}-", 1000 * at)).collect();
    assert_eq!(hub.ranges(), expected);
}

#[test]
fn a_connection_that_gives_nothing_at_all_spoils_nothing() {
    let (hub, bytes) = (Hub::start(), content(7));
    let hardset = gave_up(&hub, &bytes, None);
    hub.with(|state| state.break_off = vec![0]);
    fetch(&hardset, &hub).ok();
    let fetched = fs::read(hardset.path("cache/tiny-weights.onnx")).unwrap();
    assert_eq!((fetched.len(), sha256(&fetched)), (bytes.len(), sha256(&bytes)), "asked for {:?}", hub.ranges());
}

#[test]
fn a_part_that_is_whole_already_is_used() {
    let (hub, bytes) = (Hub::start(), content(8));
    hub.put("onnx/model.onnx", &bytes);
    let hardset = with_entry(Some(&sha256(&bytes)));
    // What a process leaves that is killed between the last byte and the new name.
    let part = format!("cache/hub/models--acme--tiny/blobs/{}.part", sha256(&bytes));
    hardset.write(&part, &bytes);
    fetch(&hardset, &hub).ok();
}

#[test]
fn what_the_hub_does_not_have_is_a_clear_error() {
    let hub = Hub::start();
    let hardset = with_entry(None);
    fetch(&hardset, &hub).refused(4, &["cannot fetch `tiny`", "acme/tiny@main:onnx/model.onnx", "404"]);
    assert!(!hardset.path("cache/pins.toml").exists());
}

#[test]
fn a_hub_that_is_not_there_is_a_clear_error() {
    let hub = Hub { address: "http://127.0.0.1:9".to_owned(), state: Arc::default() };
    fetch(&with_entry(None), &hub).refused(4, &["cannot fetch `tiny`", "acme/tiny@main"]);
}

#[test]
fn a_build_fetches_what_it_lacks_and_says_so() {
    let (hub, bytes) = (Hub::start(), common::tiny::good(-1));
    hub.put("onnx/model.onnx", &bytes);
    let hardset = with_entry(Some(&sha256(&bytes)));
    let input = "layout = \"nchw\"\ndtype = \"u8\"\nchannels = \"rgb\"";
    let geometry = "{ resize = \"none\", interpolation = \"bilinear\", crop_px = 8 }";
    let output = "{ kind = \"logits\", classes = 1000 }";
    let toml = format!("weights = {{ id = \"tiny\" }}\npreprocess = {geometry}\noutput = {output}\n[input]\n{input}\n");
    hardset.write("surrogates/net.toml", toml);
    hardset.write("recipe.toml", common::fake_recipe("x", "", "").replace("\"fake-b\"", "\"net\""));
    let mut build = hardset.command(&["build", "recipe.toml", "--run-dir", "run"]);
    // The library is missing here, so that the build stops after the weights are there.
    let run = Run::of(build.env("HF_ENDPOINT", &hub.address).env("HF_HOME", hardset.path("hf-home"))).expect(4);
    assert!(run.stderr.contains("fetching tiny into"), "{}", run.stderr);
    assert_eq!(fs::read(hardset.path("cache/tiny-weights.onnx")).unwrap(), bytes);
}

#[test]
#[cfg(feature = "onnx")]
fn a_model_is_looked_at_by_its_id_and_once_more_when_the_hub_is_away() {
    let Some(library) = common::ort_library() else { return };
    let (hub, hardset) = (Hub::start(), Hardset::new());
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let files = ["README.md", "config.json", "onnx/model.onnx", "onnx/model_int8.onnx", "../evil.onnx"];
    let siblings: Vec<String> = files.iter().map(|file| format!("{{\"rfilename\": \"{file}\"}}")).collect();
    let listing = format!("{{\"sha\": \"{commit}\", \"siblings\": [{}]}}", siblings.join(", "));
    let timm = "{\"pretrained_cfg\": {\"input_size\": [3, 8, 8], \"crop_pct\": 1.0}}";
    hub.with(|state| {
        state.files.insert("/api/models/acme/tiny/revision/main".to_owned(), listing.into_bytes());
        let mut put = |path: &str, bytes: &[u8]| {
            state.files.insert(format!("/acme/tiny/resolve/{commit}/{path}"), bytes.to_vec());
        };
        put("onnx/model.onnx", &common::tiny::good(-1));
        put("config.json", timm.as_bytes());
    });
    let inspect = |address: &str| {
        let mut command = hardset.command(&["model", "inspect", "acme/tiny", "--format", "json"]);
        command.env("HF_ENDPOINT", address).env("HF_HOME", hardset.path("hf-home")).env("NO_PROXY", "127.0.0.1");
        Run::of(command.env("ORT_DYLIB_PATH", &library))
    };
    let json = inspect(&hub.address).ok().json();
    assert_eq!(json["questions"], serde_json::json!([]));
    assert!(hardset.path("cache/models/acme--tiny@0123456789ab/onnx/model.onnx").is_file());
    assert_eq!(inspect("http://127.0.0.1:9").ok().err(&["what is in the cache is used"]).json()["toml"], json["toml"]);
    let mut other = hardset.command(&["model", "inspect", "acme/absent"]);
    let run = Run::of(other.env("HF_ENDPOINT", &hub.address).env("NO_PROXY", "127.0.0.1"));
    run.refused(4, &["cannot fetch `acme/absent`", "404"]);
}

/// Puts all files below `folder` on the hub; returns their paths.
#[cfg(feature = "candle")]
fn put_folder(hub: &Hub, folder: &std::path::Path, inside: &str, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("the folder is readable").flatten() {
        let path = format!("{inside}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            put_folder(hub, &entry.path(), &format!("{path}/"), paths);
        } else {
            hub.put(&path, &fs::read(entry.path()).expect("the file is readable"));
            paths.push(path);
        }
    }
}

#[cfg(feature = "candle")]
const RECIPE: &str = "name = \"made\"\ncategories = \"imagenet-d\"\n\n[generate]\nsource = \"diffusion\"\n\
                      model = \"tiny-sd\"\nnuisances = [\"material\"]\nwidth_px = 16\nheight_px = 16\nsteps = 1\n\
                      pairs_per_category = 1\n\n[mine]\nsurrogates = [\"fake-a\"]\n";

#[test]
#[cfg(feature = "candle")]
fn a_model_is_fetched_file_by_file_goes_on_where_it_broke_and_makes_images() {
    let (hub, hardset, mut paths) = (Hub::start(), Hardset::new(), Vec::new());
    let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sd-second");
    put_folder(&hub, &model, "", &mut paths);
    paths.retain(|path| path != "reference.safetensors");
    let files: Vec<String> = paths.iter().map(|path| format!("{{ path = \"{path}\" }}")).collect();
    let entry = "[[model]]\nid = \"tiny-sd\"\nlicence = \"MIT\"\nhub = { repo = \"acme/tiny\", revision = \"main\" }\n";
    hardset.write("data-manifest.toml", format!("{entry}files = [{}]\n", files.join(", ")));
    hardset.write("made.toml", RECIPE);
    let call = |line: &str| {
        let mut command = hardset.command(&line.split(' ').collect::<Vec<_>>());
        command.env("HF_ENDPOINT", &hub.address).env("HF_HOME", hardset.path("hf-home")).env("NO_PROXY", "127.0.0.1");
        Run::of(&mut command)
    };
    // The first call gives up in the middle; what has come stays.
    hub.with(|state| state.break_off = [vec![1000; 100], vec![1 << 20; 6]].concat());
    call("build made.toml --run-dir run").refused(4, &["cannot fetch `tiny-sd/"]);
    hub.with(|state| state.break_off.clear());
    let came = hub.with(|state| state.asked.len());
    let run = call("build made.toml --run-dir run").ok();
    assert!(run.stderr.contains("pinned now"), "{}", run.stderr);
    assert!(hub.with(|state| state.asked.len()) > came);
    assert!(has_unit_file(&hardset.path("run/images/000/000000.tar")));
    // It is there now, and a file that has changed is not taken for the one that was fetched.
    hub.with(|state| state.files.clear());
    let json = call("fetch tiny-sd --format json").ok().json()["files"][0].clone();
    assert_eq!((&json["fresh"], &json["id"]), (&false.into(), &"tiny-sd".into()));
    let config = hardset.path("cache/models/tiny-sd/unet/config.json");
    fs::write(&config, fs::read_to_string(&config).unwrap().replace("true", "false")).unwrap();
    call("build made.toml --run-dir other").refused(2, &["tiny-sd", "unet/config.json"]);
}
