//! Convolutions on a GPU by cuDNN: products of halves are summed in f32, as PyTorch has them, and f32 stays f32.
//!
//! candle sums halves in halves, lets cuDNN round f32 to TF32 and asks it for an algorithm at each call. Here a shape's
//! algorithms are asked for once, by cuDNN's rules and not by timing, so that two runs take the same one (all
//! algorithms of a forward convolution repeat their bits), and the workspace is kept. Does not add biases. Holds
//! always: one thread at a time uses a device's handle, and all work goes to the device's one stream (see `gpu`).
//!
//! Sources: NVIDIA's reference of cuDNN 9, "cudnn_cnn", the legacy API; PyTorch, `Conv_v7.cpp`, note on math types.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::cuda_backend::cudarc::cudnn::{result, result::CudnnError, sys};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DevicePtr, sys::CUdeviceptr};
use candle_core::cuda_backend::{CudaStorageSlice, DeviceId, WrapErr};
use candle_core::{CudaDevice, CudaStorage, DType, Error, Result, Shape};

use super::cpu::ConvShape;
use crate::generator::diffusion::decoding::MOST_NUMBERS;

/// Algorithms that want more are left out: memory is for images.
const MOST_WORKSPACE_BYTES: usize = 1 << 30;
/// All that cuDNN has (`CUDNN_CONVOLUTION_FWD_ALGO_COUNT`), as PyTorch asks for them.
const MOST_ALGORITHMS: usize = 8;
/// Tried after cuDNN's proposals: PyTorch's default, and the algorithm that takes every shape.
const LAST_RESORTS: [sys::cudnnConvolutionFwdAlgo_t; 2] = [
    sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
    sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
];

/// The handle of each device in use; [`forget`] takes it out.
static HANDLES: LazyLock<Mutex<HashMap<DeviceId, Arc<Mutex<Handle>>>>> = LazyLock::new(Mutex::default);

/// A tensor's numbers, without gaps, from `offset` on.
pub struct Numbers<'a> {
    pub storage: &'a CudaStorage,
    pub offset: usize,
}

/// `x` `[images, in, height, width]`, `weight` `[out, in, kernel, kernel]`: `[images, out, out_height, out_width]`, all
/// of one type. In as many calls as keep each tensor within [`MOST_NUMBERS`].
pub fn conv2d(shape: ConvShape, x: &Numbers, weight: &Numbers) -> Result<(CudaStorage, Shape)> {
    let (device, dtype) = (x.storage.device(), x.storage.dtype());
    if weight.storage.dtype() != dtype {
        candle_core::bail!(
            "a convolution of {dtype:?} with weights of {:?}; one type is wanted",
            weight.storage.dtype()
        );
    }
    let (height, width) = shape.out_size();
    let out_shape = Shape::from((shape.images, shape.out_channels, height, width));
    // SAFETY: cuDNN writes every number of it below.
    let out = unsafe { device.alloc_uninit(&out_shape, dtype)? };
    let handle = handle_of(device)?;
    let mut handle = handle.lock().unwrap_or_else(PoisonError::into_inner);
    let (taken, made) = (shape.in_channels * shape.height * shape.width, shape.out_channels * height * width);
    let most = (MOST_NUMBERS / taken.max(made).max(1)).max(1);
    for first in (0..shape.images).step_by(most) {
        let piece = ConvShape { images: most.min(shape.images - first), ..shape };
        let operands = Operands {
            x: pointer(x.storage, x.offset + first * taken)?,
            weight: pointer(weight.storage, weight.offset)?,
            out: pointer(&out, first * made)?,
        };
        handle.run(Key { shape: piece, dtype }, operands)?;
    }
    Ok((out, out_shape))
}

/// Drops the handle and plans of a device. Call it when no convolution on it will follow.
pub fn forget(device: &CudaDevice) {
    HANDLES.lock().unwrap_or_else(PoisonError::into_inner).remove(&device.id());
}

fn handle_of(device: &CudaDevice) -> Result<Arc<Mutex<Handle>>> {
    let mut handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = handles.get(&device.id()) {
        return Ok(handle.clone());
    }
    let handle = Arc::new(Mutex::new(Handle::new(device)?));
    handles.insert(device.id(), handle.clone());
    Ok(handle)
}

/// The address of number `at` of a tensor on the device.
fn pointer(storage: &CudaStorage, at: usize) -> Result<CUdeviceptr> {
    let stream = storage.device.cuda_stream();
    let start = match &storage.slice {
        CudaStorageSlice::F32(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::F16(slice) => slice.device_ptr(&stream).0,
        CudaStorageSlice::BF16(slice) => slice.device_ptr(&stream).0,
        _ => candle_core::bail!("a convolution of {:?}; f32, f16 or bf16 are wanted", storage.dtype()),
    };
    Ok(start + (at * storage.dtype().size_in_bytes()) as CUdeviceptr)
}

#[derive(Clone, Copy)]
struct Operands {
    x: CUdeviceptr,
    weight: CUdeviceptr,
    out: CUdeviceptr,
}

/// The shape and type that a plan is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    shape: ConvShape,
    dtype: DType,
}

