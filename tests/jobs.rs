//! A run on many machines, without an engine: ranks of a job are started by this test, one by one, twice, on several
//! devices, stopped and started again; `finish` makes of them what one machine would have made.
//!
//! Real engines: `scripts/cluster_trial.py`; kills and two writers: `tests/two_writers.rs`.

mod common;

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hardset::imaging::{RgbImage, encode_png};

use common::{Hardset, Run, fake_recipe, hashes};

/// 57 shards, some with a lost image; one scorer is a target.
fn prepared() -> Hardset {
    let hardset = Hardset::new();
    let recipe = fake_recipe("jobs", "images_per_category = 4\nfail_every = 97", "rule = \"at-least=2\"");
    let recipe = recipe.replace(", \"fake-c\"]", "]\ntargets = [\"fake-c\"]");
    hardset.write("recipe.toml", recipe.replace("shard_items = 64", "shard_items = 8"));
    hardset
}

fn submitted(hardset: &Hardset, ranks: usize) {
    hardset.line("plan recipe.toml -q --run-dir run").ok();
    hardset.line(&format!("submit run --to slurm --ranks {ranks}")).ok();
}

fn worker(hardset: &Hardset, rank: usize, more: &str) -> Run {
    hardset.line(&format!("worker run --job 0001 --rank {rank} -q {more}"))
}

fn refused(run: &Run, code: i32, part: &str) {
    assert_eq!(run.code, Some(code), "{run:?}");
    assert!(run.stderr.contains(part), "{part:?} is not in {}", run.stderr);
}

/// Finishes the run, verifies it, and compares it with what one process makes.
fn finishes_as_alone(hardset: &Hardset) {
    hardset.line("finish run -q").expect(3);
    hardset.line("verify run -q").ok();
    let alone = hardset.path("alone");
    if !alone.is_dir() {
        hardset.line("build recipe.toml -q --run-dir alone").expect(3);
    }
    let mut ours = hashes(&hardset.path("run"));
    ours.retain(|name, _| !name.starts_with("jobs/"));
    assert_eq!(ours, hashes(&alone));
}

#[test]
fn any_number_of_ranks_in_any_order_gives_the_bytes_of_one_process() {
    let hardset = prepared();
    for ranks in [1, 5, 57] {
        let _ = fs::remove_dir_all(hardset.path("run"));
        submitted(&hardset, ranks);
        for rank in (0..ranks).rev() {
            worker(&hardset, rank, "").ok();
        }
        let again = worker(&hardset, 0, "").ok();
        assert!(again.stdout.contains("it was through already"), "{again:?}");
        finishes_as_alone(&hardset);
        // Also a second time, and for the commands of one machine everything is there.
        hardset.line("finish run -q").expect(3);
        let built = hardset.line("build recipe.toml --run-dir run -q").expect(3);
        assert!(built.stdout.contains(", 0 of them in this call"), "{built:?}");
    }
}

#[test]
fn photographs_of_a_folder_are_pinned_and_scored_by_ranks() {
    let hardset = Hardset::new();
    let Some(photos) = common::test_data("photos") else { return };
    let recipe = format!(
        "name = \"photos\"\ncategories = \"imagenet-d\"\nshard_items = 16\n\n[generate]\nsource = \"folder\"\n\
         root = {:?}\nlabels = \"wordnet-id\"\n\n[mine]\nsurrogates = [\"fake-a\", \"fake-b\"]\nrule = \"all\"\n",
        photos.display().to_string()
    );
    hardset.write("recipe.toml", recipe);
    let planned = hardset.line("plan recipe.toml -q --run-dir run");
    assert!(matches!(planned.code, Some(0 | 3)), "{planned:?}");
    hardset.line("submit run --to ray --ranks 2").ok();
    worker(&hardset, 0, "").ok();
    worker(&hardset, 1, "").ok();
    finishes_as_alone(&hardset);
}

#[test]
fn what_lacks_is_named_and_never_made() {
    let hardset = prepared();
    submitted(&hardset, 4);
    worker(&hardset, 1, "").ok();
    let before = hashes(&hardset.path("run"));
    let lacking = hardset.line("finish run -q");
    refused(
        &lacking,
        4,
        "3 of 4 ranks have no valid record: 0, 2, 3; start them again with `hardset submit run --missing`",
    );
    assert_eq!(hashes(&hardset.path("run")), before, "nothing was made");
    let status = hardset.line("status run").ok();
    assert!(status.stdout.contains("0001 on slurm: 1 of 4 ranks through, 0 at work"), "{}", status.stdout);

    refused(&hardset.line("submit run --missing --device cpu"), 2, "leave --device=cpu out");
    let missing = hardset.line("submit run --missing --format json").ok().json();
    assert_eq!((&missing["job"], &missing["to_start"]), (&"0001".into(), &3.into()));
    let script = fs::read_to_string(hardset.path("run/jobs/0001/start-missing.sh")).unwrap();
    assert!(script.contains("\nsubmit 0,2-3 0\n"), "{script}");
    for place in 0..3 {
        worker(&hardset, place, "--among 0,2,3").ok();
    }
    refused(&hardset.line("submit run --missing"), 2, "are through: `hardset finish run` makes the result");
    finishes_as_alone(&hardset);
}

