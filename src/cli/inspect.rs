//! `hardset model inspect`: a draft of a surrogate's TOML.
//!
//! Does not look at anything: `stage::inspect` does.

use serde_json::json;

use super::args::{InspectArgs, ModelCommand};
use super::error::Error;
use super::output::Output;
use super::session::Session;
use crate::stage::inspect::{Tried, Verdict, Wishes, inspect, tried_words};

pub fn run(session: &Session, command: &ModelCommand) -> Result<Output, Error> {
    let ModelCommand::Inspect(InspectArgs { model, photographs, out }) = command;
    let wishes = Wishes { model, photographs: photographs.as_deref(), out: out.as_deref() };
    let made = inspect(&session.context_without_run(), &wishes)?;
    let lost = made.lost.len() as u64;
    let text = match out {
        None => made.toml.trim_end().to_owned(),
        Some(out) => {
            let mut lines: Vec<String> = made.tried.iter().map(tried_words).collect();
            lines.push(format!("wrote {}; {} question(s) in it", out.display(), made.questions.len()));
            lines.join("\n")
        }
    };
    let questions: Vec<_> =
        made.questions.iter().map(|(key, question)| json!({ "key": key, "question": question })).collect();
    let readings: Vec<_> = made.tried.iter().map(reading).collect();
    let json = json!({ "toml": made.toml, "questions": questions, "readings": readings, "lost": lost });
    Ok(Output::new(text, json).lost(lost))
}

fn reading(tried: &Tried) -> serde_json::Value {
    let verdict = match tried.verdict {
        Verdict::Chosen => "chosen",
        Verdict::Alike => "alike",
        Verdict::Worse => "worse",
    };
    let reading = &tried.reading;
    json!({
        "reading": reading.words(), "accuracy": tried.accuracy(), "right": tried.right, "photographs": tried.of,
        "mean_log_prob": tried.log_prob, "verdict": verdict, "preprocess": reading.geometry, "input": reading.input,
        "offset": reading.offset,
    })
}
