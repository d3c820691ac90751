//! One thread that saves answers and who has which sheet: what arrives while it is at it is saved together, by one write to the disk.

use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::oneshot;

use super::now_ms;
use crate::store::{Ballots, Entry, StoreError};

/// Entries saved at once.
const MOST: usize = 512;

/// An entry, and whom to tell that it is saved.
type Letter = (Entry, oneshot::Sender<Result<(), String>>);

/// The way to the thread.
pub(super) struct Writer(Sender<Letter>);

impl Writer {
    /// Starts the thread; it ends when this is dropped, after all that it was given is saved.
    pub fn start(ballots: Ballots) -> Self {
        let (sender, letters) = channel();
        std::thread::spawn(move || run(ballots, &letters));
        Self(sender)
    }

    /// Saves an entry; it is on the disk when this returns without an error.
    pub async fn save(&self, entry: Entry) -> Result<(), String> {
        let gone = || "the writer has stopped".to_owned();
        let (sender, saved) = oneshot::channel();
        self.0.send((entry, sender)).map_err(|_| gone())?;
        saved.await.map_err(|_| gone())?
    }
}

fn run(mut ballots: Ballots, letters: &Receiver<Letter>) {
    while let Ok(first) = letters.recv() {
        let more = std::iter::from_fn(|| letters.try_recv().ok());
        let (batch, senders): (Vec<Entry>, Vec<_>) = std::iter::once(first).chain(more).take(MOST).unzip();
        let saved = ballots.save(&batch, now_ms()).map_err(|error: StoreError| error.to_string());
        for sender in senders {
            // Somebody who has hung up will ask again.
            let _ = sender.send(saved.clone());
        }
    }
}
