//! One thread that saves answers and which sheets are given out. Entries that arrive during a write are saved together
//! by the next one, because each write waits for the disk.

use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::oneshot;

use super::clock::now_ms;
use crate::store::{BallotChange, Ballots, StoreError};

/// The most changes of one write.
const MOST: usize = 512;

/// A change, and the channel that reports whether it was saved.
struct Request {
    change: BallotChange,
    saved: oneshot::Sender<Result<bool, String>>,
}

/// The channel to the thread.
pub(super) struct Writer(Sender<Request>);

impl Writer {
    /// Starts the thread. It ends after this is dropped and all changes are saved.
    pub fn start(ballots: Ballots) -> Self {
        let (sender, requests) = channel();
        std::thread::spawn(move || run(ballots, &requests));
        Self(sender)
    }

    /// Saves a change; it is on the disk when this returns without an error. Whether it was possible.
    pub async fn save(&self, change: BallotChange) -> Result<bool, String> {
        let gone = || "the writer has stopped".to_owned();
        let (saved, outcome) = oneshot::channel();
        self.0.send(Request { change, saved }).map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

fn run(mut ballots: Ballots, requests: &Receiver<Request>) {
    while let Ok(first) = requests.recv() {
        let more = std::iter::from_fn(|| requests.try_recv().ok());
        let (mut changes, mut channels) = (Vec::new(), Vec::new());
        for Request { change, saved } in std::iter::once(first).chain(more).take(MOST) {
            changes.push(change);
            channels.push(saved);
        }
        let outcome = ballots.save(&changes, now_ms()).map_err(|error: StoreError| error.to_string());
        for (at, channel) in channels.into_iter().enumerate() {
            let possible = outcome.as_ref().map(|possible| possible.get(at).copied().unwrap_or(false));
            // A page that has gone away sends its answer again.
            let _ = channel.send(possible.map_err(String::clone));
        }
    }
}
