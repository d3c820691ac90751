//! `hardset worker`: one rank of a job. Engines call it.
//!
//! Holds always: the exit code tells an engine what to do: 0 the rank is through, whatever was lost; 75 start it again;
//! 2 do not; others: it may be this machine.

use std::time::Duration;

use serde_json::json;

use super::error::Error;
use super::job_args::WorkerArgs;
use super::output::Output;
use super::session::Session;
use crate::stage::job::{JobError, WorkerAsk, share, work};
use crate::work::{Part, processes};

pub fn run(session: &Session, args: &WorkerArgs) -> Result<Output, Error> {
    let ctx = session.context(&args.run)?;
    let rank = match &args.among {
        None => args.rank,
        Some(among) => *among.get(args.rank).ok_or_else(|| {
            JobError::Ask(format!("--rank {} is no place in --among, which names {} ranks", args.rank, among.len()))
        })?,
    };
    let ask = WorkerAsk {
        job: ctx.run.job(&args.job),
        rank,
        part: args.part.unwrap_or(Part::WHOLE),
        hung_after: args.hung_after.map(Duration::from_secs),
    };
    let mut by_devices = 0;
    if args.part.is_some() {
        processes::stop_with_the_input(session.stop());
    } else {
        by_devices = share(&ctx, session.devices(), &ask)?;
    }
    let mut worked = work(&ctx, &ask)?;
    worked.fresh_images += by_devices;
    let how = if worked.was_through {
        "it was through already".to_owned()
    } else {
        format!("{} images made", worked.fresh_images)
    };
    let text = format!("rank {rank} is through: {} shards, {how}, {} lost", worked.shards, worked.lost);
    let json = json!({
        "run": args.run.display().to_string(), "job": args.job, "rank": rank, "shards": worked.shards,
        "fresh": worked.fresh_images, "lost": worked.lost, "was_through": worked.was_through,
    });
    Ok(Output::new(text, json))
}
