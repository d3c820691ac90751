//! The layout of a job in a run directory, `jobs/NNNN/`: what was submitted, its scripts, what each rank has made, and
//! what ranks say while they work.
//!
//! Holds always: a job's record never changes, because ranks that are started again must find what the first ones
//! found; a rank is through only if its record says so, and a listing tells which records there are, because a
//! distributed file system may deny a name that somebody asked for too early.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::atomic::{Committed, PendingFile};
use super::unfinished::remove;
use super::unit::Stems;
use super::{RunDir, StoreError, Unit, seal, side_by_side, written_order};
use crate::domain::{JobRecord, LiveRecord};

/// What people can do about damage to what a rank has made.
const SUBMIT_AGAIN: &str = "delete it and start the rank again with `hardset submit RUN --missing`";

/// How often a file that another machine has just written is looked for, and the time between two looks: file systems
/// may hide it for half a minute.
const LOOKS: u32 = 120;
const LOOK: Duration = Duration::from_millis(500);

/// One job of a run.
#[derive(Debug, Clone)]
pub struct JobDir {
    run: RunDir,
    name: String,
}

impl RunDir {
    /// The names of all jobs, in the order in which they were submitted.
    pub fn jobs(&self) -> Result<Vec<String>, StoreError> {
        let mut names = BTreeSet::new();
        for path in self.paths(&self.path().join("jobs"))? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_digit()) {
                names.insert((name.len(), name.to_owned()));
            }
        }
        Ok(names.into_iter().map(|(_, name)| name).collect())
    }

    /// The job with this name, which need not exist yet.
    pub fn job(&self, name: &str) -> JobDir {
        JobDir { run: self.clone(), name: name.to_owned() }
    }

    /// The job that was submitted last; `None` if there is none.
    pub fn last_job(&self) -> Result<Option<JobDir>, StoreError> {
        Ok(self.jobs()?.last().map(|name| self.job(name)))
    }

    /// A job with a number that no job has yet.
    pub fn next_job(&self) -> Result<JobDir, StoreError> {
        let last = self.jobs()?.last().and_then(|name| name.parse::<u32>().ok()).unwrap_or(0);
        Ok(self.job(&format!("{:04}", last + 1)))
    }
}

