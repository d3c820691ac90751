//! A release as its readers see it, and recipes that lead to one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hardset::domain::Philox;
use hardset::imaging::RgbImage;
use hardset::table::{ReleaseFile, ReleaseRowCheck};
use polars::prelude::{DataFrame, ParquetReader, SerReader};
use serde_json::Value;

use crate::common::{Hardset, fake_recipe, hashes, strings, table};

/// All forms beside the data files.
pub const ALSO: &str = "--also imagefolder,webdataset,fiftyone";

/// A run of made-up images and classifiers in `run`, nobody asked; 226 items in four shards.
pub fn fake_run() -> Hardset {
    let hardset = Hardset::new();
    hardset.write("recipe.toml", fake_recipe("made-up", "images_per_category = 2", "rule = \"at-least=2\""));
    hardset.line("build recipe.toml --run-dir run -q").ok();
    hardset
}

/// A release in `out`.
pub fn release(hardset: &Hardset, out: &str) -> Release {
    Release { path: hardset.path(out) }
}

pub struct Release {
    pub path: PathBuf,
}

impl Release {
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// `release.json`.
    pub fn record(&self) -> Value {
        self.json("release.json")
    }

    pub fn files(&self) -> Vec<String> {
        hashes(&self.path).into_keys().collect()
    }

    fn data_files(&self) -> impl Iterator<Item = PathBuf> {
        let names = self.files().into_iter().filter(|name| name.starts_with("data/"));
        names.map(|name| self.path.join(name)).collect::<Vec<_>>().into_iter()
    }

    /// The one data file, without its images: polars has no such column.
    pub fn table(&self) -> DataFrame {
        let files: Vec<PathBuf> = self.data_files().collect();
        let [path] = &files[..] else { panic!("{files:?}") };
        let mut reader = ParquetReader::new(fs::File::open(path).expect("it is there"));
        let schema = reader.schema().expect("it is a data file");
        let columns = schema.iter_names().map(|name| name.to_string()).filter(|name| name != "image").collect();
        reader.with_columns(Some(columns)).finish().expect("polars reads it")
    }

    /// The rows with their images.
    pub fn rows(&self) -> Vec<ReleaseRowCheck> {
        let mut rows = Vec::new();
        for path in self.data_files() {
            let file = ReleaseFile::open(&path).expect("it is a data file");
            file.rows(true, |row| rows.push(row)).expect("its rows can be read");
        }
        rows
    }

    pub fn items(&self) -> Vec<u32> {
        numbers(&self.table(), "item_id")
    }

    /// Rows of a CSV below its head; all of them have as many cells as the head.
    pub fn csv(&self, name: &str, head: &[&str]) -> Vec<Vec<String>> {
        let delimiter = if name.starts_with("questions/") { b'\t' } else { b',' };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .from_path(self.path.join(name))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(reader.headers().expect("a head").iter().collect::<Vec<_>>(), head, "{name}");
        let row = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
        reader.records().map(|record| row(record.unwrap_or_else(|e| panic!("{name}: {e}")))).collect()
    }

    /// `excluded.csv`: reason and detail by item.
    pub fn excluded(&self) -> BTreeMap<u32, (String, String)> {
        let rows = self.csv("excluded.csv", &["item_id", "category", "reason", "detail"]);
        let row = |row: &Vec<String>| (row[0].parse().expect("a number"), (row[2].clone(), row[3].clone()));
        rows.iter().map(row).collect()
    }

    /// `near-duplicates.csv`: item, what it is like, and whether it is left out.
    pub fn near(&self) -> Vec<(u32, String, bool)> {
        let rows = self.csv("near-duplicates.csv", &["item_id", "like", "distance_bits", "excluded"]);
        rows.iter().map(|row| (row[0].parse().expect("a number"), row[1].clone(), row[3] == "true")).collect()
    }

    /// What the card says in front of all else but its title.
    pub fn first_paragraph(&self) -> String {
        let card = self.text("README.md");
        let body = card.splitn(3, "---\n").nth(2).expect("there is a front matter");
        let mut blocks = body.split("\n\n").map(str::trim).filter(|block| !block.is_empty());
        assert!(blocks.next().is_some_and(|title| title.starts_with("# ")), "{body}");
        blocks.next().unwrap_or_default().to_owned()
    }
}

