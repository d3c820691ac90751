//! `hardset submit`: a run becomes a job on many machines.
//!
//! Does not write scripts: `stage::job` does. Holds always: paths are absolute in scripts, because machines start them
//! from other folders.

use std::path::{Path, absolute};

use serde_json::json;

use super::args::Common;
use super::error::Error;
use super::job_args::SubmitArgs;
use super::output::Output;
use super::session::Session;
use crate::domain::{Device, EngineChoice, JobEngine, JobStart};
use crate::render::jobs::shell;
use crate::stage::job::{JobAsk, JobError, Submitted, start, submit, submit_missing};
use crate::store::{StoreError, is_in_bucket};

pub fn run(session: &Session, common: &Common, args: &SubmitArgs) -> Result<Output, Error> {
    let ctx = session.context(&args.run)?;
    let _lock = ctx.run.lock()?;
    let submitted = match (args.to, args.ranks) {
        (Some(engine), Some(ranks)) if !args.missing => {
            let start = how(session, common, args, engine.into())?;
            let ranks = ranks as usize;
            submit(&ctx, JobAsk { engine: engine.into(), ranks, mixed_devices: args.mixed_devices, start })?
        }
        _ => {
            let mut options = options(session, common)?;
            // That is this machine's affair.
            options.retain(|option| !option.starts_with("--scratch="));
            if !options.is_empty() {
                let text = format!(
                    "--missing starts ranks as the job was submitted; leave {} out, or change the script",
                    options.join(" ")
                );
                return Err(JobError::Ask(text).into());
            }
            submit_missing(&ctx)?
        }
    };
    if submitted.record.start.gpus == 0 && submitted.record.engine != JobEngine::Slurm {
        ctx.progress.note("its ranks ask for no GPU; submit with --device cuda:0 for one each");
    }
    let output = written(&args.run, &submitted, args.now);
    if args.now {
        start(&submitted)?;
    }
    Ok(output)
}

/// How the ranks are started, by the options of this call.
fn how(session: &Session, common: &Common, args: &SubmitArgs, engine: JobEngine) -> Result<JobStart, Error> {
    let program = match (&args.program, engine) {
        (Some(program), JobEngine::Slurm | JobEngine::Ray) if program.contains('/') => whole(Path::new(program))?,
        (Some(program), _) => program.clone(),
        (None, JobEngine::Kubernetes) => "hardset".to_owned(),
        (None, JobEngine::Slurm | JobEngine::Ray) => {
            let program =
                std::env::current_exe().map_err(StoreError::io("find", Path::new("this program's own file")))?;
            program.display().to_string()
        }
    };
    if engine != JobEngine::Slurm && !args.options.is_empty() {
        let text = format!("options after `--` are for sbatch; change the files of {engine} by hand");
        return Err(JobError::Ask(text).into());
    }
    Ok(JobStart {
        program,
        run: whole(&args.run)?,
        slots: args.slots.map(|slots| slots as usize),
        options: options(session, common)?,
        gpus: session.devices().iter().filter(|device| matches!(device, Device::Cuda(_))).count(),
        image: args.image.clone(),
        claim: args.claim.clone(),
        engine_options: args.options.clone(),
    })
}

/// The global options of this call, for the workers.
fn options(session: &Session, common: &Common) -> Result<Vec<String>, Error> {
    let mut options = Vec::new();
    if session.devices() != [Device::Auto] {
        let devices: Vec<String> = session.devices().iter().map(ToString::to_string).collect();
        options.push(format!("--device={}", devices.join(",")));
    }
    options.extend(common.batch.map(|batch| format!("--batch={batch}")));
    options.extend(common.threads.map(|threads| format!("--threads={threads}")));
    if common.engine != EngineChoice::Auto {
        options.push(format!("--engine={}", common.engine.name()));
    }
    if let Some(folder) = &common.scratch {
        options.push(format!("--scratch={}", whole(folder)?));
    }
    for folder in &common.data_dir {
        options.push(format!("--data-dir={}", whole(folder)?));
    }
    Ok(options)
}

fn whole(path: &Path) -> Result<String, StoreError> {
    let whole = if is_in_bucket(path) { Ok(path.to_owned()) } else { absolute(path) };
    let whole = whole.map_err(StoreError::io("find", path))?;
    let text = whole.to_str().ok_or_else(|| {
        StoreError::io("name", path)(std::io::Error::new(std::io::ErrorKind::InvalidFilename, "it is not UTF-8"))
    })?;
    Ok(text.to_owned())
}

fn written(run: &Path, submitted: &Submitted, is_started: bool) -> Output {
    let Submitted { job, record, to_start, at_work, files, kept, script } = submitted;
    let run = run.display().to_string();
    let in_commands = shell(&run);
    let mut text =
        format!("job {} of {run}: {to_start} of {} ranks, for {}\n", job.name(), record.ranks, record.engine);
    for file in files {
        text += &format!("wrote {}\n", file.display());
    }
    for file in kept {
        text += &format!("kept {} as it is\n", file.display());
    }
    if !at_work.is_empty() {
        text += &format!(
            "{} rank(s) are left out, because they have said in the last two minutes that they work; if their \
             processes were killed, the same command later takes them too\n",
            at_work.len()
        );
    }
    let script = script.display().to_string();
    let start = shell(&script);
    text += &if is_started { format!("started by {script}") } else { format!("read these; to start: bash {start}") };
    text += &format!("\nhow far it is: hardset status {in_commands}");
    let json = json!({
        "run": run, "job": job.name(), "engine": record.engine, "ranks": record.ranks, "to_start": to_start,
        "at_work": at_work, "script": script, "started": is_started,
        "files": files.iter().chain(kept).map(|file| file.display().to_string()).collect::<Vec<_>>(),
    });
    Output::new(text, json)
}
