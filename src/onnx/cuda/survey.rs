//! The state of CUDA on this machine, in words: what is missing, and the pip command that installs what pip has.
//!
//! Does not look at the machine; [`super::survey`] does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// File name of ONNX Runtime's CUDA provider, which is beside the library.
pub const PROVIDER: &str = "libonnxruntime_providers_cuda.so";
/// The package that has the provider.
const PACKAGE: &str = "onnxruntime-gpu";
/// Its version: that of the library which `hardset fetch` brings (`data-manifest.toml`).
pub const PACKAGE_VERSION: &str = "1.31.1";

/// A CUDA library that is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// `libcublas.so.13`.
    pub library: String,
    /// Its wheel, in pip's notation: `nvidia-cublas==13.*`.
    pub wheel: String,
    /// The loader's error, if the file exists and cannot be loaded.
    pub problem: Option<String>,
}

/// The driver and the GPUs that it sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// Its own version, if it is known: `580.65.06`.
    pub version: Option<String>,
    /// The newest CUDA version that it supports: major, minor.
    pub cuda: (u32, u32),
    /// Names of the GPUs by index, after `CUDA_VISIBLE_DEVICES`.
    pub gpus: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// ONNX Runtime's library, if there is one.
    pub library: Option<PathBuf>,
    /// Whether the CUDA provider is beside it.
    pub has_provider: bool,
    /// CUDA libraries that cannot be loaded.
    pub missing: Vec<Missing>,
    /// The driver, or the error of the loader or the driver.
    pub driver: Result<Driver, String>,
    /// The newest CUDA version of the libraries here: `13.5`; `None` if it is not known.
    pub cuda: Option<String>,
    /// The version of cuDNN: `9.28.1`.
    pub cudnn: Option<String>,
}

impl Survey {
    /// Why the GPU `index` cannot be used, and what to do; `None` if no problem is known.
    pub fn problem(&self, index: u32) -> Option<String> {
        let mut parts: Vec<String> = self.provider_problem().into_iter().collect();
        parts.extend(self.libraries_problem());
        parts.extend(self.driver_problem(index));
        if parts.is_empty() {
            return None;
        }
        parts.extend(self.pip().map(|pip| format!("for what pip has, run `{pip}`")));
        Some(parts.join("; "))
    }

    /// The command that installs everything that is missing and that pip has.
    pub fn pip(&self) -> Option<String> {
        if !self.has_provider {
            // Both packages have the same files, so the one for the CPU must be removed first.
            let cpu = self.library.as_ref().is_some_and(|library| is_in_python(library));
            let remove = if cpu { "pip uninstall -y onnxruntime && " } else { "" };
            return Some(format!("{remove}pip install \"{PACKAGE}[cuda,cudnn]=={PACKAGE_VERSION}\""));
        }
        let mut wheels: Vec<String> = self.missing.iter().map(|missing| format!("\"{}\"", missing.wheel)).collect();
        wheels.dedup();
        (!wheels.is_empty()).then(|| format!("pip install {}", wheels.join(" ")))
    }

    fn provider_problem(&self) -> Option<String> {
        match &self.library {
            _ if self.has_provider => None,
            Some(library) => Some(format!("{} is for the CPU only: {PROVIDER} is not beside it", library.display())),
            None => Some("there is no ONNX Runtime for CUDA".to_owned()),
        }
    }

    fn libraries_problem(&self) -> Option<String> {
        let name = |missing: &Missing| match &missing.problem {
            Some(problem) => format!("{} ({problem})", missing.library),
            None => missing.library.clone(),
        };
        let names: Vec<String> = self.missing.iter().map(name).collect();
        (!names.is_empty()).then(|| format!("CUDA libraries are missing: {}", names.join(", ")))
    }

    fn driver_problem(&self, index: u32) -> Option<String> {
        let driver = match &self.driver {
            Ok(driver) => driver,
            Err(problem) => {
                let source = "it comes from NVIDIA or the system, not from pip";
                return Some(format!("NVIDIA's driver cannot be used ({problem}); {source}"));
            }
        };
        if let Some(problem) = self.driver_age(driver) {
            return Some(problem);
        }
        match driver.gpus.len() {
            count if (index as usize) < count => None,
            0 => Some("the driver sees no GPU (check CUDA_VISIBLE_DEVICES)".to_owned()),
            count => Some(format!("the last GPU here is cuda:{} ({})", count - 1, driver.gpus[count - 1])),
        }
    }

    /// A driver runs libraries of its own and of older major versions of CUDA (CUDA Compatibility, chapter 2).
    fn driver_age(&self, driver: &Driver) -> Option<String> {
        let cuda = self.cuda.as_ref()?;
        let major: u32 = cuda.split('.').next()?.parse().ok()?;
        let version = driver.version.as_deref().unwrap_or("of unknown version");
        let (newest, minor) = driver.cuda;
        if newest >= major {
            return None;
        }
        let driver = format!("NVIDIA's driver {version} supports CUDA up to {newest}.{minor}");
        Some(format!("{driver}, but the libraries are for CUDA {cuda} (13 needs driver 580 or later)"))
    }

