//! What a worker says while it works, and how it notices that it hangs.
//!
//! One thread writes the live record every half minute, another one watches, from before the first file is read. Holds
//! always: no result depends on the live record, and one that cannot be written stops nothing; the thread that watches
//! touches no file, because the file system may be what hangs.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::JobError;
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
const PATIENCE: Duration = Duration::from_secs(600);
/// Loading the models of a stage and its first block may take this long.
const FIRST_PATIENCE: Duration = Duration::from_secs(3600);
/// Blocks whose times are remembered.
const REMEMBERED: usize = 256;
/// Exit code of a process that hangs: that of a stop by a signal, so that it is started again.
const HUNG: i32 = 75;

/// The live record of one process, and the times of its blocks. It receives the progress of the work.
pub struct Beat<'a> {
    shared: Arc<Shared>,
    progress: &'a dyn Progress,
    /// What `--hung-after` says instead of the limits above.
    hung_after: Option<Duration>,
}

/// What its threads share.
struct Shared {
    job: JobDir,
    process: RankProcess,
    state: Mutex<State>,
    changed: Condvar,
    /// Held while the live record is written, so that an older one never replaces a newer one.
    writing: Mutex<()>,
}

struct State {
    live: LiveRecord,
    /// When the last block ended.
    last: Instant,
    /// How long the last blocks took.
    blocks: VecDeque<Duration>,
    /// Whether models are being loaded, or may be, and no block of their stage has ended yet.
    is_first: bool,
    /// Whether there is anything to say yet.
    has_begun: bool,
    is_over: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the live record as it is now.
    fn write(&self) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let live = {
            let mut state = self.state();
            if !state.has_begun {
                return;
            }
            state.live.at = now();
            state.live.clone()
        };
        let _ = self.job.write_live(&self.process, &live);
    }

    /// Writes it every half minute until the end.
    fn say(&self) {
        let mut state = self.state();
        while !state.is_over {
            state = self.changed.wait_timeout(state, EVERY).unwrap_or_else(PoisonError::into_inner).0;
            if !state.is_over && now().saturating_sub(state.live.at) >= EVERY.as_secs() {
                drop(state);
                self.write();
                state = self.state();
            }
        }
    }
}

impl<'a> Beat<'a> {
    /// Watches over `work`, which begins now; reads and writes no file before [`Beat::begin`].
    pub fn over<T>(
        job: &JobDir,
        process: RankProcess,
        progress: &'a dyn Progress,
        hung_after: Option<Duration>,
        work: impl FnOnce(&Self) -> Result<T, JobError>,
    ) -> Result<T, JobError> {
        let (live, last, blocks) = (LiveRecord::default(), Instant::now(), VecDeque::new());
        let state = Mutex::new(State { live, last, blocks, is_first: true, has_begun: false, is_over: false });
        let (changed, writing) = (Condvar::new(), Mutex::default());
        let shared = Arc::new(Shared { job: job.clone(), process, state, changed, writing });
        let beat = Self { shared, progress, hung_after };
        std::thread::scope(|scope| {
            scope.spawn(|| beat.watch());
            let _end = EndAtDrop(&beat);
            let worked = work(&beat);
            beat.end(&match &worked {
                Ok(_) => "through".to_owned(),
                Err(error) => error.to_string(),
            });
            worked
        })
    }

    /// Says from now on what this process is doing: `live`, with what an earlier process has left.
    pub fn begin(&self, live: LiveRecord) {
        let before = self.shared.job.live_of(&self.shared.process);
        let mut state = self.shared.state();
        state.live = LiveRecord { starts: before.starts, started: now(), at: now(), ..live };
        state.has_begun = true;
        drop(state);
        // On its own, because it may wait for a file system for ever.
        let said = Arc::clone(&self.shared);
        std::thread::spawn(move || said.say());
    }

    /// Says that `shard` is about to be worked on; `false` if too many processes have ended over it.
    pub fn take(&self, shard: usize) -> bool {
        let mut state = self.shared.state();
        if state.live.shard == Some(shard) {
            return true;
        }
        if state.live.starts.get(&shard).is_some_and(|&starts| starts >= TOO_MANY_STARTS) {
            state.live.left_out.push(shard);
            return false;
        }
        *state.live.starts.entry(shard).or_default() += 1;
        state.live.shard = Some(shard);
        drop(state);
        self.shared.write();
        true
    }

    /// Says that a stage begins, which loads models.
    fn loads(&self) {
        let mut state = self.shared.state();
        (state.is_first, state.last) = (true, Instant::now());
    }

    /// Says that something has happened, if it was not a block.
    pub fn renew(&self) {
        self.shared.state().last = Instant::now();
    }

