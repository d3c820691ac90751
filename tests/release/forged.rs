//! A form or document that somebody has changed together with its line in `SHA256SUMS` is found by `verify`: it is held
//! against the data files.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{Hardset, hashes};
use crate::contents::members;
use crate::damage::{DATA, change, edit_record, found, good, with_sums};
use crate::pages::{ALSO, fake_run, photographed, png, release};
use crate::people::released;

const METADATA: &str = "imagefolder/metadata.jsonl";
const TAR: &str = "webdataset/test-00000-of-00001.tar";

/// Damages a copy of the release and makes its sums right: `verify` says so with these parts.
#[track_caller]
fn forged(hardset: &Hardset, parts: &[&str], damage: impl FnOnce(&Path)) {
    found(hardset, 3, parts, |bad| {
        damage(bad);
        with_sums(bad);
    });
}

/// The same, with one text in the file `name` replaced by another.
#[track_caller]
fn replaced(hardset: &Hardset, name: &str, [from, to]: [&str; 2], part: &str) {
    forged(hardset, &[&format!("bad/{name}: "), part], |bad| {
        change(&bad.join(name), |text| text.replacen(from, to, 1));
    });
}

/// Names of images below `folder`.
fn images(folder: &Path) -> Vec<String> {
    hashes(folder).into_keys().filter(|name| name.ends_with(".png")).collect()
}

#[test]
fn an_image_of_another_form_has_the_bytes_of_its_row() {
    let hardset = good();
    for form in ["imagefolder", "fiftyone"] {
        let names = images(&hardset.path(&format!("good/{form}")));
        let (first, second) = (format!("{form}/{}", names[0]), format!("{form}/{}", names[1]));
        forged(&hardset, &[&format!("bad/{first}: its bytes are not those of the image")], |bad| {
            let mut bytes = fs::read(bad.join(&first)).expect("it is there");
            *bytes.last_mut().expect("it has bytes") ^= 1;
            fs::write(bad.join(&first), bytes).expect("it can be written");
        });
        forged(&hardset, &[&format!("bad/{first}: "), "nor those of 1 more"], |bad| {
            fs::rename(bad.join(&first), bad.join("x")).expect("it can be moved");
            fs::rename(bad.join(&second), bad.join(&first)).expect("it can be moved");
            fs::rename(bad.join("x"), bad.join(&second)).expect("it can be moved");
        });
        forged(&hardset, &[&format!("bad/{first}: "), "SHA256SUMS does not have it, nor 1 more"], |bad| {
            fs::remove_file(bad.join(&first)).expect("it was there");
            fs::remove_file(bad.join(&second)).expect("it was there");
        });
        let extra = format!("{form}/{}", names[0].replace(".png", "-2.png"));
        forged(&hardset, &[&format!("bad/{extra}: it is not one of the release's files")], |bad| {
            fs::copy(bad.join(&first), bad.join(&extra)).expect("it can be copied");
        });
    }
}

#[test]
fn metadata_say_what_the_rows_say() {
    let hardset = good();
    replaced(&hardset, METADATA, ["\"label\":", "\"label\":1"], "item 000");
    replaced(&hardset, METADATA, ["\"category\":\"", "\"category\":\"x"], "item 000");
    replaced(&hardset, METADATA, ["\"sha256\":\"", "\"sha256\":\"0"], "item 000");
    replaced(&hardset, METADATA, ["_true_prob\":0.", "_true_prob\":0.0"], "item 000");
    let name = format!("bad/{METADATA}: ");
    let lines = |edit: fn(&mut Vec<&str>)| {
        move |text: String| {
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            edit(&mut lines);
            lines.concat()
        }
    };
    for (part, edit) in [
        ("item 000", lines(|lines| lines.swap(3, 4))),
        ("item 000", lines(|lines| lines.truncate(lines.len() - 1))),
        ("goes on after the end", lines(|lines| lines.push("{}\n"))),
    ] {
        forged(&hardset, &[&name, part, "1 problem(s)"], |bad| change(&bad.join(METADATA), edit));
    }
}

/// Writes the tar anew from changed members.
fn repacked(bad: &Path, edit: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) {
    let mut members = members(&bad.join(TAR));
    edit(&mut members);
    let mut tar = tar::Builder::new(fs::File::create(bad.join(TAR)).expect("it can be written"));
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        tar.append_data(&mut header, name, &bytes[..]).expect("it can be written");
    }
    tar.finish().expect("it can be written");
}

