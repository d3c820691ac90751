//! Drives the real binary: one private folder per test, one record per call, directories compared byte for byte.
//!
//! Holds always: nothing here touches the user's cache, data directories or ONNX Runtime; a test that wants those asks
//! for them ([`test_data`], [`ort_library`]) and is skipped loudly where they are absent ([`needs`]).
#![allow(dead_code, reason = "every test program uses its own part of this file")]

mod needs;
pub mod tiny;
pub mod tiny_onnx;
pub mod tiny_towers;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use polars::prelude::{DataFrame, ParquetReader, SerReader};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub use needs::needs;

/// A library path at which there is none: whoever runs under it shows that it needs no library.
pub const NO_LIBRARY: &str = "/nonexistent/libonnxruntime.so";

/// The real classifiers of the shared data; tests/real/surrogates defines them.
pub const REAL_MODELS: [&str; 5] = [
    "mobilenet_v1_025_128",
    "mobilenet_v1_050_160_nhwc_u8",
    "mobilenet_v1_075_192",
    "mobilenet_v2_100_224",
    "squeezenet_1_1_fp16_batch1",
];

/// The program, with a folder of its own to work in and a cache inside it.
pub struct Hardset {
    home: TempDir,
}

/// What one call of the program did.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Hardset {
    pub fn new() -> Self {
        Self { home: TempDir::new().expect("temporary folders can be made") }
    }

    /// A path inside the private folder; relative paths of the program's arguments start there too.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file inside the private folder, making folders on the way.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("folders can be made");
        fs::write(&path, content).expect("files can be written");
        path
    }

    /// A call that has not begun; without any ONNX Runtime unless the caller sets `ORT_DYLIB_PATH`.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hardset"));
        command.args(args).current_dir(self.home.path()).stdin(Stdio::null());
        let proxies = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
        for name in ["HARDSET_DATA_DIR", "HF_ENDPOINT", "HF_HOME", "HF_TOKEN"].into_iter().chain(proxies) {
            command.env_remove(name);
        }
        command.env("HARDSET_CACHE_DIR", self.path("cache")).env("ORT_DYLIB_PATH", NO_LIBRARY);
        command
    }

    /// Calls the program and waits for it.
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Run {
        Run::of(&mut self.command(args))
    }

    /// As [`Hardset::run`], for one line whose words have no spaces in them.
    pub fn line(&self, line: &str) -> Run {
        self.run(&line.split_whitespace().collect::<Vec<_>>())
    }
}

impl Run {
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().expect("the program can be started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Demands this exit code, and that the program did not panic.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.expect(0)
    }

    /// Demands one message, `error: …`, all these parts on stderr, and this exit code.
    #[track_caller]
    pub fn refused(self, code: i32, parts: &[&str]) -> Self {
        let run = self.expect(code);
        let messages = run.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(messages, 1, "{}", run.stderr);
        for part in parts {
            assert!(run.stderr.contains(part), "`{part}` is not in: {}", run.stderr);
        }
        run
    }

    /// Demands all these parts on stderr.
    #[track_caller]
    pub fn err(self, parts: &[&str]) -> Self {
        parts.iter().for_each(|part| assert!(self.stderr.contains(part), "`{part}` is not in: {}", self.stderr));
        self
    }

    /// Demands all these parts on stdout.
    #[track_caller]
    pub fn out(self, parts: &[&str]) -> Self {
        parts.iter().for_each(|part| assert!(self.stdout.contains(part), "`{part}` is not in: {}", self.stdout));
        self
    }

    /// The one JSON object on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout));
        assert!(value.is_object(), "{value}");
        value
    }
}

/// Names and SHA-256 of all files below `dir`.
pub fn hashes(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(dir, "", &mut found);
    found
}

fn collect(dir: &Path, inside: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.expect("the folder is readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = if inside.is_empty() { name.into_owned() } else { format!("{inside}/{name}") };
        if path.is_dir() {
            collect(&path, &name, found);
        } else {
            found.insert(name, sha256(&fs::read(&path).expect("the file is readable")));
        }
    }
}

