//! Residual blocks and changes of size, as the UNet and the autoencoder have them.
//!
//! Names of tensors as in diffusers' `ResnetBlock2D`, `Downsample2D`, `Upsample2D`.

use candle_core::{Result, Tensor};

use super::NetworkError;
use super::ops::{Conv, GroupNorm, Linear};
use super::scope::{POINT, SAME, Scope};

pub(super) struct Resnet {
    norm1: GroupNorm,
    conv1: Conv,
    time: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv,
    shortcut: Option<Conv>,
}

/// What a residual block is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResnetShape {
    pub inputs: usize,
    pub outputs: usize,
    /// Groups and epsilon of its normalisations.
    pub norm: (usize, f64),
    /// Width of the time embedding, where there is one.
    pub time: Option<usize>,
}

impl Resnet {
    pub fn load(shape: ResnetShape, mut scope: Scope) -> std::result::Result<Self, NetworkError> {
        let ResnetShape { inputs, outputs, norm, time } = shape;
        let time = time.map(|width| scope.linear("time_emb_proj", (width, outputs), true)).transpose()?;
        let shortcut = match inputs == outputs {
            true => None,
            false => Some(scope.conv("conv_shortcut", (inputs, outputs), POINT)?),
        };
        Ok(Self {
            norm1: scope.group_norm("norm1", inputs, norm)?,
            conv1: scope.conv("conv1", (inputs, outputs), SAME)?,
            norm2: scope.group_norm("norm2", outputs, norm)?,
            conv2: scope.conv("conv2", (outputs, outputs), SAME)?,
            time,
            shortcut,
        })
    }

    /// `[n, inputs, h, w]`, and the activated time embedding `[1, 1, width]`: `[n, outputs, h, w]`.
    pub fn forward(&self, x: &Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        let extra = match (&self.time, time) {
            (Some(layer), Some(time)) => Some(layer.forward(time)?.squeeze(0)?),
            _ => None,
        };
        let h = self.conv1.forward_with(&self.norm1.forward_silu(x)?, extra.as_ref())?;
        let h = self.conv2.forward(&self.norm2.forward_silu(&h)?)?;
        match &self.shortcut {
            Some(shortcut) => h + shortcut.forward(x)?,
            None => h + x,
        }
    }
}

/// Twice the size, each pixel four times, then a convolution.
pub(super) struct Upsample(Conv);

impl Upsample {
    pub fn load(channels: usize, mut scope: Scope) -> std::result::Result<Self, NetworkError> {
        Ok(Self(scope.conv("conv", (channels, channels), SAME)?))
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        self.0.forward(&x.upsample_nearest2d(2 * height, 2 * width)?)
    }
}
