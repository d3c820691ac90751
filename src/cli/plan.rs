//! `hardset plan`: makes the plan, or shows what it would cost.
//!
//! Does not list images: `stage::plan` does. Holds always: with `--dry-run` no run directory is made, because people
//! ask for the cost first.

use serde_json::json;

use super::args::PlanArgs;
use super::error::Error;
use super::output::{Output, size};
use super::session::Session;
use crate::domain::PassedOver;
use crate::stage::job::refuse_while_at_work;
use crate::stage::plan::{self, PlanCost};

pub fn run(session: &Session, args: &PlanArgs) -> Result<Output, Error> {
    let recipe = Session::recipe(&args.pipeline)?;
    if args.dry_run {
        return Ok(counted(&plan::count(&session.context_without_run(), &recipe)?));
    }
    let dir = Session::run_dir(&args.pipeline, &recipe);
    let ctx = session.context(&dir)?;
    let _lock = Session::for_making(&ctx)?;
    refuse_while_at_work(&ctx.run)?;
    plan::plan(&ctx, &recipe)?;
    let record = ctx.run.plan().existing()?;
    let passed_over = plan::passed_over(Some(&record));
    let (items, lost, other) = (record.rows.kept, record.rows.dropped, in_words(&passed_over));
    let text = format!("{}: {items} items planned, {lost} files without a label{other}", dir.display());
    let json = json!({
        "run": dir.display().to_string(), "items": items, "lost": lost, "passed_over": passed_over,
        "notes": plan::notes(Some(&record)),
    });
    Ok(Output::new(text, json).lost(lost))
}

/// What a line about files says of those that were passed over.
fn in_words(passed_over: &PassedOver) -> String {
    if passed_over.is_empty() { String::new() } else { format!("; {}", passed_over.words()) }
}

fn counted(counts: &PlanCost) -> Output {
    let PlanCost { pairs, items, lost, passed_over, categories, shards, image_bytes, inferences, hours, sheets, cost } =
        counts;
    let mut lines = Vec::new();
    lines.extend(pairs.map(|pairs| format!("{pairs} pairs of category and nuisance")));
    let other = in_words(passed_over);
    lines.push(format!(
        "{items} items of {categories} categories in {shards} shard(s); {lost} files without a label{other}"
    ));
    lines.push(format!("{} of images to store, {inferences} inferences", size(*image_bytes)));
    lines.extend(hours.iter().map(|(device, hours)| format!("{hours:.1} hours to make them on {device}, as measured")));
    if pairs.is_some() && hours.is_empty() {
        lines.push(
            "time to make them: unknown, because this machine has not made images of this model and size yet"
                .to_owned(),
        );
    }
    let pay = cost.as_ref().map_or_else(String::new, |(cost, currency)| format!(" for {cost:.2} {currency}"));
    lines.push(format!("people: at most {sheets} task sheets to fill in{pay}, if every image were hard"));
    let json = json!({
        "pairs": pairs, "items": items, "lost": lost, "passed_over": passed_over, "categories": categories,
        "shards": shards,
        "image_bytes": image_bytes, "inferences": inferences, "task_sheets_at_most": sheets,
        "cost_at_most": cost.as_ref().map(|(cost, _)| cost),
        "hours": hours.iter().map(|(device, hours)| (device.clone(), json!(hours))).collect::<serde_json::Map<_, _>>(),
    });
    Output::new(lines.join("\n"), json)
}
