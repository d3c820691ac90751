//! Euler's method along the noise level sigma, and its ancestral form with fresh noise at each step.
//!
//! Has no churn. Holds always: a step uses one call and keeps nothing.
//!
//! Sources: Karras et al. 2022, algorithm 1; k-diffusion's `sample_euler_ancestral`; `scheduling_euler_discrete.py`,
//! `scheduling_euler_ancestral_discrete.py`.

use std::borrow::Cow;

use super::{
    FinalSigma, Prediction, Sampler, SamplerConfig, SamplerError, SigmaOptions, Spacing, schedule, sigmas,
    sigmas::{SigmaPath, TrainSigmas},
};

/// What both forms share.
struct Levels {
    path: SigmaPath,
    spacing: Spacing,
    prediction: Prediction,
}

/// See the module.
pub struct Euler(Levels);

/// See the module.
pub struct EulerAncestral {
    levels: Levels,
    /// Where each step's straight part ends, and how much noise brings it back up.
    splits: Vec<(f32, f32)>,
}

impl Euler {
    /// `options`: noise levels.
    pub fn new(config: &SamplerConfig, options: &SigmaOptions, steps: u32) -> Result<Self, SamplerError> {
        let train = TrainSigmas::new(config);
        let (mut timesteps, mut sigmas) = visited(config, &train, steps);
        if options.karras {
            // Unlike the solvers, between the levels that the spacing visits, not those of training.
            sigmas = sigmas::karras(options, sigmas[sigmas.len() - 1], sigmas[0], steps);
            timesteps = sigmas.iter().map(|&sigma| train.timestep(sigma)).collect();
        }
        let last = match options.last {
            FinalSigma::Zero => 0.0,
            FinalSigma::Least => train.least(),
        };
        Ok(Self(Levels::new(config, SigmaPath::new(timesteps, sigmas, last))?))
    }
}

impl EulerAncestral {
    /// Always ends without noise.
    pub fn new(config: &SamplerConfig, steps: u32) -> Result<Self, SamplerError> {
        let (timesteps, sigmas) = visited(config, &TrainSigmas::new(config), steps);
        let levels = Levels::new(config, SigmaPath::new(timesteps, sigmas, 0.0))?;
        let splits = levels.path.sigmas.windows(2).map(|pair| split(pair[0], pair[1])).collect();
        Ok(Self { levels, splits })
    }
}

/// Timesteps in f32, as diffusers keeps them, and the noise level at each.
fn visited(config: &SamplerConfig, train: &TrainSigmas, steps: u32) -> (Vec<f64>, Vec<f64>) {
    let timesteps = schedule::timesteps(config, steps).into_iter().map(|timestep| f64::from(timestep as f32));
    timesteps.map(|timestep| (timestep, train.at(timestep))).unzip()
}

/// The level down to which to go straight, and the noise to add, for a step from `from` to `to`.
fn split(from: f32, to: f32) -> (f32, f32) {
    let up = (to * to * (from * from - to * to) / (from * from)).sqrt();
    ((to * to - up * up).sqrt(), up)
}

impl Levels {
    fn new(config: &SamplerConfig, path: SigmaPath) -> Result<Self, SamplerError> {
        for (call, (&timestep, &sigma)) in path.timesteps.iter().zip(&path.sigmas).enumerate() {
            SamplerError::unless_finite(call, timestep, &[sigma, sigma.recip()])?;
        }
        Ok(Self { path, spacing: config.spacing, prediction: config.prediction })
    }

    fn init_noise_sigma(&self) -> f32 {
        let most = self.path.sigmas.iter().copied().fold(0.0, f32::max);
        match self.spacing {
            Spacing::Linspace | Spacing::Trailing => most,
            Spacing::Leading => (most * most + 1.0).sqrt(),
        }
    }

    fn scaled(&self, call: usize, sample: &[f32]) -> Vec<f32> {
        let sigma = self.path.sigmas[call];
        let divisor = (sigma * sigma + 1.0).sqrt();
        sample.iter().map(|x| x / divisor).collect()
    }

    /// Straight from this call's level to the level `to`.
    fn go(&self, call: usize, to: f32, model_output: &[f32], sample: &mut [f32]) {
        assert_eq!(model_output.len(), sample.len());
        let sigma = self.path.sigmas[call];
        let power = sigma * sigma + 1.0;
        let v_gain = -sigma / power.sqrt();
        for (x, &output) in sample.iter_mut().zip(model_output) {
            let image = match self.prediction {
                Prediction::Epsilon => *x - sigma * output,
                Prediction::Velocity => output * v_gain + *x / power,
                Prediction::Sample => output,
            };
            *x += (*x - image) / sigma * (to - sigma);
        }
    }
}

impl Sampler for Euler {
    fn timesteps(&self) -> &[f32] {
        &self.0.path.timesteps
    }

    fn init_noise_sigma(&self) -> f32 {
        self.0.init_noise_sigma()
    }

    fn scale_input<'a>(&self, call: usize, sample: &'a [f32]) -> Cow<'a, [f32]> {
        Cow::Owned(self.0.scaled(call, sample))
    }

    fn step(&mut self, call: usize, model_output: &[f32], sample: &mut [f32], _noise: &[f32]) {
        self.0.go(call, self.0.path.sigmas[call + 1], model_output, sample);
    }
}

impl Sampler for EulerAncestral {
    fn timesteps(&self) -> &[f32] {
        &self.levels.path.timesteps
    }

    fn init_noise_sigma(&self) -> f32 {
        self.levels.init_noise_sigma()
    }

    fn scale_input<'a>(&self, call: usize, sample: &'a [f32]) -> Cow<'a, [f32]> {
        Cow::Owned(self.levels.scaled(call, sample))
    }

    fn wants_noise(&self, call: usize) -> bool {
        self.splits[call].1 > 0.0
    }

    fn step(&mut self, call: usize, model_output: &[f32], sample: &mut [f32], noise: &[f32]) {
        let (down, up) = self.splits[call];
        self.levels.go(call, down, model_output, sample);
        if self.wants_noise(call) {
            assert_eq!(noise.len(), sample.len());
            sample.iter_mut().zip(noise).for_each(|(x, unit)| *x += unit * up);
        }
    }
}
