//! PNDM without Runge-Kutta steps (PLMS): a linear multistep method of order four on the predicted noise.
//!
//! Does not take the Runge-Kutta steps of the paper. Holds always: n steps are n + 1 calls, as the first step is taken
//! twice, the second time with the mean of both ends; one step is one call.
//!
//! Sources: Liu et al., "Pseudo numerical methods for diffusion models on manifolds", 2022, equations 9 and 12;
//! `scheduling_pndm.py` (`step_plms`).

use super::{FinalAlpha, Prediction, Sampler, SamplerConfig, SamplerError, schedule, schedule::SignalTable};

/// See the module.
pub struct Pndm {
    timesteps: Vec<f32>,
    moves: Vec<Move>,
    prediction: Prediction,
    /// Outputs of earlier calls, newest last, four at most.
    outputs: Vec<Vec<f32>>,
    /// The sample before the first step.
    first: Vec<f32>,
}

/// Equation 9 between two timesteps: `sample * x - (gain * output) / divisor`.
struct Move {
    signal: f32,
    noise: f32,
    sample: f32,
    gain: f32,
    divisor: f32,
}

impl Pndm {
    /// `final_alpha`: signal after the last step.
    pub fn new(config: &SamplerConfig, final_alpha: FinalAlpha, steps: u32) -> Result<Self, SamplerError> {
        let table = SignalTable::new(config, final_alpha, steps);
        let timesteps = plms_timesteps(config, steps);
        let mut moves = Vec::with_capacity(timesteps.len());
        for (call, &timestep) in timesteps.iter().enumerate() {
            // The second call looks back: it redoes the first step with what it learned at its end.
            let from = if call == 1 { timestep + table.stride } else { timestep };
            let step = Move::new(table.at(from)?, table.at(from - table.stride)?);
            SamplerError::unless_finite(call, timestep as f32, &[step.sample, step.gain / step.divisor])?;
            moves.push(step);
        }
        let timesteps = timesteps.into_iter().map(|timestep| timestep as f32).collect();
        Ok(Self { timesteps, moves, prediction: config.prediction, outputs: Vec::new(), first: Vec::new() })
    }

    /// The noise to follow, from this call's output and earlier ones (equation 12; lower orders at first).
    fn combined(&self, call: usize, output: &[f32]) -> Vec<f32> {
        let weights: &[f32] = match (call, self.outputs.len()) {
            (1, _) => return output.iter().zip(&self.outputs[0]).map(|(a, b)| (a + b) / 2.0).collect(),
            (_, 1) => return output.to_vec(),
            (_, 2) => &[3.0 / 2.0, -1.0 / 2.0],
            (_, 3) => &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
            _ => &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
        };
        let newest_first = || self.outputs.iter().rev().zip(weights);
        (0..output.len()).map(|i| newest_first().map(|(output, weight)| weight * output[i]).sum()).collect()
    }
}

/// The second timestep twice.
fn plms_timesteps(config: &SamplerConfig, steps: u32) -> Vec<i64> {
    let timesteps = schedule::timesteps(config, steps);
    let mut timesteps: Vec<i64> = timesteps.into_iter().map(|timestep| timestep.round_ties_even() as i64).collect();
    if let Some(&second) = timesteps.get(1) {
        timesteps.insert(1, second);
    }
    timesteps
}

impl Move {
    /// Between two shares of signal power.
    fn new(alpha: f32, next: f32) -> Self {
        let (beta, next_beta) = (1.0 - alpha, 1.0 - next);
        Self {
            signal: alpha.sqrt(),
            noise: beta.sqrt(),
            sample: (next / alpha).sqrt(),
            gain: next - alpha,
            divisor: alpha * next_beta.sqrt() + (alpha * beta * next).sqrt(),
        }
    }

    fn apply(&self, prediction: Prediction, output: &[f32], sample: &mut [f32]) {
        for (x, &output) in sample.iter_mut().zip(output) {
            let noise = match prediction {
                Prediction::Velocity => self.signal * output + self.noise * *x,
                _ => output,
            };
            *x = self.sample * *x - self.gain * noise / self.divisor;
        }
    }
}

impl Sampler for Pndm {
    fn timesteps(&self) -> &[f32] {
        &self.timesteps
    }

    fn step(&mut self, call: usize, model_output: &[f32], sample: &mut [f32], _noise: &[f32]) {
        assert_eq!(model_output.len(), sample.len());
        match call {
            0 => {
                self.outputs = vec![model_output.to_vec()];
                self.first = sample.to_vec();
            }
            1 => sample.copy_from_slice(&self.first),
            _ => {
                let surplus = self.outputs.len().saturating_sub(3);
                self.outputs.drain(..surplus);
                self.outputs.push(model_output.to_vec());
            }
        }
        let output = self.combined(call, model_output);
        self.moves[call].apply(self.prediction, &output, sample);
    }
}
