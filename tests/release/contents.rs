//! What lies in the release of a run that nobody was asked about.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;

use polars::prelude::DataFrame;
use serde_json::Value;

use crate::common::{Hardset, hashes, sha256, strings, table};
use crate::pages::{ALSO, Release, fake_run, hard, hard_items, lists, numbers, release};

const SURROGATES: [&str; 3] = ["fake-a", "fake-b", "fake-c"];

/// A release of made-up images in `out`, with all forms.
fn released() -> (Hardset, Release) {
    let hardset = fake_run();
    hardset.line(&format!("release run --out out {ALSO} -q")).ok();
    let out = release(&hardset, "out");
    (hardset, out)
}

#[test]
fn every_file_of_the_layout_is_there_and_no_other() {
    let (hardset, out) = released();
    let mut expected: BTreeSet<String> = [
        "CITATION.cff",
        "README.md",
        "SHA256SUMS",
        "croissant.json",
        "data/test-00000-of-00001.parquet",
        "excluded.csv",
        "fiftyone/labels.json",
        "imagefolder/metadata.jsonl",
        "near-duplicates.csv",
        "questions/noise.csv",
        "recipe.toml",
        "release.json",
        "webdataset/test-00000-of-00001.tar",
    ]
    .map(str::to_owned)
    .into();
    for (item, category) in hard(&hardset.path("run")) {
        expected.insert(format!("imagefolder/noise/{category}/{item:08}.png"));
        expected.insert(format!("fiftyone/data/{item:08}.png"));
    }
    assert_eq!(out.files(), expected.into_iter().collect::<Vec<_>>());
    assert!(!hardset.path("out.unfinished").exists());
}

#[test]
fn without_other_forms_there_are_the_data_files_alone() {
    let hardset = fake_run();
    hardset.line("release run --out out -q").ok();
    let folders: BTreeSet<String> =
        release(&hardset, "out").files().iter().filter_map(|name| Some(name.split_once('/')?.0.to_owned())).collect();
    assert_eq!(folders, ["data", "questions"].map(str::to_owned).into());
}

/// The cells of a column as texts, by item.
fn cells(table: &DataFrame, column: &str) -> BTreeMap<u32, String> {
    let column = table.column(column).unwrap_or_else(|e| panic!("{column}: {e}"));
    let cells = (0..table.height()).map(|row| column.get(row).expect("a row").to_string());
    numbers(table, "item_id").into_iter().zip(cells).collect()
}

/// All tables of a kind below `run/<folder>` with this column, as texts by item.
fn cells_of_run(run: &Path, folder: &str, column: &str) -> BTreeMap<u32, String> {
    let folder = run.join(folder);
    let names = hashes(&folder).into_keys().filter(|name| name.ends_with(".parquet"));
    names.flat_map(|name| cells(&table(&folder.join(name)), column)).collect()
}

#[test]
fn its_rows_are_the_hard_items_with_the_evidence_that_the_run_has() {
    let (hardset, out) = released();
    let (run, rows) = (hardset.path("run"), out.table());
    assert_eq!(out.items(), hard_items(&run));
    let check = |column: &str, theirs: BTreeMap<u32, String>| {
        for (item, ours) in cells(&rows, column) {
            assert_eq!(ours, theirs[&item], "{column} of item {item}");
        }
    };
    let plan = table(&run.join("plan.parquet"));
    for column in ["category", "nuisance_kind", "nuisance", "prompt", "seed"] {
        check(column, cells(&plan, column));
    }
    let manifest = table(&run.join("manifest.parquet"));
    for column in ["n_surrogates", "n_failed", "failed_by", "agreed_wrong", "n_agreed_wrong", "near_tie"] {
        check(column, cells(&manifest, column));
    }
    for column in ["sha256", "width_px", "height_px"] {
        check(column, cells_of_run(&run, "images", column));
    }
    for name in SURROGATES {
        for column in ["correct", "true_prob", "margin", "top5_ids", "top5_probs", "true_rank"] {
            let theirs = cells_of_run(&run, &format!("predictions/{name}"), column);
            check(&format!("{name}_{column}"), theirs);
        }
    }
    let failed = lists(&rows, "failed_by").iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(failed, numbers(&rows, "n_failed").iter().map(|&n| n as usize).collect::<Vec<_>>());
}

#[test]
fn its_images_are_those_of_the_run_byte_for_byte() {
    let (hardset, out) = released();
    let pinned = cells_of_run(&hardset.path("run"), "images", "sha256");
    let rows = out.rows();
    assert_eq!(rows.len(), hard_items(&hardset.path("run")).len());
    for row in rows {
        assert_eq!(format!("\"{}\"", sha256(&row.image)), pinned[&row.item_id]);
        assert_eq!(sha256(&row.image), row.sha256);
    }
}

