//! Weights by their names in the file, as layers ask for them.

use candle_core::{DType, Device, Tensor};

use super::NetworkError;
use super::ops::{Conv, GroupNorm, LayerNorm, Linear};
use crate::generator::diffusion::model::{ModelError, RawType, Weights};

/// Where tensors come from and where they go.
pub(super) struct Source {
    pub weights: Weights,
    pub device: Device,
    pub dtype: DType,
}

/// A place in the tree of names.
pub(super) struct Scope<'a> {
    source: &'a mut Source,
    prefix: String,
}

impl<'a> Scope<'a> {
    /// The top of the tree, or the part of it below `prefix` (ending in a dot).
    pub fn new(source: &'a mut Source, prefix: &str) -> Self {
        Self { source, prefix: prefix.to_owned() }
    }

    /// The place `name` below this one.
    pub fn at(&mut self, name: &str) -> Scope<'_> {
        Scope { prefix: format!("{}{name}.", self.prefix), source: self.source }
    }

    /// Whether the file has tensor `name` here.
    pub fn has(&self, name: &str) -> bool {
        self.source.weights.has(&format!("{}{name}", self.prefix))
    }

    /// Tensor `name`.
    pub fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, NetworkError> {
        let raw = self.source.weights.read(&format!("{}{name}", self.prefix), shape)?;
        let stored = match raw.dtype {
            RawType::F32 => DType::F32,
            RawType::F16 => DType::F16,
            RawType::Bf16 => DType::BF16,
        };
        let tensor = Tensor::from_raw_buffer(&raw.bytes, stored, shape, &self.source.device)?;
        Ok(tensor.to_dtype(self.source.dtype)?)
    }

    /// A fully connected layer; `bias`: whether it has one.
    pub fn linear(
        &mut self,
        name: &str,
        (inputs, outputs): (usize, usize),
        bias: bool,
    ) -> Result<Linear, NetworkError> {
        let mut here = self.at(name);
        let weight = here.tensor("weight", &[outputs, inputs])?;
        let bias = if bias { Some(here.tensor("bias", &[outputs])?) } else { None };
        Ok(Linear::new(weight, bias)?)
    }

    /// A fully connected layer that some files keep as a 1 x 1 convolution.
    pub fn linear_or_conv(
        &mut self,
        name: &str,
        (inputs, outputs): (usize, usize),
        conv: bool,
    ) -> Result<Linear, NetworkError> {
        let mut here = self.at(name);
        let weight = match conv {
            true => here.tensor("weight", &[outputs, inputs, 1, 1])?.reshape((outputs, inputs))?,
            false => here.tensor("weight", &[outputs, inputs])?,
        };
        let bias = here.tensor("bias", &[outputs])?;
        Ok(Linear::new(weight, Some(bias))?)
    }

    /// A convolution with a square kernel.
    pub fn conv(
        &mut self,
        name: &str,
        (inputs, outputs): (usize, usize),
        kernel: Kernel,
    ) -> Result<Conv, NetworkError> {
        let mut here = self.at(name);
        let weight = here.tensor("weight", &[outputs, inputs, kernel.side, kernel.side])?;
        let bias = here.tensor("bias", &[outputs])?;
        Ok(Conv::new(weight, bias, kernel.stride, kernel.padding)?)
    }

    /// Group normalisation over `channels`.
    pub fn group_norm(
        &mut self,
        name: &str,
        channels: usize,
        (groups, epsilon): (usize, f64),
    ) -> Result<GroupNorm, NetworkError> {
        let mut here = self.at(name);
        let (weight, bias) = (here.tensor("weight", &[channels])?, here.tensor("bias", &[channels])?);
        Ok(GroupNorm::new(weight, bias, groups, epsilon)?)
    }

    /// Layer normalisation over `width`.
    pub fn layer_norm(&mut self, name: &str, width: usize, epsilon: f64) -> Result<LayerNorm, NetworkError> {
        let mut here = self.at(name);
        let (weight, bias) = (here.tensor("weight", &[width])?, here.tensor("bias", &[width])?);
        Ok(LayerNorm::new(weight, bias, epsilon)?)
    }
}

/// A convolution's kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernel {
    pub side: usize,
    pub stride: usize,
    pub padding: usize,
}

/// 3 x 3 that keeps the size.
pub(super) const SAME: Kernel = Kernel { side: 3, stride: 1, padding: 1 };
/// Pixel by pixel.
pub(super) const POINT: Kernel = Kernel { side: 1, stride: 1, padding: 0 };

impl From<ModelError> for NetworkError {
    fn from(error: ModelError) -> Self {
        Self::Model(error)
    }
}