#[test]
fn tars_have_the_samples_of_the_rows_in_their_order() {
    let hardset = good();
    found(&hardset, 0, &["files are what they should be"], |bad| {
        repacked(bad, |_| {});
        with_sums(bad);
    });
    let check = |part: &str, edit: fn(&mut Vec<(String, Vec<u8>)>)| {
        forged(&hardset, &[&format!("bad/{TAR}: "), part, "1 problem(s)"], |bad| repacked(bad, edit));
    };
    check("item 000", |members| members[0].1[40] ^= 1);
    check("item 000", |members| members[1].1 = b"112".to_vec());
    check("item 000", |members| members[2].1 = b"{}".to_vec());
    check("item 000", |members| members.swap(0, 3));
    check("item 000", |members| members[3].0 = "99999999.png".to_owned());
    check("it is not what the data files", |members| drop(members.pop()));
    check("it is not what the data files", |members| members.push(("99999999.png".to_owned(), vec![1])));
    forged(&hardset, &[&format!("bad/{TAR}: it goes on")], |bad| {
        let mut bytes = fs::read(bad.join(TAR)).expect("it is there");
        bytes.extend([0; 512]);
        fs::write(bad.join(TAR), bytes).expect("it can be written");
    });
    forged(&hardset, &["bad/webdataset/", "SHA256SUMS does not have it"], |bad| {
        fs::remove_file(bad.join(TAR)).expect("it was there");
    });
    forged(&hardset, &["bad/webdataset/more.tar: it is not one"], |bad| {
        fs::copy(bad.join(TAR), bad.join("webdataset/more.tar")).expect("it can be copied");
    });
}

#[test]
fn labels_and_questions_are_those_of_the_rows() {
    let hardset = good();
    replaced(&hardset, "fiftyone/labels.json", ["\"labels\": {\n    \"", "\"labels\": {\n    \"9"], "line ");
    replaced(&hardset, "fiftyone/labels.json", ["\"classes\": [\n    \"", "\"classes\": [\n    \"x"], "line 3");
    let questions = "questions/noise.csv";
    let text = release(&hardset, "good").text(questions);
    let second = text.lines().nth(1).expect("a question");
    let cells: Vec<&str> = second.split('\t').collect();
    let exchanged = [cells[0], cells[1], cells[3], cells[2]].join("\t");
    replaced(&hardset, questions, [second, &exchanged], "line 2: it is not what the data files");
    replaced(&hardset, questions, [second, &second.replace(cells[1], "mugs")], "line 2");
    replaced(&hardset, questions, ["image_dir", "image"], "line 1");
    replaced(&hardset, questions, [&format!("{second}\n"), ""], "line 2");
    forged(&hardset, &["bad/questions/noise.csv: ", "SHA256SUMS does not have it"], |bad| {
        fs::remove_file(bad.join(questions)).expect("it was there");
    });
    forged(&hardset, &["bad/questions/other.csv: it is not one of the release's files"], |bad| {
        fs::copy(bad.join(questions), bad.join("questions/other.csv")).expect("it can be copied");
    });
    forged(&hardset, &["bad/notes.txt: it is not one of the release's files"], |bad| {
        fs::write(bad.join("notes.txt"), "more").expect("it can be written");
    });
}

#[test]
fn documents_say_what_data_files_record_and_recipe_give() {
    let hardset = good();
    let (card, croissant, citation) = ("README.md", "croissant.json", "CITATION.cff");
    replaced(&hardset, card, [" hard images are in the release", " images are in the release"], "line ");
    replaced(&hardset, card, ["num_bytes: ", "num_bytes: 1"], "line ");
    replaced(&hardset, card, ["| Pool | ", "| Pool | 1"], "line ");
    replaced(&hardset, card, ["Nobody has checked the labels.", "The labels are right."], "line ");
    replaced(&hardset, citation, ["version: \"1.0.0\"", "version: \"1.0.1\""], "its version is not \"1.0.0\"");
    replaced(&hardset, citation, ["title: \"", "title: \"Not "], "its title is not");
    replaced(&hardset, citation, ["authors:\n- name: \"", "authors:\n- name: \"Not "], "line ");
    replaced(&hardset, citation, ["value: \"sha256:", "value: \"sha256:0"], "hash of the recipe");
    replaced(&hardset, croissant, ["\"sha256\": \"", "\"sha256\": \"0"], "/distribution/1/sha256");
    replaced(&hardset, croissant, ["\"contentSize\": \"", "\"contentSize\": \"1"], "/distribution/1/contentSize");
    replaced(&hardset, croissant, ["\"version\": \"1.0.0\"", "\"version\": \"2.0.0\""], "/version");
    replaced(&hardset, croissant, ["\"name\": \"label\"", "\"name\": \"lable\""], "/recordSet/");
    replaced(&hardset, croissant, ["\"categories/images\": ", "\"categories/images\": 1"], "/recordSet/");
    replaced(&hardset, croissant, ["Nobody has checked the labels.", "The labels are right."], "line ");
    replaced(&hardset, croissant, ["{", "["], "it is no JSON");
}

