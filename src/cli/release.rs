//! `hardset release`: the benchmark as a folder to publish, and on the hub if asked.
//!
//! Does not choose or write images: `stage::release` does. Holds always: changed settings are stored only after they
//! have led to a release, because a call that fails must leave the run as it was; the run is locked only for that, so
//! that an archived run can be released.

use std::io::ErrorKind;

use serde_json::json;

use super::args::ReleaseArgs;
use super::error::Error;
use super::output::{Output, size};
use super::session::Session;
use crate::config::Override;
use crate::domain::RunSpec;
use crate::pool::Pool;
use crate::stage::push::{PushTo, Pushed, push};
use crate::stage::release::{ReleaseTo, Released, release};
use crate::store::StoreError;
use crate::work::Context;

pub fn run(session: &Session, args: &ReleaseArgs) -> Result<Output, Error> {
    let ctx = session.context(&args.run)?;
    let stored = ctx.run.spec()?;
    let mut spec = stored.clone();
    let file = args.run.join("spec.toml").display().to_string();
    spec.release = Override::release(&spec.release, &args.set, &file)?;
    let to = ReleaseTo {
        out: args.out.clone(),
        or_numbered: false,
        base: args.base.clone(),
        also: args.also.iter().map(|form| (*form).into()).collect(),
        against: args.against.clone(),
    };
    let released = release(&Pool::open(&ctx, &spec)?, &to)?;
    if spec != stored {
        store(&ctx, &spec)?;
    }
    let mut output = output(&released);
    if let Some(name) = &args.push {
        let pushed = push(&ctx, &released.out, PushTo { name, dry_run: args.dry_run })?;
        output.text = format!("{}\n{}", output.text, push_text(&pushed));
        output.json["push"] = json!(pushed);
    }
    Ok(output)
}

/// The result as text and as JSON.
pub fn output(released: &Released) -> Output {
    Output::new(text(released), as_json(released)).lost(released.unreadable)
}

/// Stores settings that have led to a release. A run that cannot be written to, such as an archive, keeps its own.
fn store(ctx: &Context, spec: &RunSpec) -> Result<(), StoreError> {
    let stored = ctx.run.lock().and_then(|_lock| ctx.run.write_spec(spec));
    match stored {
        Err(StoreError::Io { source, .. }) if is_read_only(&source) => {
            ctx.progress
                .note(&format!("the settings of --set are not stored, because {} is read-only", ctx.run_name()));
            Ok(())
        }
        stored => stored,
    }
}

fn is_read_only(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

fn text(released: &Released) -> String {
    let Released { out, record, left_out, was_there, .. } = released;
    let with_images = record.categories.iter().filter(|category| category.images > 0).count();
    let mut lines = vec![format!(
        "{} {}: {} images of {with_images} categories{}",
        record.name,
        record.version,
        record.images,
        if *was_there { ", made earlier" } else { "" },
    )];
    lines.push(if record.verified {
        "verified: people accepted each of them".to_owned()
    } else {
        "UNVERIFIED: nobody has looked at them; card and metadata say so".to_owned()
    });
    if let Some(base) = &record.base {
        let (version, added) = (&base.version, base.added);
        let (removed, relabelled) = (base.removed, base.relabelled);
        lines.push(format!("since {version}: {added} added, {removed} removed, {relabelled} relabelled"));
    }
    lines.extend(left_out.iter().map(|(reason, images)| format!("left out: {images} {reason}")));
    lines.push(format!("release: {}", out.display()));
    lines.join("\n")
}

/// Every file with its size in bytes, what was checked of the card, and where it is now.
fn push_text(pushed: &Pushed) -> String {
    let mut lines: Vec<String> = pushed.files.iter().map(|file| format!("{:>15}  {}", file.bytes, file.path)).collect();
    lines.push(format!("{} files, {}, for the dataset {}", pushed.files.len(), size(pushed.bytes), pushed.repo));
    lines.extend(pushed.card.checked.iter().map(|by| format!("card checked: {by}")));
    lines.extend(pushed.card.not_checked.iter().map(|what| format!("card not checked: {what}")));
    lines.push(match &pushed.commit {
        Some(commit) => format!("pushed: {commit}"),
        None => "a dry run: nothing was pushed".to_owned(),
    });
    lines.join("\n")
}

fn as_json(released: &Released) -> serde_json::Value {
    let Released { out, record, left_out, unreadable, was_there } = released;
    let left_out: serde_json::Map<_, _> = left_out.iter().map(|(reason, n)| (reason.clone(), json!(n))).collect();
    json!({
        "out": out.display().to_string(), "name": record.name, "version": record.version, "verified": record.verified,
        "images": record.images, "files": record.files.len(), "base": record.base, "left_out": left_out,
        "unreadable": unreadable, "was_there": was_there,
    })
}