/// Names of all files below `dir`, without their folders; files may come and go while it looks.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() { names(&entry.path()) } else { vec![name] }
        })
        .collect()
}

/// Sizes of all files below `dir`, in bytes; none where there is no such folder.
pub fn sizes(dir: &Path) -> Vec<u64> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| {
            if entry.path().is_dir() { sizes(&entry.path()) } else { vec![entry.metadata().map_or(0, |m| m.len())] }
        })
        .collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folders can be made");
    for entry in fs::read_dir(from).expect("it is a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("files can be copied");
        }
    }
}

/// Demands that two directories hold the same files with the same bytes.
#[track_caller]
pub fn assert_same(ours: &Path, undisturbed: &Path) {
    let (ours, theirs) = (hashes(ours), hashes(undisturbed));
    assert!(!theirs.is_empty());
    let names: std::collections::BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let differing: Vec<_> = names.into_iter().filter(|name| ours.get(*name) != theirs.get(*name)).collect();
    assert!(differing.is_empty(), "these files differ or stand on one side only: {differing:?}");
}

/// The file that a run has at `path`, whose name has the hash of its content before the extension:
/// `images/000/000001.tar` is `images/000/000001.0123abcd.tar`. A file that has exactly this name is itself.
#[track_caller]
pub fn unit_file(path: &Path) -> PathBuf {
    if path.exists() {
        return path.to_owned();
    }
    let named = named_files(path);
    assert_eq!(named.len(), 1, "{} stands for one file: {named:?}", path.display());
    named[0].clone()
}

/// As [`unit_file`]: whether there is such a file.
pub fn has_unit_file(path: &Path) -> bool {
    path.exists() || !named_files(path).is_empty()
}