/// A recipe of which no file of the release was made.
#[test]
fn a_recipe_that_was_changed_is_not_the_one_whose_hash_the_documents_have() {
    let hardset = good();
    forged(&hardset, &["bad/CITATION.cff: it does not have the hash of the recipe", "bad/README.md"], |bad| {
        change(&bad.join("recipe.toml"), |text| text.replace("seed = ", "seed = 1"));
    });
    forged(&hardset, &["bad/recipe.toml", "categories"], |bad| {
        change(&bad.join("recipe.toml"), |text| text.replace("\"band_aid\"", "\"bandage\""));
    });
}

#[test]
fn figures_about_pool_and_people_are_the_same_in_record_and_documents() {
    let (hardset, _) = released();
    fs::rename(hardset.path("out"), hardset.path("good")).expect("it can be moved");
    found(&hardset, 0, &["files are what they should be"], |_| {});
    let one_more = |value: &mut Value| *value = (value.as_u64().expect("a number") + 1).into();
    for (pointer, name) in [
        ("/pool_images", "bad/README.md: line "),
        ("/surrogates/0/right_on_pool", "bad/README.md: line "),
        ("/people/judged", "bad/README.md: line "),
        ("/people/questions/0/votes", "bad/croissant.json: line "),
        ("/excluded", "bad/excluded.csv: it has "),
        ("/near_duplicates", "bad/near-duplicates.csv: it has "),
    ] {
        found(&hardset, 3, &[name], |bad| {
            edit_record(bad, |record| one_more(record.pointer_mut(pointer).expect("it has this")));
        });
    }
    found(&hardset, 3, &["bad/recipe.toml", "questions to people"], |bad| {
        edit_record(bad, |record| record["people"]["questions"][0]["id"] = "other".into());
    });
}

#[test]
fn the_list_of_what_was_left_out_agrees_with_the_release() {
    let (hardset, out) = released();
    let released = format!("{:08}", out.items()[0]);
    fs::rename(hardset.path("out"), hardset.path("good")).expect("it can be moved");
    let text = release(&hardset, "good").text("excluded.csv");
    let rows: Vec<&str> = text.lines().collect();
    let (first, second) = (rows[1], rows[2]);
    let check = |from: &str, to: &str, part: &str| replaced(&hardset, "excluded.csv", [from, to], part);
    check(&format!("{first}\n"), "", "rows, not ");
    check(&format!("{first}\n{second}\n"), &format!("{second}\n{first}\n"), "items do not ascend");
    check(&first[..8], &released, "the item is in the release");
    check(&first[..8], "1", "it is no number of an item");
    check(&first[..8], "none", "it is no number of an item");
    check("rejected by people", "too dark", "for the reason \"too dark\"");
    let category = first.split(',').nth(1).expect("a category");
    check(&format!("{},{category}", &first[..8]), &format!("{},nothing", &first[..8]), "does not have its category");
    check("item_id,", "item,", "its head");
    check(first, &format!("\"{first}"), "");
    forged(&hardset, &["bad/README.md: line "], |bad| {
        change(&bad.join("excluded.csv"), |text| text.replacen("rejected by people", "not shown to people", 1));
    });
}