    /// Says that `shard` is done, with `items` items, of which `fresh` were worked on.
    pub fn done(&self, shard: usize, items: u64, fresh: u64) {
        self.progress.advance(items);
        self.renew();
        let mut state = self.shared.state();
        state.live.images += fresh;
        state.live.starts.remove(&shard);
        state.live.shard = None;
        state.live.done += 1;
    }

    /// Shards that were left out.
    pub fn left_out(&self) -> Vec<usize> {
        self.shared.state().live.left_out.clone()
    }

    /// Ends the beat in good order; `how`: what people read in the live record.
    fn end(&self, how: &str) {
        let mut state = self.shared.state();
        // Who ends in good order is not the victim of its shard.
        if let Some(shard) = state.live.shard
            && let Some(starts) = state.live.starts.get_mut(&shard)
        {
            *starts -= 1;
        }
        drop(state);
        self.end_as(how);
    }

    fn end_as(&self, how: &str) {
        let mut state = self.shared.state();
        if state.is_over {
            return;
        }
        state.live.shard = None;
        state.live.ended = Some(how.to_owned());
        drop(state);
        // Still watched.
        self.shared.write();
        self.shared.state().is_over = true;
        self.shared.changed.notify_all();
    }

    /// Watches until the end; ends the process if it hangs.
    fn watch(&self) {
        let mut state = self.shared.state();
        let look = self.hung_after.map_or(EVERY, |after| EVERY.min(after / 4));
        while !state.is_over {
            state = self.shared.changed.wait_timeout(state, look).unwrap_or_else(PoisonError::into_inner).0;
            let (waited, limit) = (state.last.elapsed(), self.limit(&state));
            if !state.is_over && waited > limit {
                let seconds = waited.as_secs();
                state.live.ended = Some(format!("it hung for {seconds} s"));
                drop(state);
                // Nobody is left to return an error to, and `-q` must not hide it.
                let _ = writeln!(
                    std::io::stderr(),
                    "error: nothing has happened for {seconds} s, so this process ends (75: it may be started again)"
                );
                // The record may lie on the file system that hangs.
                let shared = Arc::clone(&self.shared);
                std::thread::spawn(move || shared.write());
                std::thread::sleep(Duration::from_secs(1));
                std::process::exit(HUNG);
            }
        }
    }

    fn limit(&self, state: &State) -> Duration {
        if let Some(after) = self.hung_after {
            return after;
        }
        let mean = state.blocks.iter().sum::<Duration>().checked_div(state.blocks.len() as u32);
        match mean {
            Some(mean) if !state.is_first => (mean * SLOWER).max(PATIENCE),
            _ => FIRST_PATIENCE,
        }
    }
}

/// Ends the beat when it goes by a panic: the thread that watches must not keep the process, and the shard in hand has
/// ended it.
struct EndAtDrop<'a, 'b>(&'a Beat<'b>);

impl Drop for EndAtDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.end_as("a bug: the program ended in the middle");
    }
}

impl Progress for Beat<'_> {
    fn start(&self, stage: &str, total: u64) {
        self.progress.start(stage, total);
    }

    /// A block has ended; people are told of shards, which are both made and scored.
    fn advance(&self, _items: u64) {
        let mut state = self.shared.state();
        let block = state.last.elapsed();
        state.is_first = false;
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

/// A stage whose shards are taken when its models are loaded, before they are worked on.
pub struct Taken<'a, W> {
    /// The stage.
    work: W,
    /// Where they are taken.
    beat: &'a Beat<'a>,
    /// Whether it has loaded anything yet.
    has_begun: bool,
}

impl<'a, W> Taken<'a, W> {
    /// A stage that has not begun yet.
    pub fn new(work: W, beat: &'a Beat<'a>) -> Self {
        Self { work, beat, has_begun: false }
    }
}

impl<W: ShardWork> ShardWork for Taken<'_, W> {
    const NAME: &'static str = W::NAME;
    type Error = W::Error;

    fn outputs(&self, shard: usize) -> Result<Vec<ShardTarget>, W::Error> {
        self.work.outputs(shard)
    }

    /// A process that ends while it loads models is no victim of the shard, which is not taken yet.
    fn load(&mut self, shard: usize, pending: &[usize]) -> Result<(), W::Error> {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.beat.loads();
        }
        self.work.load(shard, pending)
    }

    fn make(&mut self, shard: usize, pending: &[usize]) -> Result<Vec<ShardResult>, W::Error> {
        if !self.beat.take(shard) {
            // The worker asks the beat whether this was the cause.
            return Err(WorkError::Interrupted.into());
        }
        self.work.make(shard, pending)
    }
}
