//! The items that a source lists for a plan: as a list, or computed one by one by their numbers.
//!
//! Does not read folders or make prompts: each source lists its own items.

use std::ops::Range;

use super::fake_rows::FakeRows;
use super::grid::Grid;
use crate::domain::{DropRow, PassedOver, PlanRow};

/// The items of a source, and what it leaves out.
#[derive(Debug, Clone)]
pub struct Listing {
    /// What to make or read; item ids ascending.
    pub rows: Rows,
    /// What is left out of the plan, and why.
    pub lost: Vec<DropRow>,
    /// Files that are no images by their names.
    pub passed_over: PassedOver,
    /// What people should know about it.
    pub notes: Vec<String>,
}

impl Listing {
    /// A listing of which there is nothing more to say.
    pub fn of(rows: Rows) -> Self {
        Self { rows, lost: Vec::new(), passed_over: PassedOver::default(), notes: Vec::new() }
    }
}

/// The items of a source.
#[derive(Debug, Clone)]
pub enum Rows {
    /// One by one.
    Listed(Vec<PlanRow>),
    /// Prompts, by number.
    Grid(Grid),
    /// Fake images, by number.
    Fake(FakeRows),
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Listed(rows) => rows.len(),
            Self::Grid(grid) => grid.len() as usize,
            Self::Fake(rows) => rows.len() as usize,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those at `range`.
    pub fn part(&self, range: Range<usize>) -> Vec<PlanRow> {
        match self {
            Self::Listed(rows) => rows[range].to_vec(),
            Self::Grid(grid) => range.map(|at| grid.row(at as u32)).collect(),
            Self::Fake(rows) => range.map(|at| rows.row(at as u32)).collect(),
        }
    }

    /// Categories with at least one of them.
    pub fn categories(&self) -> u64 {
        match self {
            Self::Listed(rows) => {
                let mut categories: Vec<&str> = rows.iter().map(|row| row.category.as_str()).collect();
                categories.sort_unstable();
                categories.dedup();
                categories.len() as u64
            }
            Self::Grid(grid) => grid.categories(),
            Self::Fake(rows) => rows.categories(),
        }
    }
}
