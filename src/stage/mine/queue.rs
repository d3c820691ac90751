//! Many images, few scorers: all cores prepare images, and one thread for each scorer scores them in batches.
//!
//! Holds always: a batch is cut from a scorer's good images in their order, whatever the stretches in which they
//! arrive, so that a result does not depend on the number of threads. A scorer that is slower than the cores has at
//! most three stretches in memory (being scored, in its queue, waiting for the queue), because memory must not grow
//! with the pool.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, ScopedJoinHandle};

use super::MineError;
use crate::domain::{Outcome, Scores};
use crate::imaging::RgbImage;
use crate::scorer::{Scorer, ScorerError};

/// Stretches in the queue of a scorer.
const WAITING: usize = 1;

/// Images that are ready for one scorer, in order, or why one is not.
pub type Prepared = Vec<Outcome<RgbImage>>;

/// Turns the scores of an image into a result; scorer and image are named by their places, from 0, in their orders.
pub type Judged<'a, T> = &'a (dyn Fn(usize, usize, Outcome<Scores>) -> Outcome<T> + Sync);

/// A scorer with a queue, and the size of its batches.
pub struct Queued<'a> {
    /// The model.
    pub model: &'a mut dyn Scorer,
    /// Its place among all scorers.
    pub place: usize,
    /// At least 1.
    pub batch: usize,
}

/// Scores all images; returns for each scorer one outcome per image, in order.
///
/// `prepare` returns the next stretch of images, once for each scorer in their order; `None` after the last. Its error,
/// or that of a scorer, ends the work.
pub fn run<T: Send>(
    scorers: Vec<Queued>,
    mut prepare: impl FnMut() -> Result<Option<Vec<Prepared>>, MineError>,
    judge: Judged<T>,
) -> Result<Vec<Vec<Outcome<T>>>, MineError> {
    thread::scope(|scope| {
        let mut queues = Vec::new();
        let mut threads = Vec::new();
        for scorer in scorers {
            let (queue, stretches) = sync_channel(WAITING);
            queues.push(queue);
            threads.push(scope.spawn(move || score_all(scorer, &stretches, judge)));
        }
        let fed = feed(queues, &mut prepare);
        let scored = threads.into_iter().map(joined).collect::<Result<Vec<_>, ScorerError>>();
        // If both ended with an error, the scorer's is the cause: without it, the queue would still have a reader.
        let scored = scored?;
        fed?;
        Ok(scored)
    })
}

