//! Every sampler against diffusers, case by case, and what is refused.
//!
//! Golden numbers: `tests/golden/make_samplers.py`. The tolerance, 1e-5 of the result's length, is some 80 units in the
//! last place of f32: torch's roots, exp and ln differ from Rust's in the last bit, and a step from a signal of almost
//! nothing makes a hundred of it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    first: Vec<f32>,
    noise: Vec<Vec<f32>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    config: Value,
    kind: SamplerKind,
    steps: u32,
    timesteps: Vec<f64>,
    init_noise_sigma: f64,
    /// After the last calls, or after all of them.
    samples: Vec<Vec<f64>>,
}

fn golden() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/samplers.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The formula that takes the place of a model on both sides.
fn model(sample: &[f32], timestep: f32) -> Vec<f32> {
    let shift = (f64::from(timestep) / 500.0) as f32;
    let output = |x: &f32| {
        let bend = 1.3 * x + shift;
        1.4 * bend / (1.0 + bend * bend) + 0.2 * x
    };
    sample.iter().map(output).collect()
}

/// The sample after each call.
fn trajectory(sampler: &mut dyn Sampler, first: &[f32], noise: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mut sample: Vec<f32> = first.iter().map(|x| x * sampler.init_noise_sigma()).collect();
    let calls = sampler.timesteps().to_vec().into_iter().enumerate();
    let samples = calls.map(|(call, timestep)| {
        let output = model(&sampler.scale_input(call, &sample), timestep);
        let noise = if sampler.wants_noise(call) { &noise[call][..] } else { &[] };
        sampler.step(call, &output, &mut sample, noise);
        sample.clone()
    });
    samples.collect()
}

/// Length of the difference over the length of what is expected.
fn deviation(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let length = |numbers: Vec<f64>| numbers.iter().map(|x| x * x).sum::<f64>().sqrt();
    let differences = found.iter().zip(expected).map(|(a, b)| f64::from(*a) - b).collect();
    length(differences) / length(expected.to_vec()).max(f64::MIN_POSITIVE)
}

/// One trajectory of diffusers; gives the worst deviation.
fn check(case: &Case, golden: &Golden) -> f64 {
    let config = SamplerConfig::from_json(&case.config.to_string(), Some(case.kind)).unwrap();
    let about = format!("{} in {} steps of {}", case.kind, case.steps, case.config);
    let mut sampler = build(&config, case.steps).unwrap_or_else(|error| panic!("{error}: {about}"));
    let timesteps = deviation(sampler.timesteps(), &case.timesteps);
    let scale = deviation(&[sampler.init_noise_sigma()], &[case.init_noise_sigma]);
    assert!(timesteps < 1e-6 && scale < 1e-6, "timesteps {timesteps:e}, init_noise_sigma {scale:e}: {about}");
    let samples = trajectory(sampler.as_mut(), &golden.first, &golden.noise);
    assert_eq!(samples, trajectory(sampler.as_mut(), &golden.first, &golden.noise), "a second trajectory: {about}");
    let last = &samples[samples.len() - case.samples.len()..];
    let worst = last.iter().zip(&case.samples).map(|(a, b)| deviation(a, b)).fold(0.0, f64::max);
    assert!(worst < TOLERANCE, "samples {worst:e}: {about}");
    worst
}

#[test]
fn trajectories_are_those_of_diffusers() {
    let golden = golden();
    let mut worst = Vec::new();
    for case in &golden.cases {
        worst.push((check(case, &golden), case.kind, case.steps));
    }
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("{} cases, worst deviations:", worst.len());
    worst.iter().take(8).for_each(|(deviation, kind, steps)| println!("{deviation:.1e} {kind}, {steps} steps"));
}

#[test]
fn an_image_takes_its_way_whatever_else_is_in_the_batch() {
    let golden = golden();
    for case in golden.cases.iter().filter(|case| case.steps == 11) {
        let config = SamplerConfig::from_json(&case.config.to_string(), Some(case.kind)).unwrap();
        let mut sampler = build(&config, case.steps).unwrap();
        let all = trajectory(sampler.as_mut(), &golden.first, &golden.noise);
        let noise: Vec<_> = golden.noise.iter().map(|row| row[2..4].to_vec()).collect();
        let some = trajectory(sampler.as_mut(), &golden.first[2..4], &noise);
        assert!(all.iter().zip(some).all(|(all, some)| all[2..4] == some), "{}", case.kind);
    }
}

/// What `config` under its own class, or `choice`, is refused with.
fn refusal(config: Value, choice: Option<SamplerKind>, steps: u32) -> String {
    let sampler = SamplerConfig::from_json(&config.to_string(), choice).and_then(|config| build(&config, steps));
    sampler.err().map_or("none".into(), |error| error.to_string())
}