#[test]
fn several_devices_divide_a_rank() {
    let hardset = prepared();
    submitted(&hardset, 2);
    worker(&hardset, 0, "--device cpu,cpu,cpu").ok();
    worker(&hardset, 1, "").ok();
    finishes_as_alone(&hardset);
}

#[test]
fn a_job_belongs_to_one_recipe_and_one_plan() {
    let hardset = prepared();
    refused(&hardset.line("submit run --to slurm --ranks 2"), 2, "it has no spec.toml");
    submitted(&hardset, 2);
    refused(&worker(&hardset, 2, ""), 2, "job 0001 has the ranks 0 to 1, and --rank 2 is none of them");
    // What may be a machine without the run's file system is worth a try elsewhere.
    refused(&hardset.line("worker run --job 0007 --rank 0 -q"), 4, "has no job 0007; it has 0001");
    refused(&hardset.line("worker elsewhere --job 0001 --rank 0 -q"), 4, "elsewhere");
    refused(&hardset.line("worker run --job 0001 --rank 0 -q --data-dir none"), 4, "--data-dir none is not a folder");
    refused(&worker(&hardset, 3, "--among 0,1"), 2, "--rank 3 is no place in --among");
    refused(&hardset.line("submit run --to slurm --ranks 58"), 2, "--ranks 58 is more than the 57 shard(s) of the run");
    refused(&hardset.line("submit run --to kubernetes --ranks 2"), 2, "--image IMAGE");
    refused(&hardset.line("submit run --to ray --ranks 2 -- --x=1"), 2, "options after `--` are for sbatch");
    // The same again is the same job; something else is another one.
    hardset.line("submit run --to slurm --ranks 2").ok();
    assert!(!hardset.path("run/jobs/0002").exists());
    hardset.line("submit run --to slurm --ranks 3").ok();
    worker(&hardset, 0, "").ok();
    worker(&hardset, 1, "").ok();
    refused(&hardset.line("finish run -q"), 4, "job 0002 of run is not through: 3 of 3 ranks");
    hardset.line("finish run -q --job 0001").expect(3);
    hardset.line("mine run -q --rule all").expect(3);
    refused(&worker(&hardset, 0, ""), 2, "the recipe of run is not the one of job 0001; submit the run again");
    refused(&hardset.line("submit run --missing"), 2, "the recipe of run is not the one of job 0002");
}

#[test]
fn a_shard_that_ends_every_process_is_left_out_and_named() {
    let hardset = prepared();
    submitted(&hardset, 3);
    let live = |starts: &str| {
        let text = format!("{{\"host\": \"n12\", \"starts\": {{{starts}}}}}");
        hardset.write("run/jobs/0001/live/00001.json", text);
    };
    live("\"20\": 5, \"21\": 4");
    refused(&worker(&hardset, 1, ""), 1, "shard(s) 20 of rank 1 were left out");
    assert!(!hardset.path("run/images/000/000020.json").exists());
    assert!(hardset.path("run/images/000/000021.json").exists() && hardset.path("run/images/000/000037.json").exists());
    worker(&hardset, 0, "").ok();
    worker(&hardset, 2, "").ok();
    refused(&hardset.line("finish run -q"), 4, "rank 1: 18 of 19 shards");
    refused(&worker(&hardset, 1, ""), 1, "shard(s) 20 of rank 1 were left out");
    hardset.line("submit run --missing").ok();
    worker(&hardset, 1, "").ok();
    finishes_as_alone(&hardset);
}

#[test]
fn ranks_on_unlike_machines_are_refused_unless_that_is_wanted() {
    let hardset = prepared();
    submitted(&hardset, 2);
    worker(&hardset, 0, "").ok();
    let pinned = "run/jobs/0001/devices/predictions.fake-a.json";
    let first = fs::read_to_string(hardset.path(pinned)).unwrap();
    hardset.write(pinned, first.replace("{", "{\n  \"gpu\": \"NVIDIA L4\","));
    refused(&worker(&hardset, 1, ""), 4, "(gpu none here, gpu NVIDIA L4 there), which round differently");
    hardset.line("submit run --to slurm --ranks 2 --mixed-devices").ok();
    for rank in 0..2 {
        hardset.line(&format!("worker run --job 0002 --rank {rank} -q")).ok();
    }
    finishes_as_alone(&hardset);
}

