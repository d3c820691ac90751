//! `hardset doctor`: what this build and this machine can do.

use std::path::Path;

use serde_json::json;

use super::exit;
use super::output::Output;
use super::session::Session;
use crate::stage;

pub fn run(session: &Session) -> anyhow::Result<Output> {
    let doctor = stage::doctor(&session.context(Path::new(".")));
    let library = doctor.library.as_ref().map(|(path, from)| format!("{} (from {from})", path.display()));
    let folders: Vec<String> = doctor.data_folders.iter().map(|path| path.display().to_string()).collect();
    let (runtime, code) = match &doctor.runtime {
        Ok(facts) => (facts.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", "), 0),
        Err(problem) => (format!("cannot be used: {problem}"), exit::MISSING),
    };
    let text = format!(
        "hardset {} (features: {})\nthreads   {}\ndata      {}\nlibrary   {}\nruntime   {runtime}",
        env!("CARGO_PKG_VERSION"),
        doctor.features.join(", "),
        doctor.threads,
        folders.join(", "),
        library.as_deref().unwrap_or("none"),
    );
    let json = json!({
        "version": env!("CARGO_PKG_VERSION"), "features": doctor.features, "threads": doctor.threads,
        "data_folders": folders, "library": library, "runtime": runtime, "usable": code == 0,
    });
    Ok(Output { text, json, code })
}
