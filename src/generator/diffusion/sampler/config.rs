//! A published scheduler_config.json -> a checked [`SamplerConfig`].
//!
//! Makes no numbers; `schedule` and `sigmas` do. Holds always: a key that the sampler's class in diffusers takes is
//! honoured or refused by name. Keys of other classes are dropped, as diffusers' `from_config` drops them, except those
//! that say what the model was trained for (`thresholding`, `variance_type`, `use_flow_sigmas`,
//! `rescale_betas_zero_snr`): dropping them would sample from another model.
//!
//! Source of keys and defaults: the `__init__` of each class in diffusers 0.42.1; `configuration_utils.py`.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{SamplerError, SamplerKind, keys::Keys};

/// No model is trained on more steps; a larger number is a typing error that would cost memory.
const MOST_TRAIN_STEPS: u32 = 1_000_000;

/// How to sample from a model, complete and checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SamplerConfig {
    /// Number of noise levels in training.
    pub train_steps: u32,
    /// Noise added at each of them.
    pub betas: Betas,
    /// Whether betas are rescaled so that the last level is pure noise.
    pub rescale_zero_snr: bool,
    /// What the model answers.
    pub prediction: Prediction,
    /// How timesteps are chosen.
    pub spacing: Spacing,
    /// Added to each timestep of [`Spacing::Leading`].
    pub steps_offset: u32,
    /// The sampler and its own settings.
    pub method: Method,
}

/// The noise of training, one beta per level.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Betas {
    /// Evenly from first to second.
    Linear(f64, f64),
    /// Square roots evenly from first to second (latent diffusion).
    ScaledLinear(f64, f64),
    /// Cosine (Nichol and Dhariwal 2021), at most 0.999.
    SquaredCosine,
    /// As listed.
    Trained(Vec<f32>),
}

/// What a model's output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The noise.
    Epsilon,
    /// Velocity (Salimans and Ho 2022).
    Velocity,
    /// The image without noise.
    Sample,
}

/// How timesteps are chosen among those of training (Lin et al. 2023, table 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// A fixed stride from 0 up.
    Leading,
    /// A fixed stride from the last one down.
    Trailing,
    /// Evenly, both ends included.
    Linspace,
}

/// Signal level after the last step of DDIM and PNDM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalAlpha {
    /// No noise is left.
    One,
    /// That of timestep 0.
    First,
}

/// Noise level after the last step of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalSigma {
    /// None.
    Zero,
    /// That of timestep 0.
    Least,
}

/// How noise levels are chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SigmaOptions {
    /// Levels of Karras et al. 2022 instead of those of the timesteps.
    pub karras: bool,
    /// Their smallest, if not the schedule's.
    pub sigma_min: Option<f64>,
    /// Their largest, if not the schedule's.
    pub sigma_max: Option<f64>,
    /// Where the last step ends.
    pub last: FinalSigma,
}

/// A sampler and its own settings.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// DDIM.
    Ddim {
        /// Signal after the last step.
        final_alpha: FinalAlpha,
        /// Largest magnitude of the predicted image, if the file asks for clipping.
        clip: Option<f64>,
    },
    /// PNDM.
    Pndm {
        /// Signal after the last step.
        final_alpha: FinalAlpha,
    },
    /// Euler.
    Euler {
        /// Noise levels.
        sigmas: SigmaOptions,
    },
    /// Euler, ancestral.
    EulerAncestral,
    /// DPM-Solver++ (2M).
    #[serde(rename = "dpmpp-2m")]
    DpmSolverPp2M(DpmForm),
    /// UniPC.
    #[serde(rename = "unipc")]
    UniPc(UniPcForm),
}

/// Which DPM-Solver++.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DpmForm {
    /// Noise levels.
    pub sigmas: SigmaOptions,
    /// 1 or 2.
    pub order: u32,
    /// Heun's second order instead of the midpoint's.
    pub heun: bool,
    /// First order at the end of less than 15 steps.
    pub lower_order_final: bool,
    /// First order at the end.
    pub euler_at_final: bool,
    /// Half the smallest logarithm of signal over noise from which sampling starts, if not the schedule's.
    pub lambda_min: Option<f64>,
}

