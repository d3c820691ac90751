//! What is noticed of the scorers of a run, from the sums in the records of their predictions.
//!
//! Holds always: no table is read, because people ask for the status of large runs.

use std::fmt;

use crate::config::space_of;
use crate::domain::{RunSpec, ScoreSums};
use crate::stats::{ScoreWarning, score_warnings};
use crate::store::{RunDir, ShardRecord, StoreError};

/// A warning about one scorer.
#[derive(Debug, Clone, PartialEq)]
pub struct ScorerWarning {
    /// Its name.
    pub scorer: String,
    /// Whether it is a target.
    pub is_target: bool,
    /// What is noticed.
    pub warning: ScoreWarning,
}

impl fmt::Display for ScorerWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_target { "target" } else { "surrogate" };
        write!(f, "{kind} `{}`: {}", self.scorer, self.warning)
    }
}

impl ScorerWarning {
    /// The warnings about the scorer `name`; `records`: those of its predictions.
    pub fn of(spec: &RunSpec, name: &str, records: &[ShardRecord]) -> Vec<Self> {
        let mut sums = ScoreSums::default();
        for of_shard in records.iter().filter_map(|record| record.sums.as_ref()) {
            sums.add(of_shard);
        }
        Self::of_sums(spec, name, &sums)
    }

    /// The same; `sums`: those of its predictions.
    pub fn of_sums(spec: &RunSpec, name: &str, sums: &ScoreSums) -> Vec<Self> {
        let is_target = spec.mine.targets.iter().any(|target| target == name);
        let scorer = spec.mine.surrogates.iter().find(|scorer| scorer.name == name);
        let classes = scorer.and_then(|scorer| space_of(spec, &scorer.space)).map_or(0, |space| space.len());
        let about = |warning: ScoreWarning| Self { scorer: name.to_owned(), is_target, warning };
        score_warnings(sums, classes).into_iter().map(about).collect()
    }

    /// The warnings about all scorers of the mining.
    pub fn of_run(run: &RunDir, spec: &RunSpec, shards: usize) -> Result<Vec<Self>, StoreError> {
        let mut warnings = Vec::new();
        for scorer in spec.scored() {
            let mut records = Vec::with_capacity(shards);
            for shard in 0..shards {
                records.extend(run.predictions(&scorer.name, shard).record()?);
            }
            warnings.extend(Self::of(spec, &scorer.name, &records));
        }
        Ok(warnings)
    }
}
