//! Kills builds and releases and goes on: the result is byte for byte the one of an undisturbed run, and two processes
//! never change one run directory or fill one release at the same time.
//!
//! Moments are numbers of files that the program has written, drawn from a fixed seed: they do not depend on the speed
//! of the machine. The same with real classifiers: `scripts/kill_real.py`.

#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Hardset, Run, assert_same, fake_recipe, sizes};

/// Runs that are disturbed, and how often each of them.
const RUNS: usize = 4;
const KILLS: usize = 3;

const SIGNAL_WAIT: Duration = Duration::from_secs(60);

/// Large enough to take seconds, in shards small enough that most moments fall into the middle of something.
fn large() -> Hardset {
    let hardset = Hardset::new();
    let recipe = fake_recipe("large", "images_per_category = 12\nfail_every = 97", "rule = \"at-least=2\"");
    // One surrogate of three is a target instead.
    let recipe = recipe.replace(", \"fake-c\"]", "]\ntargets = [\"fake-c\"]");
    hardset.write("large.toml", recipe.replace("shard_items = 64", "shard_items = 40"));
    hardset
}

fn build(run: &str) -> Vec<String> {
    format!("build large.toml --threads 2 -q --run-dir {run}").split(' ').map(str::to_owned).collect()
}

fn start(hardset: &Hardset, run: &str) -> Child {
    let mut command = hardset.command(&build(run));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started")
}

