//! mine: score what is not scored yet, select by the rule, write down what was lost.

mod dropped;
mod error;
mod queue;
mod score;
mod select;

use crate::config::ConfigError;
use crate::domain::{Device, LabelSpace, RunSpec};
use crate::pool::Pool;
use crate::store::{Check, ShardRecord};
use crate::work::processes::{self, Job};
use crate::work::{Part, ShardRecords};

pub use error::MineError;
pub use score::{Scored, score};
pub use select::Selected;

/// What a mining did.
#[derive(Debug, Clone)]
pub struct Mining {
    /// For each selected surrogate and each target, what was scored just now and what was there.
    pub scored: Vec<Scored>,
    /// The selection.
    pub selected: Selected,
    /// Rows of `dropped.parquet`.
    pub dropped: u64,
}

/// Mines by the pool's recipe; `images` is what `generate` returned.
pub fn mine(pool: &Pool, images: &ShardRecords, check: Check) -> Result<Mining, MineError> {
    check_space(pool.spec())?;
    let scored = score(pool, &images.records, check, Part::WHOLE)?;
    // Only now: a surrogate that is refused leaves the run as it was.
    pool.ctx().run.write_spec(pool.spec())?;
    let dropped = dropped::write_dropped(pool, images, &scored)?;
    let selected = select::select(pool)?;
    Ok(Mining { scored, selected, dropped })
}

/// Makes the predictions that are missing, shared out over `devices`, where there are several; `images` are the records
/// of all shards.
pub fn score_on(pool: &Pool, devices: &[Device], images: &[ShardRecord]) -> Result<(), MineError> {
    let count = || Ok(score::predicted(pool, images));
    // A run learns of another mining only when that is made: the processes that score are given the recipe.
    let job = Job { command: "mine", doing: "scoring", input: Some(pool.spec()), count: &count };
    processes::share(pool.ctx(), devices, &job)
}

/// Among a single class every answer is right: nothing could be hard.
fn check_space(spec: &RunSpec) -> Result<(), ConfigError> {
    let classes = spec.categories.all_ids().len();
    if spec.mine.select.label_space != LabelSpace::Masked || classes >= 2 {
        return Ok(());
    }
    let problem =
        format!("is masked, but `{}` accepts {classes} class(es) in all; use any-of-ids", spec.categories.name);
    Err(ConfigError::value("the recipe", "mine.label_space", problem))
}
