//! DPM-Solver++ (2M): a multistep solver of order two on the predicted image.
//!
//! Has neither the noise-predicting DPM-Solver, nor the stochastic form, nor order three. Holds always: the first step,
//! and the last one down to no noise, are of first order.
//!
//! Sources: Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models", 2022,
//! algorithm 2; `scheduling_dpmsolver_multistep.py`.

use super::{
    Betas, DpmForm, FinalSigma, Prediction, Sampler, SamplerConfig, SamplerError,
    multistep::{Level, Update},
    schedule, sigmas,
    sigmas::{SigmaPath, TrainSigmas},
};

/// Steps from which on the end keeps its order.
const MANY_STEPS: usize = 15;

/// See the module.
pub struct DpmSolver {
    timesteps: Vec<f32>,
    levels: Vec<Level>,
    updates: Vec<Update>,
    prediction: Prediction,
    /// The image predicted by the call before.
    previous: Vec<f32>,
}

impl DpmSolver {
    /// `form`: which DPM-Solver++.
    pub fn new(config: &SamplerConfig, form: &DpmForm, steps: u32) -> Result<Self, SamplerError> {
        let path = path(config, form, steps)?;
        let levels: Vec<Level> = path.sigmas.iter().copied().map(Level::new).collect();
        let mut updates = Vec::with_capacity(path.timesteps.len());
        for (call, &timestep) in path.timesteps.iter().enumerate() {
            let update = if is_first_order(form, call, path.timesteps.len()) {
                first_order(levels[call], levels[call + 1])
            } else {
                second_order(form.heun, levels[call - 1], levels[call], levels[call + 1])
            };
            SamplerError::unless_finite(call, timestep, &[update.weights(), vec![levels[call].lambda]].concat())?;
            updates.push(update);
        }
        Ok(Self { timesteps: path.timesteps, levels, updates, prediction: config.prediction, previous: Vec::new() })
    }
}

fn path(config: &SamplerConfig, form: &DpmForm, steps: u32) -> Result<SigmaPath, SamplerError> {
    let train = TrainSigmas::new(config);
    let last = match form.sigmas.last {
        FinalSigma::Zero => 0.0,
        FinalSigma::Least => train.least(),
    };
    if !form.sigmas.karras {
        let timesteps = schedule::solver_timesteps(config, top(config, form)?, steps);
        let sigmas = timesteps.iter().map(|&timestep| train.at(timestep)).collect();
        return Ok(SigmaPath::new(timesteps, sigmas, last));
    }
    let sigmas = sigmas::karras(&form.sigmas, train.least(), train.greatest(), steps);
    let timesteps = sigmas.iter().map(|&sigma| train.timestep(sigma));
    let timesteps = match config.betas {
        Betas::SquaredCosine => timesteps.map(f64::trunc).collect(),
        _ => timesteps.map(f64::round_ties_even).collect(),
    };
    Ok(SigmaPath::new(timesteps, sigmas, last))
}

/// Number of timesteps whose lambda is not below the least one wanted.
fn top(config: &SamplerConfig, form: &DpmForm) -> Result<u32, SamplerError> {
    let Some(least) = form.lambda_min else { return Ok(config.train_steps) };
    let mut alphas = schedule::alphas_cumprod(config);
    if let (true, Some(last)) = (config.rescale_zero_snr, alphas.last_mut()) {
        *last = sigmas::LEAST_SIGNAL;
    }
    let lambda = |alpha: f32| alpha.sqrt().ln() - (1.0 - alpha).sqrt().ln();
    match alphas.iter().filter(|&&alpha| f64::from(lambda(alpha)) >= least).count() {
        0 => Err(SamplerError::Key {
            key: "lambda_min_clipped",
            value: least.to_string(),
            sampler: "dpmpp-2m",
            takes: "a number that leaves some timestep",
        }),
        count => Ok(count as u32),
    }
}

fn is_first_order(form: &DpmForm, call: usize, calls: usize) -> bool {
    let at_end =
        form.euler_at_final || (form.lower_order_final && calls < MANY_STEPS) || form.sigmas.last == FinalSigma::Zero;
    form.order == 1 || call == 0 || (call + 1 == calls && at_end)
}

fn first_order(from: Level, to: Level) -> Update {
    let h = to.lambda - from.lambda;
    Update { sample: to.sigma / from.sigma, newest: -(to.alpha * ((-h).exp() - 1.0)), slopes: vec![] }
}

fn second_order(heun: bool, before: Level, from: Level, to: Level) -> Update {
    let (h, h_before) = (to.lambda - from.lambda, from.lambda - before.lambda);
    let decay = (-h).exp() - 1.0;
    let curve = if !heun {
        0.5 * (to.alpha * decay)
    } else if h == 0.0 {
        // The last step goes nowhere: the quotient's limit is -1, and diffusers has NaN.
        0.0
    } else {
        -(to.alpha * (decay / h + 1.0))
    };
    let slope = curve / (h_before / h);
    Update { slopes: vec![slope], ..first_order(from, to) }
}

impl Sampler for DpmSolver {
    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn step(&mut self, call: usize, model_output: &[f32], sample: &mut [f32], _noise: &[f32]) {
        let image = self.levels[call].image(self.prediction, model_output, sample);
        self.updates[call].apply(sample, &image, std::iter::once(&self.previous));
        self.previous = image;
    }
}
