//! mine: scores the images that are not scored yet, selects the hard items by the rule, lists what was lost.
//!
//! Does not know how a scorer works. Holds always: the stored spec names a mining only after its predictions are made,
//! because a surrogate that cannot be used must leave the run as it was.

mod dropped;
mod error;
mod followed;
mod import;
mod judge;
mod queue;
mod score;
mod select;

use crate::config::ConfigError;
use crate::domain::{Device, LabelSpace};
use crate::pool::{Pool, ScorerWarning};
use crate::store::{Check, ShardRecord};
use crate::work::processes::{self, Divided, ProcessInput};
use crate::work::{Part, ShardRecords};

pub use error::MineError;
pub use followed::{Followed, OfScorer};
pub use score::{Score, Scored, score};
pub use select::{HARD, Made, MinedPart, Selected, of_shards};

/// The result of a mining.
#[derive(Debug, Clone)]
pub struct Mining {
    /// For each selected surrogate and each target: its records, and how much was scored in this call.
    pub scored: Vec<Scored>,
    /// The selection.
    pub selected: Selected,
    /// Rows of `dropped.parquet`.
    pub dropped: u64,
    /// What is noticed of the scorers.
    pub warnings: Vec<ScorerWarning>,
}

/// Mines by the pool's recipe; `images` is what `generate` returned. The caller holds the run's lock.
pub fn mine(pool: &Pool, images: &ShardRecords, check: Check) -> Result<Mining, MineError> {
    check_space(pool)?;
    let scored = score(pool, &images.records, check, Part::WHOLE)?;
    // Only now, because a surrogate that cannot be used must leave the run as it was.
    pool.ctx().run.write_spec(pool.spec())?;
    let followed = Followed::of(&images.records, &scored);
    let dropped = dropped::write_dropped(pool, &followed)?;
    let selected = select::select(pool, &followed)?;
    // Predictions that gave way to new ones go at once: people read all tables of a folder together.
    pool.ctx().run.sweep()?;
    let warnings = warnings(pool, &scored);
    Ok(Mining { scored, selected, dropped, warnings })
}

/// A mining from what the ranks of a job have made; returns its figures and the rows of `dropped.parquet`. The caller
/// holds the run's lock.
pub fn mine_from_ranks(pool: &Pool, followed: &Followed, parts: &[MinedPart]) -> Result<(Selected, u64), MineError> {
    let dropped = dropped::write_dropped(pool, followed)?;
    let selected = select::join(pool, followed, parts)?;
    Ok((selected, dropped))
}

/// Finds and says what is wrong with all scores of a scorer together.
fn warnings(pool: &Pool, scored: &[Scored]) -> Vec<ScorerWarning> {
    let mut warnings = Vec::new();
    for scored in scored {
        warnings.extend(ScorerWarning::of(pool.spec(), &scored.surrogate, &scored.records.records));
    }
    warnings.iter().for_each(|warning| pool.ctx().progress.note(&format!("warning: {warning}")));
    warnings
}

/// Makes the missing predictions on all `devices` at once, if there are several; `images`: the records of all shards.
pub fn score_on(pool: &Pool, devices: &[Device], images: &[ShardRecord]) -> Result<(), MineError> {
    let count = || Ok(score::predicted(pool, images)?);
    // The stored spec may still name another mining, so the processes that score get the recipe from this one.
    let work = Divided {
        command: "mine",
        doing: "scoring",
        args: Vec::new(),
        input: ProcessInput::Spec(pool.spec()),
        count: &count,
    };
    processes::share(pool.ctx(), devices, &work)
}

/// An error for a masked label space of one class: every prediction would be right, and nothing could be hard.
pub fn check_space(pool: &Pool) -> Result<(), MineError> {
    if pool.spec().mine.select.label_space != LabelSpace::Masked {
        return Ok(());
    }
    let set = &pool.spec().categories.name;
    for scorer in pool.spec().scored() {
        let space = pool.space(&scorer.name)?;
        let classes = space.all_accepted().len();
        if classes < 2 {
            let problem =
                format!("is masked, but `{set}` accepts {classes} class(es) of {} in all; use any-of-ids", space.name);
            return Err(ConfigError::value("the recipe", "mine.label_space", problem).into());
        }
    }
    Ok(())
}
