//! The tables of an evaluation's figures: `results.parquet`, `comparisons.parquet`, `agreement.parquet`.
//!
//! Long tables with one row for each figure, so that people filter them in polars or DuckDB.

use polars::prelude::*;

use super::frame::{self, TableError};
use crate::domain::{AgreementRow, ComparisonRow, Figure};

/// `results.parquet`.
pub fn encode_figures(rows: &[Figure]) -> Result<Vec<u8>, TableError> {
    frame::encode(vec![
        texts("target", rows, |row| &row.target),
        texts("space", rows, |row| &row.space),
        texts("metric", rows, |row| &row.metric),
        texts("group_by", rows, |row| &row.group_by),
        texts("group", rows, |row| &row.group),
        numbers("value", rows, |row| row.value),
        numbers("low", rows, |row| row.low),
        numbers("high", rows, |row| row.high),
        counts("n", rows, |row| row.n),
        texts("method", rows, |row| &row.method),
    ])
}

/// `comparisons.parquet`.
pub fn encode_comparisons(rows: &[ComparisonRow]) -> Result<Vec<u8>, TableError> {
    frame::encode(vec![
        texts("a", rows, |row| &row.a),
        texts("b", rows, |row| &row.b),
        texts("space", rows, |row| &row.space),
        counts("n", rows, |row| row.n),
        counts("only_a", rows, |row| row.only_a),
        counts("only_b", rows, |row| row.only_b),
        numbers("difference", rows, |row| Some(row.difference)),
        numbers("low", rows, |row| row.low),
        numbers("high", rows, |row| row.high),
        numbers("p_mcnemar", rows, |row| Some(row.p_mcnemar)),
        numbers("p_cluster", rows, |row| row.p_cluster),
        numbers("p_holm", rows, |row| Some(row.p_holm)),
        numbers("equivalent_within", rows, |row| row.equivalent_within),
    ])
}

/// `agreement.parquet`.
pub fn encode_agreements(rows: &[AgreementRow]) -> Result<Vec<u8>, TableError> {
    frame::encode(vec![
        texts("a", rows, |row| &row.a),
        texts("b", rows, |row| &row.b),
        Column::new("b_is_surrogate".into(), rows.iter().map(|row| row.b_is_surrogate).collect::<Vec<bool>>()),
        texts("space", rows, |row| &row.space),
        counts("n", rows, |row| row.n),
        numbers("kappa", rows, |row| row.kappa),
        numbers("observed", rows, |row| Some(row.observed)),
        numbers("expected", rows, |row| Some(row.expected)),
        numbers("same_wrong_class", rows, |row| row.same_wrong_class),
    ])
}

fn texts<T>(name: &str, rows: &[T], text: fn(&T) -> &str) -> Column {
    Column::new(name.into(), rows.iter().map(text).collect::<Vec<&str>>())
}

fn numbers<T>(name: &str, rows: &[T], number: fn(&T) -> Option<f64>) -> Column {
    Column::new(name.into(), rows.iter().map(number).collect::<Vec<Option<f64>>>())
}

fn counts<T>(name: &str, rows: &[T], count: fn(&T) -> u64) -> Column {
    Column::new(name.into(), rows.iter().map(count).collect::<Vec<u64>>())
}
