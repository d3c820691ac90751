//! `verify` finds what is wrong with a release, and names the file.

use std::fs;
use std::path::{Path, PathBuf};

use hardset::domain::Cell;
use hardset::stage::release::release_columns;
use hardset::table::{ReleaseFile, ReleaseWriter};
use serde_json::Value;

use crate::common::{Hardset, copy, hashes, reseal, reseal_json, sha256};
use crate::pages::{ALSO, fake_run, release};

/// Place of the hash among the columns; image, label and item are the first three.
const HASH: usize = 5;
/// The one data file.
pub const DATA: &str = "data/test-00000-of-00001.parquet";

/// A good release in `good`, to be copied and damaged.
pub fn good() -> Hardset {
    let hardset = fake_run();
    hardset.line(&format!("release run --out good {ALSO} -q")).ok();
    hardset
}

/// Damages a copy of the release: `verify` says so with this exit code and these parts, one of them the file's name.
#[track_caller]
pub fn found(hardset: &Hardset, code: i32, parts: &[&str], damage: impl FnOnce(&Path)) {
    let bad = hardset.path("bad");
    let _ = fs::remove_dir_all(&bad);
    copy(&hardset.path("good"), &bad);
    damage(&bad);
    let before = hashes(&bad);
    let run = hardset.line("verify bad -q").expect(code);
    let said = format!("{}{}", run.stdout, run.stderr);
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    assert_eq!(hashes(&bad), before, "verify changes nothing");
}

pub fn change(path: &Path, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(path).expect("it is text");
    let changed = change(text.clone());
    assert_ne!(text, changed, "{} has what is to be changed", path.display());
    fs::write(path, changed).expect("it can be written");
    if text.starts_with("sha256 = ") {
        reseal(path, str::to_owned);
    }
}

/// Writes the sums anew: what is wrong now is wrong in itself.
pub fn with_sums(folder: &Path) {
    let sums = hashes(folder).into_iter().filter(|(name, _)| name != "SHA256SUMS");
    let lines: String = sums.map(|(name, hash)| format!("{hash}  {name}\n")).collect();
    fs::write(folder.join("SHA256SUMS"), lines).expect("it can be written");
}

pub fn edit_record(folder: &Path, edit: impl FnOnce(&mut Value)) {
    let path = folder.join("release.json");
    reseal_json(&path, |rest| {
        let mut record: Value = serde_json::from_str(&format!("{{{rest}")).expect("JSON");
        edit(&mut record);
        let text = serde_json::to_string_pretty(&record).expect("JSON");
        text.strip_prefix("{\n").expect("an object").to_owned() + "\n"
    });
    with_sums(folder);
}

#[test]
fn a_good_release_is_good_wherever_it_lies_and_with_what_git_and_the_hub_leave() {
    let hardset = good();
    found(&hardset, 0, &["files are what they should be"], |_| {});
    found(&hardset, 0, &["files are what they should be"], |bad| {
        fs::write(bad.join(".gitattributes"), "*.parquet filter=lfs").expect("it can be written");
        fs::create_dir(bad.join(".git")).expect("folders can be made");
        fs::write(bad.join(".git/HEAD"), "ref: main").expect("it can be written");
    });
    found(&hardset, 0, &["files are what they should be"], with_sums);
}

#[test]
fn a_changed_byte_is_found_in_any_file() {
    let hardset = good();
    for name in [DATA, "README.md", "excluded.csv", "imagefolder/metadata.jsonl", "webdataset/test-00000-of-00001.tar"]
    {
        found(&hardset, 3, &[&format!("bad/{name}"), "SHA-256", "1 problem(s)"], |bad| {
            let mut bytes = fs::read(bad.join(name)).expect("it is there");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(bad.join(name), bytes).expect("it can be written");
        });
    }
}

#[test]
fn a_missing_file_is_named() {
    let hardset = good();
    for name in [DATA, "README.md", "croissant.json", "recipe.toml", "SHA256SUMS", "fiftyone/labels.json"] {
        found(&hardset, 3, &[&format!("bad/{name}")], |bad| fs::remove_file(bad.join(name)).expect("it was there"));
    }
    found(&hardset, 2, &["bad", "release.json"], |bad| {
        fs::remove_file(bad.join("release.json")).expect("it was there");
    });
}

#[test]
fn a_file_too_many_is_named() {
    let hardset = good();
    for name in ["data/test-00001-of-00001.parquet", "imagefolder/noise/extra.png", "notes.txt"] {
        found(&hardset, 3, &[&format!("bad/{name}"), "SHA256SUMS does not have it"], |bad| {
            fs::write(bad.join(name), "more").expect("it can be written");
        });
    }
}

