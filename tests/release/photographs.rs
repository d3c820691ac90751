//! Releases of photographs: what is there twice, what is gone, and real ones under real classifiers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use hardset::imaging::{encode_jpeg, encode_png, thumbnail};
use hardset::table::predictions_table;

use crate::common::{Hardset, RealInput, hashes, sha256, strings, table};
use crate::pages::{hard_items, numbers, photographed, picture, png, release};

/// A picture encoded anew: other bytes, the same to look at.
fn jpeg(seed: u64) -> Vec<u8> {
    encode_jpeg(&picture(seed), 90).expect("it can be written")
}

/// Item 0 and its copies: 1 byte for byte, 2 encoded anew; 3 and 4 are others.
fn with_copies() -> Hardset {
    let hardset = Hardset::new();
    let files = [("a.png", png(1), "mug"), ("b.png", png(1), "mug"), ("c.jpg", jpeg(1), "mug")];
    let others = [("d.png", png(2), "mug"), ("e.png", png(3), "tie")];
    let files: Vec<_> =
        files.into_iter().chain(others).map(|(name, bytes, label)| (name.to_owned(), bytes, label)).collect();
    photographed(&hardset, "pool", &files);
    hardset
}

const SAME: &str = "the same file as another image";
const NEAR: &str = "near duplicate of another image";
const NEAR_OTHER: &str = "near duplicate of an image that the release should not have";

/// Releases with these options: the items, and what is excluded for which reason.
#[track_caller]
fn check(hardset: &Hardset, options: &str, items: &[u32], excluded: &[(u32, &str)]) {
    let said = hardset.line(&format!("release pool-run --out out --format json {options}")).ok().json();
    let out = release(hardset, "out");
    assert_eq!(out.items(), items, "{said}");
    let reasons = out.excluded();
    let reasons: Vec<(u32, &str)> = reasons.iter().map(|(item, (reason, _))| (*item, reason.as_str())).collect();
    assert_eq!(reasons, excluded);
    let counted: u64 =
        said["left_out"].as_object().expect("reasons").values().filter_map(serde_json::Value::as_u64).sum();
    assert_eq!(counted, excluded.len() as u64, "{said}");
    hardset.line("verify out").ok();
}

#[test]
fn of_pictures_that_look_alike_one_stays() {
    let hardset = with_copies();
    check(&hardset, "", &[0, 3, 4], &[(1, SAME), (2, NEAR)]);
    let out = release(&hardset, "out");
    assert_eq!(out.near(), [(2, "item 00000000".to_owned(), true)]);
    let excluded = out.excluded();
    assert!(excluded[&1].1.contains("item 00000000") && excluded[&2].1.contains("item 00000000"), "{excluded:?}");
}

/// The pool of [`with_copies`] with another label for the copy, and what a release of it has and has not.
#[track_caller]
fn relabelled(label: &str, items: &[u32], excluded: &[(u32, &str)]) {
    let hardset = Hardset::new();
    let files = [("a.png", png(1), "mug"), ("b.png", png(1), label), ("c.png", png(2), "mug")];
    let files: Vec<_> = files.into_iter().map(|(name, bytes, label)| (name.to_owned(), bytes, label)).collect();
    photographed(&hardset, "pool", &files);
    check(&hardset, "", items, excluded);
}

#[test]
fn a_file_under_two_categories_is_in_no_release() {
    const OTHER: &str = "the pool has the same file under another category";
    relabelled("mug", &[0, 2], &[(1, SAME)]);
    relabelled("vase", &[2], &[(0, OTHER), (1, OTHER)]);
}

#[test]
fn what_the_release_should_not_have_goes_whatever_becomes_of_near_duplicates() {
    let hardset = with_copies();
    hardset.write("train/d.png", png(2));
    let options = "--against train --set release.near_duplicates=keep";
    check(&hardset, options, &[0, 2, 4], &[(1, SAME), (3, NEAR_OTHER)]);
    assert!(release(&hardset, "out").text("README.md").contains("compared with 1 images of train"));
    // A release can be compared with, too; a folder without images is a mistake.
    fs::rename(hardset.path("out"), hardset.path("older")).expect("it can be moved");
    let again = "release pool-run --out out --against older";
    hardset.line(&format!("{again} --set release.near_duplicates=exclude")).ok();
    assert_eq!(release(&hardset, "out").items(), [3]);
    hardset.line("release pool-run --out other --against older/data").refused(2, &["older/data", "--against"]);
}

