//! The command line: arguments in, calls of `stage`, results printed, errors mapped to exit codes.
//!
//! Holds always: stdout carries results only (one JSON object with `--format json`), stderr everything else, because
//! scripts read stdout.

mod annotate;
mod args;
mod build;
mod compare;
mod doctor;
mod error;
mod evaluate;
mod evaluation_args;
mod fetch;
mod finish;
mod generate;
mod inspect;
mod job_args;
mod leaderboard;
mod manual;
mod mine;
mod output;
mod plan;
mod progress;
mod quote;
mod release;
mod report;
mod session;
mod status;
mod submit;
mod verify;
mod worker;

use std::process::ExitCode;

use clap::Parser;

use crate::onnx::Runtime;
use args::{Cli, Command};
use session::{Session, unless_closed};

/// Runs the program; the exit codes are those of `error.rs`.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(shown) => return print_usage(&shown),
    };
    let session = match Session::start(&cli.common) {
        Ok(session) => session,
        Err(error) if matches!(cli.command, Command::Worker(_)) => return error.of_worker().report(),
        Err(error) => return error.report(),
    };
    let outcome = match &cli.command {
        Command::Build(args) => build::run(&session, args),
        Command::Plan(args) => plan::run(&session, args),
        Command::Generate(args) => generate::run(&session, args),
        Command::Mine(args) => mine::run(&session, args),
        Command::Annotate(command) => annotate::run(&session, command),
        Command::Release(args) => release::run(&session, args),
        Command::Evaluate(args) => evaluate::run(&session, args),
        Command::Compare(args) => compare::run(&session, args),
        Command::Leaderboard(args) => leaderboard::run(&session, args),
        Command::Submit(args) => submit::run(&session, &cli.common, args),
        Command::Worker(args) => worker::run(&session, args).map_err(error::Error::of_worker),
        Command::Finish(args) => finish::run(&session, args),
        Command::Report(args) => report::run(&session, args),
        Command::Status(args) => status::run(&session, args),
        Command::Verify(args) => verify::run(&session, args),
        Command::Fetch(args) => fetch::run(&session, args),
        Command::Doctor(args) => doctor::run(&session, args),
        Command::Model(command) => inspect::run(&session, command),
        Command::Completions(args) => Ok(manual::completions(args)),
        Command::Man(args) => manual::man(args),
    };
    Runtime::release();
    match outcome {
        Ok(output) => session.print(output),
        Err(error) => error.report(),
    }
}

/// Prints help, the version or what is wrong with the arguments.
fn print_usage(shown: &clap::Error) -> ExitCode {
    match unless_closed(shown.print()) {
        Ok(()) => ExitCode::from(shown.exit_code() as u8),
        Err(error) => error.report(),
    }
}
