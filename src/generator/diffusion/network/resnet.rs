//! Residual blocks and changes of size, as the UNet and the autoencoder have them.
//!
//! Names of tensors as in diffusers' `ResnetBlock2D`, `Downsample2D`, `Upsample2D`.

use super::layers::{Kernel, Layers, LinearShape, Norm};
use super::scope::Scope;

pub struct Resnet<L: Layers> {
    norm1: L::GroupNorm,
    conv1: L::Conv,
    time: Option<L::Linear>,
    norm2: L::GroupNorm,
    conv2: L::Conv,
    shortcut: Option<L::Conv>,
}

/// What a residual block is made of.
#[derive(Debug, Clone, Copy)]
pub struct ResnetShape {
    pub inputs: usize,
    pub outputs: usize,
    pub norm: Norm,
    /// Width of the time embedding, where there is one.
    pub time: Option<usize>,
}

impl<L: Layers> Resnet<L> {
    pub fn load(shape: ResnetShape, mut scope: Scope<L>) -> Result<Self, L::Error> {
        let ResnetShape { inputs, outputs, norm, time } = shape;
        let time = match time {
            Some(width) => Some(scope.linear("time_emb_proj", LinearShape::new(width, outputs))?),
            None => None,
        };
        let shortcut =
            if inputs == outputs { None } else { Some(scope.conv("conv_shortcut", Kernel::point(inputs, outputs))?) };
        Ok(Self {
            norm1: scope.group_norm("norm1", inputs, norm)?,
            conv1: scope.conv("conv1", Kernel::same(inputs, outputs))?,
            norm2: scope.group_norm("norm2", outputs, norm)?,
            conv2: scope.conv("conv2", Kernel::same(outputs, outputs))?,
            time,
            shortcut,
        })
    }

    /// `[n, inputs, h, w]`, and the activated time embedding `[1, 1, width]`: `[n, outputs, h, w]`.
    pub fn forward(&self, l: &L, x: &L::Tensor, time: Option<&L::Tensor>) -> Result<L::Tensor, L::Error> {
        let extra = match (&self.time, time) {
            (Some(layer), Some(time)) => Some(l.linear(layer, time)?),
            _ => None,
        };
        let h = l.conv(&self.conv1, &l.group_norm(&self.norm1, x, true)?, extra.as_ref())?;
        let h = l.conv(&self.conv2, &l.group_norm(&self.norm2, &h, true)?, None)?;
        match &self.shortcut {
            Some(shortcut) => l.add(&h, &l.conv(shortcut, x, None)?),
            None => l.add(&h, x),
        }
    }
}

/// Twice the size each way, then a convolution.
pub struct Upsample<L: Layers> {
    conv: L::Conv,
}

impl<L: Layers> Upsample<L> {
    pub fn load(channels: usize, mut scope: Scope<L>) -> Result<Self, L::Error> {
        Ok(Self { conv: scope.conv("conv", Kernel::same(channels, channels))? })
    }

    pub fn forward(&self, l: &L, x: &L::Tensor) -> Result<L::Tensor, L::Error> {
        l.conv(&self.conv, &l.twice_the_size(x)?, None)
    }
}
