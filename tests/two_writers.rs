//! Eight processes at a time work on one run without its lock, pairs of them on the same shards, and are killed at
//! random: nobody who was not killed fails, no reader ever sees a record whose files are not what it says, and the run
//! ends in the bytes of an undisturbed one. On this machine's file system, and over two mounts of MooseFS, which is
//! what two machines of a cluster see.
//!
//! A cluster starts a process twice when it has lost sight of the first one, so two writers of one shard are normal.
//! Parts, pairs and delays are drawn from a fixed seed; what a delay hits depends on the machine, so kills are counted
//! by what they did, not by what was sent: only a process that died of one counts. `HARDSET_KILLS` sets their number.

#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use hardset::imaging::{RgbImage, encode_png};

use common::{Hardset, Run, fake_recipe, hashes, needs, sha256};
use serde::Deserialize;

/// Kills on this machine's own file system, and over MooseFS, where everything takes several times as long.
const KILLS: usize = 500;
const KILLS_OF_MOUNTS: usize = 100;
/// Kills of ranks, of which each makes several shards.
const KILLS_OF_RANKS: usize = 200;
/// Pairs of processes that work at the same time.
const PAIRS: usize = 4;
/// Numbers of parts into which shards are divided: where two processes divide them differently, they meet again.
const PARTS: [usize; 2] = [8, 5];
/// Ranks of a job.
const RANKS: usize = 16;
/// Of four processes so many are killed; the others show that nobody fails, and bring the run forward.
const KILLED_OF_4: usize = 3;
/// Failures after which a campaign ends early.
const HOPELESS: usize = 1000;
/// Findings of each kind that are shown.
const SHOWN: usize = 5;
/// 9, as `Child::kill` sends it.
const SIGKILL: i32 = 9;
const RECIPE: &str = "recipe.toml";

/// What runs without the lock: the two stages whose processes a call on several devices starts, and the ranks of a job.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Generate,
    Mine,
    Worker,
}

impl Stage {
    fn command(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Mine => "mine",
            Self::Worker => "worker",
        }
    }

    /// The folder that it fills.
    fn folder(self) -> &'static str {
        match self {
            Self::Generate => "images",
            Self::Mine => "predictions",
            Self::Worker => "jobs/0001/ranks",
        }
    }
}

/// As `--part` says it.
#[derive(Debug, Clone, Copy)]
struct Part {
    index: usize,
    of: usize,
}

/// Everything that must not be, and what was done to bring it about.
#[derive(Default)]
struct Findings {
    failed: Mutex<Vec<String>>,
    torn: Mutex<Vec<String>>,
    unlike: Mutex<Vec<String>>,
    kills: AtomicUsize,
    ended: AtomicUsize,
    looks: AtomicUsize,
}

impl Findings {
    fn add(list: &Mutex<Vec<String>>, finding: String) {
        list.lock().expect("no thread has panicked").push(finding);
    }

    fn kills(&self) -> usize {
        self.kills.load(Ordering::Relaxed)
    }

    /// So many processes fail that there is no sense in going on.
    fn hopeless(&self) -> bool {
        self.failed.lock().expect("no thread has panicked").len() > HOPELESS
    }

    /// Says what was done, and demands that nothing was found.
    fn judge(self, rounds: usize) {
        let [kills, ended, looks] = [self.kills, self.ended, self.looks].map(AtomicUsize::into_inner);
        let lists = [("failed", self.failed), ("torn", self.torn), ("unlike", self.unlike)]
            .map(|(name, list)| (name, list.into_inner().expect("no thread has panicked")));
        let counts: Vec<String> = lists.iter().map(|(name, list)| format!("{} {name}", list.len())).collect();
        let done = format!("{rounds} runs, {kills} kills, {ended} processes ended by themselves, {looks} records read");
        eprintln!("{done}: {}", counts.join(", "));
        let mut found = Vec::new();
        for (name, list) in &lists {
            let different: BTreeSet<&String> = list.iter().collect();
            found.extend(different.into_iter().take(SHOWN).map(|text| format!("{name}: {}", text.trim())));
        }
        assert!(found.is_empty(), "{done}: {}; some of each:\n{}", counts.join(", "), found.join("\n"));
        assert!(looks > 0 && ended > 0, "{done}");
    }
}

/// A recipe of 57 small shards, some with a lost image; and its undisturbed run in `undisturbed`.
fn prepared() -> Hardset {
    let hardset = Hardset::new();
    let recipe = fake_recipe("two", "images_per_category = 4\nfail_every = 97", "rule = \"at-least=2\"");
    hardset.write(RECIPE, recipe.replace("shard_items = 64", "shard_items = 8"));
    hardset.line(&format!("build {RECIPE} -q --run-dir undisturbed")).expect(3);
    hardset
}

