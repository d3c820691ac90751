//! Runs one command on a damaged folder and says what is wrong with what it did.
//!
//! Holds always: a command may refuse, with a documented exit code; if it does not, it must do exactly what it does on
//! the undamaged folder: print the same, and leave the same bytes, but for the damaged file itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{Hardset, Run};
use crate::mutate::{Kind, Mutation};
use crate::world::Tree;

/// Documented exit codes but for 1, which is a bug.
const DOCUMENTED: [i32; 5] = [0, 2, 3, 4, 75];
/// Keys of results that say how much was work of this call: what is made anew is made anew.
const OF_THIS_CALL: [&str; 3] = ["fresh", "known", "was_there"];

/// What must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Panicked,
    Aborted,
    Unexpected,
    OtherResult,
    Undetected,
}

impl Fault {
    pub const ALL: [Self; 5] = [Self::Panicked, Self::Aborted, Self::Unexpected, Self::OtherResult, Self::Undetected];

    pub fn name(self) -> &'static str {
        match self {
            Self::Panicked => "panic",
            Self::Aborted => "abort",
            Self::Unexpected => "exit 1",
            Self::OtherResult => "other result",
            Self::Undetected => "not found by verify",
        }
    }
}

/// What a command did: its exit code, what it printed, and the folder afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    pub code: Option<i32>,
    said: Option<Value>,
    stderr: String,
    left: Tree,
}

/// A folder with copies to work in.
pub struct Bench<'a> {
    hardset: &'a Hardset,
    home: PathBuf,
    /// What the folder holds at the moment.
    now: Tree,
}

impl<'a> Bench<'a> {
    /// In the new folder `home`.
    pub fn new(hardset: &'a Hardset, home: PathBuf) -> Self {
        std::fs::create_dir_all(&home).expect("folders can be made");
        Self { hardset, home, now: Tree::default() }
    }

    /// What this command does where the folder holds `tree`.
    pub fn run(&mut self, tree: &Tree, command: &str) -> Deed {
        tree.restore(&self.home, &self.now);
        let args: Vec<&str> = command.split(' ').chain(["--format", "json", "--threads", "1", "-q"]).collect();
        let mut call = self.hardset.command(&args);
        call.current_dir(&self.home).env("HARDSET_CACHE_DIR", self.home.with_extension("cache"));
        let Run { code, stdout, stderr } = Run::of(&mut call);
        self.now = Tree::read(&self.home);
        let mut said = serde_json::from_str(&stdout).ok();
        said.iter_mut().for_each(strip);
        Deed { code, said, stderr, left: self.now.clone() }
    }
}

/// Removes what depends on how much was there already.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !OF_THIS_CALL.contains(&key.as_str()));
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

impl Deed {
    /// What is wrong with this deed on the damaged folder, and a line about it. `good`: the same on the undamaged one.
    pub fn faults(&self, good: &Self, mutation: &Mutation, command: &str, is_cache: bool) -> Vec<(Fault, String)> {
        let stderr = self.stderr.lines().next().unwrap_or_default().to_owned();
        let Some(code) = self.code else { return vec![(Fault::Aborted, stderr)] };
        if self.stderr.contains("panicked") {
            let line = self.stderr.lines().find(|line| line.contains("panicked"));
            return vec![(Fault::Panicked, line.unwrap_or_default().to_owned())];
        }
        if !DOCUMENTED.contains(&code) {
            return vec![(Fault::Unexpected, stderr)];
        }
        let mut faults = Vec::new();
        if command.starts_with("verify ") && code == 0 && !is_cache {
            faults.push((Fault::Undetected, String::new()));
        } else if code == 0 || (code == 3 && good.code == Some(3)) {
            faults.extend(self.difference(good, mutation).map(|difference| (Fault::OtherResult, difference)));
        }
        faults
    }

