//! `hardset doctor`: what this build and this machine can do.
//!
//! Does not check anything: `stage::doctor` does.

use std::path::Path;

use serde_json::json;

use super::args::DoctorArgs;
use super::error::{Error, MISSING, SOME_LOST};
use super::output::Output;
use super::session::Session;
use crate::domain::Compared;
use crate::onnx::Missing;
use crate::stage::doctor::{Gpu, ModelReport, doctor, doctor_model};
use crate::stage::prepare::PrepareError;

pub fn run(session: &Session, args: &DoctorArgs) -> Result<Output, Error> {
    match &args.model {
        Some(model) => Ok(model_output(&of_model(session, args, model)?)),
        None => Ok(machine(session)),
    }
}

fn of_model(session: &Session, args: &DoctorArgs, model: &Path) -> Result<ModelReport, PrepareError> {
    let ctx = session.context_without_run();
    let benchmark = args.benchmark.then_some((args.size, args.steps));
    doctor_model(&ctx, model, args.reference.as_deref(), args.precision, benchmark)
}

fn model_output(report: &ModelReport) -> Output {
    let mut lines: Vec<String> = report.facts.iter().map(|(name, value)| format!("{name:<20}{value}")).collect();
    lines.extend(report.ran.iter().map(|(name, value)| format!("{:<20}{value}", name.replace('_', " "))));
    let wrong = report.compared.iter().filter(|compared| !compared.ok()).count();
    if !report.compared.is_empty() {
        lines.push(format!("\n{:<34}{:<10}{:>12}{:>12}", "compared with the reference", "measure", "found", "allowed"));
    }
    lines.extend(report.compared.iter().map(compared_line));
    if !report.compared.is_empty() {
        lines.push(match wrong {
            0 => "all within tolerance".to_owned(),
            wrong => format!("{wrong} of {} out of tolerance", report.compared.len()),
        });
    }
    let named = |name: &str, value: &String| (name.to_owned(), json!(value));
    let facts: serde_json::Map<_, _> = report.facts.iter().map(|(name, value)| named(name, value)).collect();
    let mut json = json!({
        "model": facts,
        "ran": report.ran,
        "compared": report.compared.iter().map(compared_json).collect::<Vec<_>>(),
        "usable": wrong == 0,
    });
    if let Some(speed) = &report.benchmark {
        let parts = [
            ("load_secs", speed.load_secs),
            ("text_secs", speed.text_secs),
            ("unet_secs", speed.unet_secs),
            ("vae_secs", speed.vae_secs),
            ("images_per_sec", speed.images_per_sec),
        ];
        lines.push(String::new());
        lines.extend(parts.iter().map(|(name, value)| format!("{name:<20}{value:.3}")));
        parts.iter().for_each(|(name, value)| json[*name] = json!(value));
    }
    let code = if wrong == 0 { 0 } else { SOME_LOST };
    Output { text: lines.join("\n"), json, code }
}

fn compared_line(compared: &Compared) -> String {
    let verdict = if compared.ok() { "" } else { "  WRONG" };
    let Compared { what, measure, found, allowed } = compared;
    format!("{what:<34}{measure:<10}{found:>12.3e}{allowed:>12.0e}{verdict}")
}

fn compared_json(compared: &Compared) -> serde_json::Value {
    let Compared { what, measure, found, allowed } = compared;
    json!({ "what": what, "measure": measure, "found": found, "allowed": allowed, "ok": compared.ok() })
}

