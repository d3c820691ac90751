//! `hardset annotate export|serve|collect`: task sheets to people, answers from them.
//!
//! Does not make sheets or verdicts: `stage::annotate` does. Holds always: changed settings are stored only after they
//! have led to sheets or verdicts, because a call that fails must leave the run as it was.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{AnnotateCommand, CollectArgs, ExportArgs, ServeArgs};
use super::error::Error;
use super::output::Output;
use super::session::Session;
use crate::config::Override;
use crate::domain::{Agreement, RunSpec, person_name};
use crate::pool::Pool;
use crate::server::Links;
use crate::stage::annotate::{self, AnnotateError, AnswersFile, Collected, ExportTo, Exported, ServeAt, Sheets};
use crate::work::Context;

pub fn run(session: &Session, command: &AnnotateCommand) -> Result<Output, Error> {
    match command {
        AnnotateCommand::Export(args) => export(session, args),
        AnnotateCommand::Serve(args) => serve(session, args),
        AnnotateCommand::Collect(args) => collect(session, args),
    }
}

fn export(session: &Session, args: &ExportArgs) -> Result<Output, Error> {
    let ctx = session.context_in_folder(&args.run, "the work of people")?;
    let _lock = Session::for_writing(&ctx)?;
    let spec = changed(&ctx, &args.set)?;
    let to = ExportTo { format: args.to.into(), out: args.out.clone(), image_url: args.image_url.clone() };
    let sheets = match args.round {
        Some(number) => Sheets::Round(number),
        None if args.missing => Sheets::Missing,
        None => Sheets::Hard,
    };
    let exported = annotate::export(&Pool::open(&ctx, &spec)?, &to, sheets)?;
    // Only now: changed settings are stored once they have led to sheets.
    ctx.run.write_spec(&spec)?;
    let text = written(&exported, &spec) + &elsewhere(&exported, args);
    Ok(Output::new(text, exported_json(&exported)).lost(exported.left_out))
}

/// Where the other hard images are, and how to get their sheets; nothing if there are none.
fn elsewhere(exported: &Exported, args: &ExportArgs) -> String {
    let mut rounds = Vec::with_capacity(exported.others.len());
    for (round, images) in &exported.others {
        rounds.push(format!("{images} on those of round {round}"));
    }
    let (Some((first, _)), tool) = (exported.others.first(), args.to.name()) else { return String::new() };
    format!(
        "\nother hard images are on sheets of other rounds: {}; `hardset annotate export {} --round {first} --to \
         {tool} --out DIR` writes those of round {first}, and `annotate serve` shows all",
        rounds.join(", "),
        args.run.display(),
    )
}

/// What was written, as text.
pub fn written(exported: &Exported, spec: &RunSpec) -> String {
    let Exported { round, sheets, tasks, assignments, cost, left_out, out, .. } = exported;
    let pay = match *cost {
        0.0 => String::new(),
        cost => format!(", which cost {cost:.2} {}", spec.annotate.pay.currency),
    };
    let lost = if *left_out > 0 { format!("; {left_out} image(s) could not be shown") } else { String::new() };
    format!(
        "round {round}: {sheets} sheet(s) of {tasks} images for {assignments} assignments{pay}{lost}: {}",
        out.display()
    )
}

/// What was written, as JSON.
pub fn exported_json(exported: &Exported) -> serde_json::Value {
    let Exported { round, sheets, tasks, assignments, cost, left_out, others, out } = exported;
    let others: Vec<_> = others.iter().map(|(round, images)| json!({ "round": round, "images": images })).collect();
    json!({
        "round": round, "sheets": sheets, "tasks": tasks, "assignments": assignments, "cost": cost,
        "left_out": left_out, "others": others, "out": out.display().to_string(),
    })
}

/// The run's spec with keys of its section [annotate] changed.
fn changed(ctx: &Context, set: &[Override]) -> Result<RunSpec, Error> {
    let mut spec = ctx.run.spec()?;
    if !set.is_empty() {
        let file = ctx.run.path().join("spec.toml").display().to_string();
        spec.annotate = Override::annotate(&spec.annotate, set, &file)?;
    }
    Ok(spec)
}

fn collect(session: &Session, args: &CollectArgs) -> Result<Output, Error> {
    let ctx = session.context_in_folder(&args.run, "the work of people")?;
    let _lock = Session::for_writing(&ctx)?;
    let spec = changed(&ctx, &args.set)?;
    let collected = annotate::collect(&Pool::open(&ctx, &spec)?, &files(args)?)?;
    ctx.run.write_spec(&spec)?;
    let problems = collected.inputs.iter().filter(|input| !input.known).map(|input| input.problems).sum();
    Ok(Output::new(said(&collected, &args.run), as_json(&collected)).lost(problems))
}

