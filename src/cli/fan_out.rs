//! Several devices: one process of this program for each, every one with its own shards.
//!
//! The caller holds the run's lock; the processes it starts do not ask for it, and end when it does.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::session::Session;
use crate::domain::{Device, GenerateSpec, RunSpec};
use crate::stage::{self, Context, StageError};

/// Tells a process which one started it.
const PARENT: &str = "HARDSET_PARENT";
/// Time between looks at the processes.
const LOOK: Duration = Duration::from_millis(200);
/// Looks between counts of what is done.
const LOOKS_PER_COUNT: u32 = 25;

/// Makes what images are missing, shared out over the session's devices; nothing to do where there is only one.
pub fn generate(session: &Session, ctx: &Context, spec: &RunSpec) -> anyhow::Result<()> {
    let devices = session.devices();
    if devices.len() < 2 || !matches!(spec.generate, GenerateSpec::Diffusion(_)) {
        return Ok(());
    }
    let (before, all) = stage::generated(ctx, spec)?;
    if before == all {
        return Ok(());
    }
    let names: Vec<String> = devices.iter().map(ToString::to_string).collect();
    ctx.progress.note(&format!("making images on {}", names.join(", ")));
    let mut started = Vec::new();
    let watched = devices
        .iter()
        .enumerate()
        .try_for_each(|(index, device)| {
            started.push((start(ctx, *device, (index, devices.len()))?, device));
            Ok(())
        })
        .and_then(|()| {
            ctx.progress.start("generate", all);
            ctx.progress.advance(before);
            watch(ctx, spec, &mut started, before)
        });
    for (child, _) in &mut started {
        // Killed at any moment, a process leaves nothing half done.
        let _ = child.kill();
        let _ = child.wait();
    }
    ctx.progress.finish();
    watched
}

fn start(ctx: &Context, device: Device, (index, of): (usize, usize)) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = Command::new(program);
    command.arg("generate").arg(ctx.run.path()).arg("-q");
    command.args(["--part", &format!("{index}/{of}"), "--device", &device.to_string()]);
    command.args(["--threads", &ctx.threads.div_ceil(of).to_string()]);
    command.args(["--engine", ctx.engine.name()]);
    command.args(ctx.batch.map(|batch| format!("--batch={batch}")));
    command.env(PARENT, std::process::id().to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().with_context(|| format!("cannot start a process for {device}"))
}

/// Waits for all processes; the first one that fails ends the wait.
fn watch(ctx: &Context, spec: &RunSpec, started: &mut [(Child, &Device)], mut counted: u64) -> anyhow::Result<()> {
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
            let (done, _) = stage::generated(ctx, spec)?;
            ctx.progress.advance(done.saturating_sub(counted));
            counted = done;
        }
        if !running {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
}

/// Ends this process when the one that started it has ended: nobody holds the lock any more. At once, if it has already.
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
