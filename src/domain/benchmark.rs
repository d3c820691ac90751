//! A pool whose images somebody else has made: a release, a run, or the folder of a published benchmark.
//!
//! Data only: `source::benchmark` detects layouts, lists images and finds their labels. Holds always: nothing is
//! written into such a pool, and its images are read where they are.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Sha256;

/// A pool whose images somebody else has made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkSource {
    /// The folder.
    pub root: PathBuf,
    /// How images and labels lie below it.
    pub layout: BenchmarkLayout,
    /// What tells its contents from those of other pools: of a release the hash of its `SHA256SUMS`, else that of the
    /// images' names and sizes, or of the records of a run.
    pub contents: Sha256,
    /// The folder of photographs of a run that has such; its images lie below it and not below `root`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photographs: Option<PathBuf>,
    /// What names the classes of [`BenchmarkLayout::ImageFolder`]; `None` for other layouts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folders: Option<FolderNames>,
    /// The columns of [`BenchmarkLayout::Parquet`]; `None` for other layouts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<ParquetColumns>,
    /// Pixels that are cut off at each side before anything else; 0 for most.
    pub border_px: u32,
    /// An image of this many pixels on both sides is ready for models: it is not resized again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared_px: Option<u32>,
    /// Largest picture that is decoded.
    pub max_pixels: u64,
    /// Largest image that is read.
    pub max_file_bytes: u64,
}

impl BenchmarkSource {
    /// The largest picture that is decoded by default: above it, Pillow warns of a decompression bomb.
    pub const MAX_PIXELS: u64 = 89_478_485;
    /// The largest image that is read by default.
    pub const MAX_FILE_BYTES: u64 = 256 << 20;

    /// Its name without its path, because documents may be published.
    pub fn name(&self) -> String {
        self.root.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// How the images and labels of a benchmark lie below its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BenchmarkLayout {
    /// A release of hardset.
    Release,
    /// A run of hardset: its images in tar files, or its folder of photographs.
    Run,
    /// Parquet with a column of images, as Hugging Face's `datasets` writes it.
    Parquet,
    /// ImageNet-D: `<kind>/<category>/<file>`.
    ImagenetD,
    /// ImageNet-C: `<corruption>/<severity>/<WordNet id>/<file>`.
    ImagenetC,
    /// ObjectNet: folders of its 313 names, of which 113 have classes of ImageNet; a border of two pixels.
    Objectnet,
    /// One folder for each class, or files that name it: [`FolderNames`].
    ImageFolder,
    /// Any folder of images, of none of the categories; never detected.
    Unlabelled,
}

impl BenchmarkLayout {
    /// The layouts that people can name: all that have labels.
    pub const ALL: [Self; 7] =
        [Self::Release, Self::Run, Self::Parquet, Self::ImagenetD, Self::ImagenetC, Self::Objectnet, Self::ImageFolder];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Run => "run",
            Self::Parquet => "parquet",
            Self::ImagenetD => "imagenet-d",
            Self::ImagenetC => "imagenet-c",
            Self::Objectnet => "objectnet",
            Self::ImageFolder => "image-folder",
            Self::Unlabelled => "unlabelled",
        }
    }

    /// What it is, for messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Release => "a release",
            Self::Run => "a run",
            Self::Parquet => "Parquet with images",
            Self::ImagenetD => "ImageNet-D's tree, <kind>/<category>/<file>",
            Self::ImagenetC => "ImageNet-C's tree, <corruption>/<severity>/<WordNet id>/<file>",
            Self::Objectnet => "ObjectNet's folders",
            Self::ImageFolder => "a folder for each class",
            Self::Unlabelled => "images without labels",
        }
    }
}

impl fmt::Display for BenchmarkLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BenchmarkLayout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|layout| layout.name() == text);
        found.ok_or_else(|| {
            format!("`{text}` is not a layout of pools; write one of {}", Self::ALL.map(Self::name).join(", "))
        })
    }
}

/// What names the class of an image in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FolderNames {
    /// The folder: a WordNet id, or the id or name of a category.
    Label,
    /// The folder: an index of ImageNet-1k, 0 to 999, with or without zeros before it.
    ClassIndex,
    /// The one WordNet id in the file's name.
    WordnetId,
}

/// Where images and labels are in Parquet files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParquetColumns {
    /// The column of images.
    pub image: String,
    /// The column of labels.
    pub label: String,
    /// The only file, relative to the root; `None`: all Parquet files below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The split; `None`: files of all splits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
}