#[test]
fn a_record_that_cannot_be_read_is_said() {
    let hardset = good();
    let record = release(&hardset, "good").text("release.json");
    for (text, part) in [
        (record[..record.len() / 2].to_owned(), "damaged"),
        (record.replace("\"major\": 2,", "\"major\": 3,"), "format 3.0"),
        (String::new(), "damaged"),
        ("[]".to_owned(), "damaged"),
        (record.replace("\"verified\": false", "\"verified\": true"), "was changed after hardset wrote it"),
    ] {
        found(&hardset, 2, &["bad/release.json", part], |bad| {
            fs::write(bad.join("release.json"), text).expect("it can be written");
        });
    }
    found(&hardset, 2, &["bad/release.json", "missing field `verified`"], |bad| {
        reseal_json(&bad.join("release.json"), |rest| rest.replace("\"verified\"", "\"veriified\""));
    });
}

#[test]
fn sums_that_lead_out_of_the_folder_are_not_followed() {
    let hardset = good();
    let stolen = sha256(&fs::read(hardset.path("recipe.toml")).expect("it is there"));
    for path in ["../recipe.toml", "data/../../recipe.toml", "/etc/hostname"] {
        found(&hardset, 3, &["bad/SHA256SUMS", "1 of its lines cannot be read"], |bad| {
            change(&bad.join("SHA256SUMS"), |text| format!("{text}{stolen}  {path}\n"));
        });
    }
    found(&hardset, 3, &["bad/SHA256SUMS"], |bad| {
        fs::write(bad.join("SHA256SUMS"), [0xff, 0xfe, 0]).expect("it can be written");
    });
}

#[test]
fn documents_that_say_something_else_than_the_record_are_found_though_their_sums_are_right() {
    let hardset = good();
    let edit = |name: &'static str, from: &'static str, to: &'static str| {
        move |bad: &Path| {
            change(&bad.join(name), |text| text.replace(from, to));
            with_sums(bad);
        }
    };
    found(&hardset, 3, &["bad/README.md", "fake-b", "weights"], edit("README.md", "fake-b", "faked"));
    found(&hardset, 3, &["bad/README.md", "looked at"], edit("README.md", "**Unverified hard set.**", "**Verified.**"));
    found(&hardset, 3, &["bad/README.md", "images"], edit("README.md", "num_examples: ", "num_examples: 1"));
    found(&hardset, 3, &["bad/recipe.toml", "surrogates"], edit("recipe.toml", "\"fake-b\"", "\"fake-z\""));
    found(
        &hardset,
        3,
        &["bad/recipe.toml", "version"],
        edit("recipe.toml", "version = \"1.0.0\"", "version = \"1.0.1\""),
    );
    found(&hardset, 3, &["bad/imagefolder", "files"], |bad| {
        let name = hashes(&bad.join("imagefolder")).into_keys().find(|name| name.ends_with(".png")).expect("an image");
        fs::remove_file(bad.join("imagefolder").join(name)).expect("it was there");
        with_sums(bad);
    });
}

#[test]
fn a_surrogate_whose_weights_the_card_does_not_have_is_found() {
    let hardset = good();
    found(&hardset, 3, &["bad/README.md", "fake-a", "weights"], |bad| {
        edit_record(bad, |record| record["surrogates"][0]["weights_sha256"] = "ab".repeat(32).into());
    });
}

#[test]
fn a_record_that_counts_otherwise_is_found_though_its_sums_are_right() {
    let hardset = good();
    let one_more = |value: &mut Value| *value = (value.as_u64().expect("a number") + 1).into();
    for (pointer, part) in [
        ("/images", "images, but there are"),
        ("/categories/3/images", "images of band_aid"),
        ("/files/0/images", "rows, but release.json says"),
    ] {
        found(&hardset, 3, &["bad/", part], |bad| {
            edit_record(bad, |record| one_more(record.pointer_mut(pointer).expect("it has this")));
        });
    }
    found(&hardset, 3, &[&format!("bad/{DATA}"), "metadata for loaders"], |bad| {
        edit_record(bad, |record| record["categories"][0]["class"] = "clock".into());
    });
    found(&hardset, 3, &["bad/data/other.parquet"], |bad| {
        edit_record(bad, |record| record["files"][0]["path"] = "data/other.parquet".into());
    });
    found(&hardset, 3, &["recipe.toml"], |bad| {
        edit_record(bad, |record| record["version"] = "1.2.3".into());
    });
}

