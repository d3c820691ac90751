//! Noise levels as the ratio sigma of noise to signal: of training, at timesteps between, and those of Karras et al.
//!
//! Does not choose among them; each sampler does. Holds always: computed in f64 from f32 levels and rounded once at the
//! end, as numpy does it for diffusers.
//!
//! Sources: Karras et al., "Elucidating the design space of diffusion-based generative models", 2022, equation 5 with
//! rho = 7; `scheduling_euler_discrete.py` (`_convert_to_karras`, `_sigma_to_t`).

use super::{SamplerConfig, SigmaOptions, schedule};

/// Used for a signal of exactly zero: the smallest positive half-precision number.
pub const LEAST_SIGNAL: f32 = 1.0 / (1 << 24) as f32;

const RHO: f64 = 7.0;

/// A trajectory's noise levels and what the model is told at each.
pub struct SigmaPath {
    /// One per call.
    pub timesteps: Vec<f32>,
    /// One more: where each call starts, and where the last one ends.
    pub sigmas: Vec<f32>,
}

impl SigmaPath {
    /// `sigmas`: one per call; `last`: where the last call ends.
    pub fn new(timesteps: Vec<f64>, sigmas: Vec<f64>, last: f64) -> Self {
        Self {
            timesteps: timesteps.into_iter().map(|timestep| timestep as f32).collect(),
            sigmas: sigmas.into_iter().chain([last]).map(|sigma| sigma as f32).collect(),
        }
    }
}

/// The noise levels of training by timestep, ascending; finite also where no signal is left.
pub struct TrainSigmas(Vec<f32>);

impl TrainSigmas {
    /// Those of a model.
    pub fn new(config: &SamplerConfig) -> Self {
        let mut alphas = schedule::alphas_cumprod(config);
        if let (true, Some(last)) = (config.rescale_zero_snr, alphas.last_mut()) {
            *last = LEAST_SIGNAL;
        }
        Self(alphas.into_iter().map(|alpha| ((1.0 - alpha) / alpha).sqrt()).collect())
    }

    /// The smallest.
    pub fn least(&self) -> f64 {
        f64::from(self.0[0])
    }

    /// The largest.
    pub fn greatest(&self) -> f64 {
        f64::from(self.0[self.0.len() - 1])
    }

    /// At a timestep, on straight lines between the levels of training; beyond them, the nearest (numpy's `interp`).
    pub fn at(&self, timestep: f64) -> f64 {
        let low = timestep.max(0.0).floor() as usize;
        if low + 1 >= self.0.len() {
            return self.greatest();
        }
        let (left, right) = (f64::from(self.0[low]), f64::from(self.0[low + 1]));
        (right - left) * (timestep.max(0.0) - low as f64) + left
    }

    /// The timestep of a level, on straight lines between logarithms; beyond them, the nearest.
    pub fn timestep(&self, sigma: f64) -> f64 {
        let log = sigma.max(1e-10).ln();
        let above = self.0.partition_point(|level| f64::from(level.ln()) <= log);
        let low = above.saturating_sub(1).min(self.0.len().saturating_sub(2));
        let Some(high) = self.0.get(low + 1) else { return 0.0 };
        let (low_log, high_log) = (self.0[low].ln(), high.ln());
        let weight = ((f64::from(low_log) - log) / f64::from(low_log - high_log)).clamp(0.0, 1.0);
        (1.0 - weight) * low as f64 + weight * (low + 1) as f64
    }
}

/// `steps` levels from `most` to `least`, unless the options name others.
pub fn karras(options: &SigmaOptions, least: f64, most: f64, steps: u32) -> Vec<f64> {
    let from = options.sigma_max.unwrap_or(most).powf(1.0 / RHO);
    let to = options.sigma_min.unwrap_or(least).powf(1.0 / RHO);
    (0..steps).map(|i| (from + schedule::linspace(1.0, steps, i) * (to - from)).powf(RHO)).collect()
}
