//! UniPC: a multistep predictor on the predicted image, and a corrector that reuses the next call.
//!
//! Only the form that predicts images; no foreign predictor. Holds always: a call first corrects the sample that it was
//! given, then takes it on; no call is made for correction alone.
//!
//! Sources: Zhao et al., "UniPC: a unified predictor-corrector framework for fast sampling of diffusion models", 2023,
//! algorithms 5 to 8; `scheduling_unipc_multistep.py`.

use super::{
    FinalSigma, Prediction, Sampler, SamplerConfig, SamplerError, UniPcForm,
    multistep::{Level, Update},
    schedule, sigmas,
    sigmas::{SigmaPath, TrainSigmas},
};

/// See the module.
pub struct UniPc {
    timesteps: Vec<f32>,
    levels: Vec<Level>,
    predictors: Vec<Update>,
    /// What each call does to the sample that the one before made.
    correctors: Vec<Option<Update>>,
    prediction: Prediction,
    order: usize,
    /// Images of earlier calls, newest first.
    images: Vec<Vec<f32>>,
    /// The sample before the newest prediction.
    last_sample: Vec<f32>,
}

impl UniPc {
    /// `form`: which UniPC.
    pub fn new(config: &SamplerConfig, form: &UniPcForm, steps: u32) -> Result<Self, SamplerError> {
        let path = path(config, form, steps);
        let levels: Vec<Level> = path.sigmas.iter().copied().map(Level::new).collect();
        let calls = path.timesteps.len();
        let (mut predictors, mut correctors) = (Vec::with_capacity(calls), Vec::with_capacity(calls));
        for call in 0..calls {
            let predictor = Step::new(form, &levels, call, calls).predictor();
            let corrects = call > 0 && !form.disable_corrector.contains(&(call - 1));
            let corrector = corrects.then(|| Step::new(form, &levels, call - 1, calls).corrector());
            let weights = [Some(&predictor), corrector.as_ref()].into_iter().flatten().flat_map(Update::weights);
            let numbers: Vec<f32> = weights.chain([levels[call].lambda]).collect();
            SamplerError::unless_finite(call, path.timesteps[call], &numbers)?;
            predictors.push(predictor);
            correctors.push(corrector);
        }
        Ok(Self {
            timesteps: path.timesteps,
            levels,
            predictors,
            correctors,
            prediction: config.prediction,
            order: form.order as usize,
            images: Vec::new(),
            last_sample: Vec::new(),
        })
    }
}

fn path(config: &SamplerConfig, form: &UniPcForm, steps: u32) -> SigmaPath {
    let train = TrainSigmas::new(config);
    let (timesteps, sigmas, least): (Vec<f64>, Vec<f64>, f64) = if form.sigmas.karras {
        let sigmas = sigmas::karras(&form.sigmas, train.least(), train.greatest(), steps);
        let timesteps = sigmas.iter().map(|&sigma| train.timestep(sigma).round_ties_even()).collect();
        let least = sigmas[sigmas.len() - 1];
        (timesteps, sigmas, least)
    } else {
        let timesteps = schedule::solver_timesteps(config, config.train_steps, steps);
        let sigmas = timesteps.iter().map(|&timestep| train.at(timestep)).collect();
        (timesteps, sigmas, train.least())
    };
    let last = match form.sigmas.last {
        FinalSigma::Zero => 0.0,
        FinalSigma::Least => least,
    };
    SigmaPath::new(timesteps, sigmas, last)
}

/// The numbers of one step from a level to the next, before they are weights.
struct Step {
    from: Level,
    to: Level,
    /// Distances in lambda to earlier levels over that to the next, newest first; 1 at the end.
    ratios: Vec<f32>,
    /// `e^-h - 1` and B(h).
    phi: f32,
    b_h: f32,
    /// Right sides of the order conditions.
    conditions: Vec<f32>,
}

