//! The last step, from latents to pictures: in pieces as large as memory allows, on whichever thread has time.
//!
//! Holds always: a picture's pixels depend on its own latents alone; no tensor of a piece has more than
//! [`MOST_NUMBERS`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::engine::{Array, Engine, EngineError};
use super::pixels;
use crate::domain::Outcome;
use crate::generator::Picture;

/// Numbers in one tensor: half of what the 32-bit sizes of cuDNN and of many kernels can hold.
pub(super) const MOST_NUMBERS: usize = 1 << 30;

/// Images that a decoder takes at a time; `channels`: of its levels, the finest first, `pixels`: of one image.
///
/// A level's largest tensor comes from the coarser level below, so it has that level's channels. At least one image: if
/// that does not fit either, the device says so.
pub(super) fn most_images(channels: &[usize], pixels: usize) -> usize {
    let mut widest = 1;
    for (level, &own) in channels.iter().enumerate() {
        let below = channels.get(level + 1).copied().unwrap_or(own);
        widest = widest.max(own.max(below) * (pixels >> (2 * level)));
    }
    (MOST_NUMBERS / widest).max(1)
}

/// What becomes pictures, and what was cut off the prompts of each.
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

    /// The same, with at most this many images at a time.
    pub fn at_most(self, images: usize) -> Self {
        Self { most: AtomicUsize::new(images), ..self }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Stable Diffusion 1.x and 2.x.
    const CHANNELS: [usize; 4] = [128, 256, 512, 512];

    #[test]
    fn a_piece_keeps_its_largest_tensor_within_what_can_be_counted() {
        for (side, images) in [(64, 1024), (512, 16), (768, 7), (1024, 4), (2048, 1), (4096, 1)] {
            assert_eq!(most_images(&CHANNELS, side * side), images, "{side} px");
        }
        // 256 channels at full size: 32 images would be 2^31 numbers.
        assert_eq!(MOST_NUMBERS / (256 * 512 * 512), 16);
    }

    #[test]
    fn a_coarse_level_counts_where_it_is_the_widest() {
        assert_eq!(most_images(&[8, 8, 4096], 1024 * 1024), MOST_NUMBERS / (4096 * 512 * 512));
        assert_eq!(most_images(&[128], 512 * 512), 32);
    }

    struct Counting(Mutex<Vec<usize>>);

    impl Engine for Counting {
        fn encode(&self, _: &[Vec<u32>]) -> Result<Array, EngineError> {
            Err(EngineError::Failed("not asked for".into()))
        }

        fn denoise(&self, _: &Array, _: f32, _: &Array) -> Result<Array, EngineError> {
            Err(EngineError::Failed("not asked for".into()))
        }

        fn decode(&self, latents: &Array) -> Result<Array, EngineError> {
            self.0.lock().unwrap().push(latents.len());
            Ok(Array::new([latents.len(), 3, 2, 2], latents.data.repeat(3)))
        }
    }

    #[test]
    fn at_most_the_given_number_of_images_is_decoded_at_a_time() {
        let engine = Arc::new(Counting(Mutex::default()));
        let data: Vec<f32> = (0..28).map(|x| x as f32 / 28.0).collect();
        let latents = Latents { array: Array::new([7, 1, 2, 2], data), warnings: vec![None; 7] };
        let pictures = Decoding::new(engine.clone(), (2, 2)).at_most(3).pictures(vec![latents]).unwrap();
        assert_eq!((pictures.len(), engine.0.lock().unwrap().as_slice()), (7, &[3, 3, 1][..]));
    }
}
