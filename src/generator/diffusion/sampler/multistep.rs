//! What the solvers of higher order share: noise levels in variance-preserving form, and steps as weighted sums.
//!
//! Does not choose weights; `dpm` and `unipc` do. Holds always: weights are f32, computed in the order of diffusers;
//! earlier predictions enter as differences from the newest one, which is where the digits are.
//!
//! Source: `scheduling_dpmsolver_multistep.py` (`_sigma_to_alpha_sigma_t`, `convert_model_output`).

use super::Prediction;

/// A noise level: amplitudes of signal and noise, and lambda, half the logarithm of their power's ratio.
#[derive(Debug, Clone, Copy)]
pub struct Level {
    /// Amplitude of the signal.
    pub alpha: f32,
    /// Amplitude of the noise.
    pub sigma: f32,
    /// Logarithm of `alpha / sigma`; infinite without noise.
    pub lambda: f32,
}

impl Level {
    /// From the ratio of noise to signal.
    pub fn new(ratio: f32) -> Self {
        let alpha = (ratio * ratio + 1.0).sqrt().recip();
        let sigma = ratio * alpha;
        Self { alpha, sigma, lambda: alpha.ln() - sigma.ln() }
    }

    /// The image without noise that a model's output means.
    pub fn image(&self, prediction: Prediction, model_output: &[f32], sample: &[f32]) -> Vec<f32> {
        assert_eq!(model_output.len(), sample.len());
        let Self { alpha, sigma, .. } = *self;
        let pairs = model_output.iter().zip(sample);
        match prediction {
            Prediction::Epsilon => pairs.map(|(output, x)| (x - sigma * output) / alpha).collect(),
            Prediction::Velocity => pairs.map(|(output, x)| alpha * x - sigma * output).collect(),
            Prediction::Sample => model_output.to_vec(),
        }
    }
}

/// A step: `sample * x + newest * m0 + sum over k of slopes[k] * (m[k] - m0)`, where m are predicted images.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Weight of the sample.
    pub sample: f32,
    /// Weight of the newest image.
    pub newest: f32,
    /// Weights of the differences of others from it.
    pub slopes: Vec<f32>,
}

impl Update {
    /// Takes `sample` on, in place; `others`: as many images as there are slopes.
    pub fn apply<'a>(&self, sample: &mut [f32], newest: &[f32], others: impl Iterator<Item = &'a Vec<f32>> + Clone) {
        for (i, (x, &m0)) in sample.iter_mut().zip(newest).enumerate() {
            let pull: f32 = self.slopes.iter().zip(others.clone()).map(|(slope, other)| slope * (other[i] - m0)).sum();
            *x = self.sample * *x + self.newest * m0 + pull;
        }
    }

    /// All weights, to be checked.
    pub fn weights(&self) -> Vec<f32> {
        [&[self.sample, self.newest], self.slopes.as_slice()].concat()
    }
}
