//! The documents of a release: records in, text or bytes out.
//!
//! Does not read or write files, ask the clock, decode images or compute a statistic; the caller has counted and
//! hashed. Holds always: the same records give the same bytes; whatever a name contains (markup, quotes, line breaks,
//! marks of direction, `../`), each document stays valid and each name stays one value in it, because names come from
//! outside; a release that no person has looked at says so before anything else, because its labels may be wrong.
//!
//! Sources: Gebru et al., "Datasheets for Datasets" (2021), for what the card answers; the Hugging Face hub's dataset
//! cards; Croissant 1.1 and its RAI vocabulary 1.0; Citation File Format 1.2.0.

mod card;
mod changes;
mod citation;
mod croissant;
mod licence;
mod names;
mod rows;
mod sums;
mod tables;
mod text;
mod words;

#[cfg(test)]
mod tests;

use crate::domain::ColumnFacts;

pub use card::{card, card_lacks};
pub use changes::{ChangeLines, Changes, Relabelled, changes_md};
pub use citation::{bibtex, citation_cff, citation_lacks};
pub use croissant::{croissant, croissant_lacks};
pub use names::{class_names, safe_name, safe_names};
pub use rows::{json_columns, sample_texts, stem};
pub use sums::{read_sums, sha256sums};
pub use tables::{
    ExcludedRow, MetadataRow, NearRow, QuestionRow, excluded_csv, labels_json, metadata_line, near_csv, questions_csv,
    read_excluded, read_near, read_questions,
};

/// Pattern of the data files in the card and in `croissant.json`, relative to the release.
pub const DATA_FILES: &str = "data/test-*.parquet";

/// Everything that the documents of a release contain. The order of every list is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// Short name, for example that of the pipeline.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// The title; if it is empty, the name is used.
    pub title: String,
    /// Name and version of the program, for example `hardset 0.1.0`.
    pub tool: String,
    /// The images' licence: an id of SPDX or of the hub, in any case, or other words, which documents repeat.
    pub license: String,
    /// Its page; left out if it is not an `http` or `https` address.
    pub homepage: Option<String>,
    /// The authors: `Family, Given` or any other name.
    pub authors: Vec<String>,
    /// A description in the authors' own words.
    pub description: Option<String>,
    /// Other works to cite with it, each as one text.
    pub citation_of: Vec<String>,
    /// Facts about the people who judged it; `None` for a hard set that nobody has looked at.
    pub verified: Option<PeopleFacts>,
    /// Images in the release.
    pub images: u64,
    /// Images in the pool that was mined.
    pub pool_items: u64,
    /// Of the pool, those in the hard set.
    pub hard_items: u64,
    /// Hard images that are not in the release, as (reason, number).
    pub excluded: Vec<(String, u64)>,
    /// The treatment of near duplicates, in words.
    pub near_duplicates: String,
    /// Other forms beside the data files, as (folder, description).
    pub forms: Vec<(String, String)>,
    /// When an image is hard, for example `at-least=3`.
    pub rule: String,
    /// The classes among which a prediction is taken: `any-of-ids` or `masked`.
    pub label_space: String,
    /// Name of the mining, as in the run directory.
    pub mining: String,
    /// Where the images come from.
    pub source: SourceFacts,
    /// The categories; the index in this list, from 0, is the image's label.
    pub categories: Vec<CategoryFacts>,
    /// Kinds of nuisance with their images; may be empty.
    pub kinds: Vec<(String, u64)>,
    /// The surrogates.
    pub surrogates: Vec<SurrogateFacts>,
    /// Columns of the data files, in their order.
    pub columns: Vec<ColumnFacts>,
    /// The data files.
    pub files: Vec<FileFacts>,
    /// Hexadecimal SHA-256 of the resolved recipe.
    pub recipe_sha256: String,
    /// Date of the release as `YYYY-MM-DD`, if the recipe has one; left out if it is not such a date.
    pub date: Option<String>,
    /// What changed since an older release.
    pub changes: Option<ChangeFacts>,
}

