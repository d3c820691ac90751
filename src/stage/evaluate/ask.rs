//! What people ask of an evaluation.
//!
//! Data only. Holds always: what is not asked is as in an earlier call of the same evaluation, else a default.

use std::path::{Path, PathBuf};

use crate::config::SurrogateDef;
use crate::domain::LabelSpace;
use crate::source::PoolOptions;

/// The margin of equivalence unless another is asked for: two points.
pub const MARGIN: f64 = 0.02;

/// Images in each part of the page's gallery, unless another number is asked for.
pub const GALLERY: usize = 60;

/// What is to be evaluated, and how.
pub struct Ask {
    /// The pool.
    pub pool: PathBuf,
    /// Its clean twin.
    pub clean: Option<PathBuf>,
    /// Images of none of its categories.
    pub ood: Option<PathBuf>,
    /// How to read the pool.
    pub options: PoolOptions,
    /// Further targets.
    pub targets: Vec<SurrogateDef>,
    /// Names of chat models, and files of their answers.
    pub answers: Vec<(String, PathBuf)>,
    /// The label spaces, the one that orders first; empty: as the pool is commonly evaluated.
    pub label_spaces: Vec<LabelSpace>,
    /// See `EvaluationRecord`.
    pub margin: Option<f64>,
    /// See `EvaluationRecord`.
    pub baseline: Option<String>,
    /// A table of standard models.
    pub fit: Option<PathBuf>,
    /// Its columns of clean accuracy and of accuracy on images like the pool's.
    pub fit_columns: Option<[String; 2]>,
    /// The published shift that the pool is, for the built-in line.
    pub shift: Option<String>,
    /// Whether the probabilities of all classes are kept.
    pub keep_logits: bool,
    /// Seed of everything random; `None`: that of an earlier call, or 0.
    pub seed: Option<u64>,
    /// Images in each part of the page's gallery, at most; `None`: as in an earlier call, or [`GALLERY`].
    pub max_images: Option<usize>,
}

impl Ask {
    /// What is asked without any option.
    pub fn of(pool: &Path) -> Self {
        Self {
            pool: pool.to_owned(),
            clean: None,
            ood: None,
            options: PoolOptions::default(),
            targets: Vec::new(),
            answers: Vec::new(),
            label_spaces: Vec::new(),
            margin: None,
            baseline: None,
            fit: None,
            fit_columns: None,
            shift: None,
            keep_logits: false,
            seed: None,
            max_images: None,
        }
    }
}
