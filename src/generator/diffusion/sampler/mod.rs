//! From noise to an image's latents, one model call at a time: the schedulers of Hugging Face diffusers.
//!
//! Arithmetic on flat `f32` arrays of any length; knows no tensor library, model, guidance or random generator. Holds
//! always: each element's path depends on that element's numbers alone, so a batch gives what its images give one by
//! one; scalars are computed in the precision that diffusers uses; [`build()`] refuses a step that would divide by
//! zero.
//!
//! Sources: the papers named in each file, and diffusers 0.42.1, `schedulers/scheduling_*.py`. Golden numbers of it:
//! `tests/golden/samplers.json`.

mod build;
mod config;
mod ddim;
mod dpm;
mod error;
mod euler;
mod keys;
mod multistep;
mod pndm;
mod schedule;
mod sigmas;
#[cfg(test)]
mod tests;
mod unipc;

use std::borrow::Cow;

pub use build::build;
pub use config::{
    Betas, DpmForm, FinalAlpha, FinalSigma, Method, Prediction, SamplerConfig, SigmaOptions, Spacing, UniPcForm,
};
pub use error::SamplerError;

use crate::domain::SamplerKind;

/// One trajectory from noise to latents, or several one after the other: call 0 begins a new one.
///
/// The caller starts from unit noise times [`init_noise_sigma`](Self::init_noise_sigma), and for each call in order
/// gives the model [`scale_input`](Self::scale_input) and the timestep, then [`step`](Self::step)s.
pub trait Sampler: Send {
    /// The timestep of each call, in order. PNDM makes one call more than there are steps.
    fn timesteps(&self) -> &[f32];

    /// Standard deviation of the first sample.
    fn init_noise_sigma(&self) -> f32 {
        1.0
    }

    /// What the model sees of the sample.
    fn scale_input<'a>(&self, _call: usize, sample: &'a [f32]) -> Cow<'a, [f32]> {
        Cow::Borrowed(sample)
    }

    /// Whether this call's step adds fresh unit noise.
    fn wants_noise(&self, _call: usize) -> bool {
        false
    }

    /// Takes the sample to the next timestep, in place.
    ///
    /// `model_output`: as long as `sample`, guidance already applied. `noise`: unit normal, as long as `sample` if
    /// [`wants_noise`](Self::wants_noise), ignored otherwise. Calls come in order, 0 to the last.
    ///
    /// # Panics
    /// If lengths differ, or a call is out of order: mistakes of the caller's code, not of its data.
    fn step(&mut self, call: usize, model_output: &[f32], sample: &mut [f32], noise: &[f32]);
}