#[test]
fn what_looks_alike_stays_on_request_but_never_the_same_file_twice() {
    let hardset = with_copies();
    check(&hardset, "--set release.near_duplicates=keep", &[0, 2, 3, 4], &[(1, SAME)]);
    assert_eq!(release(&hardset, "out").near(), [(2, "item 00000000".to_owned(), false)]);
    assert!(release(&hardset, "out").text("README.md").contains("1 were found and listed in"));
}

#[test]
fn what_looks_like_an_image_of_another_folder_is_left_out_and_a_broken_one_there_is_a_note() {
    let hardset = with_copies();
    let small = thumbnail(&picture(2), 64);
    hardset.write("train/deep/below/smaller.png", encode_png(&small, &[]).expect("it can be written"));
    hardset.write("train/broken.png", b"\x89PNG\r\n\x1a\nand then nothing");
    hardset.write("train/empty.jpg", b"");
    hardset.write("train/notes.txt", b"no image");
    let noted = hardset.line("release pool-run --out elsewhere --against train").ok();
    assert!(noted.stderr.contains("2 image(s) cannot be read"), "{}", noted.stderr);
    check(&hardset, "--against train", &[0, 4], &[(1, SAME), (2, NEAR), (3, NEAR_OTHER)]);
    assert!(release(&hardset, "out").near().contains(&(3, "train/deep/below/smaller.png".to_owned(), true)));
    // All of an image's copies go if it looks like one of those.
    hardset.write("train/e.jpg", jpeg(1));
    fs::remove_dir_all(hardset.path("out")).expect("it can be removed");
    check(&hardset, "--against train", &[4], &[(0, NEAR_OTHER), (1, SAME), (2, NEAR_OTHER), (3, NEAR_OTHER)]);
}

#[test]
fn a_folder_to_compare_with_that_is_not_there_is_said() {
    let hardset = with_copies();
    for missing in ["nowhere", "pool.csv"] {
        let refused = hardset
            .line(&format!("release pool-run --out out --against {missing}"))
            .refused(4, &[missing, "--against"]);
        assert!(!refused.stderr.contains("generate.root"), "{}", refused.stderr);
        assert!(!hardset.path("out").exists() && !hardset.path("out.unfinished").exists());
    }
}

#[test]
fn a_photograph_that_is_gone_or_changed_costs_itself_alone() {
    let hardset = with_copies();
    fs::remove_file(hardset.path("pool-photos/d.png")).expect("it was there");
    hardset.write("pool-photos/e.png", png(7));
    let run = hardset.line("release pool-run --out out").expect(3);
    assert!(run.stdout.contains("2 the image cannot be read any more"), "{}", run.stdout);
    let out = release(&hardset, "out");
    assert_eq!(out.items(), [0]);
    let excluded = out.excluded();
    let details = [3, 4].map(|item| excluded[&item].clone());
    assert!(
        details.iter().all(|(reason, _)| reason == "the image cannot be read any more, or has changed"),
        "{excluded:?}"
    );
    assert!(details[0].1.contains("d.png") && details[1].1.contains("changed"), "{excluded:?}");
    // What the machine calls the folder is nobody's business.
    let home = hardset.path("").canonicalize().expect("it is there").display().to_string();
    for name in out.files() {
        let text = String::from_utf8_lossy(&fs::read(out.path.join(&name)).expect("it is there")).into_owned();
        assert!(!text.contains(&home), "{name}: {excluded:?}");
    }
    hardset.line("verify out").ok();
    let again = hardset.line("release pool-run --out out").expect(3);
    assert!(again.stdout.contains("made earlier"), "{}", again.stdout);
}

#[test]
fn photographs_that_are_all_gone_with_their_folder_are_one_error() {
    let hardset = with_copies();
    fs::rename(hardset.path("pool-photos"), hardset.path("unmounted")).expect("it can be moved");
    let refused = hardset.line("release pool-run --out out").refused(4, &["pool-photos"]);
    assert_eq!(refused.stderr.matches("error: ").count(), 1, "{}", refused.stderr);
    assert!(!refused.stderr.contains("generate.root"), "no recipe is read here: {}", refused.stderr);
    assert!(!hardset.path("out").exists() && !hardset.path("out.unfinished").exists());
    fs::rename(hardset.path("unmounted"), hardset.path("pool-photos")).expect("it can be moved");
    hardset.line("release pool-run --out out").ok();
}

