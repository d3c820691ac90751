//! One thread that makes the images of sheets before somebody gets them, so that nobody waits for them.
//!
//! Holds always: it makes those of the next few sheets only, because a round may have more sheets than the disk has
//! room for; nothing depends on it, because a sheet that is not ready is made ready when it is given out.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use super::clock::now_ms;
use super::desk::Desk;
use super::images::Images;
use super::locked::lock;

/// Sheets that nobody has yet and whose images are there; each takes some 6 MB at 512 px.
const AHEAD: usize = 16;

/// The channel to the thread.
pub(super) struct Ahead(SyncSender<()>);

impl Ahead {
    /// Starts the thread, which ends after this is dropped.
    pub fn start(images: Arc<dyn Images>, desk: Arc<Mutex<Desk>>) -> Self {
        // One reminder is enough: the thread then looks at everything.
        let (wake, reminders) = sync_channel(1);
        std::thread::spawn(move || run(&*images, &desk, &reminders));
        let ahead = Self(wake);
        ahead.glance();
        ahead
    }

    /// A sheet was given out: others are next now.
    pub fn glance(&self) {
        // If it has a reminder already, it will look.
        let _ = self.0.try_send(());
    }
}

fn run(images: &dyn Images, desk: &Mutex<Desk>, reminders: &Receiver<()>) {
    let mut done: HashSet<usize> = HashSet::new();
    while reminders.recv().is_ok() {
        // Looked up again for each sheet, because people get sheets meanwhile.
        while let Some(sheet) = next(desk, &done) {
            images.prepare_ahead(sheet);
            done.insert(sheet);
        }
    }
}

/// The sheet whose images are needed first.
fn next(desk: &Mutex<Desk>, done: &HashSet<usize>) -> Option<usize> {
    let upcoming = lock(desk).upcoming(AHEAD, now_ms());
    upcoming.into_iter().find(|sheet| !done.contains(sheet))
}
