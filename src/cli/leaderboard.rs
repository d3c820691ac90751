//! `hardset leaderboard`: the results of several people on one pool.
//!
//! Does not read or compare results: `stage::leaderboard` does.

use serde_json::json;

use super::error::Error;
use super::evaluate::{as_json, line, smallest};
use super::evaluation_args::LeaderboardArgs;
use super::output::Output;
use super::session::Session;
use crate::render::evaluation::board;
use crate::render::numbers::counted;
use crate::stage::leaderboard::{Joined, leaderboard};

pub fn run(session: &Session, args: &LeaderboardArgs) -> Result<Output, Error> {
    let ctx = session.context_in_folder(&args.out, "a leaderboard")?;
    let Joined { out, record, figures } = leaderboard(&ctx, &args.results, &args.out)?;
    let space = record.label_spaces.first().map(ToString::to_string).unwrap_or_default();
    let rows = board(&figures, &record, &space);
    let mut lines =
        vec![format!("{}: {}, label space {space}", record.pool.name, counted(record.targets.len() as u64, "target"))];
    lines.extend(smallest(&figures, &space));
    lines.extend(rows.iter().map(line));
    lines.push(format!("leaderboard: {}", out.join("index.html").display()));
    let json = json!({
        "out": out.display().to_string(), "pool": record.pool, "space": space,
        "leaderboard": rows.iter().map(as_json).collect::<Vec<_>>(),
    });
    Ok(Output::new(lines.join("\n").replace('\u{a0}', " "), json))
}