fn machine(session: &Session) -> Output {
    let doctor = doctor(&session.context_without_run());
    let library = doctor.library.as_ref().map(|found| format!("{} (from {})", found.path.display(), found.from));
    let folders: Vec<String> = doctor.data_folders.iter().map(|path| path.display().to_string()).collect();
    let (runtime, code) = match &doctor.runtime {
        Ok(facts) => (facts.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", "), 0),
        Err(problem) => (format!("cannot be used: {problem}"), MISSING),
    };
    let mining = doctor.gpu.as_ref().and_then(|gpu| gpu.mining.as_ref().err());
    let is_said_below = mining.is_some_and(|problem| runtime.contains(problem));
    let mut text = format!(
        "hardset {} (features: {})\nthreads   {}\ndata      {}\nlibrary   {}\nruntime   {}",
        env!("CARGO_PKG_VERSION"),
        doctor.features.join(", "),
        doctor.threads,
        folders.join(", "),
        library.as_deref().unwrap_or("none"),
        if is_said_below { "cannot be used; the line of mining says why" } else { &runtime },
    );
    doctor.gpu.iter().for_each(|gpu| text += &format!("\n{}", gpu_text(gpu)));
    let json = json!({
        "version": env!("CARGO_PKG_VERSION"), "features": doctor.features, "threads": doctor.threads,
        "data_folders": folders, "library": library, "runtime": runtime, "usable": code == 0,
        "gpu": doctor.gpu.as_ref().map(gpu_json),
    });
    Output { text, json, code }
}

/// The lines about the GPU: what was found, what it can be used for, and what to do.
fn gpu_text(gpu: &Gpu) -> String {
    let survey = &gpu.survey;
    let driver = match &survey.driver {
        Ok(driver) => driver,
        // Without a driver there is no GPU to report on, unless one was asked for by name.
        Err(problem) if !gpu.asked => return format!("GPU       none found: {problem}"),
        Err(problem) => return lines(gpu, &[format!("driver    cannot be used: {problem}")]),
    };
    let version = driver.version.as_deref().unwrap_or("of unknown version");
    let mut head = vec![format!("driver    {version}, for CUDA up to {}.{}", driver.cuda.0, driver.cuda.1)];
    if driver.gpus.is_empty() {
        head.push("GPU       none that the driver can see".to_owned());
    }
    head.extend(driver.gpus.iter().enumerate().map(|(at, name)| format!("GPU       cuda:{at} {name}")));
    lines(gpu, &head)
}

/// `head`, then the lines that do not depend on the driver.
fn lines(gpu: &Gpu, head: &[String]) -> String {
    let survey = &gpu.survey;
    let mut lines = head.to_vec();
    let known = |version: &Option<String>| version.clone().unwrap_or_else(|| "not here".to_owned());
    lines.push(format!("CUDA      {}, cuDNN {}", known(&survey.cuda), known(&survey.cudnn)));
    let verdict = |usable: &Result<(), String>| match usable {
        Ok(()) => format!("can use cuda:{}", gpu.index),
        Err(problem) => format!("cannot use cuda:{}: {problem}", gpu.index),
    };
    lines.push(format!("mining    {}", verdict(&gpu.mining)));
    lines.push(match &gpu.generation {
        Err(_) if gpu.generation == gpu.mining => {
            format!("images    cannot use cuda:{}, for the same cause", gpu.index)
        }
        usable => format!("images    {}", verdict(usable)),
    });
    lines.extend(survey.pip().map(|pip| format!("run       {pip}")));
    lines.join("\n")
}

