//! A full disk stops a build or a release with a clear message and harms nothing: after making room the same command
//! finishes, and the result is the one of a run elsewhere. A disk that cannot be written to is enough for reading.
//!
//! Mounts a small tmpfs, which needs root on Linux; says so loudly and checks nothing where that is not permitted.

#![cfg(target_os = "linux")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{Hardset, Run, assert_same, fake_recipe, hashes, needs};

/// A mounted tmpfs; unmounted when it goes.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` after saying loudly that this machine does not permit it.
    fn mount(at: &Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(at).expect("folders can be made");
        let size = format!("size={bytes}");
        let mounted = command("mount", &["-t", "tmpfs", "-o", &size, "hardset-test"], at);
        let what = format!("the right to mount a tmpfs (it needs root): {mounted:?}");
        let is_mounted = mounted.is_ok_and(|output| output.status.success());
        needs(&what, is_mounted.then(|| Self(at.to_owned())))
    }

    fn resize(&self, bytes: u64) {
        self.remount(&format!("size={bytes}"));
    }

    fn remount(&self, option: &str) {
        let output = command("mount", &["-o", &format!("remount,{option}")], &self.0).expect("mount is there");
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; a tmpfs goes with the machine.
        let _ = command("umount", &[], &self.0);
    }
}

fn command(name: &str, options: &[&str], at: &Path) -> std::io::Result<Output> {
    Command::new(name).args(options).arg(at).output()
}

fn build(hardset: &Hardset, run: &str) -> Run {
    hardset.line(&format!("build recipe.toml --threads 2 -q --run-dir {run}"))
}

/// Second names of tables, which take no room.
const LINKS: [&str; 2] = ["manifest.parquet", "dropped.parquet"];

/// Bytes that the files of a run take on a tmpfs whose names begin with one of `names`: whole pages.
fn pages(run: &Path, names: &[&str]) -> u64 {
    let wanted = |name: &String| !LINKS.contains(&name.as_str()) && names.iter().any(|prefix| name.starts_with(prefix));
    let size = |name: String| std::fs::metadata(run.join(name)).expect("it is there").len();
    hashes(run).into_keys().filter(wanted).map(|name| size(name).div_ceil(4096) * 4096).sum()
}

/// Lets the disk be full in the middle of each of these stages.
fn check(stages: &[&str]) {
    let hardset = Hardset::new();
    hardset.write("recipe.toml", fake_recipe("full", "images_per_category = 4\nfail_every = 50", "rule = \"all\""));
    build(&hardset, "elsewhere").expect(3);
    let elsewhere = hardset.path("elsewhere");
    let [plan, images, predictions, dropped, mined, report] =
        [&["spec", "plan"][..], &["images"], &["predictions"], &["dropped"], &["mined"], &["report"]]
            .map(|names| pages(&elsewhere, names));
    // The page of the lock's text, and then too little for each stage in turn.
    let mut before = 4096;
    for (stage, size) in [
        ("plan", plan),
        ("images", images),
        ("predictions", predictions),
        ("dropped", dropped),
        ("mined", mined),
        ("report", report),
    ] {
        let room = before + size / 2 / 4096 * 4096;
        before += size;
        if !stages.contains(&stage) {
            continue;
        }
        let at = hardset.path(&format!("disk-{stage}"));
        let Some(disk) = SmallDisk::mount(&at, room) else { return };
        let run = format!("disk-{stage}/run");
        let stopped = build(&hardset, &run).refused(4, &["No space left", "make room", "run the same command again"]);
        eprintln!("{stage}: {}", stopped.stderr.trim());
        assert!(stopped.stderr.contains(&format!("{run}/{stage}")), "the file is named: {}", stopped.stderr);
        let unfinished = hashes(&at).into_keys().filter(|name| name.ends_with(".unfinished")).count();
        assert_eq!(unfinished, 0, "what could not be finished takes no room");
        disk.resize(1 << 28);
        build(&hardset, &run).expect(3);
        assert_same(&hardset.path(&run), &hardset.path("elsewhere"));
    }
}

#[test]
fn a_full_disk_is_said_clearly_and_after_making_room_the_same_command_finishes() {
    check(&["plan", "images", "predictions", "dropped", "report"]);
}

#[test]
fn a_disk_that_is_full_while_the_mined_table_is_written_is_said_as_clearly() {
    check(&["mined"]);
}