/// One key of a class, which must be refused by name and value.
fn check_key(class: &str, key: &str, value: Value) {
    let mut config = json!({"_class_name": class, "skip_prk_steps": true});
    config[key] = value.clone();
    let refusal = refusal(config, None, 20);
    assert!(refusal.contains(&format!("{key} = {value}")), "{class} with {key} = {value}: {refusal}");
}

#[test]
fn keys_that_cannot_be_honoured_are_refused_by_name() {
    for (_, class) in SAMPLERS {
        check_key(class, "thresholding", json!(true));
        check_key(class, "use_flow_sigmas", json!(true));
        check_key(class, "variance_type", json!("learned_range"));
        check_key(class, "beta_schedule", json!("laplace"));
        check_key(class, "prediction_type", json!("flow_prediction"));
        check_key(class, "timestep_spacing", json!("even"));
        check_key(class, "beta_end", json!(1.5));
        check_key(class, "trained_betas", json!([0.1, 0.2]));
        check_key(class, "num_train_timesteps", json!(0));
        check_key(class, "steps_offset", json!(-1));
    }
    for class in ["EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"] {
        check_key(class, "use_exponential_sigmas", json!(true));
        check_key(class, "use_beta_sigmas", json!(true));
        check_key(class, "use_karras_sigmas", json!("yes"));
        check_key(class, "final_sigmas_type", json!("half"));
        check_key(class, "sigma_min", json!(0));
    }
    check_key("PNDMScheduler", "skip_prk_steps", json!(false));
    check_key("PNDMScheduler", "rescale_betas_zero_snr", json!(true));
    check_key("PNDMScheduler", "prediction_type", json!("sample"));
    check_key("EulerAncestralDiscreteScheduler", "prediction_type", json!("sample"));
    check_key("DDIMScheduler", "clip_sample_range", json!(-1));
    check_key("EulerDiscreteScheduler", "interpolation_type", json!("log_linear"));
    check_key("EulerDiscreteScheduler", "timestep_type", json!("continuous"));
    check_key("DPMSolverMultistepScheduler", "algorithm_type", json!("sde-dpmsolver++"));
    check_key("DPMSolverMultistepScheduler", "solver_order", json!(3));
    check_key("DPMSolverMultistepScheduler", "solver_type", json!("rk4"));
    check_key("DPMSolverMultistepScheduler", "use_lu_lambdas", json!(true));
    check_key("DPMSolverMultistepScheduler", "lambda_min_clipped", json!(1000));
    check_key("UniPCMultistepScheduler", "predict_x0", json!(false));
    check_key("UniPCMultistepScheduler", "solver_order", json!(4));
    check_key("UniPCMultistepScheduler", "solver_p", json!("DDIMScheduler"));
    check_key("UniPCMultistepScheduler", "shift_terminal", json!(0.1));
    check_key("UniPCMultistepScheduler", "use_dynamic_shifting", json!(true));
}

const SAMPLERS: [(SamplerKind, &str); 6] = [
    (SamplerKind::Ddim, "DDIMScheduler"),
    (SamplerKind::Pndm, "PNDMScheduler"),
    (SamplerKind::Euler, "EulerDiscreteScheduler"),
    (SamplerKind::EulerAncestral, "EulerAncestralDiscreteScheduler"),
    (SamplerKind::DpmSolverPp2M, "DPMSolverMultistepScheduler"),
    (SamplerKind::UniPc, "UniPCMultistepScheduler"),
];

#[test]
fn an_unknown_class_is_refused_unless_a_sampler_is_chosen() {
    let config = json!({"_class_name": "LCMScheduler"});
    assert!(refusal(config.clone(), None, 20).contains("class, LCMScheduler,"));
    assert!(refusal(json!({}), None, 20).contains("no _class_name"));
    assert!(refusal(json!([]), None, 20).contains("not a JSON object"));
    for (kind, _) in SAMPLERS {
        assert_eq!(refusal(config.clone(), Some(kind), 20), "none");
    }
}

#[test]
fn keys_of_other_classes_are_dropped_and_missing_ones_are_the_new_class_defaults() {
    let of = |config: Value, kind| SamplerConfig::from_json(&config.to_string(), Some(kind)).unwrap();
    let file = json!({"_class_name": "DDIMScheduler", "clip_sample": true, "solver_order": 9});
    let euler = of(file.clone(), SamplerKind::Euler);
    assert_eq!((euler.spacing, euler.kind()), (Spacing::Linspace, SamplerKind::Euler));
    let pndm = of(file.clone(), SamplerKind::Pndm);
    assert_eq!((pndm.spacing, pndm.method), (Spacing::Leading, Method::Pndm { final_alpha: FinalAlpha::First }));
    let ddim = of(file, SamplerKind::Ddim);
    assert_eq!(ddim.method, Method::Ddim { final_alpha: FinalAlpha::One, clip: Some(1.0) });
    let nulls = json!({"set_alpha_to_one": null, "clip_sample": null, "timestep_spacing": null});
    assert_eq!(of(nulls, SamplerKind::Ddim).method, Method::Ddim { final_alpha: FinalAlpha::First, clip: None });
}