/// cuDNN on one device.
struct Handle {
    raw: sys::cudnnHandle_t,
    device: CudaDevice,
    plans: HashMap<Key, Plan>,
    workspace: Option<CudaSlice<u8>>,
}

// SAFETY: cuDNN lets any thread use a handle and descriptors, one thread at a time; the lock around it sees to that.
unsafe impl Send for Handle {}

impl Handle {
    fn new(device: &CudaDevice) -> Result<Self> {
        let stream = device.cuda_stream();
        stream.context().bind_to_thread().w()?;
        let raw = result::create_handle()?;
        let handle = Self { raw, device: device.clone(), plans: HashMap::new(), workspace: None };
        // SAFETY: the handle is new; `device` keeps the stream alive as long as the handle.
        unsafe { result::set_stream(raw, stream.cu_stream().cast())? };
        Ok(handle)
    }

    /// By the first algorithm that takes the shape; those before it are not tried again.
    fn run(&mut self, key: Key, operands: Operands) -> Result<()> {
        self.device.cuda_stream().context().bind_to_thread().w()?;
        if !self.plans.contains_key(&key) {
            let plan = Plan::new(self.raw, key)?;
            self.plans.insert(key, plan);
        }
        while let Some(&choice) = self.plans[&key].choices.first() {
            let workspace = self.workspace(choice.bytes)?;
            match self.plans[&key].launch(self.raw, choice, operands, workspace) {
                Err(error) if is_refusal(error) => {}
                other => return Ok(other?),
            }
            if let Some(plan) = self.plans.get_mut(&key) {
                plan.choices.remove(0);
            }
        }
        candle_core::bail!("cuDNN has no convolution for {key:?}")
    }

    /// At least this many bytes, not zeroed: cuDNN reads only what it wrote there.
    fn workspace(&mut self, bytes: usize) -> Result<*mut c_void> {
        if bytes == 0 {
            return Ok(ptr::null_mut());
        }
        if self.workspace.as_ref().is_none_or(|held| held.len() < bytes) {
            self.workspace = None;
            // SAFETY: it is not read before cuDNN writes it.
            self.workspace = Some(unsafe { self.device.alloc::<u8>(bytes)? });
        }
        let stream = self.device.cuda_stream();
        Ok(self.workspace.as_ref().map_or(ptr::null_mut(), |held| held.device_ptr(&stream).0 as *mut c_void))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.device.cuda_stream().context().bind_to_thread();
        // SAFETY: no other code has it. A failure is not reported: nothing can be done about it at this point.
        let _ = unsafe { result::destroy_handle(self.raw) };
    }
}

/// Status codes that speak of this algorithm for this shape, not of the device.
fn is_refusal(error: CudnnError) -> bool {
    error.to_string().contains("NOT_SUPPORTED")
}

/// How a shape is convolved.
struct Plan {
    x: sys::cudnnTensorDescriptor_t,
    weight: sys::cudnnFilterDescriptor_t,
    out: sys::cudnnTensorDescriptor_t,
    conv: sys::cudnnConvolutionDescriptor_t,
    /// The best one first.
    choices: Vec<Choice>,
}

#[derive(Clone, Copy)]
struct Choice {
    algorithm: sys::cudnnConvolutionFwdAlgo_t,
    math: sys::cudnnMathType_t,
    /// Of the workspace.
    bytes: usize,
}

impl Plan {
    fn new(handle: sys::cudnnHandle_t, key: Key) -> Result<Self> {
        let (x, weight, out, conv) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let mut plan = Self { x, weight, out, conv, choices: Vec::new() };
        plan.describe(key)?;
        plan.choices = plan.choose(handle, key.dtype)?;
        Ok(plan)
    }

    fn describe(&mut self, key: Key) -> Result<()> {
        let ConvShape { images, in_channels, out_channels, height, width, kernel, stride, padding } = key.shape;
        let (out_height, out_width) = key.shape.out_size();
        let nchw = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
        let numbers = match key.dtype {
            DType::F16 => sys::cudnnDataType_t::CUDNN_DATA_HALF,
            DType::BF16 => sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
            _ => sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
        };
        let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        let sums = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
        let [pad, step] = [int(padding)?, int(stride)?];
        // SAFETY: each descriptor is set right after it was made, and only `drop` destroys it.
        unsafe {
            self.x = result::create_tensor_descriptor()?;
            result::set_tensor4d_descriptor(self.x, nchw, numbers, ints([images, in_channels, height, width])?)?;
            self.weight = result::create_filter_descriptor()?;
            let sides = ints([out_channels, in_channels, kernel, kernel])?;
            result::set_filter4d_descriptor(self.weight, numbers, nchw, sides)?;
            self.out = result::create_tensor_descriptor()?;
            let sizes = ints([images, out_channels, out_height, out_width])?;
            result::set_tensor4d_descriptor(self.out, nchw, numbers, sizes)?;
            self.conv = result::create_convolution_descriptor()?;
            result::set_convolution2d_descriptor(self.conv, pad, pad, step, step, 1, 1, mode, sums)?;
        }
        Ok(())
    }

