//! The last step, from latents to pictures: in as many pieces as fit, by whichever thread has time for it.
//!
//! Holds always: a picture's pixels depend on its own latents alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::engine::{Array, Engine, EngineError};
use super::pixels;
use crate::domain::Outcome;
use crate::generator::Picture;

/// What is to become pictures, and what was cut off the prompts of each.
pub(super) struct Latents {
    /// `[n, c, h, w]`.
    pub array: Array,
    /// `n` of them.
    pub warnings: Vec<Option<String>>,
}

/// Decodes latents; remembers how many fit at a time.
pub(super) struct Decoding {
    engine: Arc<dyn Engine>,
    size_px: (u32, u32),
    most: AtomicUsize,
    notes: Mutex<Vec<String>>,
}

impl Decoding {
    /// Pictures of `size_px`: width and height.
    pub fn new(engine: Arc<dyn Engine>, size_px: (u32, u32)) -> Self {
        Self { engine, size_px, most: AtomicUsize::new(usize::MAX), notes: Mutex::default() }
    }

    /// One outcome per image, in order.
    pub fn pictures(&self, batches: Vec<Latents>) -> Result<Vec<Outcome<Picture>>, EngineError> {
        let mut made = Vec::new();
        for Latents { array, warnings } in batches {
            let mut warnings = warnings.into_iter();
            let mut at = 0;
            while at < array.len() {
                let images = self.decode(&array, at)?;
                let entries = (0..images.len()).map(|entry| images.entry(entry));
                made.extend(entries.zip(&mut warnings).map(|(image, w)| pixels::picture(image, self.size_px, w)));
                at += images.len();
            }
        }
        Ok(made)
    }

    /// As many images from `at` on as fit.
    fn decode(&self, latents: &Array, at: usize) -> Result<Array, EngineError> {
        let count = (latents.len() - at).min(self.most.load(Ordering::Relaxed));
        let piece = Array::stack(&latents.shape[1..], (at..at + count).map(|entry| latents.entry(entry)));
        match self.engine.decode(&piece) {
            Err(EngineError::OutOfMemory) if count > 1 => {
                let most = count.div_ceil(2);
                self.most.store(most, Ordering::Relaxed);
                let note = format!("out of memory: {most} image(s) decoded at a time from here on");
                self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
                self.decode(latents, at)
            }
            images => images,
        }
    }

    /// What people should know.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
