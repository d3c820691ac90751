//! Several devices: one process of this program for each device, every process with its own shards.
//!
//! Holds always: the processes that a caller starts take no lock and end when the caller ends, because nobody else
//! keeps other commands away from the run: the caller has the run's lock, or is a rank of a job, which others wait for.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Context, Part, WorkError};
use crate::domain::{Device, RunSpec};

/// Environment variable with the id of the process that started this one.
const PARENT: &str = "HARDSET_PARENT";
/// Time between two checks of the processes.
const LOOK: Duration = Duration::from_millis(200);
/// Checks between two counts of finished items.
const LOOKS_PER_COUNT: u32 = 25;
/// Exit code of a process whose parent has ended: that of a stop by a signal.
const ORPHANED: i32 = 75;

/// Work that is divided among processes.
pub struct Divided<'a, E> {
    /// The sub-command that does a part of it.
    pub command: &'static str,
    /// The activity, for messages: `scoring`.
    pub doing: &'static str,
    /// Its further arguments.
    pub args: Vec<String>,
    /// What its processes read on stdin.
    pub input: ProcessInput<'a>,
    /// Counts finished items.
    pub count: &'a dyn Fn() -> Result<WorkCount, E>,
}

/// What the processes of divided work read on stdin.
#[derive(Clone, Copy)]
pub enum ProcessInput<'a> {
    /// Nothing. The caller kills them when it stops, or when one of them fails.
    Nothing,
    /// A spec. As above.
    Spec(&'a RunSpec),
    /// Nothing, until its end says that they are to stop after the block in hand ([`stop_with_the_input`]). If one of
    /// them fails, the others go on to their ends.
    UntilStop,
}

/// The number of finished items, and of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkCount {
    /// Done.
    pub done: u64,
    /// In all.
    pub all: u64,
}

/// One process and its device.
struct Worker {
    child: Child,
    device: Device,
}

/// Does the rest of the work on all `devices` at once; does nothing with a single device.
pub fn share<E: From<WorkError>>(ctx: &Context, devices: &[Device], work: &Divided<E>) -> Result<(), E> {
    if devices.len() < 2 {
        return Ok(());
    }
    let before = (work.count)()?;
    if before.done == before.all {
        return Ok(());
    }
    let names: Vec<String> = devices.iter().map(ToString::to_string).collect();
    ctx.progress.note(&format!("{} on {}", work.doing, names.join(", ")));
    let mut started = Vec::new();
    let ended = start_all(ctx, devices, work, &mut started).map_err(E::from).and_then(|()| {
        ctx.progress.start(work.command, before.all);
        ctx.progress.advance(before.done);
        watch(ctx, work, before.done, &mut started)
    });
    for Worker { child, .. } in &mut started {
        // A killed process leaves nothing half done, because its files appear whole or not at all.
        if !matches!(work.input, ProcessInput::UntilStop) {
            let _ = child.kill();
        }
        drop(child.stdin.take());
    }
    for Worker { child, .. } in &mut started {
        let _ = child.wait();
    }
    ctx.progress.finish();
    ended
}

fn start_all<E>(
    ctx: &Context,
    devices: &[Device],
    work: &Divided<E>,
    started: &mut Vec<Worker>,
) -> Result<(), WorkError> {
    for (index, &device) in devices.iter().enumerate() {
        let child = start(ctx, device, Part { index, of: devices.len() }, work)?;
        started.push(Worker { child, device });
    }
    Ok(())
}

