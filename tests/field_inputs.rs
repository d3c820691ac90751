//! Files that are not what they should be, in every place where people give one; results that cannot be printed; dates,
//! quotations and sizes. Each ends at once with one message that names the file, or with its result.
//!
//! Needs Linux for `/dev/zero` and `/dev/full`.

#![cfg(target_os = "linux")]

mod common;

use std::fs::{self, File, OpenOptions};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Hardset, Run, fake_recipe};

/// How long a call may take that only has to refuse a file.
const PATIENCE: Duration = Duration::from_secs(30);

/// A recipe of fake images, with more lines in it.
fn recipe(categories: &str, more: &str) -> String {
    fake_recipe("m", "images_per_category = 1", "rule = \"at-least=2\"")
        .replace("\"imagenet-d\"", &format!("\"{categories}\""))
        + more
}

/// Calls the program; a call that does not end fails the test.
#[track_caller]
fn timed(command: &mut Command) -> Run {
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    while child.try_wait().expect("it can be waited for").is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill().expect("it can be ended");
            panic!("it hangs: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("it has ended");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// Makes `name` each thing in turn that is no file of text, and calls `refused` with a part of the message.
fn for_each_odd_file(hardset: &Hardset, name: &str, refused: impl Fn(&str)) {
    let path = hardset.path(name);
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo is there").success());
    refused("a pipe (write what comes out of it to a file first)");
    fs::remove_file(&path).expect("it can be done");
    for device in ["/dev/zero", "/dev/null", "/dev/full"] {
        std::os::unix::fs::symlink(device, &path).expect("it can be done");
        refused("a device");
        fs::remove_file(&path).expect("it can be done");
    }
    fs::create_dir(&path).expect("it can be done");
    refused("a folder");
    fs::remove_dir(&path).expect("it can be done");
    refused("");
    File::create(&path).expect("it can be done").set_len(1 << 40).expect("it can be done");
    refused("MiB are read");
    fs::remove_file(&path).expect("it can be done");
}

/// Files of text in encodings that TOML does not have.
fn not_utf_8(text: &str) -> [Vec<u8>; 3] {
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin = [b"# caf\xe9\n", text.as_bytes()].concat();
    [[&[0xff, 0xfe][..], &wide].concat(), latin, vec![0xff; 100]]
}

#[test]
fn files_of_settings_that_are_no_text_are_refused_at_once() {
    let hardset = Hardset::new();
    let surrogate = "id = \"s\"\nscorer = \"fake\"\naccuracy = 0.5\n";
    let diffusion = "name = \"m\"\ncategories = \"imagenet-d\"\n[generate]\nsource = \"diffusion\"\nmodel = \"x\"\n\
                     nuisances = [\"./given.toml\"]\n[mine]\nsurrogates = [\"fake-a\"]\nrule = \"at-least=1\"\n";
    let surrogates = recipe("imagenet-d", "").replace("\"fake-a\"", "\"./given.toml\"");
    for (what, text) in [
        ("recipe", None),
        ("categories", Some(recipe("./given.toml", ""))),
        ("surrogate", Some(surrogates)),
        ("nuisances", Some(diffusion.to_owned())),
    ] {
        let recipe = if text.is_some() { "m.toml" } else { "given.toml" };
        text.iter().for_each(|text| drop(hardset.write("m.toml", text)));
        let refused = |part: &str| {
            for verb in ["plan", "build"] {
                let args = [verb, recipe, "--run-dir", "run"];
                let run = timed(hardset.command(&args).arg("-q"));
                assert!(matches!(run.code, Some(2 | 4)), "{what}, {verb}: {run:?}");
                let code = run.code.unwrap_or_default();
                run.refused(code, &["given.toml", part]);
            }
        };
        for_each_odd_file(&hardset, "given.toml", refused);
        for bytes in not_utf_8(surrogate) {
            hardset.write("given.toml", bytes);
            refused("UTF-8");
        }
        fs::remove_file(hardset.path("given.toml")).unwrap();
    }
    assert!(!hardset.path("run/spec.toml").exists());
}

#[test]
fn tables_that_are_no_text_are_refused_at_once() {
    let hardset = Hardset::new();
    let generate = "[generate]\nsource = \"folder\"\nroot = \"p\"\nlabels = \"csv\"\nlabels_csv = \"given.csv\"\n";
    let mine = "[mine]\nsurrogates = [\"fake-a\"]\nrule = \"at-least=1\"\n";
    hardset.write("labels.toml", format!("name = \"l\"\ncategories = \"imagenet-1k\"\n{generate}{mine}"));
    hardset.write("p/a.png", "no picture");
    hardset.write("m.toml", recipe("imagenet-d", "[annotate]\nsentinels = { min_prob = 0.3 }\n"));
    hardset.line("build m.toml --run-dir run -q").ok();
    hardset.line("annotate export run --to csv --out out -q").ok();
    for args in [
        "plan labels.toml --run-dir l",
        "annotate collect run given.csv",
        "annotate collect run --person ada given.csv",
    ] {
        let refused = |part: &str| {
            let run = timed(&mut hardset.command(&args.split(' ').collect::<Vec<_>>()));
            assert!(matches!(run.code, Some(2 | 4)), "{args}: {run:?}");
            let code = run.code.unwrap_or_default();
            run.refused(code, &["given.csv", part]);
        };
        for_each_odd_file(&hardset, "given.csv", refused);
        for bytes in [vec![], vec![0xff; 100], b"\xff\xfea\0\n\0".to_vec(), vec![0; 100], b"a,b\n1,2\n".to_vec()] {
            hardset.write("given.csv", bytes);
            refused("");
        }
        fs::remove_file(hardset.path("given.csv")).unwrap();
    }
    assert!(!hardset.path("run/verdicts").exists());
}

#[test]
fn a_result_that_cannot_be_printed_is_an_error() {
    let hardset = Hardset::new();
    hardset.write("m.toml", recipe("imagenet-d", ""));
    for args in [
        "build m.toml --run-dir run",
        "plan m.toml --run-dir other --dry-run",
        "status run",
        "verify run",
        "doctor",
        "--help",
        "build --help",
        "--version",
        "build m.toml --run-dir run --format json",
        "status run --format json",
        "verify run --format json",
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let run = Run::of(hardset.command(&args).stdout(full));
        assert_eq!(run.code, Some(4), "{args:?}: {run:?}");
        let run = run.refused(4, &["space"]);
        assert!(!run.stderr.contains("panicked"));
    }
    // A reader that has gone is no error: `hardset … | head`.
    for args in ["status run", "status run --format json", "--help", "verify run"] {
        let mut command = hardset.command(&args.split(' ').collect::<Vec<_>>());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Run::of(command.stdout(writer)).expect(0);
    }
}

#[test]
fn a_data_folder_that_is_not_there_is_an_error() {
    let hardset = Hardset::new();
    hardset.write("m.toml", recipe("imagenet-d", ""));
    hardset.write("file", "x");
    fs::create_dir(hardset.path("there")).unwrap();
    for (folders, named) in
        [("--data-dir nowhere", "nowhere"), ("--data-dir there --data-dir gone", "gone"), ("--data-dir file", "file")]
    {
        for line in ["plan m.toml --run-dir run", "doctor"] {
            hardset.line(&format!("{line} {folders}")).refused(2, &[named, "--data-dir"]);
        }
    }
    hardset.line("plan m.toml --run-dir run --data-dir there").ok();
}

#[test]
fn dates_may_be_tomls_own() {
    let hardset = Hardset::new();
    let with = |date: &str, closes: &str| {
        let release = "[release]\nversion = \"1.0.0\"\n";
        let annotate = "[annotate]\nsentinels = { min_prob = 0.3 }\n";
        let date = if date.is_empty() { String::new() } else { format!("date = {date}\n") };
        let closes = if closes.is_empty() { String::new() } else { format!("check = {{ closes = {closes} }}\n") };
        hardset.write("m.toml", recipe("imagenet-d", &format!("{release}{date}{annotate}{closes}")));
    };
    for date in ["2026-11-22", "\"2026-11-22\""] {
        for closes in ["2026-11-22T10:00:00Z", "2026-11-22 10:00:00+01:00", "\"2026-11-22T10:00:00.5Z\""] {
            with(date, closes);
            hardset.line("plan m.toml --dry-run").ok();
            with("", "");
            let set = [format!("release.date={date}"), format!("annotate.check.closes={closes}")];
            hardset.run(&["plan", "m.toml", "--dry-run", "--set", &set[0], "--set", &set[1]]).ok();
        }
    }
    for (date, closes, key) in [
        ("2026-11-22T10:00:00Z", "", "release.date"),
        ("10:00:00", "", "release.date"),
        ("2026", "", "date"),
        ("\"22.11.2026\"", "", "release.date"),
        ("{ year = 2026 }", "", "date"),
        ("", "2026-11-22", "annotate.check.closes"),
        ("", "10:00:00", "annotate.check.closes"),
        ("", "[2026]", "closes"),
    ] {
        with(date, closes);
        hardset.line("plan m.toml --dry-run").refused(2, &["m.toml", key]);
    }
    // The run keeps what the recipe says, whichever way it is written.
    with("2026-11-22", "2026-11-22T10:00:00Z");
    hardset.line("build m.toml --run-dir run -q").ok();
    hardset.line("annotate export run --to csv --out out -q").ok();
    let late = "annotate.check.closes=2026-11-23T10:00:00Z";
    hardset.write("a.csv", "task,person,recognise,use\n");
    hardset.run(&["annotate", "collect", "run", "a.csv", "--set", late]).ok();
    let spec = fs::read_to_string(hardset.path("run/spec.toml")).unwrap();
    assert!(spec.contains("2026-11-23T10:00:00Z"), "{spec}");
}

#[test]
fn an_error_about_a_megabyte_is_short_and_says_where() {
    let hardset = Hardset::new();
    let long = "x".repeat(1 << 20);
    let short = |run: Run, parts: &[&str]| {
        let run = run.refused(2, parts);
        assert!(run.stderr.chars().count() < 2000, "{}", run.stderr.len());
        run.stderr
    };
    // The place of the error is far behind the beginning of its line.
    hardset.write("m.toml", recipe("imagenet-d", &format!("x = \"{long}\" !here")));
    let said = short(hardset.line("plan m.toml --dry-run"), &["m.toml", "!here", "^"]);
    let lines: Vec<&str> = said.lines().collect();
    let caret = lines.iter().position(|line| line.trim_start_matches([' ', '|']).starts_with('^')).expect("a caret");
    let column = lines[caret].chars().position(|letter| letter == '^').expect("it is there");
    assert_eq!(lines[caret - 1].chars().nth(column), Some('!'), "{said}");
    // Values and names of that length.
    let values = [
        (recipe(&long, ""), "m.toml"),
        (recipe("imagenet-d", "").replace("at-least=2", &long), "rule"),
        (recipe("imagenet-d", "").replace("\"fake-a\"", &format!("\"{long}\"")), "m.toml"),
        (recipe("imagenet-d", "").replace("size_px", &long), "m.toml"),
        (recipe("imagenet-d", "").replace("\"fake\"", &format!("\"{long}\"")), "m.toml"),
        (recipe("imagenet-d", &format!("[release]\ndate = \"{long}\"\n")), "release.date"),
        (recipe("imagenet-d", &format!("[release]\nversion = \"{long}\"\n")), "release.version"),
    ];
    for (text, part) in values {
        hardset.write("m.toml", text);
        short(hardset.line("plan m.toml --dry-run"), &[part]);
    }
    hardset.write("m.toml", recipe("imagenet-d", "[annotate]\nsentinels = { min_prob = 0.3 }\n"));
    hardset.line("build m.toml --run-dir run -q").ok();
    hardset.line("annotate export run --to csv --out out -q").ok();
    for text in
        [format!("{long}\n1\n"), format!("a,{long},b\n1,2,3\n"), format!("{{\"{long}\": }}"), format!("[\"{long}\"]")]
    {
        hardset.write("a.csv", text);
        short(hardset.line("annotate collect run a.csv"), &["a.csv"]);
    }
}

#[test]
fn fake_images_are_counted_whatever_their_number() {
    let hardset = Hardset::new();
    let counted = |each: u64| {
        let text =
            recipe("imagenet-d", "").replace("images_per_category = 1", &format!("images_per_category = {each}"));
        hardset.write("m.toml", text);
        timed(hardset.command(&["plan", "m.toml", "--dry-run"]).args(["--format", "json"]))
    };
    let one = counted(1).ok().json();
    let (items, categories) = (one["items"].as_u64().expect("a number"), one["categories"].clone());
    assert!(items > 100);
    for each in [1_000, 100_000, 9_800_000] {
        let said = counted(each).ok().json();
        assert_eq!((said["items"].as_u64(), &said["categories"]), (Some(each * items), &categories), "{said}");
    }
    counted(u64::from(u32::MAX)).refused(2, &["more than 4294967295 items", "make several runs"]);
    counted(u64::from(u32::MAX) + 1).refused(2, &["m.toml", "4294967296"]);
}
