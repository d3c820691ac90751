//! Libraries in packages of the Python beside the program, else of `python3`: ONNX Runtime, and the folders of NVIDIA's
//! wheels.
//!
//! Holds always: Python is asked for folders only and imports neither package, because an import can fail or take long.

#[cfg(feature = "onnx")]
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::installed;

/// Prints the folders of the packages `onnxruntime` and `nvidia`, without importing either.
const ASK: &str = "
import importlib.util as u
for name in ('onnxruntime', 'nvidia'):
    spec = u.find_spec(name)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        print(name, folder)
";

/// The ONNX Runtime libraries in the `onnxruntime` package of Python.
pub fn libraries_of_python() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = folders("onnxruntime")
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder.join("capi")).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| path.file_name().is_some_and(|name| is_library(&name.to_string_lossy())))
        .collect();
    files.sort();
    files
}

/// The folders `nvidia` in which NVIDIA's wheels have their libraries: first the one beside the package of `library`,
/// then those of Python.
#[cfg(feature = "onnx")]
pub fn nvidia_folders(library: Option<&Path>) -> Vec<PathBuf> {
    // <site>/onnxruntime/capi/libonnxruntime.so
    let beside = library.and_then(|library| library.ancestors().nth(3)).map(|site| site.join("nvidia"));
    let mut all: Vec<PathBuf> = beside.into_iter().filter(|folder| folder.is_dir()).collect();
    all.extend(folders("nvidia"));
    all
}

/// Folders of a package; Python runs only once.
fn folders(package: &str) -> Vec<PathBuf> {
    static OUTPUT: OnceLock<String> = OnceLock::new();
    let output = OUTPUT.get_or_init(|| {
        let output = Command::new(installed::python()).args(["-c", ASK]).output().ok();
        output.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default()
    });
    let folder = |line: &str| line.strip_prefix(package)?.strip_prefix(' ').map(PathBuf::from);
    output.lines().filter_map(folder).collect()
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
    fn the_library_is_distinguished_from_its_providers() {
        for name in ["libonnxruntime.so.1.31.1", "libonnxruntime.so", "libonnxruntime.1.31.1.dylib", "onnxruntime.dll"]
        {
            assert!(is_library(name), "{name}");
        }
        for name in ["libonnxruntime_providers_shared.so", "onnxruntime_pybind11_state.so", "onnxruntime.py"] {
            assert!(!is_library(name), "{name}");
        }
    }
}