impl Step {
    fn new(form: &UniPcForm, levels: &[Level], call: usize, calls: usize) -> Self {
        let ceiling = if form.lower_order_final { calls - call } else { usize::MAX };
        let order = (form.order as usize).min(ceiling).min(call + 1);
        let (from, to) = (levels[call], levels[call + 1]);
        let h = to.lambda - from.lambda;
        let earlier = (1..order).map(|back| (levels[call - back].lambda - from.lambda) / h);
        let phi = (-h).exp_m1();
        let b_h = if form.bh1 { -h } else { phi };
        Self { from, to, ratios: earlier.chain([1.0]).collect(), phi, b_h, conditions: conditions(-h, phi, b_h, order) }
    }

    fn order(&self) -> usize {
        self.ratios.len()
    }

    /// `unknowns` order conditions, solved: row i holds the ratios to the power of i.
    fn solved(&self, unknowns: usize) -> Vec<f32> {
        let rows = (0..unknowns).map(|power| self.ratios[..unknowns].iter().map(|r| r.powi(power as i32)).collect());
        solve(rows.collect(), self.conditions[..unknowns].to_vec())
    }

    /// UniP.
    fn predictor(&self) -> Update {
        let weights = match self.order() {
            1 => vec![],
            2 => vec![0.5],
            order => self.solved(order - 1),
        };
        self.update(&weights)
    }

    /// UniC; its last slope belongs to the image at the new level.
    fn corrector(&self) -> Update {
        let weights = match self.order() {
            1 => vec![0.5],
            order => self.solved(order),
        };
        self.update(&weights)
    }

    fn update(&self, weights: &[f32]) -> Update {
        let gain = -(self.to.alpha * self.b_h);
        Update {
            sample: self.to.sigma / self.from.sigma,
            newest: -(self.to.alpha * self.phi),
            slopes: weights.iter().zip(&self.ratios).map(|(weight, ratio)| gain * (weight / ratio)).collect(),
        }
    }
}

fn conditions(hh: f32, phi: f32, b_h: f32, order: usize) -> Vec<f32> {
    let mut phi_k = phi / hh - 1.0;
    let mut factorial = 1.0;
    let mut conditions = Vec::with_capacity(order);
    for k in 1..=order {
        conditions.push(phi_k * factorial / b_h);
        factorial *= (k + 1) as f32;
        phi_k = phi_k / hh - 1.0 / factorial;
    }
    conditions
}

/// Gaussian elimination with the largest pivot; a singular system gives numbers that are not finite.
fn solve(mut rows: Vec<Vec<f32>>, mut right: Vec<f32>) -> Vec<f32> {
    let size = right.len();
    for column in 0..size {
        let pivot = (column..size).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()));
        let pivot = pivot.unwrap_or(column);
        rows.swap(column, pivot);
        right.swap(column, pivot);
        let (top, bottom) = rows.split_at_mut(column + 1);
        for (below, row) in bottom.iter_mut().enumerate() {
            let factor = row[column] / top[column][column];
            row.iter_mut().zip(&top[column]).for_each(|(x, pivot)| *x -= factor * pivot);
            right[column + 1 + below] -= factor * right[column];
        }
    }
    for row in (0..size).rev() {
        let known: f32 = (row + 1..size).map(|k| rows[row][k] * right[k]).sum();
        right[row] = (right[row] - known) / rows[row][row];
    }
    right
}

impl Sampler for UniPc {
    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn step(&mut self, call: usize, model_output: &[f32], sample: &mut [f32], _noise: &[f32]) {
        let image = self.levels[call].image(self.prediction, model_output, sample);
        if call == 0 {
            self.images.clear();
        }
        if let Some(corrector) = &self.correctors[call] {
            let earlier = corrector.slopes.len() - 1;
            sample.copy_from_slice(&self.last_sample);
            corrector.apply(sample, &self.images[0], self.images[1..].iter().take(earlier).chain([&image]));
        }
        self.last_sample = sample.to_vec();
        self.images.insert(0, image);
        self.images.truncate(self.order);
        self.predictors[call].apply(sample, &self.images[0], self.images[1..].iter());
    }
}