    /// What differs from the good result, for people.
    fn difference(&self, good: &Self, mutation: &Mutation) -> Option<String> {
        if self.code != good.code {
            return Some(format!("exit {:?} instead of {:?}", self.code, good.code));
        }
        let names: BTreeSet<&String> = self.left.files.keys().chain(good.left.files.keys()).collect();
        let as_good = |name: &String| self.left.files.get(name) == good.left.files.get(name);
        // A damaged file that the command did not look at stays as it is.
        let untouched = |name: &String| *name == mutation.file && self.left.files.get(name) == mutation.bytes.as_ref();
        let files: Vec<&String> = names.into_iter().filter(|name| !as_good(name) && !untouched(name)).collect();
        if let Some(first) = files.first() {
            return Some(format!("{first}{}", if files.len() > 1 { " and others" } else { "" }));
        }
        (self.said != good.said).then(|| "what it says".to_owned())
    }
}

/// One thing that is wrong.
pub struct Finding {
    pub file: String,
    pub kind: Kind,
    pub place: String,
    pub command: &'static str,
    pub fault: Fault,
    pub detail: String,
}

/// What was tried, in numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub mutations: usize,
    pub commands: usize,
    /// Commands that ended with neither 0 nor 3.
    pub refused: usize,
    /// Mutations that `verify` found.
    pub verified: usize,
}

/// Everything that was tried and found.
#[derive(Default)]
pub struct Report {
    /// Files by kind of mutation.
    pub files: BTreeMap<Kind, BTreeSet<String>>,
    pub counts: BTreeMap<Kind, Counts>,
    pub findings: Vec<Finding>,
}

impl Report {
    /// Adds what one mutation led to.
    pub fn add(&mut self, mutation: &Mutation, counts: Counts, findings: Vec<Finding>) {
        self.files.entry(mutation.kind).or_default().insert(mutation.file.clone());
        let sums = self.counts.entry(mutation.kind).or_default();
        sums.mutations += counts.mutations;
        sums.commands += counts.commands;
        sums.refused += counts.refused;
        sums.verified += counts.verified;
        self.findings.extend(findings);
    }

    /// One line for each kind of mutation, and one for all.
    pub fn table(&self, title: &str) -> String {
        let heads = ["files", "mutations", "found by verify", "commands", "refused"];
        let heads = heads.into_iter().chain(Fault::ALL.map(Fault::name));
        let heads: Vec<String> = heads.map(|head| format!("{head:>9}")).collect();
        let mut lines = vec![format!("{title:<20} {}", heads.join("  "))];
        let mut all = vec![0; heads.len()];
        for kind in Kind::ALL {
            let mut row = vec![self.files.get(&kind).map_or(0, BTreeSet::len)];
            let counts = self.counts.get(&kind).copied().unwrap_or_default();
            row.extend([counts.mutations, counts.verified, counts.commands, counts.refused]);
            let of = |fault: Fault| self.findings.iter().filter(|f| f.kind == kind && f.fault == fault).count();
            row.extend(Fault::ALL.map(of));
            all.iter_mut().zip(&row).for_each(|(sum, count)| *sum += count);
            lines.push(line(kind.name(), &row, &heads));
        }
        all[0] = self.files.values().flatten().collect::<BTreeSet<_>>().len();
        lines.push(line("all", &all, &heads));
        lines.join("\n")
    }

    /// Findings, those of one file, command and fault in one line.
    pub fn list(&self) -> String {
        let mut lines: BTreeMap<(Fault, &str, &str), Vec<String>> = BTreeMap::new();
        for finding in &self.findings {
            let Finding { kind, place, detail, .. } = finding;
            let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
            let place = if place.is_empty() { String::new() } else { format!(" ({place})") };
            let text = format!("{}{place}{detail}", kind.name());
            lines.entry((finding.fault, &finding.file, finding.command)).or_default().push(text);
        }
        let mut text = Vec::new();
        for ((fault, file, command), places) in lines {
            text.push(format!("{} · {file} · {command} · {}", fault.name(), places.join("; ")));
        }
        text.join("\n")
    }
}

fn line(name: &str, row: &[usize], heads: &[String]) -> String {
    let cells: Vec<String> =
        row.iter().zip(heads).map(|(n, head)| format!("{n:>width$}", width = head.len())).collect();
    format!("{name:<20} {}", cells.join("  "))
}

/// Where folders live that are copied often: in memory where there is such a place, because every file is synced.
pub fn fast_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = tempfile::Builder::new().prefix("hardset-mutation-").tempdir_in(memory);
    made.or_else(|_| tempfile::tempdir()).expect("temporary folders can be made")
}
