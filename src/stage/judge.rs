//! Reads the votes of one shard and judges them: what `select` and `report` share.

use super::{Context, StageError};
use crate::domain::SelectSpec;
use crate::stats::{Judged, VoteColumns, align, judge};
use crate::table::predictions_table::{self, Votes};

/// The aligned votes of all selected surrogates on shard `shard`, and the verdicts.
pub fn judge_shard(
    ctx: &Context,
    select: &SelectSpec,
    shard: usize,
) -> Result<(Vec<VoteColumns>, Vec<Judged>), StageError> {
    let read = |name: &String| {
        let path = ctx.run.predictions(name, shard).file("parquet");
        predictions_table::read_votes(&path, select.label_space).map(columns)
    };
    let mut votes = select.surrogates.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    align(&mut votes);
    let judged = judge(&votes, select);
    Ok((votes, judged))
}

fn columns(votes: Votes) -> VoteColumns {
    let Votes { item_id, top1_id, correct, true_prob, margin } = votes;
    VoteColumns { item_id, correct, top1_id, true_prob, margin }
}