#[test]
fn damage_to_what_a_rank_has_made_is_found() {
    let hardset = prepared();
    submitted(&hardset, 2);
    worker(&hardset, 0, "").ok();
    worker(&hardset, 1, "").ok();
    let folder = hardset.path("run/jobs/0001/ranks");
    let named = |part: &str| {
        let files = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
        let mut files = files.filter(|path| path.to_string_lossy().contains(part));
        files.next().unwrap()
    };
    for part in ["00001.json", ".shards.json", ".parquet"] {
        let path = named(part);
        let bytes = fs::read(&path).unwrap();
        let mut changed = bytes.clone();
        let at = changed.len() / 2;
        changed[at] ^= 1;
        fs::write(&path, changed).unwrap();
        refused(&hardset.line("finish run -q"), 2, "is damaged");
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let cut = hardset.line("finish run -q");
        if part == "00001.json" {
            refused(&cut, 2, "is damaged");
        } else {
            refused(&cut, 4, "1 of 2 ranks have no valid record: ");
        }
        fs::write(&path, bytes).unwrap();
    }
    finishes_as_alone(&hardset);
}

#[test]
fn what_is_removed_after_its_rank_was_through_lacks_again() {
    let hardset = prepared();
    submitted(&hardset, 3);
    for rank in 0..3 {
        worker(&hardset, rank, "").ok();
    }
    fs::remove_file(hardset.path("run/predictions/fake-a/000/000030.json")).unwrap();
    refused(&hardset.line("finish run -q"), 4, "1 of 3 ranks have no valid record: 1;");
    assert!(!hardset.path("run/manifest.parquet").exists());
    hardset.line("submit run --missing").ok();
    let again = worker(&hardset, 1, "").ok();
    assert!(again.stdout.contains("0 images made"), "{again:?}");
    finishes_as_alone(&hardset);
}

#[test]
fn what_was_made_again_after_its_rank_was_through_lacks_again() {
    let hardset = Hardset::new();
    let show = |photo: usize, side: u32| {
        let pixels = (0..3 * side * side).map(|at| (at * 7 + photo as u32) as u8).collect();
        let image = encode_png(&RgbImage::new(side, side, pixels).unwrap(), &[]).unwrap();
        hardset.write(&format!("photos/mug/{photo:02}.png"), image);
    };
    (0..24).for_each(|photo| show(photo, 16));
    let recipe = "name = \"photos\"\ncategories = \"imagenet-d\"\nshard_items = 4\n\n[generate]\nsource = \"folder\"\n\
                  root = \"photos\"\nlabels = \"parent-folder\"\n\n[mine]\n\
                  surrogates = [\"fake-a\", \"fake-b\"]\nrule = \"all\"\n";
    hardset.write("recipe.toml", recipe);
    submitted(&hardset, 3);
    (0..3).for_each(|rank| drop(worker(&hardset, rank, "").ok()));
    hardset.line("finish run -q").ok();
    let lacks = |rank: usize| {
        let before = hashes(&hardset.path("run/mined"));
        refused(
            &hardset.line("finish run -q"),
            4,
            &format!("shards of rank(s) {rank} of job 0001 are not those any more"),
        );
        assert_eq!(hashes(&hardset.path("run/mined")), before, "nothing was made");
        let missing = hardset.line("submit run --missing --format json").ok().json();
        assert_eq!(missing["to_start"], 1);
        worker(&hardset, rank, "").ok();
        hardset.line("finish run -q").ok();
        hardset.line("verify run -q").ok();
    };
    // Somebody changes a photograph, and has a process make its shard again.
    show(5, 17);
    fs::remove_file(hardset.path("run/images/000/000001.json")).unwrap();
    hardset.line("build recipe.toml --run-dir run -q").ok();
    lacks(0);
    // A file goes, and its record stays.
    for folder in ["images", "predictions/fake-b"] {
        let files =
            fs::read_dir(hardset.path(&format!("run/{folder}/000"))).unwrap().flatten().map(|entry| entry.path());
        let mut files =
            files.filter(|path| path.to_string_lossy().contains("/000004.") && path.extension().unwrap() != "json");
        fs::remove_file(files.next().unwrap()).unwrap();
        lacks(2);
    }
}

