//! Why a scheduler's file, or a number of steps, is refused.
//!
//! Holds always: a refusal names the key and its value, or the step, and says what would be taken instead.

use super::SamplerKind;

/// Why a sampler cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SamplerError {
    /// Not a JSON object.
    #[error("the scheduler's config is not a JSON object: {0}; expected diffusers' scheduler_config.json")]
    Json(String),
    /// A key that cannot be honoured.
    #[error("the scheduler's config has {key} = {value}, which {sampler} here does not honour; it takes {takes}")]
    Key {
        /// The key.
        key: &'static str,
        /// Its value, as JSON.
        value: String,
        /// Whose key it is.
        sampler: &'static str,
        /// What would be accepted.
        takes: &'static str,
    },
    /// A scheduler class without a counterpart here.
    #[error("the scheduler's class, {0}, has no counterpart here; choose one of {names}", names = SamplerKind::NAMES)]
    Class(String),
    /// No steps, or more than the model was trained on.
    #[error("{steps} steps cannot be taken; the scheduler allows 1 to {train_steps}")]
    Steps {
        /// As asked for.
        steps: u32,
        /// What the model was trained on.
        train_steps: u32,
    },
    /// A timestep after the last one of training.
    #[error("timestep {timestep} is beyond the {train_steps} of training; take fewer steps, or steps_offset = 0")]
    Beyond {
        /// The timestep.
        timestep: i64,
        /// What the model was trained on.
        train_steps: usize,
    },
    /// A step whose numbers are not finite.
    #[error("call {call}, timestep {timestep}, divides by zero; take another number of steps, spacing or sampler")]
    Degenerate {
        /// The call, from 0.
        call: usize,
        /// What the model is told there.
        timestep: f32,
    },
}

impl SamplerError {
    /// Refuses a step of which one of `numbers` is not finite.
    pub(super) fn unless_finite(call: usize, timestep: f32, numbers: &[f32]) -> Result<(), Self> {
        let finite = numbers.iter().all(|number| number.is_finite());
        if finite { Ok(()) } else { Err(Self::Degenerate { call, timestep }) }
    }
}