    /// The facts for records about the GPU `index`, its driver and libraries.
    pub fn facts(&self, index: u32) -> BTreeMap<String, String> {
        let driver = self.driver.as_ref().ok();
        let gpu = driver.and_then(|driver| driver.gpus.get(index as usize).cloned());
        let version = driver.and_then(|driver| driver.version.clone());
        let facts = [("gpu", gpu), ("driver", version), ("cuda", self.cuda.clone()), ("cudnn", self.cudnn.clone())];
        facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// Whether a library is in a Python package `onnxruntime`, a folder that `onnxruntime-gpu` also uses.
pub fn is_in_python(library: &Path) -> bool {
    library.parent().is_some_and(|folder| folder.ends_with("onnxruntime/capi"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> Survey {
        let gpus = vec!["NVIDIA H100 80GB HBM3".to_owned(), "NVIDIA L4".to_owned()];
        Survey {
            library: Some("/site/onnxruntime/capi/libonnxruntime.so.1.31.1".into()),
            has_provider: true,
            missing: Vec::new(),
            driver: Ok(Driver { version: Some("580.65.06".to_owned()), cuda: (13, 0), gpus }),
            cuda: Some("13.5".to_owned()),
            cudnn: Some("9.28.1".to_owned()),
        }
    }

    fn missing(library: &str, wheel: &str) -> Missing {
        Missing { library: library.to_owned(), wheel: wheel.to_owned(), problem: None }
    }

    /// The one place that compares whole texts.
    fn check(survey: &Survey, index: u32, expected: Option<&str>) {
        assert_eq!(survey.problem(index).as_deref(), expected);
    }

    #[test]
    fn a_complete_machine_has_no_problem_and_its_parts_are_facts() {
        check(&healthy(), 1, None);
        let facts: Vec<(String, String)> = healthy().facts(1).into_iter().collect();
        let expected = [("cuda", "13.5"), ("cudnn", "9.28.1"), ("driver", "580.65.06"), ("gpu", "NVIDIA L4")];
        assert_eq!(facts, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_library_for_the_cpu_is_replaced_in_one_command() {
        let mut survey = Survey { has_provider: false, ..healthy() };
        let cpu = "is for the CPU only: libonnxruntime_providers_cuda.so is not beside it";
        let pip = "pip install \"onnxruntime-gpu[cuda,cudnn]==1.31.1\"";
        let library = "/site/onnxruntime/capi/libonnxruntime.so.1.31.1";
        check(
            &survey,
            0,
            Some(&format!("{library} {cpu}; for what pip has, run `pip uninstall -y onnxruntime && {pip}`")),
        );
        survey.library = Some("/opt/libonnxruntime.so".into());
        check(&survey, 0, Some(&format!("/opt/libonnxruntime.so {cpu}; for what pip has, run `{pip}`")));
        survey.library = None;
        check(&survey, 0, Some(&format!("there is no ONNX Runtime for CUDA; for what pip has, run `{pip}`")));
    }

    #[test]
    fn every_missing_library_is_named_and_each_wheel_once() {
        let broken = Missing { problem: Some("file too short".to_owned()), ..missing("libcudnn.so.9", "cudnn==9.*") };
        let cublas = "nvidia-cublas==13.*";
        let gone = vec![missing("libcublasLt.so.13", cublas), missing("libcublas.so.13", cublas), broken];
        check(
            &Survey { missing: gone, ..healthy() },
            0,
            Some(
                "CUDA libraries are missing: libcublasLt.so.13, libcublas.so.13, libcudnn.so.9 (file too short); for \
                 what pip has, run `pip install \"nvidia-cublas==13.*\" \"cudnn==9.*\"`",
            ),
        );
    }

    #[test]
    fn a_driver_that_is_missing_or_too_old_or_sees_too_few_gpus_is_reported() {
        let none = Survey { driver: Err("libcuda.so.1: cannot open".to_owned()), ..healthy() };
        let text = "NVIDIA's driver cannot be used (libcuda.so.1: cannot open); it comes from NVIDIA or the system, \
                    not from pip";
        check(&none, 0, Some(text));
        let driver = |major, minor, gpus: &[&str]| Survey {
            driver: Ok(Driver {
                version: None,
                cuda: (major, minor),
                gpus: gpus.iter().map(|&gpu| gpu.to_owned()).collect(),
            }),
            ..healthy()
        };
        let text = "NVIDIA's driver of unknown version supports CUDA up to 12.4, but the libraries are for CUDA 13.5 \
                    (13 needs driver 580 or later)";
        check(&driver(12, 4, &["NVIDIA L4"]), 0, Some(text));
        check(&driver(13, 0, &["NVIDIA L4"]), 1, Some("the last GPU here is cuda:0 (NVIDIA L4)"));
        check(&driver(13, 0, &[]), 0, Some("the driver sees no GPU (check CUDA_VISIBLE_DEVICES)"));
    }
}