/// Facts about the people who judged the images.
#[derive(Debug, Clone, PartialEq)]
pub struct PeopleFacts {
    /// Images that they judged, in the release or not.
    pub judged: u64,
    /// People who took part.
    pub people: u64,
    /// Sheets that they filled in.
    pub assignments: u64,
    /// Sheets set aside because of their sentinels.
    pub set_aside: u64,
    /// When an image is accepted, in words.
    pub rule: String,
    /// Facts about each question.
    pub questions: Vec<QuestionFacts>,
}

/// One question to people and their agreement on it.
#[derive(Debug, Clone, PartialEq)]
pub struct QuestionFacts {
    /// The question.
    pub text: String,
    /// The smallest accepted share of `yes`, in [0, 1].
    pub accept_at: f64,
    /// Votes that count.
    pub votes: u64,
    /// Share of pairs of votes on one image that are equal, in [0, 1].
    pub percent_agreement: Option<f64>,
    /// Krippendorff's alpha, at most 1.
    pub alpha: Option<f64>,
    /// Its 95 % interval.
    pub alpha_interval: Option<(f64, f64)>,
}

/// Where the images come from.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceFacts {
    /// A folder of photographs.
    Photographs {
        /// The folder's name, without its path.
        folder_name: String,
    },
    /// A pool whose images somebody else has made.
    Benchmark {
        /// The name of its folder, without its path.
        name: String,
        /// How its images lie there, in words.
        layout: &'static str,
    },
    /// A text-to-image model.
    Diffusion {
        /// Its name.
        model: String,
        /// Hexadecimal SHA-256 of its weights.
        model_sha256: String,
        /// Its licence, if it is known.
        model_licence: Option<String>,
        /// The sampler's name.
        sampler: String,
        /// Steps of the sampler.
        steps: u32,
        /// Scale of the classifier-free guidance.
        guidance: f64,
        /// Width of the images.
        width_px: u32,
        /// Their height.
        height_px: u32,
    },
    /// Noise, for trying a recipe.
    Fake,
}

/// One category.
#[derive(Debug, Clone, PartialEq)]
pub struct CategoryFacts {
    /// Its id, unique in the release.
    pub id: String,
    /// Its readable name.
    pub name: String,
    /// ImageNet-1k classes that count as right.
    pub imagenet_ids: Vec<u32>,
    /// The same of each list of classes of the release, by its name.
    pub list_ids: Vec<(String, Vec<u32>)>,
    /// Its images in the release.
    pub images: u64,
}

/// One surrogate.
#[derive(Debug, Clone, PartialEq)]
pub struct SurrogateFacts {
    /// Its name.
    pub name: String,
    /// Hexadecimal SHA-256 of its weights.
    pub weights_sha256: String,
    /// Whether another program has made its predictions; the hash is then that of their file.
    pub is_imported: bool,
    /// Name of its class space.
    pub space: String,
    /// How many classes that has.
    pub classes: u64,
    /// Licence of the weights, if it is known.
    pub licence: Option<String>,
    /// Top-1 accuracy on the pool, in [0, 1]; NaN if it is undefined.
    pub accuracy_on_pool: f64,
    /// Top-1 accuracy on the images of the release, in [0, 1]; NaN if it is undefined.
    pub accuracy_on_release: f64,
}

/// One data file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileFacts {
    /// Path relative to the release, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Hexadecimal SHA-256.
    pub sha256: String,
    /// Images in it.
    pub rows: u64,
}

/// What changed since an older release, in numbers; [`Changes`] has the lists.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeFacts {
    /// Version of the older release.
    pub base_version: String,
    /// Images that are new.
    pub added: u64,
    /// Images that are gone.
    pub removed: u64,
    /// Images whose category has changed.
    pub relabelled: u64,
}

impl Release {
    /// The title, or the name if there is no title.
    pub fn called(&self) -> &str {
        if self.title.trim().is_empty() { &self.name } else { &self.title }
    }
}
