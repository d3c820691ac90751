//! The images of the server's sheets, in `batches/images/<side in px>/`: all of a sheet or none.
//!
//! Holds always: an image is handed over only from a sheet whose images all exist, because images that are made one by
//! one would tell by the time that each takes where it comes from. A full disk keeps nobody from seeing a sheet: its
//! images are then kept in memory.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::AnnotateError;
use super::pack::Packer;
use crate::domain::Task;
use crate::imaging::sheet_bytes;
use crate::people::Round;
use crate::pool::Pool;
use crate::server::Images;
use crate::store::{RunDir, write_whole};

/// Bytes of images in memory, of sheets that could not be saved.
const MOST_HELD_BYTES: usize = 128 << 20;
/// Times that images are made again because somebody else removes them, before that is an error.
const TRIES: usize = 3;

/// The images of all sheets.
pub struct Shelf {
    run: RunDir,
    folder: PathBuf,
    packer: Packer,
    threads: rayon::ThreadPool,
    image_bytes: usize,
    sheets: Vec<Vec<Task>>,
    /// For each task its sheet, and its place on it.
    places: HashMap<String, (usize, usize)>,
    /// For each sheet whether all of its images are on the disk. The lock is held while they are made.
    saved: Vec<Mutex<bool>>,
    /// Sheets that could not be saved, oldest first.
    held: Mutex<VecDeque<HeldSheet>>,
}

struct HeldSheet {
    sheet: usize,
    jpegs: Vec<Vec<u8>>,
}

impl Shelf {
    /// The shelf for the sheets of these rounds, one after the other.
    pub fn open(pool: &Pool, rounds: &[Round]) -> Result<Self, AnnotateError> {
        let sheets: Vec<Vec<Task>> = rounds.iter().flat_map(Round::sheets).map(<[Task]>::to_vec).collect();
        let mut places = HashMap::new();
        for (sheet, tasks) in sheets.iter().enumerate() {
            places.extend(tasks.iter().enumerate().map(|(at, task)| (task.name.clone(), (sheet, at))));
        }
        let side_px = pool.spec().annotate.image_px;
        // One core stays free for answers.
        let threads = pool.ctx().threads.saturating_sub(1).max(1);
        let threads = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        Ok(Self {
            run: pool.ctx().run.clone(),
            folder: pool.ctx().run.batches().join("images").join(side_px.to_string()),
            packer: Packer::open(pool, sheets.iter().flatten().map(|task| &task.image))?,
            threads: threads.map_err(|e| crate::work::WorkError::Threads(e.to_string()))?,
            image_bytes: sheet_bytes(side_px),
            saved: sheets.iter().map(|_| Mutex::default()).collect(),
            sheets,
            places,
            held: Mutex::default(),
        })
    }

    fn path(&self, task: &Task) -> PathBuf {
        self.folder.join(format!("{}.jpg", task.name))
    }

    /// Whether the task's image is on the disk; files appear whole, and all have one size.
    fn is_saved(&self, task: &Task) -> bool {
        fs::metadata(self.path(task)).is_ok_and(|found| found.len() == self.image_bytes as u64)
    }

    fn make(&self, task: &Task) -> Result<Vec<u8>, String> {
        let picture = self.packer.picture(&task.image)?;
        self.packer.jpeg(task, &picture).map_err(|e| e.to_string())
    }

    /// The images of these tasks. Those that are grey squares are noted before anybody sees one.
    fn make_all(&self, tasks: &[&Task]) -> Result<Vec<Vec<u8>>, String> {
        let blanks = Mutex::new(BTreeSet::new());
        let make = |task: &&Task| {
            self.make(task).or_else(|_| {
                lock(&blanks).insert(task.name.clone());
                self.packer.blank(task).map_err(|e| e.to_string())
            })
        };
        let made = self.threads.install(|| tasks.par_iter().map(make).collect::<Result<Vec<_>, _>>())?;
        let blanks = blanks.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !blanks.is_empty() {
            self.run.add_blanks("server", &blanks).map_err(|e| e.to_string())?;
        }
        Ok(made)
    }

    /// Keeps a sheet in memory instead of the sheets that came first.
    fn hold(&self, sheet: usize, jpegs: Vec<Vec<u8>>) {
        let mut held = lock(&self.held);
        held.push_back(HeldSheet { sheet, jpegs });
        let bytes = |held: &VecDeque<HeldSheet>| held.iter().flat_map(|held| &held.jpegs).map(Vec::len).sum::<usize>();
        while held.len() > 1 && bytes(&held) > MOST_HELD_BYTES {
            held.pop_front();
        }
    }

    fn is_held(&self, sheet: usize) -> bool {
        lock(&self.held).iter().any(|held| held.sheet == sheet)
    }

    fn held_jpeg(&self, sheet: usize, at: usize) -> Option<Vec<u8>> {
        lock(&self.held).iter().find(|held| held.sheet == sheet).and_then(|held| held.jpegs.get(at).cloned())
    }
}

impl Images for Shelf {
    fn prepare(&self, sheet: usize) -> Result<(), String> {
        let tasks = self.sheets.get(sheet).ok_or("there is no such sheet")?;
        let mut saved = lock(&self.saved[sheet]);
        if *saved || self.is_held(sheet) {
            return Ok(());
        }
        let lacking: Vec<&Task> = tasks.iter().filter(|task| !self.is_saved(task)).collect();
        let made = self.make_all(&lacking)?;
        let write = |task: &Task, jpeg: &[u8]| write_whole(&self.path(task), jpeg).is_ok();
        if lacking.iter().zip(&made).all(|(task, jpeg)| write(task, jpeg)) {
            *saved = true;
            return Ok(());
        }
        // No room: all of the sheet, so that none of its images comes in another way than the others.
        let all: Vec<&Task> = tasks.iter().collect();
        let jpegs = if lacking.len() == all.len() { made } else { self.make_all(&all)? };
        self.hold(sheet, jpegs);
        Ok(())
    }

    fn prepare_ahead(&self, sheet: usize) {
        for task in self.sheets.get(sheet).into_iter().flatten() {
            // Image by image, so that somebody who is given the sheet now need not wait for the whole of it.
            let Some(_making) = self.saved.get(sheet).and_then(|saved| saved.try_lock().ok()).filter(|saved| !**saved)
            else {
                return;
            };
            if self.is_saved(task) {
                continue;
            }
            let made = self.threads.install(|| self.make(task));
            if !made.is_ok_and(|jpeg| write_whole(&self.path(task), &jpeg).is_ok()) {
                return;
            }
        }
    }

    fn jpeg(&self, task: &str) -> Result<Vec<u8>, String> {
        let &(sheet, at) = self.places.get(task).ok_or("there is no such task")?;
        let task = &self.sheets[sheet][at];
        for _ in 0..TRIES {
            self.prepare(sheet)?;
            if let Some(jpeg) = self.held_jpeg(sheet, at) {
                return Ok(jpeg);
            }
            if let Ok(jpeg) = fs::read(self.path(task)) {
                return Ok(jpeg);
            }
            // Somebody has removed the file: what else is gone is made too.
            *lock(&self.saved[sheet]) = false;
        }
        Err(format!("the file {} is removed again and again", self.path(task).display()))
    }
}

/// Locks the value, even after a thread that held the lock has panicked, because no change here is left half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
