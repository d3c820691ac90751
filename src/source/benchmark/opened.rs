//! What people say of a pool, and what is known of it once it is opened.

use crate::domain::{BenchmarkLayout, BenchmarkSource, CategorySet, Sha256, SurrogateRecord};

/// What people say of a pool; what they leave out is detected or has a default.
#[derive(Debug, Clone, Default)]
pub struct PoolOptions {
    /// How images and labels lie in it.
    pub layout: Option<BenchmarkLayout>,
    /// What its images show.
    pub categories: Option<CategorySet>,
    /// The column of images, for Parquet.
    pub image_column: Option<String>,
    /// The column of labels, for Parquet.
    pub label_column: Option<String>,
    /// The split, for Parquet.
    pub split: Option<String>,
    /// See [`BenchmarkSource::prepared_px`]; ImageNet-C has 224.
    pub prepared_px: Option<u32>,
    /// See [`BenchmarkSource::border_px`]; ObjectNet has 2.
    pub border_px: Option<u32>,
}

/// A pool that can be evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedPool {
    /// Its images.
    pub source: BenchmarkSource,
    /// What they show.
    pub categories: CategorySet,
    /// Its name: of a release or a run that of the recipe, else that of the folder.
    pub name: String,
    /// The version of a release.
    pub version: Option<String>,
    /// Hash of a release's `SHA256SUMS`.
    pub key: Option<Sha256>,
    /// Whoever mined it: of a release its surrogates, of a run the voters of its mining.
    pub surrogates: Vec<SurrogateRecord>,
    /// What people should know: what was detected, what is left out.
    pub notes: Vec<String>,
}
