//! A session with fixed shapes and the memory of its inputs and output: written, run, read, nothing allocated in between.
//!
//! On CUDA inputs and output lie on the device, at the same place in every run (which CUDA graphs need too); what has not
//! changed since the last run is not sent again.

use std::sync::Arc;

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session};
use ort::value::Tensor;

use super::graph::{Finished, Named, shape_of};
use crate::domain::Device;
use crate::generator::diffusion::engine::EngineError;
use crate::generator::diffusion::model::Weights;

/// A session that is called with plain numbers.
pub struct Call {
    binding: IoBinding,
    inputs: Vec<Port>,
    output: Port,
    session: Session,
    /// What the session's weights lie in; goes last.
    _weights: Arc<Weights>,
}

/// Memory of one input or output, in f32.
struct Port {
    host: Tensor<f32>,
    device: Option<Tensor<f32>>,
    /// Whether the device has what the host has.
    sent: bool,
}

impl Call {
    /// Binds memory to all inputs and to the output.
    pub fn new(finished: Finished, weights: Arc<Weights>, device: Device) -> ort::Result<Self> {
        let Finished { session, inputs, outputs } = finished;
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
        let [named] = outputs.as_slice() else { return Err(ort::Error::new("a network has one output")) };
        let mut output = Port::new(named, on_device.as_ref())?;
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
