//! The CUDA libraries that ONNX Runtime's provider needs: which are here, and which wheels have the others.
//!
//! The provider has no search path for them. They are opened by name, else from the folders of NVIDIA's wheels, and
//! stay open, because the loader then uses them for the provider whatever LD_LIBRARY_PATH is.

use std::cell::LazyCell;
use std::path::{Path, PathBuf};

use libloading::Library;

use super::{Missing, elf};

/// Each library: its name without number, its wheel (without `-cu12`, which wheels before CUDA 13 have), and whether it
/// is needed even if the provider does not name it. A library comes after those that it depends on.
///
/// Sources: `NEEDED` of the provider of onnxruntime-gpu 1.31.1; `_get_nvidia_dll_paths` of its `__init__.py` for the
/// wheels' folders; its metadata (extras `cuda` and `cudnn`) for their names. cuDNN and NVRTC are opened at their first
/// use: without them, convolutions silently run on the CPU, or fail.
const KNOWN: &[(&str, &str, bool)] = &[
    ("libcudart", "nvidia-cuda-runtime", false),
    ("libnvrtc", "nvidia-cuda-nvrtc", true),
    ("libcublasLt", "nvidia-cublas", false),
    ("libcublas", "nvidia-cublas", false),
    ("libcurand", "nvidia-curand", false),
    ("libcufft", "nvidia-cufft", false),
    ("libcudnn", "nvidia-cudnn", true),
];

/// The libraries of the provider of onnxruntime-gpu 1.31.1, for a provider that is missing or cannot be read.
const USUAL: &[&str] = &["libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10", "libcudart.so.13"];
/// The cuDNN of CUDA 12 and 13.
const CUDNN: &str = "libcudnn.so.9";

/// An open library.
pub struct LoadedLibrary {
    /// `libcublas.so.13`.
    pub name: String,
    /// For questions about its version.
    pub handle: Library,
}

/// Libraries that were opened, and those that were not.
#[derive(Default)]
pub struct OpenedLibraries {
    /// Those that are here.
    pub here: Vec<LoadedLibrary>,
    /// The others.
    pub missing: Vec<Missing>,
}

/// Opens the libraries that the provider needs. `provider` is its file; `folders` returns Python's `nvidia` folders and
/// is called once, if a library is not found by name.
pub fn open(provider: Option<&Path>, folders: impl FnOnce() -> Vec<PathBuf>) -> OpenedLibraries {
    let asked = provider.and_then(|provider| elf::needed(provider).ok()).filter(|names| !names.is_empty());
    let asked = asked.unwrap_or_else(|| USUAL.iter().map(|&name| name.to_owned()).collect());
    let folders = LazyCell::new(folders);
    let mut opened = OpenedLibraries::default();
    for name in wanted(&asked) {
        let by_name = load(Path::new(&name)).ok();
        let loaded = by_name.map_or_else(|| open_from(&folders, &name), Ok);
        match loaded {
            Ok(handle) => opened.here.push(LoadedLibrary { name, handle }),
            Err(problem) => opened.missing.push(missing(&name, cuda_major(&asked), problem)),
        }
    }
    opened
}

/// The libraries from wheels that the provider names, and those that it opens later, in the order of [`KNOWN`].
fn wanted(asked: &[String]) -> Vec<String> {
    let mut wanted = Vec::new();
    for (stem, _, always) in KNOWN {
        let named = asked.iter().find(|name| stem_of(name) == *stem);
        match (named, *stem) {
            (Some(name), _) => wanted.push(name.clone()),
            (None, "libcudnn") => wanted.push(CUDNN.to_owned()),
            (None, stem) if *always => wanted.push(format!("{stem}.so.{}", cuda_major(asked))),
            (None, _) => {}
        }
    }
    wanted
}

/// `libcublas.so.13` -> `libcublas`.
fn stem_of(library: &str) -> &str {
    library.split(".so").next().unwrap_or(library)
}

/// The major version of CUDA that a provider is built for, from the name of its runtime.
fn cuda_major(asked: &[String]) -> &str {
    asked.iter().find(|name| stem_of(name) == "libcudart").map_or("13", |name| number_of(name))
}

/// `libcurand.so.10` -> `10`.
fn number_of(library: &str) -> &str {
    library.rsplit('.').next().unwrap_or_default()
}

