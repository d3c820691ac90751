//! `hardset fetch`: external files.

use std::path::Path;

use serde_json::json;

use super::args::FetchArgs;
use super::error::Error;
use super::output::Output;
use super::session::Session;
use crate::stage::fetch::{FetchResult, fetch};

pub fn run(session: &Session, args: &FetchArgs) -> Result<Output, Error> {
    let results = fetch(&session.context(Path::new(".")), &args.ids)?;
    let line = |r: &FetchResult| {
        let how = if r.fresh { "fetched" } else { "was there" };
        format!("{}  {how}  {}  sha256 {}  {}", r.id, r.path.display(), r.sha256, r.licence)
    };
    let json = results
        .iter()
        .map(|r| json!({ "id": r.id, "path": r.path.display().to_string(), "sha256": r.sha256, "licence": r.licence, "fresh": r.fresh }));
    let json = json!({ "files": json.collect::<Vec<_>>() });
    Ok(Output::new(results.iter().map(line).collect::<Vec<_>>().join("\n"), json))
}
