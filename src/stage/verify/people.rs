//! verify of people's part of a run: sheets, their secret, answers, verdicts, the server's database.
//!
//! Holds always: what a run does not have yet is no problem, and what was lost is: a record without a file, a file
//! without a record, a gap.

use super::verified::Verified;
use crate::store::{StoreError, read_ballots};
use crate::table::tasks_table;
use crate::work::Context;

/// Checks sheets, answers and verdicts, if the run has any.
pub fn verify(ctx: &Context, verified: &mut Verified) -> Result<(), StoreError> {
    let run = &ctx.run;
    // Another process may be about to write the record of a file.
    let unrecorded = if run.is_at_work() { Vec::new() } else { run.unrecorded()? };
    for error in unrecorded {
        verified.expected += 1;
        verified.damaged(&error);
    }
    rounds(ctx, verified);
    if let Err(error) = run.answered()
        && !run.is_at_work()
    {
        verified.damaged(&error);
    }
    for name in run.answered_to_continue()? {
        verified.unit(&run.answers(&name), None);
    }
    let verdicts = run.verdicts();
    if verdicts.record_path().symlink_metadata().is_ok() {
        verified.unit(&verdicts, None);
    }
    database(ctx, verified);
    Ok(())
}

fn rounds(ctx: &Context, verified: &mut Verified) {
    let run = &ctx.run;
    let rounds = match run.rounds_to_continue() {
        Ok(rounds) => rounds,
        Err(error) => return verified.damaged(&error),
    };
    for index in 0..rounds {
        let unit = run.round(index);
        let Some(record) = verified.unit(&unit, None) else { continue };
        let files =
            unit.file(&record, "tasks.parquet").and_then(|all| Ok((all, unit.file(&record, "sentinels.parquet")?)));
        match files.map(|(tasks, sentinels)| tasks_table::decode(&tasks, &sentinels)) {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => verified.wrong(&unit.record_path(), &error.to_string()),
            Err(error) => verified.damaged(&error),
        }
    }
    if rounds == 0 {
        return;
    }
    verified.expected += 3;
    match run.secret_if_any() {
        Ok(Some(_)) => verified.files += 1,
        Ok(None) => verified
            .problems
            .push(format!("{}: it is missing; restore it from a copy of the run", run.secret_path().display())),
        Err(error) => verified.damaged(&error),
    }
    for blanks in run.blank_lists() {
        match blanks {
            Ok(_) => verified.files += 1,
            Err(error) => verified.damaged(&error),
        }
    }
}

fn database(ctx: &Context, verified: &mut Verified) {
    let run = &ctx.run;
    match run.ballots_id() {
        Ok(None) => {}
        Ok(Some(id)) => {
            verified.expected += 2;
            verified.files += 1;
            match read_ballots(&run.ballots(), Some(&id)) {
                Ok(_) => verified.files += 1,
                Err(error) => verified.damaged(&error),
            }
        }
        Err(error) => {
            verified.expected += 2;
            verified.damaged(&error);
        }
    }
}