/// Which UniPC.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UniPcForm {
    /// Noise levels.
    pub sigmas: SigmaOptions,
    /// 1 to 3.
    pub order: u32,
    /// B1(h) = h instead of B2(h) = e^h - 1.
    pub bh1: bool,
    /// Lower orders towards the end.
    pub lower_order_final: bool,
    /// Calls after which the next one does not correct.
    pub disable_corrector: Vec<usize>,
}

impl Prediction {
    /// As the file writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Epsilon => "epsilon",
            Self::Velocity => "v_prediction",
            Self::Sample => "sample",
        }
    }
}

impl Spacing {
    /// As the file writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leading => "leading",
            Self::Trailing => "trailing",
            Self::Linspace => "linspace",
        }
    }
}

impl SamplerConfig {
    /// Reads a model's scheduler_config.json.
    ///
    /// `choice`: another sampler than the file's own, made of the file's keys as `OtherScheduler.from_config` of
    /// diffusers makes it: keys that both classes take are carried over, the rest are the new class' defaults. But:
    /// * A `timestep_spacing` that is its own class' default counts as unsaid. diffusers does so for one that was made
    ///   in memory (`_use_default_values`), and forgets it in the file, where it writes all defaults out.
    /// * `ddim` clips latents only if the file says so; the class does by default, and the pipeline forbids it.
    /// * A chosen `pndm` skips the Runge-Kutta steps if the file says nothing about them (diffusers would take them).
    pub fn from_json(text: &str, choice: Option<SamplerKind>) -> Result<Self, SamplerError> {
        // diffusers writes Python's -Infinity (lambda_min_clipped), which is not JSON.
        let text = text.replace("-Infinity", "-1e308");
        let mut map: Map<String, Value> = serde_json::from_str(&text).map_err(|e| SamplerError::Json(e.to_string()))?;
        let own = own_kind(&map);
        let Some(kind) = choice else {
            let kind = own?;
            return resolve(&Keys::new(&map, kind), kind, false);
        };
        let default = own.ok().filter(|own| *own != kind).map(|own| default_spacing(own).name());
        if default.is_some() && map.get("timestep_spacing").and_then(Value::as_str) == default {
            map.remove("timestep_spacing");
        }
        if kind == SamplerKind::DpmSolverPp2MKarras {
            map.insert("use_karras_sigmas".to_owned(), Value::Bool(true));
        }
        resolve(&Keys::new(&map, kind), kind, true)
    }

    /// Which sampler this is.
    pub fn kind(&self) -> SamplerKind {
        match self.method {
            Method::Ddim { .. } => SamplerKind::Ddim,
            Method::Pndm { .. } => SamplerKind::Pndm,
            Method::Euler { .. } => SamplerKind::Euler,
            Method::EulerAncestral => SamplerKind::EulerAncestral,
            Method::DpmSolverPp2M(DpmForm { sigmas: SigmaOptions { karras: true, .. }, .. }) => {
                SamplerKind::DpmSolverPp2MKarras
            }
            Method::DpmSolverPp2M(_) => SamplerKind::DpmSolverPp2M,
            Method::UniPc(_) => SamplerKind::UniPc,
        }
    }
}

fn own_kind(map: &Map<String, Value>) -> Result<SamplerKind, SamplerError> {
    let class = map.get("_class_name").and_then(Value::as_str).unwrap_or("(no _class_name)");
    SamplerKind::of_class(class).ok_or_else(|| SamplerError::Class(class.to_owned()))
}

fn resolve(keys: &Keys, kind: SamplerKind, chosen: bool) -> Result<SamplerConfig, SamplerError> {
    refuse_other_models(keys, kind)?;
    let train_steps = keys.count("num_train_timesteps", 1000, 1..=MOST_TRAIN_STEPS, "1 to 1000000")?;
    Ok(SamplerConfig {
        train_steps,
        betas: betas(keys, train_steps)?,
        rescale_zero_snr: keys.flag("rescale_betas_zero_snr", false)?,
        prediction: prediction(keys, kind)?,
        spacing: spacing(keys, kind)?,
        steps_offset: keys.count("steps_offset", 0, 0..=train_steps, "a count of timesteps")?,
        method: match kind {
            SamplerKind::Ddim => Method::Ddim { final_alpha: final_alpha(keys, true)?, clip: clip(keys)? },
            SamplerKind::Pndm => pndm(keys, chosen)?,
            SamplerKind::Euler => euler(keys)?,
            SamplerKind::EulerAncestral => Method::EulerAncestral,
            SamplerKind::DpmSolverPp2M | SamplerKind::DpmSolverPp2MKarras => dpm(keys)?,
            SamplerKind::UniPc => unipc(keys)?,
        },
    })
}

