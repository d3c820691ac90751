//! What a worker says while it works, and how it notices that it hangs.
//!
//! A thread writes the live record every half minute. Holds always: no result depends on it, and a live record that
//! cannot be written stops nothing.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::status::now;
use crate::domain::LiveRecord;
use crate::store::{JobDir, RankProcess};
use crate::work::{Progress, ShardResult, ShardTarget, ShardWork, WorkError};

/// Time between two live records.
const EVERY: Duration = Duration::from_secs(30);
/// Starts without an end after which a shard is left out.
pub const TOO_MANY_STARTS: u32 = 5;
/// A block may take this many times the mean of those before it, and at least [`PATIENCE`].
const SLOWER: u32 = 20;
/// A block of any kind may take this long.
const PATIENCE: Duration = Duration::from_secs(300);
/// Loading models and the first block may take this long.
const FIRST_PATIENCE: Duration = Duration::from_secs(3600);
/// Blocks whose times are remembered.
const REMEMBERED: usize = 256;
/// Exit code of a process that hangs: that of a stop by a signal, so that it is started again.
const HUNG: i32 = 75;

/// The live record of one process, and the times of its blocks. It receives the progress of the work.
pub struct Beat<'a> {
    job: &'a JobDir,
    process: RankProcess,
    progress: &'a dyn Progress,
    /// What `--hung-after` says instead of the limits above.
    hung_after: Option<Duration>,
    state: Mutex<State>,
    ended: Condvar,
}

struct State {
    live: LiveRecord,
    /// When the last block ended.
    last: Instant,
    /// How long the last blocks took.
    blocks: VecDeque<Duration>,
    is_over: bool,
}

impl<'a> Beat<'a> {
    /// The beat of a process that begins now.
    pub fn new(
        job: &'a JobDir,
        process: RankProcess,
        progress: &'a dyn Progress,
        hung_after: Option<Duration>,
        live: LiveRecord,
    ) -> Self {
        let before = job.live_of(&process);
        let live = LiveRecord { starts: before.starts, started: now(), at: now(), ..live };
        let state = State { live, last: Instant::now(), blocks: VecDeque::new(), is_over: false };
        Self { job, process, progress, hung_after, state: Mutex::new(state), ended: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that `shard` is about to be worked on; `false` if too many processes have ended over it.
    pub fn take(&self, shard: usize) -> bool {
        let mut state = self.state();
        if state.live.shard == Some(shard) {
            return true;
        }
        if state.live.starts.get(&shard).is_some_and(|&starts| starts >= TOO_MANY_STARTS) {
            state.live.left_out.push(shard);
            return false;
        }
        *state.live.starts.entry(shard).or_default() += 1;
        state.live.shard = Some(shard);
        self.write(&mut state);
        true
    }

    /// Says that `shard` is done, with `items` items, of which `fresh` were worked on.
    pub fn done(&self, shard: usize, items: u64, fresh: u64) {
        self.progress.advance(items);
        let mut state = self.state();
        state.live.images += fresh;
        state.live.starts.remove(&shard);
        state.live.shard = None;
        state.live.done += 1;
    }

    /// Shards that were left out.
    pub fn left_out(&self) -> Vec<usize> {
        self.state().live.left_out.clone()
    }

    /// Ends the beat, unless it has ended; `how`: what people read in the live record.
    pub fn end(&self, how: &str) {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_over, true) {
            return;
        }
        // Who ends in good order is not the victim of its shard.
        if let Some(shard) = state.live.shard.take()
            && let Some(starts) = state.live.starts.get_mut(&shard)
        {
            *starts -= 1;
        }
        state.live.ended = Some(how.to_owned());
        self.write(&mut state);
        self.ended.notify_all();
    }

    fn write(&self, state: &mut State) {
        state.live.at = now();
        let _ = self.job.write_live(&self.process, &state.live);
    }

    /// Beats until the end; ends the process if it hangs.
    pub fn run(&self) {
        let mut state = self.state();
        let look = self.hung_after.map_or(EVERY, |after| EVERY.min(after / 4));
        while !state.is_over {
            state = self.ended.wait_timeout(state, look).unwrap_or_else(PoisonError::into_inner).0;
            if state.is_over {
                return;
            }
            let (waited, limit) = (state.last.elapsed(), self.limit(&state.blocks));
            if waited > limit {
                let seconds = waited.as_secs();
                // Nobody is left to return an error to, and `-q` must not hide it.
                let _ = writeln!(
                    std::io::stderr(),
                    "error: nothing has happened for {seconds} s, so this process ends (75: it may be started again)"
                );
                state.live.ended = Some(format!("it hung for {seconds} s"));
                // The record may lie on the file system that hangs.
                let (job, process, live) = (self.job.clone(), self.process, state.live.clone());
                std::thread::spawn(move || job.write_live(&process, &live));
                std::thread::sleep(Duration::from_secs(1));
                std::process::exit(HUNG);
            }
            self.write(&mut state);
        }
    }

    fn limit(&self, blocks: &VecDeque<Duration>) -> Duration {
        let longest = blocks.iter().sum::<Duration>().checked_div(blocks.len() as u32).map(|mean| mean * SLOWER);
        self.hung_after.unwrap_or_else(|| longest.map_or(FIRST_PATIENCE, |limit| limit.max(PATIENCE)))
    }
}

/// Ends the beat when it goes, also by a panic: the thread that beats must not keep the process.
pub struct EndAtDrop<'a>(pub &'a Beat<'a>);

impl Drop for EndAtDrop<'_> {
    fn drop(&mut self) {
        self.0.end("a bug: the program ended in the middle");
    }
}

impl Progress for Beat<'_> {
    fn start(&self, stage: &str, total: u64) {
        self.progress.start(stage, total);
    }

    /// A block has ended; people are told of shards, which are both made and scored.
    fn advance(&self, _items: u64) {
        let mut state = self.state();
        let block = state.last.elapsed();
        state.last = Instant::now();
        if state.blocks.len() == REMEMBERED {
            state.blocks.pop_front();
        }
        state.blocks.push_back(block);
    }

    fn finish(&self) {
        self.progress.finish();
    }

    fn note(&self, text: &str) {
        self.progress.note(text);
    }

    fn detail(&self, text: &str) {
        self.progress.detail(text);
    }
}

/// A stage whose shards are taken before they are worked on.
pub struct Taken<'a, W> {
    /// The stage.
    pub work: W,
    /// Where they are taken.
    pub beat: &'a Beat<'a>,
}

impl<W: ShardWork> ShardWork for Taken<'_, W> {
    const NAME: &'static str = W::NAME;
    type Error = W::Error;

    fn outputs(&self, shard: usize) -> Result<Vec<ShardTarget>, W::Error> {
        self.work.outputs(shard)
    }

    fn make(&mut self, shard: usize, pending: &[usize]) -> Result<Vec<ShardResult>, W::Error> {
        if !self.beat.take(shard) {
            // The worker asks the beat whether this was the cause.
            return Err(WorkError::Interrupted.into());
        }
        self.work.make(shard, pending)
    }
}