/// Names and bytes of a tar's members, in its order.
pub fn members(tar: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(fs::File::open(tar).expect("it is there"));
    let member = |entry: std::io::Result<tar::Entry<fs::File>>| {
        let mut entry = entry.expect("a member");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("its bytes");
        (entry.path().expect("a name").to_string_lossy().into_owned(), bytes)
    };
    archive.entries().expect("it is a tar").map(member).collect()
}

#[test]
fn all_forms_hold_the_same_images_with_the_same_labels() {
    let (_hardset, out) = released();
    let rows = out.rows();
    let metadata: Vec<Value> = (out.text("imagefolder/metadata.jsonl").lines())
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let members = members(&out.path.join("webdataset/test-00000-of-00001.tar"));
    let labels = out.json("fiftyone/labels.json");
    assert_eq!(
        (metadata.len(), members.len(), labels["labels"].as_object().map(serde_json::Map::len)),
        (rows.len(), 3 * rows.len(), Some(rows.len()))
    );
    let classes = out.record()["categories"].as_array().expect("a list").clone();
    for ((row, facts), sample) in rows.iter().zip(&metadata).zip(members.chunks(3)) {
        let stem = format!("{:08}", row.item_id);
        assert_eq!((&facts["item_id"], &facts["label"]), (&row.item_id.into(), &row.label.into()));
        let file = facts["file_name"].as_str().expect("a path");
        let read = |name: String| fs::read(out.path.join(name)).expect("the image is there");
        assert_eq!(read(format!("imagefolder/{file}")), row.image);
        assert_eq!(read(format!("fiftyone/data/{stem}.png")), row.image);
        let names: Vec<&str> = sample.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["png", "cls", "json"].map(|ending| format!("{stem}.{ending}")));
        assert_eq!((&sample[0].1, &sample[1].1), (&row.image, &row.label.to_string().into_bytes()));
        let json: Value = serde_json::from_slice(&sample[2].1).expect("JSON");
        assert_eq!((&json["category"], &json["sha256"]), (&row.category.as_str().into(), &row.sha256.as_str().into()));
        assert_eq!(labels["labels"][&stem], row.label);
        assert_eq!(labels["classes"][row.label as usize], classes[row.label as usize]["class"]);
    }
}

#[test]
fn counts_agree_in_every_document() {
    let (hardset, out) = released();
    let images = hard_items(&hardset.path("run")).len() as u64;
    let record = out.record();
    let by_category: u64 = record["categories"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|category| category["images"].as_u64())
        .sum();
    assert_eq!((record["images"].as_u64(), by_category), (Some(images), images));
    assert_eq!(out.csv("questions/noise.csv", QUESTIONS).len() as u64, images);
    let card = out.text("README.md");
    assert!(card.contains(&format!("num_examples: {images}\n")), "{card}");
    assert!(card.contains(&format!("{images} of {images} hard images are in the release")), "{card}");
    assert!(out.json("croissant.json")["description"].as_str().is_some_and(|text| text.contains(&images.to_string())));
}

pub const QUESTIONS: &[&str] = &["image_dir", "gt_category", "top1_pred_cate", "top2_pred_cate"];

#[test]
fn a_release_that_nobody_has_looked_at_says_so_before_all_else() {
    let hardset = fake_run();
    let said = hardset.line("release run --out out").ok();
    assert!(said.stdout.contains("UNVERIFIED"), "{}", said.stdout);
    let out = release(&hardset, "out");
    assert!(out.first_paragraph().starts_with("> **Unverified hard set.**"), "{}", out.first_paragraph());
    let croissant = out.json("croissant.json");
    assert!(croissant["description"].as_str().is_some_and(|text| text.starts_with("Unverified hard set:")));
    assert_eq!(out.record()["verified"], false);
    assert!(out.text("CITATION.cff").contains("message: \"Unverified hard set:"));
    let columns = out.table().get_column_names().iter().map(|name| name.to_string()).collect::<Vec<_>>();
    assert!(!columns.iter().any(|name| name == "verdict" || name.starts_with("recognise")), "{columns:?}");
    // Nobody has rejected anything, and noise looks like nothing.
    assert_eq!((out.excluded().len(), out.near().len()), (0, 0));
}

#[test]
fn questions_offer_the_true_category_and_what_surrogates_see() {
    let (hardset, out) = released();
    let categories: BTreeMap<u32, String> = hard(&hardset.path("run")).into_iter().collect();
    let rows = out.csv("questions/noise.csv", QUESTIONS);
    let truths: Vec<String> = strings(&out.table(), "category");
    let names: BTreeMap<String, String> = (out.record()["categories"].as_array().expect("a list").iter())
        .map(|category| {
            (
                category["id"].as_str().unwrap_or_default().to_owned(),
                category["class"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    for ((row, truth), item) in rows.iter().zip(truths).zip(out.items()) {
        assert_eq!(row[0], format!("noise/{}/{item:08}.png", categories[&item]));
        assert_eq!(row[1], names[&truth]);
        assert!(row[2] != row[3] && !row[2].is_empty() && !row[3].is_empty(), "{row:?}");
    }
}