#[test]
fn a_run_in_which_nothing_is_hard_gives_no_release() {
    let hardset = with_copies();
    hardset.line("mine pool-run --max-true-prob 0 --max-margin -1").ok();
    assert!(hard_items(&hardset.path("pool-run")).is_empty());
    hardset.line("release pool-run --out out").refused(2, &["pool-run", "no item is hard"]);
    fs::remove_dir_all(hardset.path("pool-photos")).expect("it can be removed");
    fs::create_dir(hardset.path("pool-photos")).expect("folders can be made");
    hardset.line("mine pool-run --max-true-prob 1 --max-margin 0").ok();
    hardset.line("release pool-run --out out").refused(2, &["5 the image cannot be read any more"]);
    assert!(!hardset.path("out").exists() && !hardset.path("out.unfinished").exists());
}

/// How many of these items a surrogate gets right, by its predictions in the run.
fn right(run: &Path, surrogate: &str, items: &BTreeSet<u32>) -> usize {
    let folder = run.join("predictions").join(surrogate);
    let shards = hashes(&folder).into_keys().filter(|name| name.ends_with(".parquet"));
    let rows = shards.flat_map(|shard| predictions_table::decode(&folder.join(shard)).expect("it is a table"));
    rows.filter(|row| items.contains(&row.item_id.0) && row.any.correct).count()
}

#[test]
fn real_photographs_are_released_as_they_are_with_what_five_classifiers_said() {
    let Some(real) = RealInput::find() else { return };
    let hardset = Hardset::new();
    real.build(&hardset, &real.photos).ok();
    // Neither library nor weights are wanted any more.
    hardset.line("release run --out out --also imagefolder -q").ok();
    let out = release(&hardset, "out");
    let (rows, evidence) = (out.rows(), out.table());
    assert_eq!(rows.len(), 94);
    let items: BTreeSet<u32> = rows.iter().map(|row| row.item_id).collect();
    let names: Vec<String> = out.record()["surrogates"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|surrogate| surrogate["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names.len(), 5);
    for name in names {
        let correct =
            evidence.column(&format!("{name}_correct")).and_then(|column| column.bool()).expect("flags").sum();
        assert_eq!(correct.map(|sum| sum as usize), Some(right(&hardset.path("run"), &name, &items)), "{name}");
    }
    let sources: BTreeMap<u32, String> =
        numbers(&evidence, "item_id").into_iter().zip(strings(&evidence, "source")).collect();
    let tree: BTreeSet<String> = hashes(&out.path.join("imagefolder")).into_values().collect();
    for row in rows {
        let photo = fs::read(real.photos.join(&sources[&row.item_id])).expect("the photograph is there");
        assert!(photo == row.image, "{}", sources[&row.item_id]);
        assert!(tree.contains(&sha256(&photo)));
    }
    assert!(strings(&table(&hardset.path("run/plan.parquet")), "source").len() == 400);
    hardset.line("verify out").ok();
}

#[test]
fn photographs_that_changed_are_found_by_verify_and_those_that_are_not_there_are_not_checked() {
    let hardset = with_copies();
    hardset.line("verify pool-run").ok();
    let (photo, whole) = (hardset.path("pool-photos/d.png"), png(2));
    let mut longer = whole.clone();
    longer.push(0);
    let mut flipped = whole.clone();
    flipped[20] ^= 1;
    for changed in [longer, flipped, whole[..9].to_vec()] {
        fs::write(&photo, changed).expect("it can be written");
        hardset.line("verify pool-run").expect(3).out(&[
            "1 image(s)",
            "the first is d.png: the file has changed",
            "1 problem(s)",
        ]);
    }
    fs::remove_file(&photo).expect("it can be removed");
    fs::remove_file(hardset.path("pool-photos/e.png")).expect("it can be removed");
    hardset.line("verify pool-run").expect(3).out(&["2 image(s)", "is d.png: cannot read d.png", "; restore them"]);
    fs::rename(hardset.path("pool-photos"), hardset.path("elsewhere")).expect("it can be moved");
    hardset.line("verify pool-run").ok().out(&["files are what they should be", "not checked: the images: "]);
    let json = hardset.line("verify pool-run --format json").ok().json();
    assert!(json["not_checked"][0].as_str().is_some_and(|what| what.contains("pool-photos")), "{json}");
}