/// The files that the arguments name; an error for a person without a name.
fn files(args: &CollectArgs) -> Result<Vec<AnswersFile>, AnnotateError> {
    let mut files: Vec<AnswersFile> =
        args.answers.iter().map(|path| AnswersFile { path: path.clone(), person: None }).collect();
    for pair in args.person.chunks_exact(2) {
        if pair[0].trim().is_empty() {
            let problem = "the name before it is empty; write --person NAME FILE".to_owned();
            return Err(AnnotateError::Answers { file: pair[1].clone(), problem });
        }
        files.push(AnswersFile { path: PathBuf::from(&pair[1]), person: Some(pair[0].clone()) });
    }
    Ok(files)
}

fn said(collected: &Collected, run: &Path) -> String {
    let mut lines = Vec::new();
    for input in &collected.inputs {
        let known = if input.known { ", read before" } else { "" };
        let first = input.first_problem.as_ref().map_or_else(String::new, |first| format!(" (the first: {first})"));
        let excused = match input.excused {
            0 => String::new(),
            n => format!(", {n} skipped or withdrawn"),
        };
        let (file, rows, problems) = (&input.file, input.rows, input.problems);
        lines.push(format!("{file}: {rows} answers, {problems} not usable{first}{excused}{known}"));
    }
    lines.push(format!("{} answers in all; {} count as votes", collected.answers, collected.votes));
    lines.extend(collected.reasons.iter().map(|(reason, count)| format!("  {count} do not count: {reason}")));
    lines.push(format!("{} assignments, {} set aside", collected.assignments, collected.set_aside));
    lines.extend(collected.agreement.iter().map(agreement));
    let count = |verdict: &str| collected.verdicts.get(verdict).copied().unwrap_or(0);
    lines.push(format!(
        "so far {} items accepted, {} rejected, {} undecided; {} have fewer votes than they are to get{}",
        count("accept"),
        count("reject"),
        count("undecided"),
        collected.missing,
        if collected.missing > 0 { " (annotate export --missing asks for them)" } else { "" }
    ));
    lines.push(format!("verdicts: {}", folder(run).display()));
    lines.join("\n")
}

fn serve(session: &Session, args: &ServeArgs) -> Result<Output, Error> {
    if !args.bind.is_loopback() && !args.allow_remote {
        return Err(AnnotateError::Remote { address: args.bind.to_string() }.into());
    }
    if args.bind.is_unspecified() && args.host.is_empty() {
        return Err(AnnotateError::NoHost { address: args.bind.to_string() }.into());
    }
    let people = args.people.iter().map(|name| person_name(name)).collect::<Result<_, _>>();
    let people = people.map_err(|problem| AnnotateError::PersonName { problem })?;
    let ctx = session.context_in_folder(&args.run, "the work of people")?;
    let spec = ctx.run.spec()?;
    let listen = SocketAddr::new(args.bind, args.port);
    let at = ServeAt { listen, hosts: args.host.clone(), people };
    annotate::serve(&Pool::open(&ctx, &spec)?, at, |links| {
        if let Err(error) = session.announce(&opened(links)) {
            ctx.progress.note(&error.to_string());
        }
    })?;
    // With JSON the links were this command's only object.
    let text = format!("stopped; the answers are in {}", ctx.run.ballots().display());
    Ok(Output::new(text, serde_json::Value::Null))
}

/// The address of the page and the links, as text.
fn opened(links: &Links) -> Output {
    let mut text = format!("listening on {}; stop with Ctrl-C\nowner: {}", links.address, links.owner);
    for (name, link) in &links.people {
        text += &format!("\n{name}: {link}");
    }
    let people: Vec<_> = links.people.iter().map(|(name, link)| json!({ "name": name, "link": link })).collect();
    Output::new(text, json!({ "address": links.address.to_string(), "owner": links.owner, "people": people }))
}

fn folder(run: &Path) -> PathBuf {
    run.join("verdicts")
}

fn agreement(agreement: &Agreement) -> String {
    let percent = agreement.percent.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share));
    let alpha = match (agreement.alpha, agreement.interval) {
        (Some(alpha), Some((low, high))) => format!("{alpha:.3} ({low:.3} to {high:.3})"),
        (Some(alpha), None) => format!("{alpha:.3}"),
        _ => "-".to_owned(),
    };
    format!("{}: {} votes, {percent} of pairs agree, Krippendorff's alpha {alpha}", agreement.question, agreement.votes)
}

fn as_json(collected: &Collected) -> serde_json::Value {
    let inputs = collected.inputs.iter().map(|input| {
        json!({
            "file": input.file, "rows": input.rows, "problems": input.problems, "excused": input.excused,
            "first_problem": input.first_problem, "known": input.known,
        })
    });
    let agreement = collected.agreement.iter().map(|a| {
        json!({ "question": a.question, "votes": a.votes, "percent": a.percent, "alpha": a.alpha,
                "alpha_low": a.interval.map(|(low, _)| low), "alpha_high": a.interval.map(|(_, high)| high) })
    });
    json!({
        "inputs": inputs.collect::<Vec<_>>(), "answers": collected.answers, "votes": collected.votes,
        "reasons": collected.reasons, "assignments": collected.assignments, "set_aside": collected.set_aside,
        "verdicts": collected.verdicts, "missing": collected.missing, "agreement": agreement.collect::<Vec<_>>(),
    })
}