#[test]
fn a_disk_that_stays_full_gives_the_same_message_again_and_spoils_nothing() {
    let hardset = Hardset::new();
    hardset.write("recipe.toml", fake_recipe("full", "images_per_category = 4", "rule = \"all\""));
    build(&hardset, "elsewhere").ok();
    let Some(disk) = SmallDisk::mount(&hardset.path("disk"), pages(&hardset.path("elsewhere"), &[""]) / 2) else {
        return;
    };
    let first = build(&hardset, "disk/run").refused(4, &["No space left"]);
    let kept = hashes(&hardset.path("disk/run"));
    let second = build(&hardset, "disk/run").refused(4, &["No space left"]);
    assert_eq!(first.stderr, second.stderr);
    assert_eq!(hashes(&hardset.path("disk/run")), kept);
    disk.resize(1 << 26);
    build(&hardset, "disk/run").ok();
    assert_same(&hardset.path("disk/run"), &hardset.path("elsewhere"));
}

const ALSO: &str = "--also imagefolder,webdataset,fiftyone";

fn release(hardset: &Hardset, out: &str) -> Run {
    hardset.line(&format!("release run --out {out} {ALSO} -q"))
}

/// Lets the disk be full so many bytes before a release is done; the message names a file below `part`.
#[track_caller]
fn check_release(hardset: &Hardset, part: &str, room: u64) {
    let name = format!("disk-{}", part.replace('/', "-"));
    let Some(disk) = SmallDisk::mount(&hardset.path(&name), room) else { return };
    let out = format!("{name}/out");
    let unfinished = format!("{out}.unfinished/{part}");
    let said =
        release(hardset, &out).refused(4, &["No space left", "make room", "run the same command again", &unfinished]);
    eprintln!("{part}: {}", said.stderr.trim());
    assert!(!hardset.path(&out).exists(), "{}", said.stderr);
    let again = release(hardset, &out).refused(4, &["No space left"]);
    assert_eq!(again.stderr, said.stderr, "it is the same each time");
    disk.resize(1 << 28);
    release(hardset, &out).ok();
    assert_same(&hardset.path(&out), &hardset.path("elsewhere"));
    assert!(!hardset.path(&format!("{out}.unfinished")).exists());
    hardset.line(&format!("verify {out}")).ok();
}

#[test]
fn a_disk_that_is_full_in_any_step_of_a_release_leaves_none_until_there_is_room() {
    let hardset = Hardset::new();
    hardset.write("recipe.toml", fake_recipe("full", "images_per_category = 4", "rule = \"at-least=2\""));
    build(&hardset, "run").ok();
    release(&hardset, "elsewhere").ok();
    let elsewhere = hardset.path("elsewhere");
    // Beside them: key, lock, and the hashes of finished files.
    let mut before = 3 * 4096;
    // In the order in which they are written.
    for part in ["data/", "questions/", "imagefolder/", "webdataset/", "fiftyone/"] {
        let size = pages(&elsewhere, &[part]);
        if part != "questions/" {
            check_release(&hardset, part, before + size / 2 / 4096 * 4096);
        }
        before += size;
    }
    check_release(&hardset, "README.md", before + pages(&elsewhere, &["recipe.toml", "excluded", "near"]));
}

#[test]
fn what_only_reads_works_on_a_read_only_disk_and_the_rest_says_so() {
    let hardset = Hardset::new();
    let Some(disk) = SmallDisk::mount(&hardset.path("disk"), 1 << 28) else { return };
    let recipe = fake_recipe("archived", "images_per_category = 2", "rule = \"at-least=2\"");
    hardset.write("recipe.toml", format!("{recipe}\n[annotate]\nimage_px = 64\nmax_items = 10\n"));
    build(&hardset, "disk/run").ok();
    hardset.line("annotate export disk/run --to csv --out sheets -q").ok();
    let answers = std::fs::read_to_string(hardset.path("sheets/tasks.csv")).expect("there are sheets");
    assert!(!answers.is_empty());
    hardset.line("release disk/run --out disk/release -q").ok();
    let before = hashes(&hardset.path("disk"));
    disk.remount("ro");
    for (line, word) in [
        ("status disk/run", "hard"),
        ("verify disk/run", "files are what they should be"),
        ("report disk/run --out page.html", "page.html"),
        ("release disk/run --out copy", "release: copy"),
        ("release disk/run --out other --set release.version=2.0.0", "2.0.0"),
        ("status disk/release", "1.0.0"),
        ("verify disk/release", "files are what they should be"),
        ("release disk/run --out newer --base disk/release --set release.version=1.1.0", "since 1.0.0"),
    ] {
        let run = hardset.line(line).ok();
        assert!(run.stdout.contains(word), "{line}: {}", run.stdout);
    }
    for line in
        ["mine disk/run", "build recipe.toml --run-dir disk/run", "report disk/run", "annotate collect disk/run"]
    {
        hardset.line(line).refused(4, &["disk/run", "Read-only file system"]);
    }
    assert_eq!(hashes(&hardset.path("disk")), before);
    assert!(hardset.line("release disk/run --out third --set release.version=3.0.0").stderr.contains("not stored"));
}
