//! A session with fixed shapes and the memory of its inputs and output: a call writes, runs and reads, and allocates
//! nothing.
//!
//! On CUDA inputs and output are on the device, at the same address in every run (CUDA graphs need that too); an input
//! that has not changed since the last run is not sent again.
//!
//! A session whose runs are recorded (CUDA graphs) needs more, and gets it here:
//! * Every operator on the GPU and none that copies between devices: shapes are known when a graph is written, so no
//!   operator computes them; shapes and factors that kernels read on the host are constants and therefore on the host.
//! * No memory allocated while it records. ONNX Runtime sees to that: the first call runs without recording until its
//!   arena has all that is needed, records, and plays back, all before it returns (inference_session.cc).
//! * One thread: the recording belongs to the thread that made it; another thread would make its own recording
//!   (cuda_execution_provider.h, `PerThreadContext`). The UNet is always called by the thread that samples.
//! * No allocation elsewhere: memory that another thread takes from CUDA meanwhile spoils the recording (CUDA's global
//!   capture mode). The first call comes before there is anything to decode; a session that is made later, after a lack
//!   of memory, may record while another thread decodes, and then fail with an error.

use std::sync::Arc;

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session};
use ort::value::Tensor;

use super::draw::Finished;
use super::graph::{Named, shape_of};
use crate::domain::Device;
use crate::generator::diffusion::engine::EngineError;
use crate::generator::diffusion::model::Weights;

/// A session that is called with plain numbers.
pub struct Call {
    binding: IoBinding,
    inputs: Vec<Port>,
    output: Port,
    session: Session,
    /// The memory of the session's weights; dropped last.
    _weights: Arc<Weights>,
}

/// Memory of one input or output, in f32.
struct Port {
    host: Tensor<f32>,
    device: Option<Tensor<f32>>,
    /// Whether the device has a copy of what is on the host.
    sent: bool,
}

impl Call {
    /// Binds memory to all inputs and to the output.
    pub fn new(finished: Finished, weights: Arc<Weights>, device: Device) -> ort::Result<Self> {
        let Finished { session, inputs, output: named } = finished;
        let mut binding = session.create_binding()?;
        let on_device = match device {
            Device::Cuda(index) => Some(Allocator::new(&session, cuda_memory(index)?)?),
            Device::Cpu | Device::Auto => None,
        };
        let mut ports = Vec::new();
        for input in &inputs {
            let port = Port::new(input, on_device.as_ref())?;
            binding.bind_input(&input.name, port.device.as_ref().unwrap_or(&port.host))?;
            ports.push(port);
        }
        let mut output = Port::new(&named, on_device.as_ref())?;
        binding.bind_output(&named.name, output.device.as_mut().unwrap_or(&mut output.host))?;
        Ok(Self { binding, inputs: ports, output, session, _weights: weights })
    }

    /// One slice for each input, in the session's order and as long as its shape says: the output's numbers.
    pub fn run(&mut self, inputs: &[&[f32]]) -> Result<Vec<f32>, EngineError> {
        for (port, numbers) in self.inputs.iter_mut().zip(inputs) {
            port.write(numbers)?;
        }
        self.session.run_binding(&self.binding)?;
        if let Some(device) = &self.output.device {
            device.copy_into(&mut self.output.host)?;
        }
        Ok(self.output.host.extract_tensor().1.to_vec())
    }
}

fn cuda_memory(index: u32) -> ort::Result<MemoryInfo<'static>> {
    MemoryInfo::new(AllocationDevice::CUDA, index as i32, AllocatorType::Device, MemoryType::Default)
}

impl Port {
    fn new(named: &Named, on_device: Option<&Allocator>) -> ort::Result<Self> {
        let shape = shape_of(&named.shape);
        let device = on_device.map(|allocator| Tensor::new(allocator, shape.clone())).transpose()?;
        Ok(Self { host: Tensor::new(&Allocator::default(), shape)?, device, sent: false })
    }

    fn write(&mut self, numbers: &[f32]) -> ort::Result<()> {
        let host = self.host.extract_tensor_mut().1;
        if self.sent && host == numbers {
            return Ok(());
        }
        host.copy_from_slice(numbers);
        if let Some(device) = &mut self.device {
            self.host.copy_into(device)?;
            self.sent = true;
        }
        Ok(())
    }
}
