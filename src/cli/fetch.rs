//! `hardset fetch`: external files into the cache.
//!
//! Does not download: `stage::fetch` does.

use serde_json::json;

use super::args::FetchArgs;
use super::error::Error;
use super::output::Output;
use super::session::Session;
use crate::stage::fetch::{FetchResult, fetch};

pub fn run(session: &Session, args: &FetchArgs) -> Result<Output, Error> {
    let results = fetch(&session.context_without_run(), &args.ids)?;
    let mut lines = Vec::with_capacity(results.len());
    let mut files = Vec::with_capacity(results.len());
    for FetchResult { id, path, sha256, licence, fresh } in &results {
        let (path, how) = (path.display().to_string(), if *fresh { "fetched" } else { "was there" });
        lines.push(format!("{id}  {how}  {path}  sha256 {sha256}  {licence}"));
        files.push(json!({ "id": id, "path": path, "sha256": sha256, "licence": licence, "fresh": fresh }));
    }
    Ok(Output::new(lines.join("\n"), json!({ "files": files })))
}