fn named_files(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
    let is_this = |found: &str| {
        let parts: Vec<&str> = found.split('.').collect();
        (1..parts.len()).any(|at| {
            let hash = parts[at];
            let is_hash = hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_hexdigit());
            is_hash && [&parts[..at], &parts[at + 1..]].concat().join(".") == name
        })
    };
    let entries = fs::read_dir(path.parent().expect("it has a folder")).into_iter().flatten().flatten();
    entries.filter(|entry| is_this(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect()
}

/// The hash of the file that [`hashes`] lists under a name with the hash of its content: `images/000/000001.tar`.
#[track_caller]
pub fn hash_of(hashes: &BTreeMap<String, String>, name: &str) -> String {
    let (stem, extension) = name.rsplit_once('.').expect("it has an extension");
    let is_this = |found: &str| {
        let rest = found.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.'));
        rest.and_then(|rest| rest.split_once('.')).is_some_and(|(_, found)| found == extension)
    };
    let found: Vec<_> = hashes.iter().filter(|(found, _)| *found == name || is_this(found)).collect();
    assert_eq!(found.len(), 1, "{name} stands for one of {:?}", hashes.keys());
    found[0].1.clone()
}

/// Puts the hash of the rest into the first line of a spec or a table of names, as the program does.
pub fn sealed_toml(document: &str) -> String {
    format!("sha256 = \"{}\"\n{document}", sha256(document.as_bytes()))
}

/// A sealed file's document, without the line of the hash.
pub fn unsealed_toml(text: &str) -> &str {
    text.split_once('\n').expect("the first line has the hash").1
}

/// Gives a sealed file other content and its hash, as a program that writes it would.
pub fn reseal(path: &Path, change: impl FnOnce(&str) -> String) {
    let text = fs::read_to_string(path).expect("it is text");
    fs::write(path, sealed_toml(&change(unsealed_toml(&text)))).expect("it can be written");
}

/// As [`reseal`], for a record: `change` gets the lines below the hash.
pub fn reseal_json(path: &Path, change: impl FnOnce(&str) -> String) {
    let text = fs::read_to_string(path).expect("it is text");
    let (_, rest) = text.strip_prefix("{\n").and_then(|text| text.split_once('\n')).expect("it has a hash");
    let rest = change(rest);
    let sealed = format!("{{\n  \"sha256\": \"{}\",\n{rest}", sha256(rest.as_bytes()));
    fs::write(path, sealed).expect("it can be written");
}

/// The file of a run's secret, for 32 bytes as hexadecimal digits.
pub fn secret_file(digits: &str) -> String {
    sealed_toml(&format!("secret = \"{digits}\"\n"))
}

/// A whole Parquet table, read as a user would.
#[track_caller]
pub fn table(path: &Path) -> DataFrame {
    let path = &unit_file(path);
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    ParquetReader::new(file).finish().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The strings of one column.
pub fn strings(table: &DataFrame, column: &str) -> Vec<String> {
    let column = table.column(column).and_then(|column| column.str()).expect("the table has this column of strings");
    column.iter().map(|text| text.unwrap_or_default().to_owned()).collect()
}

/// The numbers of one column of float64, nulls as `None`.
pub fn floats(table: &DataFrame, column: &str) -> Vec<Option<f64>> {
    let column = table.column(column).and_then(|column| column.f64()).expect("the table has this column of numbers");
    column.iter().collect()
}

/// A recipe of made-up images and classifiers; `generate` and `mine` are more lines of those sections.
pub fn fake_recipe(name: &str, generate: &str, mine: &str) -> String {
    format!(
        "name = \"{name}\"\ncategories = \"imagenet-d\"\nshard_items = 64\n\n\
         [generate]\nsource = \"fake\"\nsize_px = 32\n{generate}\n\n\
         [mine]\nsurrogates = [\"fake-a\", \"fake-b\", \"fake-c\"]\n{mine}\n"
    )
}

/// A folder of the project's real data, or `None` after saying loudly that the test is skipped.
#[track_caller]
pub fn test_data(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("HARDSET_TEST_DATA").map_or_else(beside, PathBuf::from).join(name);
    let what = format!("{}; set HARDSET_TEST_DATA to the folder of real files", folder.display());
    needs(&what, Some(folder).filter(|folder| folder.is_dir()))
}

/// An ONNX Runtime library of this machine, or `None` after saying loudly that the test is skipped.
#[track_caller]
pub fn ort_library() -> Option<PathBuf> {
    let named = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from).filter(|path| path.is_file());
    // A library that was fetched into the user's cache serves the tests too.
    let fetched = || {
        let folders = hardset::assets::DataFolders::from_env(&[]);
        folders.files_named(|name| name.starts_with("libonnxruntime.so")).into_iter().next()
    };
    let of_python = || hardset::onnx::libraries_of_python().into_iter().next();
    let found = named.or_else(of_python).or_else(fetched);
    let what = "ONNX Runtime (or the feature `onnx`); set ORT_DYLIB_PATH to test with real models";
    needs(what, found.filter(|_| cfg!(feature = "onnx")))
}

/// The project's 400 photographs, five classifiers, and ONNX Runtime to run them.
pub struct RealInput {
    pub photos: PathBuf,
    pub surrogates: PathBuf,
    pub library: PathBuf,
}

impl RealInput {
    /// `None` after saying loudly that the test is skipped.
    #[track_caller]
    pub fn find() -> Option<Self> {
        Some(Self { photos: test_data("photos")?, surrogates: test_data("surrogates")?, library: ort_library()? })
    }

    /// Builds the recipe of the real photographs into `run`, from the photographs in `photos`.
    pub fn build(&self, hardset: &Hardset, photos: &Path) -> Run {
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/photos.toml");
        let root = format!("generate.root={}", photos.display());
        let mut command = hardset.command(&["build", &recipe.to_string_lossy(), "--run-dir", "run", "--set", &root]);
        command.env("ORT_DYLIB_PATH", &self.library).env("HARDSET_DATA_DIR", &self.surrogates);
        Run::of(&mut command)
    }
}
