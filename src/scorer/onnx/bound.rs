//! A session whose input is always the same tensor in host memory (page-locked for a GPU, if possible) and whose output
//! comes back to host memory.
//!
//! Holds always: the input is not written while the model runs, because the GPU reads the same memory.

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session};
use ort::value::{DynTensor, DynValue, PrimitiveTensorElementType, TensorElementType};

use super::output::rows_of;
use super::shape::Call;
use crate::domain::{Device, Dtype};

/// See the module. Fields are dropped in this order, so that the session is dropped last.
pub struct Bound {
    binding: IoBinding,
    input: DynTensor,
    /// What the other inputs get in every call.
    others: Vec<DynValue>,
    elements: usize,
    session: Session,
}

impl Bound {
    /// Binds input and output of `session`; `shape` is the input's.
    pub fn new(session: Session, call: &Call, shape: [i64; 4], dtype: Dtype, device: Device) -> ort::Result<Self> {
        let element = match dtype {
            Dtype::F32 => TensorElementType::Float32,
            Dtype::F16 => TensorElementType::Float16,
            Dtype::U8 => TensorElementType::Uint8,
        };
        let input = host_tensor(&session, device, element, shape)?;
        let mut binding = session.create_binding()?;
        binding.bind_output_to_device(call.output.as_str(), &MemoryInfo::default())?;
        let elements = shape.iter().product::<i64>() as usize;
        Ok(Self { binding, input, others: Vec::new(), elements, session })
    }

    /// Gives other inputs the same values in every call.
    pub fn with(mut self, values: Vec<(String, DynValue)>) -> ort::Result<Self> {
        for (name, value) in values {
            self.binding.bind_input(name, &value)?;
            self.others.push(value);
        }
        Ok(self)
    }

    /// The input's numbers, for writing. Panics if `T` is not the type of the binding, which is a bug.
    pub fn input<T: PrimitiveTensorElementType>(&mut self) -> &mut [T] {
        assert_eq!(*self.input.data_type(), T::into_tensor_element_type(), "the input is written in its own type");
        // SAFETY: the tensor is in host memory and has this many elements of this type, which is a plain
        // number; the borrow of `self` keeps it from being read meanwhile.
        unsafe { std::slice::from_raw_parts_mut(self.input.data_ptr_mut().cast::<T>(), self.elements) }
    }

    /// Runs the model on the numbers in the input; returns all numbers of the output.
    pub fn run(&mut self, call: &Call) -> Result<Vec<f32>, BoundError> {
        // The numbers of this moment are bound; for a GPU they are copied here.
        self.binding.bind_input(call.input.as_str(), &self.input).map_err(BoundError::Run)?;
        let outputs = self.session.run_binding(&self.binding).map_err(BoundError::Run)?;
        rows_of(&outputs[call.output.as_str()]).map_err(BoundError::Output)
    }
}

/// Why a call failed.
pub enum BoundError {
    /// ONNX Runtime's error.
    Run(ort::Error),
    /// The output has the wrong type.
    Output(String),
}

/// A tensor in host memory: page-locked for a GPU, because that is copied at twice the speed or more; ordinary for the
/// CPU, or if there is no page-locked memory.
fn host_tensor(
    session: &Session,
    device: Device,
    element: TensorElementType,
    shape: [i64; 4],
) -> ort::Result<DynTensor> {
    if let Device::Cuda(index) = device {
        let pinned =
            MemoryInfo::new(AllocationDevice::CUDA_PINNED, index as i32, AllocatorType::Device, MemoryType::CPUInput);
        let tensor = pinned
            .and_then(|pinned| Allocator::new(session, pinned))
            .and_then(|allocator| DynTensor::new(&allocator, element, shape));
        if let Ok(mut tensor) = tensor {
            let bytes = element.byte_size(shape.iter().product::<i64>() as usize).unwrap_or_default();
            // SAFETY: page-locked memory is the host's, and the tensor has this many bytes.
            unsafe { tensor.data_ptr_mut().cast::<u8>().write_bytes(0, bytes) };
            return Ok(tensor);
        }
    }
    DynTensor::new(&Allocator::default(), element, shape)
}
