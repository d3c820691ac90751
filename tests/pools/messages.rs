//! What people are told of a pool that cannot be used, word by word.

use std::fs;
use std::path::Path;

use hardset::domain::{BenchmarkLayout, GenerateSpec};
use hardset::source::{PoolOptions, open_pool, source};
use tempfile::TempDir;

use crate::common::Hardset;
use crate::ours::mined;
use crate::tables::{Labels, Table};
use crate::{png, set, write};

/// The error of opening or listing the pool, with its path as `POOL`.
#[track_caller]
fn told(path: &Path, options: &PoolOptions) -> String {
    let error = match open_pool(path, options) {
        Err(error) => error,
        Ok(pool) => {
            let spec = GenerateSpec::Benchmark(pool.source);
            source(&spec).list(&pool.categories, 0).map(|_| ()).expect_err("the pool cannot be used")
        }
    };
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    error.to_string().replace(&real.display().to_string(), "POOL").replace(&path.display().to_string(), "POOL")
}

#[track_caller]
fn check(path: &Path, options: &PoolOptions, expected: &str) {
    assert_eq!(told(path, options), expected);
}

fn none() -> PoolOptions {
    PoolOptions::default()
}

fn folder(files: &[&str]) -> TempDir {
    let dir = TempDir::new().expect("temporary folders can be made");
    files.iter().for_each(|file| write(&dir.path().join(file), &png(4, 1)));
    dir
}

#[test]
fn nothing_there() {
    let dir = folder(&[]);
    check(
        &dir.path().join("gone"),
        &none(),
        "cannot read POOL: No such file or directory (os error 2); give a run, a release, or the folder (or Parquet \
         file) of a benchmark",
    );
    check(
        dir.path(),
        &none(),
        "POOL: no image was found as a folder for each class; give a run, a release, or the folder of a benchmark",
    );
    write(&dir.path().join("a.tif"), b"?");
    let passed = told(dir.path(), &none());
    assert!(passed.contains("(1 file was passed over: .tif 1)"), "{passed}");
    check(
        &dir.path().join("a.tif"),
        &none(),
        "POOL: it is a file, and no Parquet; give a run, a release, or the folder (or Parquet file) of a benchmark",
    );
    let wanted = PoolOptions { layout: Some(BenchmarkLayout::Objectnet), ..none() };
    check(dir.path(), &wanted, "POOL: no image was found as ObjectNet's folders; give another folder or --layout");
}

#[test]
fn trees_that_are_not_told_apart() {
    let check_tree = |files: &[&str], expected: &str| check(folder(files).path(), &none(), expected);
    check_tree(
        &["a.png", "b.png"],
        "POOL: its images are in the folder itself, not in folders that name their classes; give a folder with a \
         folder for each class, or files with WordNet ids in their names",
    );
    check_tree(
        &["imagenet-a/n01440764/a.png"],
        "POOL: all of its images are below one folder, imagenet-a; give POOL/imagenet-a, or --layout",
    );
    check_tree(
        &["1/n01440764/a.png", "2/n01440764/a.png"],
        "POOL: it seems to be one corruption of ImageNet-C, <severity>/<WordNet id>/<file>; give the folder above it, \
         so that the corruption has its name",
    );
    check_tree(
        &["train/n01440764/a.png", "val/n01440764/a.png"],
        "POOL: 2 of its 2 classes (`train`, `val`) are no classes of ImageNet-1k and of no built-in category set; give \
         --categories with the set that it is of",
    );
    check_tree(
        &["0/a.png", "1/a.png"],
        "POOL: its 2 folders are numbers, which may be the classes of any list; give --categories imagenet-1k if they \
         are class indices of ImageNet-1k, else a set with these ids",
    );
    check_tree(
        &["1/a.png", "1000/a.png"],
        "POOL: its folder `1000` is no class index of ImageNet-1k, which go from 0 to 999; rename the folders (do they \
         count from 1?), or give --categories with these ids",
    );
    let both = folder(&["n01440764/a.png"]);
    Table::of(Labels::Numbers(vec![Some(0)])).write(&both.path().join("x.parquet"));
    check(
        both.path(),
        &none(),
        "POOL: it has 1 images in folders and 1 Parquet files; give --layout parquet or --layout image-folder",
    );
    let wrong = PoolOptions { layout: Some(BenchmarkLayout::ImagenetC), ..none() };
    check(
        folder(&["n01440764/a.png"]).path(),
        &wrong,
        "POOL: none of its images has a label where the layout has one; give --categories with the set that it is of",
    );
    let other = PoolOptions { categories: Some(set("imagenet-r")), ..none() };
    check(
        folder(&["n01440764/a.png"]).path(),
        &other,
        "POOL: no image is of a class of imagenet-r; give --categories, or --layout if it was read in the wrong way",
    );
}

#[test]
fn options_that_say_nothing_and_layouts_that_are_not_there() {
    let dir = folder(&["n01440764/a.png"]);
    let layout = |layout| PoolOptions { layout: Some(layout), ..none() };
    check(
        dir.path(),
        &layout(BenchmarkLayout::Release),
        "POOL: it has no release.json; it is not a release: leave --layout out, or give another one",
    );
    check(
        dir.path(),
        &layout(BenchmarkLayout::Run),
        "POOL: it has no spec.toml; it is not a run: leave --layout out, or give another one",
    );
    check(
        dir.path(),
        &layout(BenchmarkLayout::Parquet),
        "POOL: there is no Parquet file below it; give another folder",
    );
    check(
        dir.path(),
        &PoolOptions { split: Some("test".into()), ..none() },
        "POOL: it is a folder for each class, for which --split says nothing; leave --split out",
    );
    assert_eq!(
        "imagnet-d".parse::<BenchmarkLayout>().expect_err("no layout"),
        "`imagnet-d` is not a layout of pools; write one of release, run, parquet, imagenet-d, imagenet-c, objectnet, \
         image-folder"
    );
}