impl JobDir {
    /// Its name: a number with four digits or more.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub fn path(&self) -> PathBuf {
        self.run.path().join("jobs").join(&self.name)
    }

    fn record_path(&self) -> PathBuf {
        self.path().join("job.toml")
    }

    /// Its record.
    pub fn record(&self) -> Result<JobRecord, StoreError> {
        let path = self.record_path();
        let damaged = |problem: String| StoreError::Damaged {
            path: self.run.address(&path).display().to_string(),
            problem: problem.trim().to_owned(),
            remedy: "restore it from a copy, or submit the run again".to_owned(),
        };
        let Some(bytes) = self.run.read_small(&path)? else {
            let there = self.run.jobs()?.join(", ");
            let there = if there.is_empty() { "it has none".to_owned() } else { format!("it has {there}") };
            return Err(StoreError::NoJob {
                run: self.run.place().display().to_string(),
                job: self.name.clone(),
                there,
            });
        };
        toml::from_str(seal::open_toml(&bytes).map_err(damaged)?).map_err(|error| damaged(error.to_string()))
    }

    /// Whether it was submitted before the file at `path` was written, by the clock of their file system.
    pub fn is_older_than(&self, path: &Path) -> bool {
        written_order(&self.record_path(), path) == Some(Ordering::Less)
    }

    /// Stores the record of a new job; `false` if there is one of this name already.
    pub fn write(&self, record: &JobRecord) -> Result<bool, StoreError> {
        let path = self.record_path();
        if self.run.read_small(&path)?.is_some() {
            return Ok(false);
        }
        let text = toml::to_string(record).map_err(|e| StoreError::io("write", &path)(std::io::Error::other(e)))?;
        let sealed = seal::seal_toml(&text);
        if self.run.home().is_some() {
            return self.run.write_small(&path, sealed.as_bytes()).map(|()| true);
        }
        let mut pending = PendingFile::create(&path)?;
        pending.write_all(sealed.as_bytes()).map_err(StoreError::io("write", &path))?;
        Ok(matches!(pending.commit_first()?, Committed::First))
    }

    /// Writes one of its scripts.
    pub fn write_script(&self, name: &str, text: &str) -> Result<PathBuf, StoreError> {
        let path = self.path().join(name);
        self.run.write_small(&path, text.as_bytes())?;
        Ok(path)
    }

    /// The folder of its logs, which is made.
    pub fn logs(&self) -> Result<PathBuf, StoreError> {
        let path = self.path().join("logs");
        fs::create_dir_all(&path).map_err(StoreError::io("make folder", &path))?;
        Ok(path)
    }

    /// What rank `rank` has made.
    pub fn rank(&self, rank: usize) -> Unit {
        Unit { remedy: SUBMIT_AGAIN, ..self.run.unit(self.path().join("ranks"), &format!("{rank:05}")) }
    }

    /// The ranks that have a record.
    pub fn recorded(&self) -> Result<BTreeSet<usize>, StoreError> {
        let stems = Stems::of(&self.run.paths(&self.path().join("ranks"))?, |_| true);
        Ok(stems.recorded.iter().filter_map(|stem| stem.parse().ok()).collect())
    }

    /// What ranks have last said of themselves, by rank; of a rank on several devices, what each of its processes has
    /// said. A file that cannot be read is left out, because nothing follows from it.
    pub fn live(&self) -> Result<BTreeMap<usize, Vec<LiveRecord>>, StoreError> {
        let paths = self.run.paths(&self.path().join("live"))?;
        let read = side_by_side(&paths, |path| RankProcess::of(path).zip(self.live_at(path)));
        let mut found: BTreeMap<usize, Vec<LiveRecord>> = BTreeMap::new();
        for (process, record) in read.into_iter().flatten() {
            found.entry(process.rank).or_default().push(record);
        }
        Ok(found)
    }

    /// What a process of a rank has last said; nothing if it has not, or if that cannot be read.
    pub fn live_of(&self, process: &RankProcess) -> LiveRecord {
        self.live_at(&self.live_path(process)).unwrap_or_default()
    }

    fn live_at(&self, path: &Path) -> Option<LiveRecord> {
        let bytes = self.run.read_once(path).unwrap_or_default()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Says what a process of a rank is doing.
    pub fn write_live(&self, process: &RankProcess, record: &LiveRecord) -> Result<(), StoreError> {
        let path = self.live_path(process);
        let text = serde_json::to_string_pretty(record).map_err(|e| StoreError::io("write", &path)(e.into()))?;
        self.run.write_small(&path, (text + "\n").as_bytes())
    }

    /// Forgets what these ranks have said, so that shards that were left out are tried again, and that they were
    /// through. Only for the holder of the run's lock.
    pub fn forget(&self, ranks: &BTreeSet<usize>) -> Result<(), StoreError> {
        for path in self.run.paths(&self.path().join("live"))? {
            if !RankProcess::of(&path).is_some_and(|process| ranks.contains(&process.rank)) {
                continue;
            }
            // Nothing is ever removed from a bucket: there it has no bytes afterwards, and says nothing.
            if self.run.home().is_some() {
                self.run.write_small(&path, b"")?;
            } else {
                remove(&path)?;
            }
        }
        for rank in self.recorded()?.intersection(ranks) {
            self.rank(*rank).take_back()?;
        }
        Ok(())
    }

    fn live_path(&self, process: &RankProcess) -> PathBuf {
        self.path().join("live").join(process.file_name())
    }

    /// What makes the results in `output` (`images`, `predictions.NAME`) in this job: these facts, unless another
    /// process was first; then those of that one.
    pub fn pinned_maker(
        &self,
        output: &str,
        facts: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, StoreError> {
        let path = self.path().join("devices").join(format!("{output}.json"));
        let text = serde_json::to_string_pretty(facts).map_err(|e| StoreError::io("write", &path)(e.into()))? + "\n";
        for _ in 0..LOOKS {
            if let Some(bytes) = self.run.read_small(&path)? {
                match serde_json::from_slice(&bytes) {
                    Ok(pinned) => return Ok(pinned),
                    // Nobody else can read it either: ours takes its place.
                    Err(_) => self.run.write_small(&path, text.as_bytes())?,
                }
                continue;
            }
            if self.run.home().is_some() {
                // Whoever is last here is the first for all who look later; the next look may find another one.
                self.run.write_small(&path, text.as_bytes())?;
                continue;
            }
            let mut pending = PendingFile::create(&path)?;
            pending.write_all(text.as_bytes()).map_err(StoreError::io("write", &path))?;
            if let Committed::First = pending.commit_first()? {
                return Ok(facts.clone());
            }
            // It is there, and this machine does not see it yet.
            std::thread::sleep(LOOK);
        }
        Err(StoreError::io("read", &path)(std::io::Error::from(std::io::ErrorKind::TimedOut)))
    }
}

/// A process that works on a rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankProcess {
    /// The rank, from 0.
    pub rank: usize,
    /// Of a rank on several devices: the place of this one's, from 0.
    pub device: Option<usize>,
}

impl RankProcess {
    fn file_name(self) -> String {
        match self.device {
            None => format!("{:05}.json", self.rank),
            Some(device) => format!("{:05}.{device}.json", self.rank),
        }
    }

    /// The process whose file has this name.
    fn of(path: &Path) -> Option<Self> {
        let stem = path.file_name()?.to_str()?.strip_suffix(".json")?;
        let (rank, device) = stem.split_once('.').map_or((stem, None), |(rank, device)| (rank, Some(device)));
        let process = Self { rank: rank.parse().ok()?, device: device.and_then(|device| device.parse().ok()) };
        (process.device.is_some() == device.is_some()).then_some(process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_whose_words_are_in_it() {
        for process in [RankProcess { rank: 17, device: None }, RankProcess { rank: 123_456, device: Some(3) }] {
            assert_eq!(RankProcess::of(Path::new(&process.file_name())), Some(process));
        }
        let other = ["00017.json.1-2-3.unfinished", "notes.json", "00017.x.json", "00017"];
        assert!(other.into_iter().all(|name| RankProcess::of(Path::new(name)).is_none()));
    }
}
