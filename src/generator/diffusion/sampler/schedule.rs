//! The noise levels of training, and which of their timesteps are visited.
//!
//! Does not know samplers; noise levels between timesteps are in `sigmas`. Holds always: levels and timesteps are those
//! of diffusers on torch and numpy, bit for bit (`linspace` with fused multiply-add, `cumprod` accumulated in f64,
//! rounding half to even), except that torch's square root, MKL's, is not always the nearest number and ours is.
//!
//! Sources: `scheduling_ddim.py` (betas, `rescale_zero_terminal_snr`, `set_timesteps`); Lin et al., "Common diffusion
//! noise schedules and sample steps are flawed", 2023; Nichol and Dhariwal, "Improved DDPM", 2021 (cosine).

use std::f64::consts::FRAC_PI_2;

use super::{Betas, FinalAlpha, SamplerConfig, SamplerError, Spacing};

/// Share of signal power that is left at each timestep of training, `[train_steps]`, descending.
pub fn alphas_cumprod(config: &SamplerConfig) -> Vec<f32> {
    let betas = betas(&config.betas, config.train_steps as usize);
    let alphas: Vec<f32> = betas.iter().map(|beta| 1.0 - beta).collect();
    if config.rescale_zero_snr { cumprod(&zero_terminal_snr(&alphas)) } else { cumprod(&alphas) }
}

fn betas(betas: &Betas, count: usize) -> Vec<f32> {
    match betas {
        Betas::Linear(start, end) => linspace_f32(*start as f32, *end as f32, count),
        Betas::ScaledLinear(start, end) => {
            let roots = linspace_f32(start.sqrt() as f32, end.sqrt() as f32, count);
            roots.into_iter().map(|root| root * root).collect()
        }
        Betas::SquaredCosine => (0..count).map(|i| cosine_beta(i, count)).collect(),
        Betas::Trained(betas) => betas.clone(),
    }
}

fn cosine_beta(index: usize, count: usize) -> f32 {
    let alpha_bar = |i: usize| ((i as f64 / count as f64 + 0.008) / 1.008 * FRAC_PI_2).cos().powi(2);
    (1.0 - alpha_bar(index + 1) / alpha_bar(index)).min(0.999) as f32
}

/// `torch.linspace` on a CPU: from both ends towards the middle.
fn linspace_f32(start: f32, end: f32, count: usize) -> Vec<f32> {
    if count == 1 {
        return vec![start];
    }
    let step = (end - start) / (count - 1) as f32;
    let up = |i: usize| step.mul_add(i as f32, start);
    let down = |i: usize| (-step).mul_add((count - 1 - i) as f32, end);
    (0..count).map(|i| if i < count / 2 { up(i) } else { down(i) }).collect()
}

fn cumprod(factors: &[f32]) -> Vec<f32> {
    let products = factors.iter().scan(1.0, |product: &mut f64, &factor| {
        *product *= f64::from(factor);
        Some(*product as f32)
    });
    products.collect()
}

/// Alphas shifted and scaled so that nothing of the signal is left at the last timestep (Lin et al., algorithm 1).
fn zero_terminal_snr(alphas: &[f32]) -> Vec<f32> {
    let roots: Vec<f32> = cumprod(alphas).into_iter().map(f32::sqrt).collect();
    let (first, last) = (roots[0], roots[roots.len() - 1]);
    let scale = first / (first - last);
    let bars: Vec<f32> = roots.iter().map(|root| ((root - last) * scale).powi(2)).collect();
    let ratios = bars.windows(2).map(|pair| pair[1] / pair[0]);
    // By way of betas, as diffusers does, for the same rounding.
    std::iter::once(bars[0]).chain(ratios).map(|alpha| 1.0 - (1.0 - alpha)).collect()
}

/// Timesteps of a sampler that calls the model at each of `steps` points, largest first; `Linspace` not yet rounded.
pub fn timesteps(config: &SamplerConfig, steps: u32) -> Vec<f64> {
    descending(config, config.train_steps, steps, 0)
}

/// Timesteps of a solver that divides `0..top` in `steps` parts and calls at the upper end of each, largest first.
pub fn solver_timesteps(config: &SamplerConfig, top: u32, steps: u32) -> Vec<f64> {
    descending(config, top, steps, 1).into_iter().map(f64::round_ties_even).collect()
}

/// `unvisited`: points at the lower end that belong to the division but are not called at.
fn descending(config: &SamplerConfig, top: u32, steps: u32, unvisited: u32) -> Vec<f64> {
    let points = steps + unvisited;
    let upwards = unvisited..points;
    match config.spacing {
        Spacing::Linspace => upwards.rev().map(|i| linspace(f64::from(top) - 1.0, points, i)).collect(),
        Spacing::Leading => upwards.rev().map(|i| f64::from(i * (top / points) + config.steps_offset)).collect(),
        Spacing::Trailing => trailing(f64::from(config.train_steps) / f64::from(steps), f64::from(top)),
    }
}

/// Point `i` of numpy's `linspace(0, last, points)`.
pub fn linspace(last: f64, points: u32, i: u32) -> f64 {
    match i {
        0 => 0.0,
        i if i == points - 1 => last,
        i => last / f64::from(points - 1) * f64::from(i),
    }
}

/// `round(arange(top, 0, -stride)) - 1`. numpy's `arange` has a point too many where the division rounds up (1000 in 61
/// steps), which diffusers then samples at timestep -1; that point is left out.
fn trailing(stride: f64, top: f64) -> Vec<f64> {
    let step = (top - stride) - top;
    let points = (top / stride).ceil() as u32;
    let timesteps = (0..points).map(|i| (top + f64::from(i) * step).round_ties_even() - 1.0);
    timesteps.filter(|timestep| *timestep >= 0.0).collect()
}

/// Signal power by timestep, with the level after the last step.
pub struct SignalTable {
    alphas_cumprod: Vec<f32>,
    last: f32,
    /// Timesteps from one step to the next.
    pub stride: i64,
}

impl SignalTable {
    /// For DDIM and PNDM with `steps` steps.
    pub fn new(config: &SamplerConfig, final_alpha: FinalAlpha, steps: u32) -> Self {
        let alphas_cumprod = alphas_cumprod(config);
        let last = match final_alpha {
            FinalAlpha::One => 1.0,
            FinalAlpha::First => alphas_cumprod[0],
        };
        Self { alphas_cumprod, last, stride: i64::from(config.train_steps / steps) }
    }

    /// The signal's share of power at a timestep; below 0, after the last step.
    pub fn at(&self, timestep: i64) -> Result<f32, SamplerError> {
        let Ok(index) = usize::try_from(timestep) else { return Ok(self.last) };
        let train_steps = self.alphas_cumprod.len();
        self.alphas_cumprod.get(index).copied().ok_or(SamplerError::Beyond { timestep, train_steps })
    }
}
