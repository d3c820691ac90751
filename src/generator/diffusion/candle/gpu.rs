//! The devices of a model's networks; whether a GPU can be used, before candle is asked for it.
//!
//! candle panics where a library of CUDA is missing, and assumes a GPU in every build with `cuda`. Holds always on a
//! GPU: all work of a [`Place`]'s device goes to that device's one stream, whichever thread asks for it, and no tensor
//! moves between the two devices. So events between streams are not needed, and candle makes none.

#[cfg(feature = "cuda")]
use candle_core::{
    CudaDevice,
    cuda_backend::{
        WrapErr,
        cudarc::driver::{CudaContext, result, sys},
    },
};
use candle_core::{Device, Result as CandleResult};

use crate::domain::Device as Wanted;

/// Where the networks of one model are. On a GPU the two devices are two streams of it.
pub struct Place {
    /// Of the text encoder and the UNet.
    pub denoises_on: Device,
    /// Of the decoder, so that it does not wait for the UNet.
    pub decodes_on: Device,
}

impl Place {
    /// On a device that `choose` gave.
    pub fn open(device: Wanted) -> CandleResult<Self> {
        match device {
            Wanted::Auto | Wanted::Cpu => Ok(Self { denoises_on: Device::Cpu, decodes_on: Device::Cpu }),
            Wanted::Cuda(at) => Ok(Self { denoises_on: stream(at)?, decodes_on: stream(at)? }),
        }
    }

    /// Gives free memory back to the driver for others to use: after a call that had too little, and at the end.
    pub fn give_back(&self) {
        #[cfg(feature = "cuda")]
        for device in [&self.denoises_on, &self.decodes_on] {
            if let Ok(device) = device.as_cuda_device() {
                give_back(device);
            }
        }
    }
}

/// candle's default stream of a GPU would be another one in each thread.
fn stream(at: u32) -> CandleResult<Device> {
    let device = Device::new_cuda_with_stream(at as usize)?;
    #[cfg(feature = "cuda")]
    {
        // SAFETY: the module's invariant; nothing was made on the device yet.
        unsafe { device.as_cuda_device()?.disable_event_tracking() };
        keep_freed_memory(device.as_cuda_device()?)?;
    }
    Ok(device)
}

/// Networks that are dropped before their place leave all memory free.
#[cfg(feature = "cuda")]
impl Drop for Place {
    fn drop(&mut self) {
        for device in [&self.denoises_on, &self.decodes_on] {
            if let Ok(device) = device.as_cuda_device() {
                super::cudnn::forget(device);
            }
        }
        self.give_back();
    }
}

/// Freed memory stays with the process: otherwise the driver takes it at each synchronisation, once a step, and maps it
/// again.
#[cfg(feature = "cuda")]
fn keep_freed_memory(device: &CudaDevice) -> CandleResult<()> {
    let stream = device.cuda_stream();
    if !stream.context().has_async_alloc() {
        return Ok(());
    }
    let mut bytes = u64::MAX;
    let threshold = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the context is alive and keeps its device; the attribute is a 64-bit number, which the driver copies.
    unsafe {
        let pool = result::device::get_mem_pool(stream.context().cu_device()).w()?;
        result::mem_pool::set_attribute(pool, threshold, (&raw mut bytes).cast()).w()
    }
}

/// What cannot be given back now stays until the process ends: no reason to stop.
#[cfg(feature = "cuda")]
fn give_back(device: &CudaDevice) {
    let stream = device.cuda_stream();
    let context = stream.context();
    // If the context still holds the error of memory that ran out: that was reported already.
    let _ = context.check_err();
    if stream.synchronize().is_err() || !context.has_async_alloc() {
        return;
    }
    // SAFETY: the context is alive and keeps its device and that one's pool.
    unsafe {
        if let Ok(pool) = result::device::get_mem_pool(context.cu_device()) {
            let _ = result::mem_pool::trim_to(pool, 0);
        }
    }
}

/// Why the GPU `at` cannot be used, if it cannot.
#[cfg(not(feature = "cuda"))]
pub fn check(_at: u32) -> Result<(), String> {
    Err("this hardset was built without candle for CUDA; leave out --engine candle (ONNX Runtime needs no other \
         build), or build it with --features cuda"
        .into())
}

/// Why the GPU `at` cannot be used, if it cannot.
#[cfg(feature = "cuda")]
pub fn check(at: u32) -> Result<(), String> {
    opens("libcuda.so.1").map_err(|e| format!("there is no NVIDIA driver here, or it is not let in ({e})"))?;
    // A library of a CUDA that the program was not built for would be opened too, but has other functions.
    let blas = format!("libcublas.so.{}", sys::CUDA_VERSION / 1000);
    for library in [blas.as_str(), "libcurand.so.10", "libcudnn.so.9"] {
        opens(library).map_err(|e| format!("{e}; install CUDA and cuDNN, or add their folder to LD_LIBRARY_PATH"))?;
    }
    let count = CudaContext::device_count();
    match count.map_err(|e| format!("the NVIDIA driver says {e}"))? {
        count if i64::from(at) < i64::from(count) => Ok(()),
        count => Err(format!("the last GPU here is cuda:{}", count - 1)),
    }
}

/// Whether a library can be loaded; if not, what the loader says.
#[cfg(feature = "cuda")]
fn opens(name: &str) -> Result<(), String> {
    // SAFETY: loading a library runs its initialisers; these are NVIDIA's, which candle is about to load itself.
    unsafe { libloading::Library::new(name) }.map(drop).map_err(|error| cause(&error))
}

/// libloading says only "dlopen failed"; the source of its error says why.
#[cfg(feature = "cuda")]
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}
