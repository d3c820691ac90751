//! The nouns of a release: its section of a recipe, its columns and cells, and its record.
//!
//! Holds always: a cell has the type of its column, because Parquet has one type per column; a release never changes,
//! because others cite it, so a corrected release has another version.

use serde::{Deserialize, Serialize};

use super::time::text_of_time;
use super::{FormatVersion, Sha256};

/// The section `[release]` of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReleaseSpec {
    /// Semantic version.
    pub version: String,
    /// The title; empty: the recipe's name.
    pub title: String,
    /// Licence of the images: an SPDX id, an id of the Hugging Face hub, or other words.
    pub license: String,
    /// The authors: `Family, Given` or any other name.
    pub authors: Vec<String>,
    /// A description in the authors' own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The address of its page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Other works to cite with it.
    pub cite: Vec<String>,
    /// Date as `YYYY-MM-DD`. It is never taken from the clock, because the same run must give the same release.
    #[serde(deserialize_with = "text_of_time", skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// What happens to near duplicates.
    pub near_duplicates: NearDuplicates,
    /// Two images are near duplicates if their 64-bit perceptual hashes differ in at most this number of bits.
    pub max_distance: u32,
}

impl Default for ReleaseSpec {
    fn default() -> Self {
        Self {
            version: "1.0.0".to_owned(),
            title: String::new(),
            license: "unknown".to_owned(),
            authors: Vec::new(),
            description: None,
            homepage: None,
            cite: Vec::new(),
            date: None,
            near_duplicates: NearDuplicates::Exclude,
            max_distance: MAX_DISTANCE,
        }
    }
}

/// The reason is in decision 0013 (`docs/decisions/`).
const MAX_DISTANCE: u32 = 4;

/// Whether `text` is an `http` or `https` address without characters that would end a link or a field of a document.
pub fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_safe = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}()'[]".contains(c);
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(is_safe))
}

/// What happens to images that look like another image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NearDuplicates {
    /// One of them stays; the others are left out and listed.
    Exclude,
    /// All stay; they are listed.
    Keep,
}

/// Other forms of a release, beside the data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseForm {
    /// ImageNet-D's tree, `<kind>/<category>/<file>`, with `metadata.jsonl`.
    ImageFolder,
    /// Tar files.
    WebDataset,
    /// A folder of images with `labels.json`.
    FiftyOne,
}

impl ReleaseForm {
    /// The folder of the form inside the release.
    pub fn folder(self) -> &'static str {
        match self {
            Self::ImageFolder => "imagefolder",
            Self::WebDataset => "webdataset",
            Self::FiftyOne => "fiftyone",
        }
    }
}

/// What a column of a release holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// `struct<bytes, path>`: an encoded image.
    Image,
    /// `int64`: index in the list of categories.
    ClassLabel,
    /// UTF-8.
    Text,
    /// True or false.
    Bool,
    /// `int32`.
    Int32,
    /// `int64`.
    Int64,
    /// `uint32`.
    UInt32,
    /// `uint64`.
    UInt64,
    /// `float32`.
    Float32,
    /// `float64`.
    Float64,
    /// List of UTF-8.
    TextList,
    /// List of `int32`.
    Int32List,
    /// List of `float32`.
    Float32List,
}

/// One column of the data files.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnFacts {
    /// Its name, as in the files.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// What it means.
    pub description: String,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the variants are those of `ColumnKind`")]
pub enum Cell {
    /// No value is known.
    Null,
    /// Encoded image and the name of its file.
    Image(Vec<u8>, String),
    Text(String),
    Bool(bool),
    Int32(i32),
    /// Also class labels.
    Int64(i64),
    UInt32(u32),
    UInt64(u64),
    Float32(f32),
    Float64(f64),
    TextList(Vec<String>),
    Int32List(Vec<i32>),
    Float32List(Vec<f32>),
}

impl Cell {
    /// A cell of text, or [`Cell::Null`].
    pub fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(text.to_owned()))
    }
}

/// One row of the data files: one cell for each column, the image first.
pub type ReleaseRow = Vec<Cell>;

/// `release.json`: the description of a release for programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReleaseRecord {
    /// Version of the layout of a release.
    pub format: FormatVersion,
    /// Name and version of the program that made it.
    pub tool: String,
    /// Hash of everything that it was made from and of how it was made.
    pub key: Sha256,
    /// Name of the recipe.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// Whether people have accepted its images.
    pub verified: bool,
    /// Name of the mining.
    pub mining: String,
    /// Images.
    pub images: u64,
    /// Images of the pool that was mined.
    pub pool_images: u64,
    /// Hard images that were left out: the rows of `excluded.csv`.
    pub excluded: u64,
    /// Rows of `near-duplicates.csv`.
    pub near_duplicates: u64,
    /// Folders and releases whose images it does not repeat.
    pub compared: Vec<ComparedRecord>,
    /// What people did; `None` if nobody was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<PeopleRecord>,
    /// Categories by label, with their images.
    pub categories: Vec<CategoryCount>,
    /// Surrogates with the hashes of their weights.
    pub surrogates: Vec<SurrogateRecord>,
    /// Data files with their images, sizes and hashes.
    pub files: Vec<DataFileRecord>,
    /// Other forms beside the data files.
    pub also: Vec<ReleaseForm>,
    /// What changed since an older release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseRecord>,
}

/// A category of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryCount {
    /// Its id.
    pub id: String,
    /// Its class in the data files.
    pub class: String,
    /// Its images.
    pub images: u64,
}

/// A surrogate of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurrogateRecord {
    /// Its name.
    pub name: String,
    /// Hash of its weights; `None` for a fake surrogate.
    pub weights_sha256: Option<Sha256>,
    /// Images of the pool on which it is right.
    pub right_on_pool: u64,
}

/// A folder or release that a release was compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedRecord {
    /// The folder's name, without its path.
    pub name: String,
    /// Its images.
    pub images: u64,
    /// More of its images, which could not be read and were not compared.
    pub unread: u64,
}

/// What people did for a release, in numbers; its data files have the votes on the images that it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeopleRecord {
    /// Images that they judged, in the release or not.
    pub judged: u64,
    /// People who took part.
    pub people: u64,
    /// Sheets that they filled in.
    pub assignments: u64,
    /// Sheets that were set aside because of their sentinels.
    pub set_aside: u64,
    /// The questions, in the recipe's order.
    pub questions: Vec<QuestionRecord>,
}

/// How far people agree on one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuestionRecord {
    /// Its id.
    pub id: String,
    /// Votes that count.
    pub votes: u64,
    /// Share of pairs of votes on one image that are equal, in [0, 1].
    pub percent_agreement: Option<f64>,
    /// Krippendorff's alpha, at most 1.
    pub alpha: Option<f64>,
    /// Its 95 % interval.
    pub alpha_interval: Option<[f64; 2]>,
}

/// A data file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFileRecord {
    /// Its path.
    pub path: String,
    /// Its images.
    pub images: u64,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub sha256: Sha256,
}

/// What changed since an older release, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseRecord {
    /// Name of the older release, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Version of the older release.
    pub version: String,
    /// Its key.
    pub key: Sha256,
    /// Images that are new.
    pub added: u64,
    /// Images that are gone.
    pub removed: u64,
    /// Images whose category has changed.
    pub relabelled: u64,
}

impl BaseRecord {
    /// The version of the older release, with its name if that differs.
    pub fn called(&self) -> String {
        self.name.as_ref().map_or_else(|| self.version.clone(), |name| format!("{name} {}", self.version))
    }
}
