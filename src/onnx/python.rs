//! Finds the ONNX Runtime library inside a Python environment.

use std::path::PathBuf;
use std::process::Command;

/// Prints the folder of the package `onnxruntime` without importing it.
const ASK: &str =
    "import importlib.util as u; s = u.find_spec('onnxruntime'); print(s.submodule_search_locations[0] if s else '')";

/// The library that the `onnxruntime` package of the current `python3` carries, if it has one.
pub fn library_of_python() -> Option<PathBuf> {
    let output = Command::new("python3").args(["-c", ASK]).output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()).join("capi");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.into_iter().find(|path| path.file_name().is_some_and(|name| is_library(&name.to_string_lossy())))
}

/// Whether a file of this name is the ONNX Runtime library itself, not one of its providers.
fn is_library(name: &str) -> bool {
    let stem = name.strip_prefix("lib").unwrap_or(name);
    stem.starts_with("onnxruntime.") && (name.contains(".so") || name.ends_with(".dylib") || name.ends_with(".dll"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_told_from_its_providers() {
        for name in ["libonnxruntime.so.1.31.1", "libonnxruntime.so", "libonnxruntime.1.31.1.dylib", "onnxruntime.dll"]
        {
            assert!(is_library(name), "{name}");
        }
        for name in ["libonnxruntime_providers_shared.so", "onnxruntime_pybind11_state.so", "onnxruntime.py"] {
            assert!(!is_library(name), "{name}");
        }
    }
}
