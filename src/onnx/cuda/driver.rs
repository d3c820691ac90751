//! GPUs and versions, as NVIDIA's driver and libraries report them.
//!
//! Sources: cuda.h, cuda_runtime_api.h, nvml.h, cudnn_version.h of CUDA 13 and cuDNN 9. All functions are older than
//! CUDA 11.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::path::Path;

use libloading::Library;

use super::Driver;
use super::libraries::load;

/// Longest name of a GPU or a version.
const TEXT_BYTES: usize = 256;

/// The driver's facts, or why it cannot be asked.
pub fn driver() -> Result<Driver, String> {
    let library = load(Path::new("libcuda.so.1"))?;
    let sees_gpus = start(&library)?;
    let mut cuda: c_int = 0;
    call(&library, "cuDriverGetVersion", |get: unsafe extern "C" fn(*mut c_int) -> c_int| {
        // SAFETY: the type is cuda.h's; the function writes one int.
        unsafe { get(&raw mut cuda) }
    })?;
    let gpus = if sees_gpus { gpus(&library)? } else { Vec::new() };
    let driver = Driver { version: own_version(), cuda: parts(cuda), gpus };
    // The driver stays loaded, because other libraries use it next.
    std::mem::forget(library);
    Ok(driver)
}

/// Whether this machine has a driver.
pub fn driver_is_here() -> bool {
    load(Path::new("libcuda.so.1")).is_ok()
}

/// Whether the driver sees any GPU.
fn start(library: &Library) -> Result<bool, String> {
    /// `CUDA_ERROR_NO_DEVICE` of cuda.h.
    const NO_DEVICE: c_int = 100;
    let mut sees = true;
    call(library, "cuInit", |init: unsafe extern "C" fn(c_uint) -> c_int| {
        // SAFETY: the type is cuda.h's; the only flag is 0.
        match unsafe { init(0) } {
            NO_DEVICE => {
                sees = false;
                0
            }
            code => code,
        }
    })?;
    Ok(sees)
}

fn gpus(library: &Library) -> Result<Vec<String>, String> {
    let mut count: c_int = 0;
    call(library, "cuDeviceGetCount", |get: unsafe extern "C" fn(*mut c_int) -> c_int| {
        // SAFETY: the type is cuda.h's; the function writes one int.
        unsafe { get(&raw mut count) }
    })?;
    (0..count).map(|at| gpu(library, at)).collect()
}

fn gpu(library: &Library, at: c_int) -> Result<String, String> {
    let mut handle: c_int = 0;
    call(library, "cuDeviceGet", |get: unsafe extern "C" fn(*mut c_int, c_int) -> c_int| {
        // SAFETY: the type is cuda.h's; `CUdevice` is an int.
        unsafe { get(&raw mut handle, at) }
    })?;
    let mut name = [0; TEXT_BYTES];
    call(library, "cuDeviceGetName", |get: unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int| {
        // SAFETY: the type is cuda.h's; it writes at most the given length, with a null at the end.
        unsafe { get(name.as_mut_ptr(), TEXT_BYTES as c_int, handle) }
    })?;
    Ok(text(&name))
}

/// Calls a function of the driver; the error has the driver's own message.
fn call<F: Copy>(library: &Library, name: &str, call: impl FnOnce(F) -> c_int) -> Result<(), String> {
    // SAFETY: every caller gives the type that cuda.h has for this name.
    let function = unsafe { library.get::<F>(name) }.map_err(|_| format!("libcuda.so.1 lacks {name}"))?;
    match call(*function) {
        0 => Ok(()),
        code => Err(format!("the driver's {name} failed: {}", said(library, code))),
    }
}

/// `no CUDA-capable device is detected (100)`.
fn said(library: &Library, code: c_int) -> String {
    type Say = unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int;
    let mut words: *const c_char = std::ptr::null();
    // SAFETY: the type is cuda.h's; the function gives a static text or null.
    let ok =
        unsafe { library.get::<Say>(b"cuGetErrorString\0") }.is_ok_and(|say| unsafe { say(code, &raw mut words) } == 0);
    if !ok || words.is_null() {
        return format!("error {code}");
    }
    // SAFETY: as above; it is not null.
    format!("{} ({code})", unsafe { CStr::from_ptr(words) }.to_string_lossy())
}

/// The driver's version, by its management library.
fn own_version() -> Option<String> {
    type Start = unsafe extern "C" fn() -> c_int;
    type Get = unsafe extern "C" fn(*mut c_char, c_uint) -> c_int;
    let library = load(Path::new("libnvidia-ml.so.1")).ok()?;
    let mut version = [0; TEXT_BYTES];
    // SAFETY: the types are nvml.h's; the text has at most the given length, with a null at the end.
    unsafe {
        let start = library.get::<Start>(b"nvmlInit_v2\0").ok()?;
        let get = library.get::<Get>(b"nvmlSystemGetDriverVersion\0").ok()?;
        if start() != 0 || get(version.as_mut_ptr(), TEXT_BYTES as c_uint) != 0 {
            return None;
        }
    }
    std::mem::forget(library);
    Some(text(&version))
}

/// The version of CUDA's runtime: `13.5`.
pub fn runtime_version(library: &Library) -> Option<String> {
    type Get = unsafe extern "C" fn(*mut c_int) -> c_int;
    let mut version: c_int = 0;
    // SAFETY: the type is cuda_runtime_api.h's; the function writes one int.
    let ok = unsafe { library.get::<Get>(b"cudaRuntimeGetVersion\0").is_ok_and(|get| get(&raw mut version) == 0) };
    let (major, minor) = parts(version);
    ok.then(|| format!("{major}.{minor}"))
}

/// The version of cuDNN: `9.28.1`.
pub fn cudnn_version(library: &Library) -> Option<String> {
    type Get = unsafe extern "C" fn() -> usize;
    // SAFETY: the type is cudnn_version.h's; the function takes nothing.
    let version = unsafe { library.get::<Get>(b"cudnnGetVersion\0").ok().map(|get| get()) }?;
    Some(cudnn_text(version))
}

/// 92801 -> 9.28.1: from cuDNN 9 on.
fn cudnn_text(version: usize) -> String {
    format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100)
}

/// 13050 -> (13, 5).
fn parts(version: c_int) -> (u32, u32) {
    let version = u32::try_from(version).unwrap_or_default();
    (version / 1000, version % 1000 / 10)
}

fn text(buffer: &[c_char]) -> String {
    let bytes: Vec<u8> = buffer.iter().map(|&c| c as u8).take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_nvidia_writes_them() {
        assert_eq!(parts(13_050), (13, 5));
        assert_eq!(parts(12_080), (12, 8));
        assert_eq!(parts(-1), (0, 0));
        assert_eq!(cudnn_text(92_801), "9.28.1");
        assert_eq!(text(&b"NVIDIA H100\0rest".map(|byte| byte as c_char)), "NVIDIA H100");
    }
}