/// Fills the queues until there are no more stretches, or until a scorer has ended.
fn feed(
    queues: Vec<SyncSender<Prepared>>,
    prepare: &mut impl FnMut() -> Result<Option<Vec<Prepared>>, MineError>,
) -> Result<(), MineError> {
    while let Some(stretch) = prepare()? {
        for (queue, images) in queues.iter().zip(stretch) {
            if queue.send(images).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The thread's result; a panic is resumed in the thread that waits.
fn joined<T>(thread: ScopedJoinHandle<Result<T, ScorerError>>) -> Result<T, ScorerError> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// One scorer's thread.
fn score_all<T>(
    scorer: Queued,
    stretches: &Receiver<Prepared>,
    judge: Judged<T>,
) -> Result<Vec<Outcome<T>>, ScorerError> {
    let mut batch = Batch { scorer, images: Vec::new(), places: Vec::new() };
    let mut outcomes: Vec<Outcome<T>> = Vec::new();
    for image in stretches.iter().flatten() {
        let place = outcomes.len();
        outcomes.push(match image {
            Outcome::Kept(image) => {
                batch.images.push(image);
                batch.places.push(place);
                // A placeholder until the batch is scored.
                Outcome::Failed("no score came back".to_owned())
            }
            Outcome::Dropped(reason) => Outcome::Dropped(reason),
            Outcome::Failed(reason) => Outcome::Failed(reason),
        });
        if batch.images.len() == batch.scorer.batch {
            batch.score(&mut outcomes, judge)?;
        }
    }
    batch.score(&mut outcomes, judge)?;
    Ok(outcomes)
}

/// The next images of one scorer.
struct Batch<'a> {
    scorer: Queued<'a>,
    images: Vec<RgbImage>,
    places: Vec<usize>,
}

impl Batch<'_> {
    /// Scores the images and empties the batch.
    fn score<T>(&mut self, outcomes: &mut [Outcome<T>], judge: Judged<T>) -> Result<(), ScorerError> {
        if self.images.is_empty() {
            return Ok(());
        }
        let scores = self.scorer.model.score_fitted(&self.images)?;
        for (&place, scores) in self.places.iter().zip(scores) {
            outcomes[place] = judge(self.scorer.place, place, scores);
        }
        self.images.clear();
        self.places.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ProbKind;
    use crate::work::WorkError;

    /// Gives each picture's first byte as its energy; remembers the sizes of its batches; fails at a byte.
    struct Bytes {
        batches: Vec<usize>,
        fails_at: Option<u8>,
    }

    impl Scorer for Bytes {
        fn score(&mut self, _: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
            unreachable!("the queue gives fitted images")
        }

        fn score_fitted(&mut self, images: &[RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
            self.batches.push(images.len());
            let bytes = images.iter().map(|image| image.pixels()[0]);
            if bytes.clone().any(|byte| Some(byte) == self.fails_at) {
                return Err(ScorerError::Run { name: "bytes".to_owned(), problem: "a bad byte".to_owned() });
            }
            let scores = |byte: u8| Scores {
                probs: Vec::new(),
                kind: ProbKind::Choice,
                logits: None,
                max_logit: None,
                energy: Some(f32::from(byte)),
            };
            Ok(bytes.map(|byte| Outcome::Kept(scores(byte))).collect())
        }
    }

    fn picture(byte: u8) -> Outcome<RgbImage> {
        match byte % 7 {
            3 => Outcome::Dropped(format!("{byte} is dropped")),
            _ => Outcome::Kept(RgbImage::new(1, 1, vec![byte; 3]).unwrap()),
        }
    }

    /// Sends the bytes 0 to 49 in stretches through `scorers`; all outcomes as text.
    fn scored(scorers: &mut [Bytes], batch: usize, stretch: usize) -> Result<Vec<Vec<String>>, MineError> {
        let count = scorers.len();
        let bytes: Vec<u8> = (0..50).collect();
        let mut stretches = bytes.chunks(stretch);
        let prepare = || {
            let stretch = stretches.next();
            Ok(stretch.map(|bytes| vec![bytes.iter().map(|&byte| picture(byte)).collect(); count]))
        };
        let judge = |_: usize, place: usize, scores: Outcome<Scores>| match scores {
            Outcome::Kept(scores) => Outcome::Kept(format!("{place}: {}", scores.energy.unwrap())),
            Outcome::Dropped(reason) | Outcome::Failed(reason) => Outcome::Failed(reason),
        };
        let scorers = scorers.iter_mut().map(|surrogate| Queued { model: surrogate, place: 0, batch }).collect();
        let text = |outcome: Outcome<String>| match outcome {
            Outcome::Kept(text) | Outcome::Dropped(text) | Outcome::Failed(text) => text,
        };
        let scored = run(scorers, prepare, &judge)?;
        Ok(scored.into_iter().map(|outcomes| outcomes.into_iter().map(text).collect()).collect())
    }

    fn bytes(fails_at: Option<u8>) -> Bytes {
        Bytes { batches: Vec::new(), fails_at }
    }

    #[test]
    fn batches_are_full_but_for_the_last_whatever_the_stretches() {
        let expected: Vec<String> =
            (0..50).map(|i| if i % 7 == 3 { format!("{i} is dropped") } else { format!("{i}: {i}") }).collect();
        for stretch in [1, 8, 13, 50] {
            let mut scorers = [bytes(None), bytes(None)];
            assert_eq!(scored(&mut scorers, 8, stretch).unwrap(), [expected.clone(), expected.clone()], "{stretch}");
            // 43 of 50 are good.
            assert_eq!(scorers[0].batches, [8, 8, 8, 8, 8, 3], "{stretch}");
        }
    }

    #[test]
    fn an_error_of_one_scorer_ends_all_and_is_the_one_that_is_told() {
        let mut scorers = [bytes(None), bytes(Some(20))];
        let error = scored(&mut scorers, 4, 2).unwrap_err();
        assert!(error.to_string().contains("a bad byte"), "{error}");
        assert!(scorers[1].batches.len() <= 5, "it ended there");
    }

    #[test]
    fn an_error_in_preparing_ends_all() {
        let mut scorer = bytes(None);
        let mut calls = 0;
        let prepare = || {
            calls += 1;
            if calls == 3 { Err(MineError::Work(WorkError::Interrupted)) } else { Ok(Some(vec![vec![picture(1)]])) }
        };
        let judge = |_: usize, _: usize, scores: Outcome<Scores>| scores;
        let scorers = vec![Queued { model: &mut scorer, place: 0, batch: 2 }];
        assert!(matches!(run(scorers, prepare, &judge), Err(MineError::Work(WorkError::Interrupted))));
    }
}
