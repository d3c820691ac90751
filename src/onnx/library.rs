//! Checks an ONNX Runtime library before it is used: whether it is one, and its version.
//!
//! Holds always: a library is used only after this check, because `ort` hangs or panics with a wrong file.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;

use libloading::Library;
use ort::sys::{OrtSessionOptions, OrtStatusPtr};

/// The first version whose C API has every function that is called here (`ort`'s feature `api-22`).
const OLDEST_MINOR: u32 = 22;

/// `OrtApiBase` of onnxruntime_c_api.h, unchanged since version 1.0.
#[repr(C)]
struct ApiBase {
    get_api: unsafe extern "C" fn(u32) -> *const c_void,
    get_version: unsafe extern "C" fn() -> *const c_char,
}

/// The version of the library at `path`, or why it cannot be used.
pub fn version(path: &Path) -> Result<String, String> {
    let file = path.display();
    // SAFETY: loading a library runs its initialisers; this is the file that the user or the manifest names for that.
    let library = unsafe { Library::new(path) }.map_err(|e| format!("{file} cannot be loaded: {e}"))?;
    // SAFETY: the symbol's type is the one of onnxruntime_c_api.h.
    let base = unsafe { library.get::<unsafe extern "C" fn() -> *const ApiBase>(b"OrtGetApiBase\0") };
    let base = base.map_err(|_| format!("{file} is a library, but not ONNX Runtime: it has no OrtGetApiBase"))?;
    // SAFETY: the function takes nothing and returns a pointer to a static table, or null.
    let version = unsafe {
        let table = base();
        if table.is_null() { None } else { Some(CStr::from_ptr(((*table).get_version)())) }
    };
    let version = version.ok_or_else(|| format!("{file} does not return an API table"))?.to_string_lossy().into_owned();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    match (parts.next(), parts.next()) {
        (Some(1), Some(minor)) if minor >= OLDEST_MINOR => Ok(version),
        (Some(major), _) if major > 1 => Ok(version),
        _ => Err(format!("{file} is ONNX Runtime {version}, older than 1.{OLDEST_MINOR}")),
    }
}

/// `OrtSessionOptionsAppendExecutionProvider_CPU` of cpu_provider_factory.h: options, whether with an arena.
pub type AppendCpu = unsafe extern "C" fn(*mut OrtSessionOptions, c_int) -> OrtStatusPtr;

/// The function of the library at `path` that adds the CPU's provider to options. Only for a library that stays loaded.
pub fn append_cpu(path: &Path) -> Option<AppendCpu> {
    // SAFETY: [`version`] has loaded and asked the same file; the symbol's type is the header's.
    unsafe {
        let library = Library::new(path).ok()?;
        let symbol = library.get::<AppendCpu>(b"OrtSessionOptionsAppendExecutionProvider_CPU\0");
        symbol.ok().map(|symbol| *symbol)
    }
}

/// The table of functions of version `api` of the C API in the library at `path`; null if the library is older.
///
/// Only for a library that stays loaded, because the table is in it.
pub fn api_table(path: &Path, api: u32) -> *const c_void {
    // SAFETY: [`version`] has loaded and asked the same file.
    unsafe {
        let Ok(library) = Library::new(path) else { return std::ptr::null() };
        let base = library.get::<unsafe extern "C" fn() -> *const ApiBase>(b"OrtGetApiBase\0");
        base.map_or(std::ptr::null(), |base| ((*base()).get_api)(api))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_onnx_runtime_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"not a library").unwrap();
        assert!(version(file.path()).unwrap_err().contains("cannot be loaded"));
        #[cfg(target_os = "linux")]
        assert!(version(Path::new("libc.so.6")).unwrap_err().contains("not ONNX Runtime"));
    }
}