fn start<E>(ctx: &Context, device: Device, part: Part, work: &Divided<E>) -> Result<Child, WorkError> {
    let program = std::env::current_exe().map_err(cannot("find this program's own file"))?;
    let mut command = Command::new(program);
    command.arg(work.command).arg(ctx.run.place()).arg("-q").args(&work.args);
    command.args(["--part", &part.to_string(), "--device", &device.to_string()]);
    command.args(["--threads", &ctx.threads.div_ceil(part.of).to_string()]);
    command.args(["--engine", ctx.engine.name()]);
    command.args(ctx.batch.map(|batch| format!("--batch={batch}")));
    let folders = ctx.data.all().filter(|folder| *folder != ctx.data.cache());
    command.args(folders.flat_map(|folder| [OsStr::new("--data-dir"), folder.as_os_str()]));
    let copies = ctx.run.home().and_then(|home| home.cache().parent());
    command.args(copies.into_iter().flat_map(|folder| [OsStr::new("--scratch"), folder.as_os_str()]));
    command.env(PARENT, std::process::id().to_string());
    let is_piped = !matches!(work.input, ProcessInput::Nothing);
    command.stdin(if is_piped { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::null());
    let mut child = command.spawn().map_err(cannot(&format!("start a process for {device}")))?;
    if let ProcessInput::Spec(spec) = work.input
        && let Some(mut stdin) = child.stdin.take()
    {
        let text = toml::to_string(spec).map_err(|e| WorkError::Spec(e.to_string()))?;
        // An error is ignored: a process that has ended reports by its exit code.
        let _ = stdin.write_all(text.as_bytes());
    }
    Ok(child)
}

/// Waits for all processes; the first one that fails ends the wait.
fn watch<E: From<WorkError>>(
    ctx: &Context,
    work: &Divided<E>,
    mut counted: u64,
    started: &mut [Worker],
) -> Result<(), E> {
    let mut looks = 0;
    loop {
        ctx.check_stop()?;
        let (running, failed) = any_running(started)?;
        if let Some(failed) = failed
            && (!running || !matches!(work.input, ProcessInput::UntilStop))
        {
            return Err(failed.into());
        }
        looks += 1;
        if !running || looks % LOOKS_PER_COUNT == 0 {
            let done = (work.count)()?.done;
            ctx.progress.advance(done.saturating_sub(counted));
            counted = done;
        }
        if !running {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
}

/// Whether any process still works, and the error of one that has failed.
fn any_running(started: &mut [Worker]) -> Result<(bool, Option<WorkError>), WorkError> {
    let (mut running, mut failed) = (false, None);
    for Worker { child, device } in started {
        match child.try_wait().map_err(cannot("ask for the state of a process"))? {
            None => running = true,
            // 3: some images were lost; dropped.parquet will list them.
            Some(status) if matches!(status.code(), Some(0 | 3)) => {}
            Some(status) => {
                let code = status.code().and_then(|code| u8::try_from(code).ok());
                failed = Some(WorkError::Process { device: device.to_string(), how: status.to_string(), code });
            }
        }
    }
    Ok((running, failed))
}

/// Sets `stop` when stdin ends: the parent wants this process to stop, or has ended.
pub fn stop_with_the_input(stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        stop.store(true, Ordering::Relaxed);
    });
}

/// The spec that the parent process has written to stdin.
pub fn given_spec() -> Result<RunSpec, WorkError> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(cannot("read the recipe from the process that started this one"))?;
    toml::from_str(&text).map_err(|e| WorkError::Spec(e.to_string()))
}

/// Ends this process when its parent ends (at once if it has ended), because nobody holds the lock any more.
pub fn end_with_the_parent() {
    #[cfg(unix)]
    {
        let parent = std::env::var(PARENT).ok().and_then(|id| id.parse::<u32>().ok());
        let is_there = move || parent == Some(std::os::unix::process::parent_id());
        if !is_there() {
            std::process::exit(ORPHANED);
        }
        std::thread::spawn(move || {
            while is_there() {
                std::thread::sleep(LOOK);
            }
            std::process::exit(ORPHANED);
        });
    }
}

fn cannot(action: &str) -> impl FnOnce(std::io::Error) -> WorkError {
    let action = action.to_owned();
    move |source| WorkError::System { action, source }
}
