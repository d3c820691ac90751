//! `results/<target>/NNNNN.parquet`: for each image of a shard of the pool what it shows and what a target made of it.
//!
//! Holds always: every image of the pool has a row, also one that was not scored (`lost` then says why, and the other
//! columns are null), because a denominator must not shrink where a model fails. Columns have the names of a run's
//! predictions (`docs/run-directory.md`).

use std::path::Path;

use polars::prelude::*;

use super::frame::{self, TableError};
use crate::domain::{MinerRow, Prediction, ResultRow, SpacePrediction};

/// The rows as Parquet.
pub fn encode(rows: &[ResultRow]) -> Result<Vec<u8>, TableError> {
    let predictions: Vec<Option<&Prediction>> = rows.iter().map(|row| row.prediction.as_ref().ok()).collect();
    let texts = |name: &str, text: fn(&ResultRow) -> Option<&str>| {
        Column::new(name.into(), rows.iter().map(text).collect::<Vec<Option<&str>>>())
    };
    let sha256: Vec<Option<String>> = rows.iter().map(|row| row.sha256.map(|hash| hash.to_string())).collect();
    let mut columns = vec![
        Column::new("item_id".into(), rows.iter().map(|row| row.item_id.0).collect::<Vec<u32>>()),
        texts("path", |row| Some(&row.path)),
        Column::new("sha256".into(), sha256),
        texts("category", |row| Some(&row.category)),
        texts("nuisance_kind", |row| row.kind.as_deref()),
        texts("nuisance", |row| row.nuisance.as_deref()),
        texts("lost", |row| row.prediction.as_ref().err().map(String::as_str)),
    ];
    columns.extend(space_columns("", &predictions, |row| &row.any));
    columns.extend(space_columns("masked_", &predictions, |row| &row.masked));
    columns.extend([
        frame::lists("top5_ids", predictions.iter().map(|row| row.map_or(&[][..], |row| &row.top5_ids))),
        frame::f32_lists("top5_probs", predictions.iter().map(|row| row.map_or(&[][..], |row| &row.top5_probs))),
        optional("true_rank", &predictions, |row| Some(row.true_rank)),
        optional("max_logit", &predictions, |row| row.max_logit),
        optional("energy", &predictions, |row| row.energy),
        optional("masked_max_logit", &predictions, |row| row.masked_max_logit),
        optional("masked_energy", &predictions, |row| row.masked_energy),
    ]);
    frame::encode(columns)
}

fn space_columns(prefix: &str, rows: &[Option<&Prediction>], of: fn(&Prediction) -> &SpacePrediction) -> [Column; 6] {
    let name = |name: &str| format!("{prefix}{name}");
    [
        optional(&name("top1_id"), rows, |row| Some(of(row).top1_id)),
        optional(&name("top1_prob"), rows, |row| Some(of(row).top1_prob)),
        optional(&name("correct"), rows, |row| Some(of(row).correct)),
        optional(&name("true_prob"), rows, |row| Some(of(row).true_prob)),
        optional(&name("margin"), rows, |row| Some(of(row).margin)),
        optional(&name("brier"), rows, |row| of(row).brier),
    ]
}

/// A column with a value for each row that has a prediction.
fn optional<T>(name: &str, rows: &[Option<&Prediction>], value: impl Fn(&Prediction) -> Option<T>) -> Column
where
    Series: NamedFrom<Vec<Option<T>>, [Option<T>]>,
{
    let values: Vec<Option<T>> = rows.iter().map(|row| row.and_then(&value)).collect();
    Column::new(name.into(), values)
}

/// What the images of a pool show, in the pool's order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PoolColumns {
    /// Numbers.
    pub item_id: Vec<u32>,
    /// Paths in the pool.
    pub path: Vec<String>,
    /// Hashes; empty for an image that could not be read.
    pub sha256: Vec<String>,
    /// Ids of categories.
    pub category: Vec<String>,
    /// Kinds of nuisance, or corruptions.
    pub kind: Vec<Option<String>>,
    /// Nuisances, or severities.
    pub nuisance: Vec<Option<String>>,
}

/// What a target made of them, in the same order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResultColumns {
    /// The images that were not scored: their places, and why.
    pub lost: Vec<(usize, String)>,
    /// Label space `any-of-ids`.
    pub any: SpaceColumns,
    /// Label space `masked`.
    pub masked: SpaceColumns,
    /// Rank of the best accepted class, from 1; 0 where the image was not scored.
    pub true_rank: Vec<u32>,
    /// See [`Prediction`]; NaN where there is none.
    pub max_logit: Vec<f32>,
    /// As above.
    pub energy: Vec<f32>,
    /// As above.
    pub masked_max_logit: Vec<f32>,
    /// As above.
    pub masked_energy: Vec<f32>,
}

/// A target's answers in one label space; where the image was not scored, it is wrong and the numbers are NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpaceColumns {
    /// Top class; -1 where there is none.
    pub top1_id: Vec<i32>,
    /// Its probability.
    pub top1_prob: Vec<f32>,
    /// Whether it is right.
    pub correct: Vec<bool>,
    /// Probability of the accepted classes.
    pub true_prob: Vec<f32>,
    /// The image's term of the Brier score.
    pub brier: Vec<f32>,
}

impl ResultColumns {
    /// Adds the columns of the file at `path`, which follow those read before.
    pub fn add(&mut self, path: &Path) -> Result<(), TableError> {
        let frame = read(path, &NUMBERS)?;
        let start = self.true_rank.len();
        self.add_frame(&frame, start).map_err(|source| TableError::Read { file: path.display().to_string(), source })
    }