/// The number of kills that was asked for.
fn wanted(usual: usize) -> usize {
    std::env::var("HARDSET_KILLS").map_or(usual, |kills| kills.parse().expect("HARDSET_KILLS is a number"))
}

#[test]
fn eight_processes_on_one_run_and_many_kills_end_in_the_bytes_of_an_undisturbed_run() {
    let hardset = prepared();
    let folder = hardset.path("here");
    fs::create_dir(&folder).expect("folders can be made");
    campaign(&hardset, &[folder], &[Stage::Generate, Stage::Mine], wanted(KILLS));
}

#[test]
fn the_same_over_two_mounts_of_a_distributed_file_system() {
    let Some(mounts) = Mounts::up() else { return };
    campaign(&prepared(), &mounts.paths, &[Stage::Generate, Stage::Mine], wanted(KILLS_OF_MOUNTS));
}

#[test]
fn ranks_of_a_job_and_many_kills_end_in_the_bytes_of_an_undisturbed_run() {
    let hardset = prepared();
    let folder = hardset.path("here");
    fs::create_dir(&folder).expect("folders can be made");
    campaign(&hardset, &[folder], &[Stage::Worker], wanted(KILLS_OF_RANKS));
}

#[test]
fn ranks_of_a_job_over_two_mounts_end_in_the_bytes_of_an_undisturbed_run() {
    let Some(mounts) = Mounts::up() else { return };
    campaign(&prepared(), &mounts.paths, &[Stage::Worker], wanted(KILLS_OF_MOUNTS));
}

/// Rounds of writers that do not give the same bytes.
const UNLIKE_ROUNDS: usize = 6;
const PHOTOS: usize = 96;

/// Photographs that change all the time stand for devices that round differently: two writers of one shard give bytes
/// of their own, under one key. Whoever comes first, a record and its files must be of one writer.
#[test]
fn writers_with_unlike_bytes_leave_records_and_files_of_one_of_them() {
    let hardset = Hardset::new();
    let pictures = [7, 11].map(noise);
    let show = |which: usize, photo: usize| {
        // Beside the folder first, and then in its place at once: a reader never sees half a photograph.
        let new = hardset.write("new.png", &pictures[which]);
        let path = hardset.path(&format!("photos/mug/{photo}.png"));
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("folders can be made");
        fs::rename(new, path).expect("it can be put there");
    };
    (0..PHOTOS).for_each(|photo| show(0, photo));
    hardset.write(
        RECIPE,
        "name = \"photos\"\ncategories = \"imagenet-d\"\nshard_items = 4\n\n\
         [generate]\nsource = \"folder\"\nroot = \"photos\"\nlabels = \"parent-folder\"\n\n\
         [mine]\nsurrogates = [\"fake-a\", \"fake-b\"]\nrule = \"all\"\n",
    );
    let findings = Findings::default();
    for round in 0..UNLIKE_ROUNDS {
        let run = hardset.path(&format!("run-{round}"));
        hardset.line(&format!("plan {RECIPE} -q --run-dir run-{round}")).ok();
        let (runs, shards, seed) = ([run.clone()], PHOTOS / 4, round as u64);
        let work = Work { stage: Stage::Generate, runs: &runs, shards, patience: Duration::from_millis(200), seed };
        let done = AtomicBool::new(false);
        scope(|threads| {
            threads.spawn(|| {
                let mut dice = Dice::new(seed);
                while !done.load(Ordering::Relaxed) {
                    show(dice.below(2), dice.below(PHOTOS));
                }
            });
            let _end = SetAtEnd(&done);
            disturbed(&hardset, &work, &findings);
        });
        look(&run, &findings);
        // Photographs that are not as they were pinned are lost, each with a row: 3.
        let built = hardset.line(&format!("build {RECIPE} -q --run-dir run-{round}"));
        let verified = hardset.line(&format!("verify run-{round} -q"));
        if !matches!(built.code, Some(0 | 3)) || verified.code != Some(0) {
            Findings::add(&findings.failed, format!("the last build and verify: {built:?} {verified:?}"));
        }
    }
    findings.judge(UNLIKE_ROUNDS);
}

/// Ends what waits for this, also if the work before has panicked.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A picture of noise.
fn noise(side: usize) -> Vec<u8> {
    let mut dice = Dice::new(side as u64);
    let pixels = (0..3 * side * side).map(|_| dice.below(256) as u8).collect();
    let image = RgbImage::new(side as u32, side as u32, pixels).expect("it has as many bytes as it should");
    encode_png(&image, &[]).expect("it can be encoded")
}

