//! DDIM without fresh noise (eta = 0).
//!
//! Does not draw noise and does not threshold dynamically. Holds always: a step uses one call and keeps nothing.
//!
//! Sources: Song et al., "Denoising diffusion implicit models", 2020, equation 12; `scheduling_ddim.py`.

use super::{FinalAlpha, Prediction, Sampler, SamplerConfig, SamplerError, schedule, schedule::SignalTable};

/// See the module.
pub struct Ddim {
    timesteps: Vec<f32>,
    levels: Vec<Levels>,
    prediction: Prediction,
    clip: Option<f32>,
}

/// Amplitudes of signal and noise, before and after a step.
struct Levels {
    signal: f32,
    noise: f32,
    next_signal: f32,
    next_noise: f32,
}

impl Ddim {
    /// `clip`: largest magnitude of the predicted image.
    pub fn new(
        config: &SamplerConfig,
        final_alpha: FinalAlpha,
        clip: Option<f64>,
        steps: u32,
    ) -> Result<Self, SamplerError> {
        let table = SignalTable::new(config, final_alpha, steps);
        let timesteps: Vec<_> = schedule::timesteps(config, steps).into_iter().map(f64::round_ties_even).collect();
        let levels =
            timesteps.iter().map(|&timestep| Levels::new(&table, timestep as i64)).collect::<Result<Vec<_>, _>>()?;
        let timesteps: Vec<f32> = timesteps.into_iter().map(|timestep| timestep as f32).collect();
        for (call, levels) in levels.iter().enumerate() {
            SamplerError::unless_finite(call, timesteps[call], &[levels.divisor(config.prediction).recip()])?;
        }
        Ok(Self { timesteps, levels, prediction: config.prediction, clip: clip.map(|range| range as f32) })
    }
}

impl Levels {
    fn new(table: &SignalTable, timestep: i64) -> Result<Self, SamplerError> {
        let (alpha, next) = (table.at(timestep)?, table.at(timestep - table.stride)?);
        let [signal, noise, next_signal, next_noise] = [alpha, 1.0 - alpha, next, 1.0 - next].map(f32::sqrt);
        Ok(Self { signal, noise, next_signal, next_noise })
    }

    /// What a step divides by.
    fn divisor(&self, prediction: Prediction) -> f32 {
        match prediction {
            Prediction::Epsilon => self.signal,
            Prediction::Sample => self.noise,
            Prediction::Velocity => 1.0,
        }
    }

    /// The image and the noise that a model's output means.
    fn split(&self, prediction: Prediction, output: f32, sample: f32) -> (f32, f32) {
        match prediction {
            Prediction::Epsilon => ((sample - self.noise * output) / self.signal, output),
            Prediction::Sample => (output, (sample - self.signal * output) / self.noise),
            Prediction::Velocity => {
                (self.signal * sample - self.noise * output, self.signal * output + self.noise * sample)
            }
        }
    }
}

impl Sampler for Ddim {
    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn step(&mut self, call: usize, model_output: &[f32], sample: &mut [f32], _noise: &[f32]) {
        assert_eq!(model_output.len(), sample.len());
        let levels = &self.levels[call];
        for (x, &output) in sample.iter_mut().zip(model_output) {
            let (image, noise) = levels.split(self.prediction, output, *x);
            let image = self.clip.map_or(image, |range| image.clamp(-range, range));
            *x = levels.next_signal * image + levels.next_noise * noise;
        }
    }
}
