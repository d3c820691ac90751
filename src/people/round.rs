//! A round of task sheets: the sheets that one export made together.
//!
//! Does not read or write it: `stage::annotate` does.

use std::collections::BTreeSet;

use crate::domain::{ItemId, Task};

/// The tasks of one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// Its number, from 0.
    pub index: usize,
    /// Sheet by sheet, in order.
    pub tasks: Vec<Task>,
}

impl Round {
    /// The sheets.
    pub fn sheets(&self) -> impl Iterator<Item = &[Task]> {
        self.tasks.chunk_by(|a, b| a.batch == b.batch)
    }

    /// Assignments that the round asks for: the number of people of a sheet, summed over all sheets.
    pub fn assignments(&self) -> u64 {
        self.sheets().map(|sheet| u64::from(sheet[0].people)).sum()
    }

    /// Items that people are asked to judge.
    pub fn judged(&self) -> BTreeSet<ItemId> {
        self.tasks.iter().filter_map(Task::judged).collect()
    }
}
