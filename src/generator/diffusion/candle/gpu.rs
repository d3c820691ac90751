//! Says whether a GPU can be used, before candle is asked for it.
//!
//! candle panics where a library of CUDA is missing, and takes a GPU for present in every build with `cuda`.

/// Why the GPU `at` cannot be used, if it cannot.
#[cfg(not(feature = "cuda"))]
pub fn check(_at: u32) -> Result<(), String> {
    Err("this hardset was built without the feature `cuda`; leave --device out, or build it with --features cuda"
        .into())
}

/// Why the GPU `at` cannot be used, if it cannot.
#[cfg(feature = "cuda")]
pub fn check(at: u32) -> Result<(), String> {
    opens(&["libcuda.so.1"]).map_err(|e| format!("there is no NVIDIA driver here, or it is not let in ({e})"))?;
    for library in [&["libcublas.so.13", "libcublas.so.12"][..], &["libcurand.so.10"], &["libcudnn.so.9"]] {
        opens(library).map_err(|e| format!("{e}; install CUDA and cuDNN, or add their folder to LD_LIBRARY_PATH"))?;
    }
    let count = candle_core::cuda_backend::cudarc::driver::CudaContext::device_count();
    match count.map_err(|e| format!("the NVIDIA driver says {e}"))? {
        count if i64::from(at) < i64::from(count) => Ok(()),
        count => Err(format!("the last GPU here is cuda:{}", count - 1)),
    }
}

/// Whether one of these libraries can be loaded; if none, what the loader says of the first.
#[cfg(feature = "cuda")]
fn opens(names: &[&str]) -> Result<(), String> {
    // SAFETY: loading a library runs its initialisers; these are NVIDIA's, which candle is about to load itself.
    let open = |name: &&str| unsafe { libloading::Library::new(*name) }.map(drop).map_err(|error| cause(&error));
    names.iter().map(open).reduce(|first, next| first.or_else(|error| next.map_err(|_| error))).unwrap_or(Ok(()))
}

/// libloading says "dlopen failed", and keeps why to itself.
#[cfg(feature = "cuda")]
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}