    fn add_frame(&mut self, frame: &DataFrame, start: usize) -> PolarsResult<()> {
        for (row, reason) in frame.column("lost")?.str()?.iter().enumerate() {
            self.lost.extend(reason.map(|reason| (start + row, reason.to_owned())));
        }
        self.any.add(frame, "")?;
        self.masked.add(frame, "masked_")?;
        self.true_rank.extend(frame.column("true_rank")?.u32()?.iter().map(|rank| rank.unwrap_or(0)));
        for (name, column) in [
            ("max_logit", &mut self.max_logit),
            ("energy", &mut self.energy),
            ("masked_max_logit", &mut self.masked_max_logit),
            ("masked_energy", &mut self.masked_energy),
        ] {
            column.extend(numbers(frame, name)?);
        }
        Ok(())
    }
}

impl SpaceColumns {
    fn add(&mut self, frame: &DataFrame, prefix: &str) -> PolarsResult<()> {
        let name = |name: &str| format!("{prefix}{name}");
        self.top1_id.extend(frame.column(&name("top1_id"))?.i32()?.iter().map(|id| id.unwrap_or(-1)));
        self.correct.extend(frame.column(&name("correct"))?.bool()?.iter().map(|right| right == Some(true)));
        self.top1_prob.extend(numbers(frame, &name("top1_prob"))?);
        self.true_prob.extend(numbers(frame, &name("true_prob"))?);
        self.brier.extend(numbers(frame, &name("brier"))?);
        Ok(())
    }
}

fn numbers(frame: &DataFrame, name: &str) -> PolarsResult<Vec<f32>> {
    Ok(frame.column(name)?.f32()?.iter().map(|number| number.unwrap_or(f32::NAN)).collect())
}

/// The columns that figures are made of.
const NUMBERS: [&str; 16] = [
    "lost",
    "top1_id",
    "top1_prob",
    "correct",
    "true_prob",
    "brier",
    "masked_top1_id",
    "masked_top1_prob",
    "masked_correct",
    "masked_true_prob",
    "masked_brier",
    "true_rank",
    "max_logit",
    "energy",
    "masked_max_logit",
    "masked_energy",
];

const SHOWN: [&str; 6] = ["item_id", "path", "sha256", "category", "nuisance_kind", "nuisance"];

impl PoolColumns {
    /// Adds the columns of the file at `path`, which follow those read before.
    pub fn add(&mut self, path: &Path) -> Result<(), TableError> {
        let frame = read(path, &SHOWN)?;
        self.add_frame(&frame).map_err(|source| TableError::Read { file: path.display().to_string(), source })
    }

    fn add_frame(&mut self, frame: &DataFrame) -> PolarsResult<()> {
        self.item_id.extend(frame::u32s(frame, "item_id")?);
        self.path.extend(frame::full_strings(frame, "path")?);
        self.sha256.extend(frame::full_strings(frame, "sha256")?);
        self.category.extend(frame::full_strings(frame, "category")?);
        self.kind.extend(frame::strings(frame, "nuisance_kind")?);
        self.nuisance.extend(frame::strings(frame, "nuisance")?);
        Ok(())
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.item_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.item_id.is_empty()
    }
}

fn optional_texts(texts: &[Option<String>]) -> Vec<Option<&str>> {
    texts.iter().map(Option::as_deref).collect()
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn read(path: &Path, columns: &[&str]) -> Result<DataFrame, TableError> {
    frame::ShardFile::read(path)?.columns(columns)
}

/// What the images of a pool show, as Parquet.
pub fn encode_images(pool: &PoolColumns) -> Result<Vec<u8>, TableError> {
    frame::encode(vec![
        Column::new("item_id".into(), pool.item_id.clone()),
        Column::new("path".into(), texts(&pool.path)),
        Column::new("sha256".into(), texts(&pool.sha256)),
        Column::new("category".into(), texts(&pool.category)),
        Column::new("nuisance_kind".into(), optional_texts(&pool.kind)),
        Column::new("nuisance".into(), optional_texts(&pool.nuisance)),
    ])
}

/// What the surrogates gave for the images that they mined, as Parquet.
pub fn encode_miners(rows: &[MinerRow]) -> Result<Vec<u8>, TableError> {
    frame::encode(vec![
        Column::new("item_id".into(), rows.iter().map(|row| row.item_id.0).collect::<Vec<u32>>()),
        Column::new("surrogate".into(), rows.iter().map(|row| row.surrogate.as_str()).collect::<Vec<&str>>()),
        Column::new("correct".into(), rows.iter().map(|row| row.correct).collect::<Vec<bool>>()),
        Column::new("top1_id".into(), rows.iter().map(|row| row.top1_id).collect::<Vec<i32>>()),
    ])
}

/// The rows of [`encode_miners`].
pub fn decode_miners(path: &Path) -> Result<Vec<MinerRow>, TableError> {
    frame::read_rows(path, &["item_id", "surrogate", "correct", "top1_id"], |frame| {
        let (items, names) = (frame::u32s(frame, "item_id")?, frame::full_strings(frame, "surrogate")?);
        let (correct, top1) = (frame::bools(frame, "correct")?, frame::i32s(frame, "top1_id")?);
        let mut rows = Vec::with_capacity(items.len());
        for (at, surrogate) in names.into_iter().enumerate() {
            let item_id = crate::domain::ItemId(items[at]);
            rows.push(MinerRow { item_id, surrogate, correct: correct[at], top1_id: top1[at] });
        }
        Ok(rows)
    })
}
