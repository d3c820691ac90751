//! From noise to latents: the sampler's steps and the guided model, on any engine.
//!
//! Holds always: an image's numbers depend on that image alone, as far as the engine's do.

use super::engine::{Array, Engine, EngineError};
use super::error::DiffusionError;
use super::sampler::{self, SamplerConfig};

/// How noise becomes latents.
pub(super) struct Run<'a> {
    pub sampler: &'a SamplerConfig,
    pub steps: u32,
    pub guidance: f32,
}

impl Run<'_> {
    /// Unit noise `[n, c, h, w]` -> latents.
    ///
    /// `embeddings`: `[n, …]`, or with guidance `[2 n, …]`, those of the negative prompts first.
    /// `fresh(call, count)`: `n` times `count` fresh normal numbers.
    pub fn sample(
        &self,
        engine: &dyn Engine,
        noise: Array,
        embeddings: &Array,
        fresh: impl Fn(usize, usize) -> Vec<f32>,
    ) -> Result<Array, DiffusionError> {
        let mut sampler = sampler::build(self.sampler, self.steps)?;
        let mut latents = noise;
        let sigma = sampler.init_noise_sigma();
        latents.data.iter_mut().for_each(|x| *x *= sigma);
        let timesteps = sampler.timesteps().to_vec();
        for (call, &timestep) in timesteps.iter().enumerate() {
            let seen = sampler.scale_input(call, &latents.data).into_owned();
            let answer = self.ask(engine, Array::new(latents.shape.clone(), seen), timestep, embeddings)?;
            let noise = if sampler.wants_noise(call) { fresh(call, latents.stride()) } else { Vec::new() };
            sampler.step(call, &answer, &mut latents.data, &noise);
        }
        Ok(latents)
    }

    /// The model's answer, guided away from the negative prompt (Ho and Salimans, 2022).
    fn ask(
        &self,
        engine: &dyn Engine,
        latents: Array,
        timestep: f32,
        embeddings: &Array,
    ) -> Result<Vec<f32>, EngineError> {
        if embeddings.len() == latents.len() {
            return Ok(engine.denoise(&latents, timestep, embeddings)?.data);
        }
        let mut shape = latents.shape.clone();
        shape[0] *= 2;
        let both = engine.denoise(&Array::new(shape, latents.data.repeat(2)), timestep, embeddings)?;
        let (unwanted, wanted) = both.data.split_at(both.data.len() / 2);
        Ok(unwanted.iter().zip(wanted).map(|(u, w)| u + self.guidance * (w - u)).collect())
    }
}