/// Keys that describe the model, for any sampler.
fn refuse_other_models(keys: &Keys, kind: SamplerKind) -> Result<(), SamplerError> {
    keys.only_flag("thresholding", false)?;
    keys.only_flag("use_flow_sigmas", false)?;
    if kind == SamplerKind::Pndm {
        keys.only_flag("rescale_betas_zero_snr", false)?;
    }
    let takes = "null or a fixed variance";
    match keys.value::<String>("variance_type", takes)?.as_deref() {
        Some("learned" | "learned_range") => Err(keys.refusal("variance_type", takes)),
        _ => Ok(()),
    }
}

fn betas(keys: &Keys, train_steps: u32) -> Result<Betas, SamplerError> {
    let takes = "one number from 0 up to, not including, 1 for each of num_train_timesteps";
    if let Some(betas) = keys.value::<Vec<f32>>("trained_betas", takes)? {
        let fits = betas.len() == train_steps as usize && betas.iter().all(|beta| (0.0..1.0).contains(beta));
        return if fits { Ok(Betas::Trained(betas)) } else { Err(keys.refusal("trained_betas", takes)) };
    }
    let beta = |key, default| {
        let takes = "a number from 0 up to, not including, 1";
        let beta = keys.value(key, takes)?.unwrap_or(default);
        if (0.0..1.0).contains(&beta) { Ok(beta) } else { Err(keys.refusal(key, takes)) }
    };
    let (start, end) = (beta("beta_start", 0.0001)?, beta("beta_end", 0.02)?);
    let [linear, scaled] = [Betas::Linear(start, end), Betas::ScaledLinear(start, end)];
    let schedules = [("linear", &linear), ("scaled_linear", &scaled), ("squaredcos_cap_v2", &Betas::SquaredCosine)];
    keys.word("beta_schedule", &linear, &schedules, "linear, scaled_linear or squaredcos_cap_v2").cloned()
}

fn prediction(keys: &Keys, kind: SamplerKind) -> Result<Prediction, SamplerError> {
    let known = [Prediction::Epsilon, Prediction::Velocity, Prediction::Sample].map(|it| (it.name(), it));
    let (known, takes) = match kind {
        SamplerKind::Pndm | SamplerKind::EulerAncestral => (&known[..2], "epsilon or v_prediction"),
        _ => (&known[..], "epsilon, v_prediction or sample"),
    };
    keys.word("prediction_type", Prediction::Epsilon, known, takes)
}

fn spacing(keys: &Keys, kind: SamplerKind) -> Result<Spacing, SamplerError> {
    let known = [Spacing::Leading, Spacing::Trailing, Spacing::Linspace].map(|spacing| (spacing.name(), spacing));
    keys.word("timestep_spacing", default_spacing(kind), &known, "leading, trailing or linspace")
}

fn default_spacing(kind: SamplerKind) -> Spacing {
    match kind {
        SamplerKind::Ddim | SamplerKind::Pndm => Spacing::Leading,
        _ => Spacing::Linspace,
    }
}

fn final_alpha(keys: &Keys, default: bool) -> Result<FinalAlpha, SamplerError> {
    let one = keys.flag("set_alpha_to_one", default)?;
    Ok(if one { FinalAlpha::One } else { FinalAlpha::First })
}