#[test]
fn the_list_of_near_duplicates_agrees_with_what_was_left_out() {
    let hardset = Hardset::new();
    let small = hardset::imaging::encode_jpeg(&crate::pages::picture(1), 90).expect("it can be written");
    let files = [("a.png", png(1), "mug"), ("b.jpg", small, "mug"), ("c.png", png(2), "mug"), ("d.png", png(3), "tie")];
    let files: Vec<_> = files.into_iter().map(|(name, bytes, label)| (name.to_owned(), bytes, label)).collect();
    photographed(&hardset, "pool", &files);
    hardset.line(&format!("release pool-run --out good {ALSO}")).ok();
    let good = release(&hardset, "good");
    let near = good.text("near-duplicates.csv");
    let row = near.lines().nth(1).expect("one was found");
    let check = |to: &str, part: &str| replaced(&hardset, "near-duplicates.csv", [row, to], part);
    check(&row.replace(",true", ",false"), "says wrongly whether");
    check(&row.replace("00000001", "00000002"), "says wrongly whether");
    check(&row.replace("item 00000000", "item 00000002"), "leaves other images out than excluded.csv");
    check(&row.replace("item 00000000", "item 00000001"), "it is like an item that is not in the release");
    let distance = row.split(',').nth(2).expect("a distance");
    check(&row.replace(&format!(",{distance},"), ",40,"), "farther away than the recipe allows");
    check(&format!("{row},more"), "");
    replaced(&hardset, "near-duplicates.csv", [&format!("{row}\n"), ""], "rows, not 1");
}

#[test]
fn the_list_of_changes_is_about_images_of_the_release() {
    let hardset = Hardset::new();
    let pool = |name: &str, pictures: &[(u64, &'static str)]| {
        let mut files = Vec::new();
        for (seed, category) in pictures {
            files.push((format!("{seed}.png"), png(*seed), *category));
        }
        photographed(&hardset, name, &files);
    };
    pool("a", &[(1, "mug"), (2, "mug"), (3, "tie")]);
    pool("b", &[(2, "mug"), (3, "mug"), (4, "mug")]);
    hardset.line("release a-run --out a").ok();
    hardset.line("release b-run --out good --base a --set release.version=2.0.0").ok();
    let text = release(&hardset, "good").text("CHANGES.md");
    let hash = |heading: &str| {
        let section = text.split("\n## ").find_map(|section| section.strip_prefix(heading)).expect("it is there");
        section.split('`').nth(1).expect("a hash").to_owned()
    };
    let (added, removed, other) = (hash("Added"), hash("Removed"), "ab".repeat(32));
    let check = |from: &str, to: &str, part: &str| replaced(&hardset, "CHANGES.md", [from, to], part);
    check(&added, &other, "is not in the release, though it was added");
    check(&removed, &added, "is in the release, though it was removed");
    check("to `mug`", "to `tie`", "is not its category in the release");
    check("`1.0.0`", "`0.9.0`", "not the list of changes between the two releases");
    check("1 image added", "2 images added", "not the list of changes");
    check(&format!("- `{added}`\n"), "", "not the list of changes");
    found(&hardset, 3, &["bad/CHANGES.md", "other numbers"], |bad| {
        edit_record(bad, |record| record["base"]["added"] = 7.into());
    });
    forged(&hardset, &["bad/CHANGES.md"], |bad| fs::remove_file(bad.join("CHANGES.md")).expect("it was there"));
}

/// Another version words its documents in another way: then facts are compared, and all that has a format.
#[test]
fn of_a_release_by_another_version_the_facts_are_compared() {
    let hardset = fake_run();
    hardset.line(&format!("release run --out good {ALSO} -q")).ok();
    let by_another = |bad: &Path| edit_record(bad, |record| record["tool"] = "hardset 99.0.0".into());
    found(&hardset, 0, &["files are what they should be"], |bad| {
        change(&bad.join("README.md"), |text| text.replace("Nobody has checked the labels.", "No label was checked."));
        by_another(bad);
    });
    let check = |name: &str, [from, to]: [&str; 2]| {
        found(&hardset, 3, &[&format!("bad/{name}: ")], |bad| {
            change(&bad.join(name), |text| text.replacen(from, to, 1));
            by_another(bad);
        });
    };
    check("croissant.json", ["\"sha256\": \"", "\"sha256\": \"0"]);
    check("CITATION.cff", ["version: \"1.0.0\"", "version: \"1.0.1\""]);
    check("README.md", ["num_examples: ", "num_examples: 1"]);
    check(METADATA, ["\"label\":", "\"label\":1"]);
    check("questions/noise.csv", ["noise/", "other/"]);
    assert!(hardset.path("good").join(DATA).is_file());
}