/// The hard items of a run, ascending, with their categories.
pub fn hard(run: &Path) -> Vec<(u32, String)> {
    let manifest = table(&run.join("manifest.parquet"));
    let flags = manifest.column("hard").and_then(|column| column.bool()).expect("flags").clone();
    let items = numbers(&manifest, "item_id").into_iter().zip(strings(&manifest, "category"));
    items.zip(flags.iter()).filter(|(_, hard)| *hard == Some(true)).map(|(item, _)| item).collect()
}

pub fn hard_items(run: &Path) -> Vec<u32> {
    hard(run).into_iter().map(|(item, _)| item).collect()
}

/// A column of numbers without gaps.
pub fn numbers(table: &DataFrame, column: &str) -> Vec<u32> {
    let column = table.column(column).and_then(|column| column.u32()).unwrap_or_else(|e| panic!("{column}: {e}"));
    column.into_no_null_iter().collect()
}

/// A column of lists, each as its elements' texts.
pub fn lists(table: &DataFrame, column: &str) -> Vec<Vec<String>> {
    let column = table.column(column).and_then(|column| column.list()).unwrap_or_else(|e| panic!("{column}: {e}"));
    let texts = |list: polars::prelude::Series| {
        list.iter().map(|value| value.get_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
    };
    (0..column.len()).map(|row| column.get_as_series(row).map(texts).unwrap_or_default()).collect()
}

/// A picture of soft blotches, 96 px a side; those of two seeds have nothing to do with each other.
pub fn picture(seed: u64) -> RgbImage {
    const SIDE: usize = 96;
    const CELLS: usize = 6;
    let stream = Philox::new(seed, 3);
    let knot = |x: usize, y: usize, c: usize| 20.0 + 200.0 * stream.unit_f32(((y * (CELLS + 1) + x) * 3 + c) as u64);
    let mut pixels = Vec::with_capacity(3 * SIDE * SIDE);
    for (y, x) in (0..SIDE * SIDE).map(|at| (at / SIDE, at % SIDE)) {
        let at = |place: usize| (place * CELLS / SIDE, (place * CELLS % SIDE) as f32 / SIDE as f32);
        let ((cx, fx), (cy, fy)) = (at(x), at(y));
        let row = |y: usize, c: usize| knot(cx, y, c) * (1.0 - fx) + knot(cx + 1, y, c) * fx;
        pixels.extend((0..3).map(|c| (row(cy, c) * (1.0 - fy) + row(cy + 1, c) * fy) as u8));
    }
    RgbImage::new(SIDE as u32, SIDE as u32, pixels).expect("it has as many bytes as it should")
}

pub fn png(seed: u64) -> Vec<u8> {
    hardset::imaging::encode_png(&picture(seed), &[]).expect("it can be written")
}

/// A run `<name>-run` over photographs in `<name>-photos`: name, bytes and category of each. Made-up classifiers fail
/// on all.
pub fn photographed(hardset: &Hardset, name: &str, photos: &[(String, Vec<u8>, &str)]) {
    let mut labels = "path,label\n".to_owned();
    for (file, bytes, category) in photos {
        hardset.write(&format!("{name}-photos/{file}"), bytes);
        labels += &format!("{file},{category}\n");
    }
    hardset.write(&format!("{name}.csv"), labels);
    hardset.write(
        &format!("{name}.toml"),
        format!(
            "name = \"pictures\"\ncategories = \"imagenet-d\"\n\n[generate]\nsource = \"folder\"\nlabels = \"csv\"\n\
             root = \"{name}-photos\"\nlabels_csv = \"{name}.csv\"\n\n\
             [mine]\nsurrogates = [\"fake-a\", \"fake-b\"]\nrule = \"all\"\n"
        ),
    );
    hardset.line(&format!("build {name}.toml --run-dir {name}-run -q")).ok();
    assert_eq!(hard_items(&hardset.path(&format!("{name}-run"))).len(), photos.len(), "all are hard");
}