fn missing(library: &str, cuda: &str, problem: Option<String>) -> Missing {
    let wheel = KNOWN.iter().find(|known| known.0 == stem_of(library)).map_or("", |known| known.1);
    // From CUDA 13 on, the names of wheels have no number, except cuDNN's.
    let suffix = if wheel == "nvidia-cudnn" || cuda == "12" { format!("-cu{cuda}") } else { String::new() };
    let wheel = format!("{wheel}{suffix}=={}.*", number_of(library));
    Missing { library: library.to_owned(), wheel, problem }
}

/// Opens a library from the first folder in which that works. The error is the loader's, or `None` if there is no file.
fn open_from(folders: &[PathBuf], library: &str) -> Result<Library, Option<String>> {
    let mut problem = None;
    for file in folders.iter().flat_map(|folder| files(folder, library)) {
        match load(&file) {
            Ok(handle) => return Ok(handle),
            Err(error) => problem = Some(error),
        }
    }
    Err(problem)
}

/// The files `nvidia/cu13/lib/NAME`, `nvidia/cudnn/lib/NAME` and so on: CUDA 12's wheels have a folder for each
/// library.
fn files(nvidia: &Path, library: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(nvidia)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("lib").join(library))
        .filter(|file| file.is_file())
        .collect();
    files.sort();
    files
}

/// Loads a library; the error is the loader's message.
pub fn load(path: &Path) -> Result<Library, String> {
    // SAFETY: loading a library runs its initialisers; these are NVIDIA's own, which ONNX Runtime is about to load
    // itself.
    let loaded = unsafe { Library::new(path) };
    loaded.map_err(|error| {
        // libloading's own message is only "dlopen failed"; its source has the cause.
        std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn libraries_that_the_provider_names_or_opens_later_are_wanted() {
        let asked = names("libcublasLt.so.13 libcublas.so.13 libcurand.so.10 libcudart.so.13 libcuda.so.1 libdl.so.2");
        let expected =
            names("libcudart.so.13 libnvrtc.so.13 libcublasLt.so.13 libcublas.so.13 libcurand.so.10 libcudnn.so.9");
        assert_eq!(wanted(&asked), expected);
        let older = names("libcublas.so.12 libcudart.so.12 libcufft.so.11 libcudnn.so.9 libc.so.6");
        let expected = names("libcudart.so.12 libnvrtc.so.12 libcublas.so.12 libcufft.so.11 libcudnn.so.9");
        assert_eq!(wanted(&older), expected);
    }

    #[test]
    fn each_library_has_the_wheel_of_its_cuda() {
        let wheel = |library: &str, cuda: &str| missing(library, cuda, None).wheel;
        assert_eq!(wheel("libcublasLt.so.13", "13"), "nvidia-cublas==13.*");
        assert_eq!(wheel("libcurand.so.10", "13"), "nvidia-curand==10.*");
        assert_eq!(wheel("libcudnn.so.9", "13"), "nvidia-cudnn-cu13==9.*");
        assert_eq!(wheel("libcudart.so.12", "12"), "nvidia-cuda-runtime-cu12==12.*");
        assert_eq!(wheel("libcudnn.so.9", "12"), "nvidia-cudnn-cu12==9.*");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_library_is_found_in_the_folders_of_wheels_of_either_layout_and_a_broken_one_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("nvidia");
        for (place, bytes) in [("cu13/lib/libnone.so.13", "no library"), ("none/lib/libnone.so.12", "neither")] {
            std::fs::create_dir_all(folder.join(place).parent().unwrap()).unwrap();
            std::fs::write(folder.join(place), bytes).unwrap();
        }
        assert_eq!(files(&folder, "libnone.so.12"), [folder.join("none/lib/libnone.so.12")]);
        let folders = [folder];
        let broken = open_from(&folders, "libnone.so.13").err().flatten();
        assert!(broken.is_some_and(|problem| problem.contains("cu13/lib/libnone.so.13")));
        assert_eq!(open_from(&folders, "libnone.so.14").err(), Some(None));
        let opened = open(None, || folders.to_vec());
        assert_eq!(opened.here.len() + opened.missing.len(), 6, "cudart, nvrtc, cublasLt, cublas, curand, cudnn");
    }
}
