//! Exporting sheets: again after an interruption, only what is missing, without images that are gone.

use std::fs;

use hardset::domain::{Answer, Task};

use crate::common::{Hardset, RealInput, copy, hashes, strings, table};
use crate::people::{careful, right};
use crate::runs::{built, mined};

#[test]
fn a_build_exports_what_the_recipe_names_and_an_interrupted_export_goes_on() {
    let hardset = built(1, "export = [\"csv\", \"html\"]");
    let (csv, html) = (hardset.path("run/export/csv"), hardset.path("run/export/html"));
    assert!(csv.join("tasks.csv").is_file() && html.join("README.txt").is_file());
    let before = hashes(&csv);
    let gone = before.keys().find(|name| name.ends_with(".jpg")).expect("an image");
    fs::remove_file(csv.join(gone)).expect("it can be removed");
    hardset.line("build recipe.toml --run-dir run").ok();
    assert!(hashes(&csv) == before, "the export differs");
    hardset.line("verify run").ok();
}

#[test]
fn sheets_that_are_out_are_waited_for_and_other_settings_want_another_folder() {
    let hardset = mined(1, "people_per_batch = 3");
    hardset.line("annotate export run --to csv --out out").ok();
    hardset.line("annotate export run --missing --to csv --out more").refused(2, &["open sheets"]);
    let spec = fs::read(hardset.path("run/spec.toml")).expect("there");
    hardset.line("annotate export run --to csv --out out --set annotate.image_px=128").refused(2, &["other settings"]);
    assert_eq!(fs::read(hardset.path("run/spec.toml")).expect("there"), spec, "a command that failed changed the run");
    hardset.line("annotate export run --to csv --out run/answers").refused(2, &["inside the run"]);
    // Two of three answer the first sheet, one of them with yes to everything: two people lack.
    let run = hardset.path("run");
    let yes = |_: &Task, _: &str| Answer::Yes;
    let both = [
        careful(&run, &["ada", "bob"], "2026-11-22T10:00:00Z", right),
        careful(&run, &["eve"], "2026-11-22T10:00:00Z", yes),
    ];
    hardset.write("a.jsonl", both.concat());
    hardset.line("annotate collect run a.jsonl").ok();
    let more = hardset.line("annotate export run --missing --to csv --out more --format json").ok().json();
    assert_eq!((more["round"].as_u64(), more["assignments"].as_u64()), (Some(2), Some(1)), "{more}");
    // Once more, to another tool: the same sheets, as long as they are out.
    let again = hardset.line("annotate export run --missing --to html --out pages --format json").ok().json();
    assert_eq!((again["round"].as_u64(), again["assignments"].as_u64()), (Some(2), Some(1)), "{again}");
    let all = hardset.line("annotate export run --to html --out first --format json").ok().json();
    assert_eq!(all["round"], 1, "{all}");
}

#[test]
fn an_image_that_is_gone_costs_itself_alone() {
    let Some(real) = RealInput::find() else { return };
    let hardset = Hardset::new();
    copy(&real.photos, &hardset.path("photos"));
    real.build(&hardset, &hardset.path("photos")).ok();
    let hard = table(&hardset.path("run/manifest.parquet"));
    let flags: Vec<bool> =
        hard.column("hard").expect("a column").bool().expect("flags").iter().map(|flag| flag == Some(true)).collect();
    let gone: Vec<String> =
        strings(&hard, "path").into_iter().zip(flags).filter(|(_, hard)| *hard).map(|(path, _)| path).take(4).collect();
    fs::remove_file(hardset.path("photos").join(&gone[0])).expect("it was there");
    // One that has other bytes of the same length is found by its date; one that was only written again is the same.
    let [same_length, same_bytes] = [&gone[2], &gone[3]].map(|path| hardset.path("photos").join(path));
    let bytes = fs::read(&same_length).expect("it was there");
    fs::write(&same_length, vec![0; bytes.len()]).expect("it can be written");
    let bytes = fs::read(&same_bytes).expect("it was there");
    fs::write(&same_bytes, bytes).expect("it can be written");
    let said = hardset.line("annotate export run --to csv --out out --format json").expect(3).json();
    assert_eq!(said["left_out"], 2, "{said}");
    // One that goes after its round was made leaves a grey square.
    fs::write(hardset.path("photos").join(&gone[1]), "changed").expect("it can be written");
    let said = hardset.line("annotate export run --to label-studio --out later --format json").expect(3).json();
    assert_eq!(said["left_out"].as_u64().map(|n| n >= 3), Some(true), "{said}");
    // Everything else is as it should be.
    hardset.line("verify run").expect(3).out(&["3 image(s) are not as they were pinned", "1 problem(s)"]);
}