fn gpu_json(gpu: &Gpu) -> serde_json::Value {
    let survey = &gpu.survey;
    let driver = survey.driver.as_ref();
    let missing =
        |missing: &Missing| json!({ "library": missing.library, "wheel": missing.wheel, "problem": missing.problem });
    let verdict = |usable: &Result<(), String>| json!({ "usable": usable.is_ok(), "problem": usable.as_ref().err() });
    json!({
        "device": format!("cuda:{}", gpu.index),
        "driver": driver.ok().and_then(|driver| driver.version.clone()),
        "driver_cuda": driver.ok().map(|driver| format!("{}.{}", driver.cuda.0, driver.cuda.1)),
        "driver_problem": driver.err(),
        "gpus": driver.map(|driver| driver.gpus.clone()).unwrap_or_default(),
        "provider": survey.has_provider, "cuda": survey.cuda, "cudnn": survey.cudnn,
        "missing": survey.missing.iter().map(missing).collect::<Vec<_>>(),
        "mining": verdict(&gpu.mining), "generation": verdict(&gpu.generation), "pip": survey.pip(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{Driver, Survey};

    const CANDLE: &str = "this hardset was built without the feature `cuda`";

    fn gpu(asked: bool, survey: Survey) -> Gpu {
        let mining = survey.problem(0).map_or(Ok(()), Err);
        Gpu { index: 0, asked, survey, mining, generation: Err(CANDLE.to_owned()) }
    }

    fn survey() -> Survey {
        let gpus = ["NVIDIA H100 80GB HBM3", "NVIDIA L4"].map(str::to_owned).to_vec();
        Survey {
            library: Some("/site/onnxruntime/capi/libonnxruntime.so.1.31.1".into()),
            has_provider: true,
            missing: Vec::new(),
            driver: Ok(Driver { version: Some("580.65.06".to_owned()), cuda: (13, 0), gpus }),
            cuda: Some("13.5".to_owned()),
            cudnn: Some("9.28.1".to_owned()),
        }
    }

    /// The one place that compares whole screens.
    fn check(gpu: &Gpu, expected: &[&str]) {
        assert_eq!(gpu_text(gpu), expected.join("\n"));
    }

    #[test]
    fn a_machine_with_everything() {
        check(
            &Gpu { generation: Ok(()), ..gpu(false, survey()) },
            &[
                "driver    580.65.06, for CUDA up to 13.0",
                "GPU       cuda:0 NVIDIA H100 80GB HBM3",
                "GPU       cuda:1 NVIDIA L4",
                "CUDA      13.5, cuDNN 9.28.1",
                "mining    can use cuda:0",
                "images    can use cuda:0",
            ],
        );
    }

    #[test]
    fn a_machine_that_lacks_a_library() {
        let wheel = "nvidia-cudnn-cu13==9.*".to_owned();
        let missing = vec![Missing { library: "libcudnn.so.9".to_owned(), wheel, problem: None }];
        check(
            &gpu(false, Survey { missing, cudnn: None, ..survey() }),
            &[
                "driver    580.65.06, for CUDA up to 13.0",
                "GPU       cuda:0 NVIDIA H100 80GB HBM3",
                "GPU       cuda:1 NVIDIA L4",
                "CUDA      13.5, cuDNN not here",
                "mining    cannot use cuda:0: CUDA libraries are missing: libcudnn.so.9; for what pip has, run \
                 `pip install \"nvidia-cudnn-cu13==9.*\"`",
                "images    cannot use cuda:0: this hardset was built without the feature `cuda`",
                "run       pip install \"nvidia-cudnn-cu13==9.*\"",
            ],
        );
    }

    #[test]
    fn a_machine_without_a_gpu_says_so_in_one_line_unless_one_is_asked_for() {
        let problem = "libcuda.so.1: cannot open shared object file";
        let none = Survey { driver: Err(problem.to_owned()), has_provider: false, cuda: None, cudnn: None, ..survey() };
        check(&gpu(false, none.clone()), &["GPU       none found: libcuda.so.1: cannot open shared object file"]);
        let text = gpu_text(&gpu(true, none));
        let pip = "run       pip uninstall -y onnxruntime && pip install \"onnxruntime-gpu[cuda,cudnn]==1.31.1\"";
        assert!(text.starts_with("driver    cannot be used: libcuda.so.1"), "{text}");
        assert!(text.ends_with(pip), "{text}");
    }

    #[test]
    fn as_json_it_says_the_same() {
        let json = gpu_json(&gpu(true, survey()));
        assert_eq!(json["gpus"][1], "NVIDIA L4");
        assert_eq!((&json["mining"]["usable"], &json["generation"]["problem"]), (&json!(true), &json!(CANDLE)));
        assert!(json["pip"].is_null() && json["driver_problem"].is_null());
    }
}