    /// What cuDNN proposes. Asked with tensor cores allowed, it says for each algorithm whether to use them, and the
    /// call must ask for the same; otherwise halves may not get them. f32 never uses them: they would mean TF32.
    fn choose(&self, handle: sys::cudnnHandle_t, dtype: DType) -> Result<Vec<Choice>> {
        let fixed = (dtype == DType::F32).then_some(sys::cudnnMathType_t::CUDNN_FMA_MATH);
        let asked = fixed.unwrap_or(sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH);
        let mut count = 0;
        // SAFETY: of each enum in it 0 is a value.
        let mut found: [sys::cudnnConvolutionFwdAlgoPerf_t; MOST_ALGORITHMS] = unsafe { std::mem::zeroed() };
        // SAFETY: all descriptors are set; there is room for as many answers as are asked for.
        unsafe {
            result::set_convolution_math_type(self.conv, asked)?;
            let (most, answers) = (MOST_ALGORITHMS as c_int, found.as_mut_ptr());
            let (x, weight, conv, out) = (self.x, self.weight, self.conv, self.out);
            result::get_convolution_forward_algorithm(handle, x, weight, conv, out, most, &raw mut count, answers)?;
        }
        let count = usize::try_from(count).unwrap_or(0);
        let answers = found.iter().take(count).filter(|it| it.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS);
        let mut wanted: Vec<_> = answers.map(|it| (it.algo, fixed.unwrap_or(it.mathType))).collect();
        wanted.extend(LAST_RESORTS.map(|algorithm| (algorithm, asked)));
        let mut choices = Vec::new();
        for (algorithm, math) in wanted {
            if let Ok(bytes) = self.workspace_bytes(handle, algorithm, math) {
                choices.push(Choice { algorithm, math, bytes });
            }
        }
        // cuDNN is known to ask for more than any GPU has.
        choices.retain(|choice| choice.bytes <= MOST_WORKSPACE_BYTES);
        Ok(choices)
    }

    fn workspace_bytes(
        &self,
        handle: sys::cudnnHandle_t,
        algorithm: sys::cudnnConvolutionFwdAlgo_t,
        math: sys::cudnnMathType_t,
    ) -> std::result::Result<usize, CudnnError> {
        let (x, weight, conv, out) = (self.x, self.weight, self.conv, self.out);
        // SAFETY: all descriptors are set.
        unsafe {
            result::set_convolution_math_type(self.conv, math)?;
            result::get_convolution_forward_workspace_size(handle, x, weight, conv, out, algorithm)
        }
    }

    fn launch(
        &self,
        handle: sys::cudnnHandle_t,
        choice: Choice,
        operands: Operands,
        workspace: *mut c_void,
    ) -> std::result::Result<(), CudnnError> {
        let (one, zero) = (1.0_f32, 0.0_f32);
        let (x, weight) = (operands.x as *const c_void, operands.weight as *const c_void);
        // SAFETY: the operands have the described shapes and types, the workspace is as large as the choice says, and
        // all of them live until the stream has used them: memory is freed in the stream's order.
        unsafe {
            result::set_convolution_math_type(self.conv, choice.math)?;
            result::convolution_forward(
                handle,
                (&raw const one).cast(),
                self.x,
                x,
                self.weight,
                weight,
                self.conv,
                choice.algorithm,
                workspace,
                choice.bytes,
                (&raw const zero).cast(),
                self.out,
                operands.out as *mut c_void,
            )
        }
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: only this destroys those that were made. A failure leaks some bytes of the host.
        unsafe {
            if !self.x.is_null() {
                let _ = result::destroy_tensor_descriptor(self.x);
            }
            if !self.weight.is_null() {
                let _ = result::destroy_filter_descriptor(self.weight);
            }
            if !self.out.is_null() {
                let _ = result::destroy_tensor_descriptor(self.out);
            }
            if !self.conv.is_null() {
                let _ = result::destroy_convolution_descriptor(self.conv);
            }
        }
    }
}

fn int(size: usize) -> Result<c_int> {
    c_int::try_from(size).map_err(Error::wrap)
}

fn ints(sizes: [usize; 4]) -> Result<[c_int; 4]> {
    let [a, b, c, d] = sizes;
    Ok([int(a)?, int(b)?, int(c)?, int(d)?])
}
