//! mine: score what is not scored yet, select by the rule, write down what was lost.

use super::shards::Tally;
use super::{Context, Scored, Selected, StageError, score, select, write_dropped};
use crate::domain::RunSpec;
use crate::store::Check;

/// What a mining did.
#[derive(Debug, Clone)]
pub struct Mining {
    /// For each selected surrogate, what was scored just now and what was there.
    pub scored: Vec<Scored>,
    /// The selection.
    pub selected: Selected,
    /// Rows of `dropped.parquet`.
    pub dropped: u64,
}

/// Mines with the spec's current selection; `images` is what `generate` returned.
pub fn mine(ctx: &Context, spec: &RunSpec, images: &Tally, check: Check) -> Result<Mining, StageError> {
    let scored = score(ctx, spec, &images.records, check)?;
    // Only now: a surrogate that is refused leaves the run as it was.
    ctx.run.write_spec(spec)?;
    let dropped = write_dropped(ctx, spec, images, &scored)?;
    let selected = select(ctx, spec)?;
    Ok(Mining { scored, selected, dropped })
}