#[test]
fn parquet_that_does_not_say_enough() {
    let dir = folder(&[]);
    let path = dir.path().join("x.parquet");
    let numbers = |labels: &[i64]| Table::of(Labels::Numbers(labels.iter().copied().map(Some).collect()));
    numbers(&[0, 500]).write(&path);
    check(
        dir.path(),
        &none(),
        "POOL: the labels in its column `label` are numbers without names; give --categories with the set whose places \
         they are",
    );
    check(
        dir.path(),
        &PoolOptions { categories: Some(set("imagenet-r")), ..none() },
        "POOL/x.parquet: its labels go up to 500, but imagenet-r has 200 categories: it is a list of another length; \
         labels without names are places in the set: give --categories imagenet-1k if they are ImageNet's class \
         indices",
    );
    check(
        dir.path(),
        &PoolOptions { image_column: Some("img".into()), ..none() },
        "POOL/x.parquet: it has no column `img` of images; give --image-column with one of image",
    );
    check(
        dir.path(),
        &PoolOptions { label_column: Some("x".into()), ..none() },
        "POOL/x.parquet: it has no column `x` of labels; give --label-column with one of label, number",
    );
    check(
        dir.path(),
        &PoolOptions { split: Some("test".into()), ..none() },
        "POOL: there is no Parquet file of the split `test`; give another --split",
    );
    for split in ["train", "test"] {
        numbers(&[0]).write(&dir.path().join(format!("data/{split}-00000-of-00001.parquet")));
    }
    check(dir.path(), &none(), "POOL: its files are of several splits: test, train; give --split with one of them");
}

#[test]
fn parquet_that_cannot_be_read() {
    let dir = folder(&[]);
    let path = dir.path().join("x.parquet");
    let table = Table { names: Some(vec!["tench"]), ..Table::of(Labels::Numbers(vec![Some(0); 9])) };
    table.write(&path);
    let whole = fs::read(&path).expect("it is there");
    for bytes in [&whole[..whole.len() / 2], &whole[..whole.len() - 9], b"PAR1", b""] {
        fs::write(&path, bytes).expect("files can be written");
        let told = told(dir.path(), &none());
        let (head, tail) = ("POOL/x.parquet: it cannot be read as Parquet (", "); download it again, or leave it out");
        assert!(told.starts_with(head) && told.ends_with(tail), "{told}");
    }
    // Any byte of the footer: an error or a good pool, never a panic.
    for at in whole.len() - 400..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        fs::write(&path, &bytes).expect("files can be written");
        if let Ok(pool) = open_pool(dir.path(), &none()) {
            let spec = GenerateSpec::Benchmark(pool.source.clone());
            if source(&spec).list(&pool.categories, 0).is_ok() {
                crate::seen(&pool);
            }
        }
    }
}

#[test]
fn a_release_that_is_not_as_it_was_made() {
    let hardset = mined();
    let release = hardset.path("release");
    let data = release.join("data/test-00000-of-00001.parquet");
    let whole = fs::read(&data).expect("it is there");
    let remedy = "download or make it again in another folder; `hardset verify` lists the damage";
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(&data, &flipped).expect("files can be written");
    let told_so = told(&release, &none());
    assert!(told_so.contains("data/test-00000-of-00001.parquet"), "{told_so}");
    assert!(told_so.contains("its SHA-256 is not the one in release.json") && told_so.contains(remedy), "{told_so}");
    fs::write(&data, &whole[..100]).expect("files can be written");
    let told_so = told(&release, &none());
    assert!(told_so.contains("it has 100 bytes, but release.json says"), "{told_so}");
    fs::write(&data, &whole).expect("files can be written");

    let sums = release.join("SHA256SUMS");
    let text = fs::read_to_string(&sums).expect("it is text");
    let others: Vec<&str> = text.lines().filter(|line| !line.contains("data/test-00000")).collect();
    fs::write(&sums, others.join("\n") + "\n").expect("files can be written");
    let told_so = told(&release, &none());
    assert!(told_so.contains("SHA256SUMS does not name data/test-00000-of-00001.parquet"), "{told_so}");
    fs::write(&sums, text).expect("files can be written");

    check(
        &release,
        &PoolOptions { categories: Some(set("imagenet-d")), ..none() },
        "POOL: it is a release, for which --categories says nothing; leave --categories out",
    );
    fs::remove_file(release.join("release.json")).expect("it is there");
    check(&release, &none(), "POOL: it looks like a release without its release.json; download or make it again");
}

#[test]
fn a_run_that_has_no_images_yet() {
    let hardset = Hardset::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-2");
    crate::common::copy(&fixture, &hardset.path(""));
    fs::remove_file(hardset.path("run/images/000/000001.json")).expect("it is there");
    check(
        &hardset.path("run"),
        &none(),
        "POOL: the images of the run are not all made: 1 of its 3 shards have images; make them first: hardset \
         generate POOL",
    );
}
