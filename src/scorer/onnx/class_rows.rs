//! The rows of a zero-shot model's classes: every text through the text tower, the templates of a class averaged.
//!
//! Source of the average: open_clip and CLIP_benchmark, `build_zero_shot_classifier`: each text's row divided by its
//! norm, the mean, divided by its norm again. Holds always: rows are the same on any number of threads, and are made
//! before any image is scored; a text without a usable row is an error that names it.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::row_cache;
use super::sessions::Sessions;
use super::text_tower::{TextSide, TextTower};
use crate::domain::{Device, Key, Sha256};
use crate::scorer::contract::Stop;
use crate::scorer::error::ScorerError;

/// One row of length 1 for each class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassRows {
    /// Numbers of a row.
    pub width: usize,
    /// The rows, class by class.
    pub numbers: Vec<f32>,
}

/// The rows of the model's classes, `width` numbers each as those of pictures. `place`: the program's cache, in which
/// they are looked for and kept, and whether to stop.
pub fn rows(
    text: &TextSide,
    width: usize,
    sessions: &Sessions,
    place: (&Path, Stop),
) -> Result<ClassRows, ScorerError> {
    let (cache, stop) = place;
    let texts = text.model.texts();
    let key = key(text, sessions, &texts);
    let classes = text.model.names.len();
    if let Some(numbers) = row_cache::read(cache, key).filter(|numbers| numbers.len().is_multiple_of(classes)) {
        text.same_width(numbers.len() / classes, width)?;
        return Ok(ClassRows { width, numbers });
    }
    text.check_width(sessions, width)?;
    let made = make(text, sessions, &texts, stop)?;
    // Without a cache the next run makes them again.
    let _not_kept = row_cache::write(cache, key, &made.numbers);
    text.model.text.graph.iter().for_each(|graph| sessions.forget(graph));
    Ok(made)
}

/// What the rows depend on.
fn key(text: &TextSide, sessions: &Sessions, texts: &[String]) -> Sha256 {
    let tower = &text.model.text;
    Key::new("class rows", 1)
        .field("tower", text.graph().sha256())
        .field("tokenizer", tower.tokenizer.sha256)
        .field("positions", tower.positions)
        .field("padding", tower.padding.as_deref())
        .field("output", tower.output.as_deref())
        .field("templates", text.model.templates.len() as u64)
        .list("texts", texts)
        .field("runtime", sessions.version())
        .field("device", sessions.device().kind())
        .finish()
}

fn make(text: &TextSide, sessions: &Sessions, texts: &[String], stop: Stop) -> Result<ClassRows, ScorerError> {
    let templates = text.model.templates.len();
    let classes: Vec<&[String]> = texts.chunks(templates).collect();
    let (next, made) = (AtomicUsize::new(0), Mutex::new(vec![Vec::new(); classes.len()]));
    let work = || -> Result<(), ScorerError> {
        let mut tower = text.tower_on_device(sessions)?;
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(texts) = classes.get(at) else { return Ok(()) };
            let row = if stop() { Err(text.mismatch(STOPPED.to_owned())) } else { class_row(text, &mut tower, texts) };
            let row = row.inspect_err(|_| next.store(classes.len(), Ordering::Relaxed))?;
            made.lock().unwrap_or_else(PoisonError::into_inner)[at] = row;
        }
    };
    let threads = match sessions.device() {
        Device::Cuda(_) => 1,
        Device::Cpu | Device::Auto => rayon::current_num_threads().clamp(1, classes.len()),
    };
    // Threads of their own: in a pool, one that waits could begin to load another instance, which waits for this one.
    let results: Vec<Result<(), ScorerError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(text.mismatch(PANIC.to_owned()))))
            .collect()
    });
    results.into_iter().collect::<Result<(), _>>()?;
    let rows = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    let width = rows.first().map_or(0, Vec::len);
    Ok(ClassRows { width, numbers: rows.concat() })
}

/// What is said where the process was asked to stop, unless the caller says it better.
const STOPPED: &str = "reading its texts was stopped";
/// What is said of a thread that did not come back.
const PANIC: &str = "reading its texts failed; this is a bug of hardset: please report it";

/// The row of a class: the mean of its texts.
pub fn class_row(text: &TextSide, tower: &mut TextTower, texts: &[String]) -> Result<Vec<f32>, ScorerError> {
    let mut sum: Vec<f64> = Vec::new();
    for one in texts {
        let row = tower.row(&text.encode(one)?)?;
        let unit = unit(&row).map_err(|problem| text.mismatch(format!("its row of the text {one:?} {problem}")))?;
        if sum.is_empty() {
            sum = vec![0.0; unit.len()];
        }
        sum.iter_mut().zip(&unit).for_each(|(sum, number)| *sum += f64::from(*number));
    }
    let mean: Vec<f32> = sum.iter().map(|sum| (sum / texts.len() as f64) as f32).collect();
    unit(&mean).map_err(|problem| text.mismatch(format!("its mean row of the texts {texts:?} {problem}")))
}

/// `row` divided by its norm; what is wrong with a row that has none.
pub fn unit(row: &[f32]) -> Result<Vec<f32>, &'static str> {
    let norm = row.iter().map(|&number| f64::from(number) * f64::from(number)).sum::<f64>().sqrt();
    if !norm.is_finite() {
        return Err("has numbers that are not finite");
    }
    if norm == 0.0 {
        return Err("is zero, and has no direction");
    }
    Ok(row.iter().map(|&number| (f64::from(number) / norm) as f32).collect())
}