fn finished(child: Child) -> Run {
    let output = child.wait_with_output().expect("the program can be waited for");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Waits until a file of the run is there and not empty: the only way to look into another process.
fn wait_for(hardset: &Hardset, file: &str) {
    let started = Instant::now();
    while fs::metadata(hardset.path(file)).map_or(0, |file| file.len()) == 0 {
        assert!(started.elapsed() < SIGNAL_WAIT, "{file} never came");
        sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", child.id())).status();
    assert!(status.expect("there is a shell").success());
}

/// Numbers in 0..1, always the same ones (xorshift64*).
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// When to kill: as soon as this many files are in a folder, and then this much later, into the middle of something.
#[derive(Debug, Clone, Copy)]
struct Moment {
    files: usize,
    delay: Duration,
}

impl Moments {
    /// `KILLS` of them for one folder that has `total` files in the end, in the order in which they come.
    fn of_folder(&mut self, total: usize) -> [Moment; KILLS] {
        let mut moments = [(); KILLS].map(|()| Moment {
            // The last tenth is left over, so that the program cannot finish before it is killed.
            files: (total as f64 * 0.9 * self.next()) as usize,
            delay: Duration::from_millis(2).mul_f64(self.next()),
        });
        moments.sort_by_key(|moment| moment.files);
        moments
    }
}

/// Kills a program at this moment of filling `folder`; whether it was still running then.
fn killed_at(child: Child, folder: &Path, moment: Moment) -> bool {
    let is_time = || {
        let reached = sizes(folder).len() >= moment.files;
        // Looking takes time from the program: not too often.
        sleep(if reached { moment.delay } else { Duration::from_millis(4) });
        reached
    };
    killed_when(child, is_time)
}

#[test]
fn a_build_killed_at_any_moment_ends_in_the_bytes_of_an_undisturbed_one() {
    let hardset = large();
    hardset.run(&build("undisturbed")).expect(3);
    let total = sizes(&hardset.path("undisturbed")).len();
    let mut moments = Moments(0x00c0_ffee_1234_5678);
    let mut landed = Vec::new();
    for run in 0..RUNS {
        let run = format!("killed-{run}");
        for moment in moments.of_folder(total) {
            if killed_at(start(&hardset, &run), &hardset.path(&run), moment) {
                landed.push(moment.files);
            }
        }
        hardset.run(&build(&run)).expect(3);
        assert_same(&hardset.path(&run), &hardset.path("undisturbed"));
    }
    eprintln!("killed {} times at these numbers of {total} files: {landed:?}", landed.len());
    assert!(landed.len() > RUNS * KILLS / 2, "too few kills landed: {landed:?}");
}

#[test]
fn a_signal_to_stop_gives_exit_code_75_and_the_same_command_goes_on() {
    let hardset = large();
    hardset.run(&build("undisturbed")).expect(3);
    for (run, name, moment) in [
        ("term", "TERM", "images/000/000003.json"),
        ("int", "INT", "predictions/fake-a/000/000002.json"),
        ("early", "TERM", "lock"),
    ] {
        let child = start(&hardset, run);
        wait_for(&hardset, &format!("{run}/{moment}"));
        signal(&child, name);
        finished(child).refused(75, &["stopped by a signal", "run the same command again"]);
        assert!(
            fs::metadata(hardset.path(run).join("lock")).is_ok_and(|lock| lock.len() == 0),
            "the lock is given back"
        );
        hardset.run(&build(run)).expect(3);
        assert_same(&hardset.path(run), &hardset.path("undisturbed"));
    }
}

#[test]
fn a_second_process_stops_at_once_and_names_the_first() {
    let hardset = large();
    let first = start(&hardset, "run");
    wait_for(&hardset, "run/images/000/000000.json");
    // Stopped, not slow: however long the second one takes, the first still holds the run.
    signal(&first, "STOP");
    let process = format!("process {} ", first.id());
    let started = Instant::now();
    for line in ["build large.toml --run-dir run", "mine run", "generate run", "annotate collect run"] {
        hardset.line(line).refused(4, &["run is in use by", &process, "build large.toml"]);
    }
    assert!(started.elapsed() < Duration::from_secs(10), "it waited for the lock");
    // Who only reads needs no lock.
    hardset.line("status run").ok();
    hardset.line("verify run").expect(3);
    hardset.line("report run").refused(2, &["not ready"]);
    signal(&first, "CONT");
    finished(first).expect(3);
    hardset.line("verify run").ok();
}

#[test]
fn who_asks_for_the_status_of_a_run_at_work_is_told_and_disturbs_nobody() {
    let hardset = large();
    hardset.run(&build("run")).expect(3);
    for command in ["build large.toml --run-dir new --threads 1 -q", "mine run --rule all -q", "mine run -q"] {
        let run = if command.contains("new") { "new" } else { "run" };
        let words: Vec<&str> = command.split(' ').collect();
        let mut child = hardset.command(&words).stdout(Stdio::null()).spawn().expect("the program can be started");
        wait_for_folder(&hardset, run);
        let mut asked = 0;
        while child.try_wait().expect("it can be asked").is_none() {
            hardset.line(&format!("status {run}")).ok();
            asked += 1;
        }
        assert_eq!(child.wait().expect("it has ended").code(), Some(3), "{command}");
        assert!(asked > 0, "{command}");
    }
}

fn wait_for_folder(hardset: &Hardset, run: &str) {
    while !hardset.path(run).join("spec.toml").is_file() {
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_killed_process_leaves_no_lock_behind() {
    let hardset = large();
    let mut child = start(&hardset, "run");
    wait_for(&hardset, "run/images/000/000000.json");
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let verified = hardset.line("verify run --format json").expect(3).json();
    let problems = verified["problems"].as_array().expect("a list").iter().filter_map(|problem| problem.as_str());
    let (undone, others): (Vec<&str>, Vec<&str>) = problems.partition(|problem| problem.contains("not done yet"));
    assert!(matches!(undone[..], [one] if one.contains(" others: ")), "one line for all that is not done: {verified}");
    assert_eq!(others, [""; 0], "what is not done is no damage");
    hardset.run(&build("run")).expect(3);
    hardset.line("verify run").ok();
}

/// The end of the name of a file that a killed process was writing: machine, process, number, `unfinished`.
fn left_by_a_killed_process(hardset: &Hardset) -> String {
    loop {
        let _ = fs::remove_dir_all(hardset.path("left"));
        let mut child = start(hardset, "left");
        let mut found = None;
        while found.is_none() && child.try_wait().expect("it can be asked").is_none() {
            let names = common::names(&hardset.path("left"));
            found = names.into_iter().find(|name| name.ends_with(".unfinished"));
        }
        let _ = child.kill();
        child.wait().expect("it ends");
        if let Some(name) = found {
            let parts: Vec<&str> = name.rsplitn(3, '.').collect();
            return format!("{}.{}", parts[1], parts[0]);
        }
    }
}

#[test]
fn unfinished_files_of_a_killed_process_are_swept() {
    let hardset = large();
    hardset.run(&build("run")).expect(3);
    let before = common::hashes(&hardset.path("run"));
    // A process of this machine that is killed leaves such names behind.
    let killed = left_by_a_killed_process(&hardset);
    let left =
        ["images/000/000000.tar", "predictions/fake-a/000/000001.parquet", "manifest.parquet", "mined/x", "spec.toml"];
    for command in ["build large.toml --run-dir run", "mine run", "generate run"] {
        for name in left {
            hardset.write(&format!("run/{name}.{killed}"), b"half");
        }
        hardset.line(command).expect(3);
        assert_eq!(common::hashes(&hardset.path("run")), before, "{command}");
    }
}

/// A mined run of some nine hundred made-up images, so that a release takes long enough to be killed.
fn mined() -> Hardset {
    let hardset = Hardset::new();
    let recipe = fake_recipe("released", "images_per_category = 8", "rule = \"at-least=1\"");
    let recipe = recipe.replace("size_px = 32", "size_px = 64").replace("shard_items = 64", "shard_items = 500");
    hardset.write("released.toml", recipe);
    hardset.line("build released.toml -q --run-dir run --max-images 1").ok();
    hardset
}

fn release(run: &str, out: &str, more: &[&str]) -> Vec<String> {
    let line = format!("release {run} --out {out} --also imagefolder,webdataset,fiftyone -q");
    line.split(' ').chain(more.iter().copied()).map(str::to_owned).collect()
}

fn start_release(hardset: &Hardset, run: &str, out: &str, more: &[&str]) -> Child {
    let mut command = hardset.command(&release(run, out, more));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started")
}

/// Waits until `is_time`, or the program has ended, and kills it; whether it was still running then.
fn killed_when(mut child: Child, is_time: impl Fn() -> bool) -> bool {
    while !is_time() && child.try_wait().expect("the program can be asked").is_none() {
        sleep(Duration::from_micros(200));
    }
    let running = child.try_wait().expect("the program can be asked").is_none();
    child.kill().expect("the program can be killed");
    child.wait().expect("the program can be waited for");
    running
}

/// A release that was killed is not there, or is there whole.
#[track_caller]
fn whole_or_absent(hardset: &Hardset, out: &str) {
    if hardset.path(out).exists() {
        hardset.line(&format!("verify {out}")).ok();
    }
}

/// The same command finishes what was killed, and leaves nothing beside it.
#[track_caller]
fn finishes(hardset: &Hardset, out: &str) {
    hardset.run(&release("run", out, &[])).ok();
    assert_same(&hardset.path(out), &hardset.path("undisturbed"));
    assert!(!hardset.path(&format!("{out}.unfinished")).exists());
    hardset.line(&format!("verify {out}")).ok();
}

#[test]
fn a_release_killed_at_any_moment_is_whole_or_absent_and_ends_in_the_bytes_of_an_undisturbed_one() {
    let hardset = mined();
    hardset.run(&release("run", "undisturbed", &[])).ok();
    let total = sizes(&hardset.path("undisturbed")).len();
    let mut moments = Moments(0x5eed_0f1e_a5e5_0001);
    let mut landed = Vec::new();
    for out in 0..RUNS {
        let out = format!("killed-{out}");
        for moment in moments.of_folder(total) {
            let child = start_release(&hardset, "run", &out, &[]);
            if killed_at(child, &hardset.path(&format!("{out}.unfinished")), moment) {
                landed.push(moment.files);
            }
            whole_or_absent(&hardset, &out);
        }
        finishes(&hardset, &out);
    }
    eprintln!("killed {} times at these numbers of {total} files: {landed:?}", landed.len());
    assert!(landed.len() > RUNS * KILLS / 2, "too few kills landed: {landed:?}");
}

/// Whether there is a file whose name begins so: one that is being written has more after it.
fn has_begun(file: &Path) -> bool {
    let begin = file.file_name().expect("it has a name").to_string_lossy().into_owned();
    let entries = fs::read_dir(file.parent().expect("it has a folder")).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(&begin))
}

#[test]
fn a_release_killed_in_each_of_its_steps_goes_on() {
    let hardset = mined();
    hardset.run(&release("run", "undisturbed", &[])).ok();
    let data = "data/test-00000-of-00001.parquet";
    let mut landed = Vec::new();
    for (at, step) in [
        "key",
        "data/test-00000-of-00001.parquet.",
        data,
        "imagefolder/noise",
        "imagefolder/metadata.jsonl",
        "webdataset/test-00000-of-00001.tar.",
        "fiftyone/data",
        "release.json",
        "SHA256SUMS",
    ]
    .into_iter()
    .enumerate()
    {
        let out = format!("step-{at}");
        let file = hardset.path(&format!("{out}.unfinished/{step}"));
        if killed_when(start_release(&hardset, "run", &out, &[]), || has_begun(&file)) {
            landed.push(step);
        }
        whole_or_absent(&hardset, &out);
        let kept =
            fs::metadata(hardset.path(&format!("{out}.unfinished/{data}"))).and_then(|data| data.modified()).ok();
        finishes(&hardset, &out);
        // What was whole is not written again: a large release does not begin again.
        let data = fs::metadata(hardset.path(&out).join(data)).and_then(|data| data.modified()).ok();
        assert!(kept.is_none() || kept == data, "{step}");
    }
    eprintln!("killed at {landed:?}");
    assert!(landed.len() >= 6, "too few kills landed: {landed:?}");
}

#[test]
fn a_draft_of_another_release_is_not_taken_over() {
    let hardset = mined();
    hardset.run(&release("run", "undisturbed", &[])).ok();
    let file = hardset.path("out.unfinished/imagefolder/metadata.jsonl");
    let child = start_release(&hardset, "run", "out", &["--set", "release.version=3.0.0"]);
    assert!(killed_when(child, || file.exists()), "it was too fast");
    finishes(&hardset, "out");
}

#[test]
fn of_releases_into_one_folder_at_once_one_wins_and_the_others_say_why() {
    let hardset = Hardset::new();
    hardset.write("small.toml", fake_recipe("small", "images_per_category = 1", "rule = \"at-least=2\""));
    let runs = ["run-0", "run-1", "run-2", "run-3"];
    runs.iter().for_each(|run| drop(hardset.line(&format!("build small.toml -q --run-dir {run}")).ok()));
    for round in 0..6 {
        let out = format!("out-{round}");
        let versions = ["1.0.0", "2.0.0", "3.0.0", "4.0.0"].map(|version| format!("release.version={version}"));
        let starts = runs.iter().zip(&versions);
        let children: Vec<Child> =
            starts.map(|(run, version)| start_release(&hardset, run, &out, &["--set", version])).collect();
        let ended: Vec<Run> = children.into_iter().map(finished).collect();
        let won = ended.iter().filter(|run| run.code == Some(0)).count();
        assert_eq!(won, 1, "{ended:?}");
        for lost in ended.into_iter().filter(|run| run.code != Some(0)) {
            let code = if lost.stderr.contains("in use by") { 4 } else { 2 };
            lost.refused(code, &[&out]);
        }
        hardset.line(&format!("verify {out}")).ok();
        assert!(!hardset.path(&format!("{out}.unfinished")).exists());
    }
}

#[test]
fn a_run_is_released_while_others_release_and_mine_it() {
    let hardset = mined();
    let first = start_release(&hardset, "run", "first", &[]);
    wait_for(&hardset, "first.unfinished/key");
    signal(&first, "STOP");
    hardset.run(&release("run", "second", &[])).ok();
    hardset.line("mine run --rule all").ok();
    signal(&first, "CONT");
    finished(first).ok();
    assert_same(&hardset.path("first"), &hardset.path("second"));
}