/// One run after the other is made by processes that are killed, until enough of them were. `folders`: the same folder,
/// as each machine sees it.
fn campaign(hardset: &Hardset, folders: &[PathBuf], stages: &[Stage], kills: usize) {
    let findings = Findings::default();
    let shards = |stage: Stage| match stage {
        Stage::Worker => RANKS,
        Stage::Generate | Stage::Mine => records(&hardset.path("undisturbed").join(stage.folder())).len(),
    };
    let mut rounds = 0;
    while findings.kills() < kills && !findings.hopeless() {
        let name = format!("run-{rounds}");
        let runs: Vec<PathBuf> = folders.iter().map(|folder| folder.join(&name)).collect();
        let run = &runs[0];
        hardset.run(&[Path::new("plan"), RECIPE.as_ref(), "-q".as_ref(), "--run-dir".as_ref(), run]).ok();
        let ranks = RANKS.to_string();
        hardset
            .run(&["submit".as_ref(), run.as_os_str(), "--to=slurm".as_ref(), "--ranks".as_ref(), ranks.as_ref()])
            .ok();
        let patience = alone(hardset, run, stages[0]);
        for &stage in stages {
            let seed = rounds as u64 * 3 + stage as u64;
            disturbed(hardset, &Work { stage, runs: &runs, shards: shards(stage), patience, seed }, &findings);
        }
        finish(hardset, run, stages, &findings);
        fs::remove_dir_all(run).expect("folders can be removed");
        rounds += 1;
    }
    findings.judge(rounds);
}

/// One stage of one run.
struct Work<'a> {
    stage: Stage,
    /// The run directory, as each machine sees it.
    runs: &'a [PathBuf],
    /// How many records the stage makes.
    shards: usize,
    /// The longest delay before a kill.
    patience: Duration,
    seed: u64,
}

/// How long a process takes for a part if it is alone: no kill waits longer, and eight at once take longer, so that
/// most kills land. Makes the first part.
fn alone(hardset: &Hardset, run: &Path, stage: Stage) -> Duration {
    let started = Instant::now();
    let one = Work { stage, runs: &[run.to_owned()], shards: 0, patience: Duration::ZERO, seed: 0 };
    let run = finished(start(hardset, &one, 0, Part { index: 0, of: PARTS[0] })).0;
    assert!(matches!(run.code, Some(0 | 3)), "{run:?}");
    started.elapsed()
}

/// Pairs of processes do the stage, with kills, until every shard has its record; a reader looks on.
fn disturbed(hardset: &Hardset, work: &Work, findings: &Findings) {
    let done = AtomicBool::new(false);
    scope(|threads| {
        let pairs: Vec<_> = (0..PAIRS as u64)
            .map(|pair| {
                let done = &done;
                threads.spawn(move || {
                    let mut dice = Dice::new(work.seed * PAIRS as u64 + pair);
                    while !done.load(Ordering::Relaxed) {
                        one_pair(hardset, work, &mut dice, findings);
                    }
                })
            })
            .collect();
        // The last mount: what another machine sees.
        let reader = threads.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let started = Instant::now();
                look(&work.runs[work.runs.len() - 1], findings);
                // Looking takes time from those that work.
                sleep(started.elapsed());
            }
        });
        let folder = work.runs[0].join(work.stage.folder());
        let broken = || findings.hopeless() || pairs.iter().any(|pair| pair.is_finished());
        while records(&folder).len() < work.shards && !broken() {
            sleep(Duration::from_millis(5));
        }
        done.store(true, Ordering::Relaxed);
        pairs.into_iter().for_each(|pair| pair.join().expect("no thread has panicked"));
        reader.join().expect("no thread has panicked");
    });
}

