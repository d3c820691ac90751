//! Several devices: one process of this program for each, every one with its own shards.
//!
//! The caller holds the run's lock; the processes it starts do not ask for it, and end when it does.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::session::Session;
use crate::domain::{Device, GenerateSpec, RunSpec};
use crate::stage::{self, Context, Part, StageError};
use crate::store::ShardRecord;

/// Tells a process which one started it.
const PARENT: &str = "HARDSET_PARENT";
/// Time between looks at the processes.
const LOOK: Duration = Duration::from_millis(200);
/// Looks between counts of what is done.
const LOOKS_PER_COUNT: u32 = 25;

/// What is shared out.
#[derive(Clone, Copy)]
enum Work<'a> {
    /// The images that are missing.
    Images,
    /// The predictions that are missing; the images' records, of all shards.
    Predictions(&'a [ShardRecord]),
}

impl Work<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Images => "generate",
            Self::Predictions(_) => "mine",
        }
    }

    fn doing(self) -> &'static str {
        match self {
            Self::Images => "making images",
            Self::Predictions(_) => "scoring",
        }
    }

    /// What its processes read: those that score get the recipe, because a run learns of another mining only when that
    /// is made.
    fn input(self) -> Stdio {
        match self {
            Self::Images => Stdio::null(),
            Self::Predictions(_) => Stdio::piped(),
        }
    }

    /// What is done, of how much.
    fn counted(self, ctx: &Context, spec: &RunSpec) -> Result<(u64, u64), StageError> {
        match self {
            Self::Images => stage::generated(ctx, spec),
            Self::Predictions(images) => stage::predicted(ctx, spec, images),
        }
    }
}

/// Makes what images are missing, shared out over the session's devices; nothing to do where there is only one. The
/// engine is settled once, for all of them: a run has the images of one.
pub fn generate(session: &Session, ctx: &Context, spec: &RunSpec) -> anyhow::Result<()> {
    match spec.generate {
        GenerateSpec::Diffusion(_) if session.devices().len() > 1 => {
            let engine = stage::settled_engine(ctx, spec)?;
            let ctx = Context { engine, ..session.context(ctx.run.path()) };
            share(session, &ctx, spec, Work::Images)
        }
        GenerateSpec::Diffusion(_) | GenerateSpec::Folder(_) | GenerateSpec::Fake(_) => Ok(()),
    }
}

/// Makes what predictions are missing, as above; `images` are the records of all shards.
pub fn mine(session: &Session, ctx: &Context, spec: &RunSpec, images: &[ShardRecord]) -> anyhow::Result<()> {
    share(session, ctx, spec, Work::Predictions(images))
}

fn share(session: &Session, ctx: &Context, spec: &RunSpec, work: Work) -> anyhow::Result<()> {
    let devices = session.devices();
    if devices.len() < 2 {
        return Ok(());
    }
    let (before, all) = work.counted(ctx, spec)?;
    if before == all {
        return Ok(());
    }
    let names: Vec<String> = devices.iter().map(ToString::to_string).collect();
    ctx.progress.note(&format!("{} on {}", work.doing(), names.join(", ")));
    let mut started = Vec::new();
    let watched = devices
        .iter()
        .enumerate()
        .try_for_each(|(index, device)| {
            let part = Part { index, of: devices.len() };
            started.push((start(ctx, *device, part, spec, work)?, device));
            Ok(())
        })
        .and_then(|()| {
            ctx.progress.start(work.name(), all);
            ctx.progress.advance(before);
            watch(ctx, spec, work, &mut started)
        });
    for (child, _) in &mut started {
        // Killed at any moment, a process leaves nothing half done.
        let _ = child.kill();
        let _ = child.wait();
    }
    ctx.progress.finish();
    watched
}

fn start(ctx: &Context, device: Device, part: Part, spec: &RunSpec, work: Work) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = Command::new(program);
    command.arg(work.name()).arg(ctx.run.path()).arg("-q");
    command.args(["--part", &part.to_string(), "--device", &device.to_string()]);
    command.args(["--threads", &ctx.threads.div_ceil(part.of).to_string()]);
    command.args(["--engine", ctx.engine.name()]);
    command.args(ctx.batch.map(|batch| format!("--batch={batch}")));
    let folders = ctx.data.all().filter(|folder| *folder != ctx.data.cache());
    command.args(folders.flat_map(|folder| [OsStr::new("--data-dir"), folder.as_os_str()]));
    command.env(PARENT, std::process::id().to_string());
    command.stdin(work.input()).stdout(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("cannot start a process for {device}"))?;
    if let Some(mut input) = child.stdin.take() {
        let text = toml::to_string(spec).context("cannot write the recipe as TOML")?;
        // One that has ended already says why by its exit code.
        let _ = input.write_all(text.as_bytes());
    }
    Ok(child)
}

/// The spec that the process which started this one has given.
pub fn given_spec() -> anyhow::Result<RunSpec> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("cannot read the recipe from the process that started this one")?;
    toml::from_str(&text).context("the process that started this one gave no recipe")
}

/// Waits for all processes; the first one that fails ends the wait.
fn watch(ctx: &Context, spec: &RunSpec, work: Work, started: &mut [(Child, &Device)]) -> anyhow::Result<()> {
    let (mut counted, _) = work.counted(ctx, spec)?;
    let mut looks = 0;
    loop {
        ctx.check_stop()?;
        let mut running = false;
        for (child, device) in started.iter_mut() {
            match child.try_wait().context("cannot ask for a process")? {
                None => running = true,
                // 3: some images were lost, and have their rows.
                Some(status) if matches!(status.code(), Some(0 | 3)) => {}
                Some(status) => {
                    let code = status.code().and_then(|code| u8::try_from(code).ok());
                    return Err(StageError::Share { device: device.to_string(), how: status.to_string(), code }.into());
                }
            }
        }
        looks += 1;
        if !running || looks % LOOKS_PER_COUNT == 0 {
            let (done, _) = work.counted(ctx, spec)?;
            ctx.progress.advance(done.saturating_sub(counted));
            counted = done;
        }
        if !running {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
}

/// Ends this process when the one that started it has ended: nobody holds the lock any more. At once, if it has
/// already.
pub fn end_with_the_parent() {
    #[cfg(unix)]
    {
        let parent = std::env::var(PARENT).ok().and_then(|id| id.parse::<u32>().ok());
        let is_there = move || parent == Some(std::os::unix::process::parent_id());
        let end = || std::process::exit(super::exit::STOPPED.into());
        if !is_there() {
            end()
        }
        std::thread::spawn(move || {
            while is_there() {
                std::thread::sleep(LOOK);
            }
            end()
        });
    }
}
