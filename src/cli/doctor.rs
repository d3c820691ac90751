//! `hardset doctor`: what this build and this machine can do.

use std::path::Path;

use serde_json::json;

use super::args::DoctorArgs;
use super::exit;
use super::output::Output;
use super::session::Session;
use crate::stage::{self, Compared, ModelReport, StageError};

pub fn run(session: &Session, args: &DoctorArgs) -> anyhow::Result<Output> {
    match &args.model {
        Some(model) => Ok(model_output(&of_model(session, args, model)?)),
        None => Ok(machine(session)),
    }
}

fn of_model(session: &Session, args: &DoctorArgs, model: &Path) -> Result<ModelReport, StageError> {
    let ctx = session.context(Path::new("."));
    let benchmark = args.benchmark.then_some((args.size, args.steps));
    stage::doctor_model(&ctx, model, args.reference.as_deref(), args.precision, benchmark)
}

fn model_output(report: &ModelReport) -> Output {
    let mut lines: Vec<String> = report.facts.iter().map(|(name, value)| format!("{name:<20}{value}")).collect();
    let wrong = report.compared.iter().filter(|compared| !compared.ok()).count();
    if !report.compared.is_empty() {
        lines.push(format!("\n{:<34}{:<10}{:>12}{:>12}", "compared with the reference", "measure", "found", "allowed"));
    }
    lines.extend(report.compared.iter().map(compared_line));
    if !report.compared.is_empty() {
        lines.push(match wrong {
            0 => "all within tolerance".to_owned(),
            wrong => format!("{wrong} of {} out of tolerance", report.compared.len()),
        });
    }
    let mut json = json!({
        "model": report.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<serde_json::Map<_, _>>(),
        "compared": report.compared.iter().map(compared_json).collect::<Vec<_>>(),
        "usable": wrong == 0,
    });
    if let Some(speed) = &report.benchmark {
        let parts = [
            ("load_secs", speed.load_secs),
            ("text_secs", speed.text_secs),
            ("unet_secs", speed.unet_secs),
            ("vae_secs", speed.vae_secs),
            ("images_per_sec", speed.images_per_sec),
        ];
        lines.push(String::new());
        lines.extend(parts.iter().map(|(name, value)| format!("{name:<20}{value:.3}")));
        parts.iter().for_each(|(name, value)| json[*name] = json!(value));
    }
    let code = if wrong == 0 { 0 } else { exit::SOME_LOST };
    Output { text: lines.join("\n"), json, code }
}

fn compared_line(compared: &Compared) -> String {
    let verdict = if compared.ok() { "" } else { "  WRONG" };
    let Compared { what, measure, found, allowed } = compared;
    format!("{what:<34}{measure:<10}{found:>12.3e}{allowed:>12.0e}{verdict}")
}

fn compared_json(compared: &Compared) -> serde_json::Value {
    let Compared { what, measure, found, allowed } = compared;
    json!({ "what": what, "measure": measure, "found": found, "allowed": allowed, "ok": compared.ok() })
}

fn machine(session: &Session) -> Output {
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
    Output { text, json, code }
}