#[test]
fn latents_are_clipped_only_if_the_file_says_so() {
    let check = |file: Value, choice: Option<SamplerKind>, expected: Option<f64>| {
        let config = SamplerConfig::from_json(&file.to_string(), choice).unwrap();
        assert!(matches!(config.method, Method::Ddim { clip, .. } if clip == expected), "{file}: {:?}", config.method);
    };
    let ddim = Some(SamplerKind::Ddim);
    for class in ["DDIMScheduler", "EulerDiscreteScheduler", "PNDMScheduler", "LCMScheduler"] {
        check(json!({"_class_name": class, "skip_prk_steps": true, "clip_sample_range": 2.0}), ddim, None);
        check(json!({"_class_name": class, "clip_sample": false}), ddim, None);
        check(json!({"_class_name": class, "clip_sample": true}), ddim, Some(1.0));
    }
    check(json!({"_class_name": "DDIMScheduler"}), None, None);
    check(json!({"_class_name": "DDIMScheduler", "clip_sample": true, "clip_sample_range": 2.0}), None, Some(2.0));
}

#[test]
fn a_chosen_sampler_keeps_a_spacing_that_was_chosen_and_not_the_other_class_default() {
    let check = |class: &str, spacing: &str, kind: SamplerKind, expected: Spacing| {
        let config = json!({"_class_name": class, "timestep_spacing": spacing}).to_string();
        assert_eq!(
            SamplerConfig::from_json(&config, Some(kind)).unwrap().spacing,
            expected,
            "{class} {spacing} {kind}"
        );
    };
    check("DDIMScheduler", "leading", SamplerKind::Ddim, Spacing::Leading);
    check("DDIMScheduler", "leading", SamplerKind::UniPc, Spacing::Linspace);
    check("DDIMScheduler", "trailing", SamplerKind::UniPc, Spacing::Trailing);
    check("EulerDiscreteScheduler", "trailing", SamplerKind::Ddim, Spacing::Trailing);
    check("EulerDiscreteScheduler", "linspace", SamplerKind::Ddim, Spacing::Leading);
    check("LCMScheduler", "leading", SamplerKind::Euler, Spacing::Leading);
}

#[test]
fn pythons_infinity_is_read() {
    let text = r#"{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity}"#;
    let config = SamplerConfig::from_json(text, None).unwrap();
    assert_eq!(build(&config, 20).map(|sampler| sampler.timesteps()[0]), Ok(999.0));
}

#[test]
fn steps_that_cannot_be_taken_are_refused() {
    let ddim = |key: &str, value: Value| json!({"_class_name": "DDIMScheduler", key: value});
    assert!(refusal(ddim("steps_offset", json!(1)), None, 0).starts_with("0 steps"));
    assert!(refusal(ddim("steps_offset", json!(1)), None, 1001).starts_with("1001 steps"));
    assert!(refusal(ddim("steps_offset", json!(1)), None, 1000).starts_with("timestep 1000 is beyond"));
    let zero_snr =
        json!({"_class_name": "DDIMScheduler", "rescale_betas_zero_snr": true, "timestep_spacing": "trailing"});
    assert!(refusal(zero_snr, None, 10).contains("call 0, timestep 999, divides by zero"));
    for (kind, _) in &SAMPLERS[4..] {
        let refusal = refusal(json!({"timestep_spacing": "leading"}), Some(*kind), 1000);
        assert!(refusal.contains("divides by zero"), "{kind}: {refusal}");
    }
}

#[test]
fn every_number_of_steps_gives_finite_samples_or_a_refusal() {
    for (kind, _) in SAMPLERS {
        for (spacing, last) in [("leading", "zero"), ("trailing", "sigma_min"), ("linspace", "zero")] {
            let config = json!({"timestep_spacing": spacing, "final_sigmas_type": last, "num_train_timesteps": 150});
            let config = SamplerConfig::from_json(&config.to_string(), Some(kind)).unwrap();
            for steps in 1..=150 {
                let Ok(mut sampler) = build(&config, steps) else { continue };
                let calls = steps as usize + usize::from(kind == SamplerKind::Pndm && steps > 1);
                assert_eq!(sampler.timesteps().len(), calls, "{kind} {spacing} {steps}");
                let samples = trajectory(sampler.as_mut(), &[0.5, -1.0], &vec![vec![0.1, -0.3]; 151]);
                assert!(samples.iter().flatten().all(|x| x.is_finite()), "{kind} {spacing} {last} {steps}");
            }
        }
    }
}