/// Two processes begin the same part at the same moment; each may be killed.
fn one_pair(hardset: &Hardset, work: &Work, dice: &mut Dice, findings: &Findings) {
    let of = match work.stage {
        Stage::Worker => RANKS,
        Stage::Generate | Stage::Mine => PARTS[dice.below(PARTS.len())],
    };
    let part = Part { index: dice.below(of), of };
    let plans = [(); 2].map(|()| (dice.below(4) < KILLED_OF_4).then(|| work.patience.mul_f64(dice.unit())));
    let started = Instant::now();
    let children = [0, 1].map(|which| start(hardset, work, which, part));
    scope(|threads| {
        for (mut child, plan) in children.into_iter().zip(plans) {
            threads.spawn(move || {
                if let Some(delay) = plan {
                    sleep(delay.saturating_sub(started.elapsed()));
                    // One that has ended already is no error.
                    let _ = child.kill();
                }
                let (run, status) = finished(child);
                match (run.code, status.signal()) {
                    (_, Some(SIGKILL)) if plan.is_some() => drop(findings.kills.fetch_add(1, Ordering::Relaxed)),
                    (Some(0 | 3), _) if !run.stderr.contains("panicked") => {
                        findings.ended.fetch_add(1, Ordering::Relaxed);
                    }
                    // Kills have hit one shard so often that it was left out; a person would look into it, and then
                    // start the rank again as `submit --missing` does.
                    (Some(1), _) if matches!(work.stage, Stage::Worker) && run.stderr.contains("were left out") => {
                        findings.ended.fetch_add(1, Ordering::Relaxed);
                        let live = format!("jobs/0001/live/{:05}.json", part.index);
                        work.runs.iter().for_each(|run| drop(fs::remove_file(run.join(&live))));
                    }
                    _ => {
                        let what = format!("{} {part:?}: {status}: {}", work.stage.command(), run.stderr);
                        Findings::add(&findings.failed, what);
                    }
                }
            });
        }
    });
}

/// A process without the lock: this one is its parent, as a call on several devices would be. `which`: of the pair.
fn start(hardset: &Hardset, work: &Work, which: usize, part: Part) -> Child {
    let run = &work.runs[which % work.runs.len()];
    let mut command = hardset.command(&[work.stage.command()]);
    command.arg(run).args(["-q", "--threads", "1"]);
    match work.stage {
        Stage::Worker => command.args(["--job", "0001", "--rank", &part.index.to_string()]),
        Stage::Generate | Stage::Mine => command.args(["--part", &format!("{}/{}", part.index, part.of)]),
    };
    command.env("HARDSET_PARENT", std::process::id().to_string());
    if let Stage::Mine = work.stage {
        command.stdin(File::open(run.join("spec.toml")).expect("a planned run has its spec"));
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program can be started")
}

fn finished(child: Child) -> (Run, ExitStatus) {
    let output = child.wait_with_output().expect("the program can be waited for");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (Run { code: output.status.code(), stdout: String::new(), stderr }, output.status)
}

/// One ordinary call finishes the run, `verify` finds nothing, and it has the bytes of the undisturbed one and no more:
/// what killed processes left is gone.
fn finish(hardset: &Hardset, run: &Path, stages: &[Stage], findings: &Findings) {
    let undisturbed = hashes(&hardset.path("undisturbed"));
    let built = if matches!(stages, [Stage::Worker]) {
        hardset.run(&[Path::new("finish"), run, "-q".as_ref()])
    } else {
        hardset.run(&[Path::new("build"), RECIPE.as_ref(), "-q".as_ref(), "--run-dir".as_ref(), run])
    };
    let verified = hardset.run(&[Path::new("verify"), run, "-q".as_ref()]);
    for (command, expected, run) in [("call", 3, built), ("verify", 0, verified)] {
        if run.code != Some(expected) {
            Findings::add(&findings.failed, format!("the last {command}: {run:?}"));
        }
    }
    let mut ours = hashes(run);
    ours.retain(|name, _| !name.starts_with("jobs/"));
    let names: BTreeSet<_> = ours.keys().chain(undisturbed.keys()).collect();
    let unlike: Vec<_> = names.into_iter().filter(|name| ours.get(*name) != undisturbed.get(*name)).collect();
    if !unlike.is_empty() {
        Findings::add(&findings.unlike, format!("{}: {unlike:?}", run.display()));
    }
}

/// The part of a commit record that speaks of its files; other JSON has none.
#[derive(Deserialize)]
struct Record {
    files: Vec<RecordedFile>,
}

#[derive(Deserialize)]
struct RecordedFile {
    name: String,
    bytes: u64,
    sha256: String,
}

/// Paths of all records below a folder; what ranks say of themselves is none.
fn records(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_said = |path: &PathBuf| path.ends_with("live") || path.ends_with("devices");
    entries
        .filter(|path| !is_said(path))
        .flat_map(|path| if path.is_dir() { records(&path) } else { vec![path] })
        .filter(|path| path.to_string_lossy().strip_suffix(".json").is_some_and(|path| !path.ends_with(".shards")))
        .collect()
}

/// Reads every record and its files once, as a reader on another machine would.
fn look(run: &Path, findings: &Findings) {
    for path in records(run) {
        // Nobody removes a record while processes work.
        let Ok(bytes) = fs::read(&path) else {
            Findings::add(&findings.torn, format!("{} was listed and cannot be read", path.display()));
            continue;
        };
        findings.looks.fetch_add(1, Ordering::Relaxed);
        // A record may be replaced by another one while its files are read: then the other one counts.
        if let Some(problem) = problem(&path, &bytes).filter(|_| fs::read(&path).is_ok_and(|now| now == bytes)) {
            Findings::add(&findings.torn, format!("{}: {problem}", path.display()));
        }
    }
}

/// What is wrong with the record in `bytes`, or with a file that it names.
fn problem(path: &Path, bytes: &[u8]) -> Option<String> {
    // A seal may stand in front.
    let start = bytes.iter().position(|&byte| byte == b'{').unwrap_or_default();
    let record: Record = match serde_json::from_slice(&bytes[start..]) {
        Ok(record) => record,
        Err(error) => return Some(format!("{error}; it has {} bytes", bytes.len())),
    };
    record.files.iter().find_map(|file| match fs::read(path.with_file_name(&file.name)) {
        Err(error) => Some(format!("{}: {error}", file.name)),
        Ok(found) if found.len() as u64 != file.bytes => {
            Some(format!("{} has {} bytes instead of {}", file.name, found.len(), file.bytes))
        }
        Ok(found) => (sha256(&found) != file.sha256).then(|| format!("{} has other bytes", file.name)),
    })
}

/// Two mounts of MooseFS with a cache each; they go when this goes.
struct Mounts {
    home: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Mounts {
    /// `None` after saying loudly that the test is skipped. A kernel without FUSE, or a user who may not mount, is no
    /// failure even of a full run: nothing can be installed against it. Missing packages are.
    fn up() -> Option<Self> {
        let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        if !root || File::options().read(true).write(true).open("/dev/fuse").is_err() {
            eprintln!("SKIPPED: two writers over two mounts: this needs root and a kernel with FUSE");
            return None;
        }
        let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(Path::new);
        let has = |program: &&str| folders.iter().any(|folder| folder.join(program).is_file());
        let programs = ["mfsmaster", "mfschunkserver", "mfsmount", "ip", "nsenter"];
        needs(
            "MooseFS (moosefs-master, moosefs-chunkserver, moosefs-client, iproute2)",
            programs.iter().all(has).then_some(()),
        )?;
        let home = tempfile::Builder::new().prefix("mfs-").tempdir().expect("temporary folders can be made");
        let paths = ["m1", "m2"].map(|mount| home.path().join(mount)).to_vec();
        let mounts = Self { home, paths };
        let said = mounts.script("up");
        assert!(said.status.success(), "{said:?}");
        Some(mounts)
    }

    fn script(&self, verb: &str) -> std::process::Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/moosefs_up");
        let log = File::create(self.home.path().join("script.log")).expect("files can be written");
        // Into a file: the servers keep the script's pipes open.
        let mut command = Command::new(script);
        command.arg(verb).arg(self.home.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let status = command.status().expect("there is a shell");
        let stderr = fs::read(self.home.path().join("script.log")).unwrap_or_default();
        std::process::Output { status, stdout: Vec::new(), stderr }
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        self.script("down");
    }
}

/// Always the same numbers for a seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        // Seeds that differ by one bit begin far from each other.
        let mut dice = Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for _ in 0..8 {
            dice.unit();
        }
        dice
    }

    /// In 0..1.
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }
}