/// Clipping suits pixels, which are between -1 and 1, and ruins latents, which are not. `DDIMScheduler` clips by
/// default, `StableDiffusionPipeline` turns it off for every scheduler that it is made with (`__init__`: `clip_sample`
/// becomes False), and one that is put in its place later clips again, unless its config says otherwise. Here only a
/// file that says `clip_sample: true` clips: only then does hardset differ from the pipeline. No other sampler has the
/// key.
fn clip(keys: &Keys) -> Result<Option<f64>, SamplerError> {
    let takes = "a number above 0";
    let range = keys.value("clip_sample_range", takes)?.unwrap_or(1.0);
    if range <= 0.0 {
        return Err(keys.refusal("clip_sample_range", takes));
    }
    Ok(keys.flag("clip_sample", false)?.then_some(range))
}

fn pndm(keys: &Keys, chosen: bool) -> Result<Method, SamplerError> {
    let unsaid = chosen && !keys.has("skip_prk_steps");
    if !unsaid && !keys.flag("skip_prk_steps", false)? {
        return Err(
            keys.refusal("skip_prk_steps", "true (PLMS without Runge-Kutta steps, as Stable Diffusion is sampled)")
        );
    }
    Ok(Method::Pndm { final_alpha: final_alpha(keys, false)? })
}

fn sigma_options(keys: &Keys) -> Result<SigmaOptions, SamplerError> {
    keys.only_flag("use_exponential_sigmas", false)?;
    keys.only_flag("use_beta_sigmas", false)?;
    let level = |key| {
        let takes = "null or a number above 0";
        let sigma = keys.value(key, takes)?;
        if sigma.is_none_or(|sigma: f64| sigma > 0.0) { Ok(sigma) } else { Err(keys.refusal(key, takes)) }
    };
    let ends = [("zero", FinalSigma::Zero), ("sigma_min", FinalSigma::Least)];
    Ok(SigmaOptions {
        karras: keys.flag("use_karras_sigmas", false)?,
        sigma_min: level("sigma_min")?,
        sigma_max: level("sigma_max")?,
        last: keys.word("final_sigmas_type", FinalSigma::Zero, &ends, "zero or sigma_min")?,
    })
}

fn euler(keys: &Keys) -> Result<Method, SamplerError> {
    keys.word("interpolation_type", (), &[("linear", ())], "linear")?;
    keys.word("timestep_type", (), &[("discrete", ())], "discrete")?;
    Ok(Method::Euler { sigmas: sigma_options(keys)? })
}

/// Names of solver types of other classes mean midpoint, as in diffusers.
fn dpm(keys: &Keys) -> Result<Method, SamplerError> {
    keys.word("algorithm_type", (), &[("dpmsolver++", ()), ("deis", ())], "dpmsolver++")?;
    keys.only_flag("use_lu_lambdas", false)?;
    keys.only_flag("use_dynamic_shifting", false)?;
    let types = [("midpoint", false), ("logrho", false), ("bh1", false), ("bh2", false), ("heun", true)];
    Ok(Method::DpmSolverPp2M(DpmForm {
        sigmas: sigma_options(keys)?,
        order: keys.count("solver_order", 2, 1..=2, "1 or 2")?,
        heun: keys.word("solver_type", false, &types, "midpoint or heun")?,
        lower_order_final: keys.flag("lower_order_final", true)?,
        euler_at_final: keys.flag("euler_at_final", false)?,
        lambda_min: keys.value("lambda_min_clipped", "a number or -Infinity")?,
    }))
}

/// Names of solver types of other classes mean bh2, as in diffusers.
fn unipc(keys: &Keys) -> Result<Method, SamplerError> {
    keys.only_flag("predict_x0", true)?;
    keys.only_flag("use_dynamic_shifting", false)?;
    keys.only_null("solver_p")?;
    keys.only_null("shift_terminal")?;
    let types = [("bh2", false), ("midpoint", false), ("heun", false), ("logrho", false), ("bh1", true)];
    Ok(Method::UniPc(UniPcForm {
        sigmas: sigma_options(keys)?,
        order: keys.count("solver_order", 2, 1..=3, "1, 2 or 3")?,
        bh1: keys.word("solver_type", false, &types, "bh1 or bh2")?,
        lower_order_final: keys.flag("lower_order_final", true)?,
        disable_corrector: keys.value("disable_corrector", "a list of calls")?.unwrap_or_default(),
    }))
}