#[test]
fn a_job_that_nobody_needs_does_not_hide_the_run() {
    let hardset = prepared();
    submitted(&hardset, 2);
    (0..2).for_each(|rank| drop(worker(&hardset, rank, "").ok()));
    let status = hardset.line("status run").ok().stdout;
    assert!(status.contains("2 of 2 ranks through") && status.contains("hardset finish run"), "{status}");
    finishes_as_alone(&hardset);
    assert!(!hardset.line("status run").ok().stdout.contains("job "), "it is through");
    hardset.line("submit run --to slurm --ranks 3").ok();
    let status = hardset.line("status run").ok().stdout;
    assert!(status.contains("hard  ") && status.contains("0002: 0 of 3 ranks through, not begun"), "{status}");
    hardset.line("worker run --job 0002 --rank 1 -q").ok();
    let status = hardset.line("status run").ok().stdout;
    assert!(status.contains("0002 on slurm: 1 of 3 ranks through, 0 at work"), "{status}");
}

#[test]
fn devices_that_leave_a_shard_out_do_not_stop_the_others() {
    let hardset = prepared();
    submitted(&hardset, 1);
    hardset.write("run/jobs/0001/live/00000.0.json", "{\"starts\": {\"2\": 5}}");
    let failed = worker(&hardset, 0, "--device cpu,cpu");
    refused(&failed, 1, "shard(s) 2 of rank 0 were left out");
    assert_eq!(records(&hardset.path("run/images/000")), 56);
    hardset.line("submit run --missing").ok();
    worker(&hardset, 0, "--device cpu,cpu").ok();
    finishes_as_alone(&hardset);
}

#[test]
fn commands_that_would_do_the_ranks_work_wait_for_them() {
    let hardset = prepared();
    submitted(&hardset, 2);
    worker(&hardset, 0, "").ok();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    hardset.write("run/jobs/0001/live/00001.json", format!("{{\"host\": \"n12\", \"at\": {now}, \"shards\": 29}}"));
    for command in ["build recipe.toml --run-dir run", "mine run", "generate run", "plan recipe.toml --run-dir run"] {
        refused(&hardset.line(&format!("{command} -q")), 4, "1 rank(s) of job 0001");
    }
    refused(&hardset.line("submit run --missing"), 2, "that are not through are at work: 1");
    let status = hardset.line("status run").ok();
    assert!(status.stdout.contains("1 of 2 ranks through, 1 at work"), "{}", status.stdout);
    let long_ago = now - 3600;
    hardset.write("run/jobs/0001/live/00001.json", format!("{{\"host\": \"n12\", \"at\": {long_ago}}}"));
    let status = hardset.line("status run").ok();
    assert!(status.stdout.contains("1 silent for 60 min or more (ranks 1 on n12)"), "{}", status.stdout);
    worker(&hardset, 1, "").ok();
    finishes_as_alone(&hardset);
}

#[cfg(unix)]
#[test]
fn a_worker_that_is_stopped_goes_on_where_it_was_and_one_that_hangs_ends() {
    let hardset = Hardset::new();
    let recipe = fake_recipe("slow", "images_per_category = 2", "rule = \"at-least=2\"");
    let recipe = recipe.replace("size_px = 32", "size_px = 1024").replace("shard_items = 64", "shard_items = 16");
    hardset.write("recipe.toml", recipe);
    submitted(&hardset, 1);
    let run = hardset.path("run");
    let args = ["worker", "run", "--job", "0001", "--rank", "0", "-q", "--threads", "1"];
    let mut child = hardset.command(&args).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let is_made = || records(&run.join("images/000")) >= 2;
    while !is_made() {
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was stopped");
    }
    // Twice, as Slurm does: to the script, which passes it on, and to what the script has started.
    for _ in 0..2 {
        let killed = std::process::Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
        assert!(killed.success());
    }
    assert_eq!(child.wait().unwrap().code(), Some(75));
    let made = records(&run.join("images/000"));
    let live = fs::read_to_string(run.join("jobs/0001/live/00000.json")).unwrap();
    assert!(made < 15 && live.contains("stopped by a signal"), "{made} {live}");
    // A pipe that nobody writes to, as a mount that hangs: from the first file on.
    let live = run.join("jobs/0001/live/00000.json");
    fs::remove_file(&live).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&live).status().unwrap().success());
    let hung = hardset.line("worker run --job 0001 --rank 0 -q --threads 1 --hung-after 2");
    refused(&hung, 75, "nothing has happened for");
    fs::remove_file(&live).unwrap();
    let last = worker(&hardset, 0, "").ok();
    assert!(!last.stdout.contains("226 images made"), "{last:?}");
    hardset.line("finish run -q").ok();
    hardset.line("verify run -q").ok();
}

/// How many records are in a folder.
fn records(folder: &Path) -> usize {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    names.filter(|entry| entry.file_name().to_string_lossy().ends_with(".json")).count()
}
