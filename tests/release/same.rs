//! The bytes of a release hang on its run and its command alone.

use std::fs;
use std::process::Command;

use crate::common::{Hardset, Run, assert_same};
use crate::pages::{ALSO, copy, release};
use crate::people::answered;

/// Makes the release into `out` in a way of its own, and holds it against `undisturbed`.
fn check(hardset: &Hardset, out: &str, run: &str, options: &str, change: impl FnOnce(&mut Command)) {
    let line = format!("release {run} --out {out} {ALSO} --against {} {options} -q", hardset.path("others").display());
    let mut command = hardset.command(&line.split_whitespace().collect::<Vec<_>>());
    change(&mut command);
    Run::of(&mut command).ok();
    assert_same(&hardset.path("out").join(out.rsplit('/').next().unwrap_or(out)), &hardset.path("out/undisturbed"));
}

#[test]
fn threads_locale_time_zone_and_folder_change_no_byte() {
    let hardset = answered();
    hardset.line("release run --out without -q").ok();
    hardset.write("others/picture.png", &release(&hardset, "without").rows()[0].image);
    hardset.write("others/deep/notes.txt", "no image");
    let absolute = |name: &str| hardset.path(name).display().to_string();
    fs::create_dir(hardset.path("out")).expect("folders can be made");
    let first = format!("release run --out out/undisturbed {ALSO} --against others -q");
    hardset.line(&first).ok();
    let near = release(&hardset, "out/undisturbed").near();
    assert!(near.len() == 1 && near[0].1 == "others/picture.png", "{near:?}");
    for threads in ["1", "2", "3"] {
        check(&hardset, &format!("out/threads-{threads}"), "run", &format!("--threads {threads}"), |_| {});
    }
    for (name, value) in [("LC_ALL", "tr_TR.UTF-8"), ("LC_ALL", "C"), ("LANG", "tr_TR.UTF-8"), ("TZ", "Asia/Kathmandu")]
    {
        check(&hardset, &format!("out/{name}-{value}").replace("Asia/", ""), "run", "", |command| {
            command.env(name, value);
        });
    }
    check(&hardset, &absolute("out/elsewhere"), &absolute("run"), "", |command| {
        command.current_dir("/");
    });
    check(&hardset, "../out/beside", "../run", "", |command| {
        command.current_dir(hardset.path("others"));
    });
    // A folder is called by its own name, whatever the way to it.
    for (name, way) in [("dot", "."), ("up", "deep/..")] {
        let run = Run::of(
            hardset
                .command(&["release", "../run", "--out", &format!("../out/{name}"), "--against", way, "-q"])
                .args(ALSO.split(' '))
                .current_dir(hardset.path("others")),
        );
        run.ok();
        assert_same(&hardset.path("out").join(name), &hardset.path("out/undisturbed"));
    }
    // Another copy of the run, made at another time.
    copy(&hardset.path("run"), &hardset.path("copy"));
    check(&hardset, "out/of-a-copy", "copy", "", |_| {});
    fs::remove_dir_all(hardset.path("out/of-a-copy")).expect("it can be removed");
    check(&hardset, "out/of-a-copy", "run", "", |_| {});
}