/// Writes the data file anew after `edit` of its rows, and says its size and hash everywhere.
fn rewritten(bad: &Path, edit: impl FnOnce(&mut Vec<Vec<Cell>>)) {
    let recipe = fs::read_to_string(bad.join("recipe.toml")).expect("it is there");
    let columns = release_columns(&toml::from_str(&recipe).expect("it is a recipe"), false);
    let record: Value =
        serde_json::from_slice(&fs::read(bad.join("release.json")).expect("it is there")).expect("JSON");
    let classes = record["categories"].as_array().expect("a list").iter();
    let classes: Vec<String> = classes.map(|row| row["class"].as_str().expect("a name").to_owned()).collect();
    let path: PathBuf = bad.join(DATA);
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let read = ReleaseFile::open(&path).expect("it is there").cells(&columns, |row| rows.push(row));
    read.expect("its rows can be read");
    edit(&mut rows);
    let mut bytes = Vec::new();
    let mut writer = ReleaseWriter::new(&mut bytes, &columns, &classes).expect("it can be written");
    rows.chunks(100).for_each(|group| writer.group(group).expect("rows can be written"));
    writer.finish().expect("it can be finished");
    replace_data(bad, &bytes);
}

/// Replaces the data file, and says its size and hash everywhere.
fn replace_data(bad: &Path, bytes: &[u8]) {
    let path = bad.join(DATA);
    let old = fs::read(&path).expect("it is there");
    fs::write(&path, bytes).expect("it can be written");
    for name in ["croissant.json", "README.md"] {
        let text = fs::read_to_string(bad.join(name)).expect("it is there");
        let text =
            text.replace(&sha256(&old), &sha256(bytes)).replace(&old.len().to_string(), &bytes.len().to_string());
        fs::write(bad.join(name), text).expect("it can be written");
    }
    edit_record(bad, |record| {
        record["files"][0]["bytes"] = bytes.len().into();
        record["files"][0]["sha256"] = sha256(bytes).into();
    });
}

#[test]
fn rows_that_are_wrong_in_themselves_are_found_though_all_sums_are_right() {
    let hardset = good();
    found(&hardset, 0, &["files are what they should be"], |bad| rewritten(bad, |_| {}));
    let name = format!("bad/{DATA}");
    let check =
        |part: &str, edit: fn(&mut Vec<Vec<Cell>>)| found(&hardset, 3, &[&name, part], |bad| rewritten(bad, edit));
    check("the same image is there twice", |rows| {
        let (image, hash) = (rows[0][0].clone(), rows[0][HASH].clone());
        (rows[1][0], rows[1][HASH]) = (image, hash);
    });
    check("the image is not the one of its SHA-256", |rows| {
        let image = rows[0][0].clone();
        rows[1][0] = image;
    });
    check("items do not ascend", |rows| rows.swap(0, 1));
    check("the label is not that of its category", |rows| rows[5][1] = Cell::Int64(112));
    check("the label is not that of its category", |rows| rows[5][1] = Cell::Int64(-1));
    check("rows, but release.json says", |rows| rows.truncate(9));
    check("the image's path is not that of its category and item", |rows| {
        if let Cell::Image(_, path) = &mut rows[3][0] {
            *path = path.replace("noise/", "noise/../");
        }
    });
    check("it lacks a value that every row has", |rows| rows[7][HASH] = Cell::Null);
    found(&hardset, 3, &["bad/data", "begins with \"other\""], |bad| {
        rewritten(bad, |rows| {
            if let Cell::Image(_, path) = &mut rows[3][0] {
                *path = path.replace("noise/", "other/");
            }
        });
    });
}

#[test]
fn a_data_file_has_the_size_and_the_hash_of_the_record_as_well() {
    let hardset = good();
    let name = format!("bad/{DATA}");
    found(&hardset, 3, &[&name, "its SHA-256 is not the one in release.json", "1 problem(s)"], |bad| {
        edit_record(bad, |record| record["files"][0]["sha256"] = "ab".repeat(32).into());
    });
    found(&hardset, 3, &[&name, "bytes, but release.json says 17", "1 problem(s)"], |bad| {
        edit_record(bad, |record| record["files"][0]["bytes"] = 17.into());
    });
    found(&hardset, 3, &[&name, "its SHA-256 in SHA256SUMS is not the one in release.json"], |bad| {
        let hash = sha256(&fs::read(bad.join(DATA)).expect("it is there"));
        change(&bad.join("SHA256SUMS"), |text| text.replace(&hash, &"ab".repeat(32)));
    });
}

#[test]
fn a_data_file_that_is_no_parquet_is_named_though_its_sum_is_right() {
    let hardset = good();
    for bytes in [b"".to_vec(), b"PAR1 and nothing PAR1".to_vec(), vec![0; 4096]] {
        found(&hardset, 3, &[&format!("bad/{DATA}"), "data file"], |bad| replace_data(bad, &bytes));
    }
}

#[test]
fn what_is_neither_run_nor_release_is_said() {
    let hardset = Hardset::new();
    hardset.write("folder/notes.txt", "mine");
    for path in ["folder", "nowhere", "folder/notes.txt"] {
        hardset.line(&format!("verify {path}")).refused(2, &[path]);
    }
    assert_eq!(hashes(&hardset.path("folder")).len(), 1);
}