#[test]
fn a_reader_notices_every_kind_of_torn_shard() {
    let dir = tempfile::tempdir().expect("temporary folders can be made");
    let (record, file) = (dir.path().join("shard.json"), dir.path().join("shard.tar"));
    let says = |bytes: &[u8], sum: &[u8]| {
        let hash = sha256(sum);
        format!(
            "{{\"key\": 1, \"files\": [{{\"name\": \"shard.tar\", \"bytes\": {}, \"sha256\": \"{hash}\"}}]}}",
            bytes.len()
        )
    };
    fs::write(&file, "rows").expect("files can be written");
    let found = |text: String| {
        let findings = Findings::default();
        fs::write(&record, text).expect("files can be written");
        look(dir.path(), &findings);
        findings.torn.into_inner().expect("no thread has panicked").concat()
    };
    assert_eq!(found(says(b"rows", b"rows")), "");
    assert!(found(says(b"row", b"rows")).contains("instead of 3"));
    assert!(found(says(b"rows", b"r0ws")).contains("other bytes"));
    assert!(found(says(b"rows", b"rows")[..20].to_owned()).contains("it has 20 bytes"));
    fs::remove_file(&file).expect("it was there");
    assert!(found(says(b"rows", b"rows")).contains("shard.tar: "));
}
