//! Layers on candle: weights become tensors when a layer is loaded, and a layer computes when it is applied.

use candle_core::{DType, Device, Tensor};

use super::ops::{self, Conv, GroupNorm, LayerNorm, Linear};
use crate::generator::diffusion::engine::NetworkError;
use crate::generator::diffusion::model::{Activation, RawType, Weights};
use crate::generator::diffusion::network::{Attention, Kernel, Layers, LinearShape, Norm};

/// Where weights come from and where they go.
pub(super) struct Candle {
    pub weights: Weights,
    pub device: Device,
    pub dtype: DType,
}

/// Bytes of a tensor after which pages of the file are given back.
const LARGE_BYTES: usize = 4 << 20;

type Loaded<T> = Result<T, NetworkError>;

impl Candle {
    fn tensor(&self, name: &str, shape: &[usize]) -> Loaded<Tensor> {
        let raw = self.weights.tensor(name, shape)?;
        let stored = match raw.dtype {
            RawType::F32 => DType::F32,
            RawType::F16 => DType::F16,
            RawType::Bf16 => DType::BF16,
        };
        let tensor = Tensor::from_raw_buffer(raw.bytes, stored, shape, &self.device)?.to_dtype(self.dtype)?;
        // A copied tensor need not stay in memory twice.
        if raw.bytes.len() >= LARGE_BYTES {
            self.weights.forget_pages();
        }
        Ok(tensor)
    }

    fn weight_and_bias(&self, name: &str, shape: &[usize], outputs: usize) -> Loaded<(Tensor, Tensor)> {
        Ok((self.tensor(&format!("{name}.weight"), shape)?, self.tensor(&format!("{name}.bias"), &[outputs])?))
    }
}

impl Layers for Candle {
    type Tensor = Tensor;
    type Conv = Conv;
    type Linear = Linear;
    type GroupNorm = GroupNorm;
    type LayerNorm = LayerNorm;
    type Table = Tensor;
    type Error = NetworkError;

    fn has(&self, name: &str) -> bool {
        self.weights.has(name)
    }

    fn load_conv(&mut self, name: &str, kernel: Kernel) -> Loaded<Conv> {
        let Kernel { inputs, outputs, side, stride, padding } = kernel;
        let (weight, bias) = self.weight_and_bias(name, &[outputs, inputs, side, side], outputs)?;
        Ok(Conv::new(weight, bias, stride, padding)?)
    }

    fn load_linear(&mut self, name: &str, shape: LinearShape) -> Loaded<Linear> {
        let LinearShape { inputs, outputs, bias, kept_as_conv } = shape;
        let stored = [outputs, inputs, 1, 1];
        let stored = if kept_as_conv { &stored[..] } else { &stored[..2] };
        let weight = self.tensor(&format!("{name}.weight"), stored)?.reshape((outputs, inputs))?;
        let bias = if bias { Some(self.tensor(&format!("{name}.bias"), &[outputs])?) } else { None };
        Ok(Linear::new(weight, bias)?)
    }

    fn load_group_norm(&mut self, name: &str, channels: usize, norm: Norm) -> Loaded<GroupNorm> {
        let (weight, bias) = self.weight_and_bias(name, &[channels], channels)?;
        Ok(GroupNorm::new(weight, bias, norm.groups, norm.epsilon)?)
    }

    fn load_layer_norm(&mut self, name: &str, width: usize, epsilon: f64) -> Loaded<LayerNorm> {
        let (weight, bias) = self.weight_and_bias(name, &[width], width)?;
        Ok(LayerNorm::new(weight, bias, epsilon)?)
    }

    fn load_table(&mut self, name: &str, shape: [usize; 2]) -> Loaded<Tensor> {
        self.tensor(name, &shape)
    }

    fn conv(&self, layer: &Conv, x: &Tensor, extra: Option<&Tensor>) -> Loaded<Tensor> {
        let extra = extra.map(|extra| extra.squeeze(0)).transpose()?;
        Ok(layer.forward_with(x, extra.as_ref())?)
    }

    fn linear(&self, layer: &Linear, x: &Tensor) -> Loaded<Tensor> {
        Ok(layer.forward(x)?)
    }

    fn linear_to_picture(&self, layer: &Linear, x: &Tensor, like: &Tensor) -> Loaded<Tensor> {
        let (images, _, height, width) = like.dims4()?;
        Ok(layer.forward_channels_first(x)?.reshape((images, (), height, width))?)
    }

    fn group_norm(&self, layer: &GroupNorm, x: &Tensor, silu: bool) -> Loaded<Tensor> {
        Ok(if silu { layer.forward_silu(x) } else { layer.forward(x) }?)
    }

    fn layer_norm(&self, layer: &LayerNorm, x: &Tensor) -> Loaded<Tensor> {
        Ok(layer.forward(x)?)
    }

    fn attention(&self, how: Attention, q: &Tensor, k: &Tensor, v: &Tensor) -> Loaded<Tensor> {
        let Attention { heads, causal, upcast } = how;
        Ok(ops::Attention { heads, causal, upcast }.forward(q, k, v)?)
    }

    fn activate(&self, x: &Tensor, activation: Activation) -> Loaded<Tensor> {
        Ok(ops::activate(x, activation)?)
    }

    fn linear_geglu(&self, layer: &Linear, x: &Tensor) -> Loaded<Tensor> {
        Ok(ops::geglu(&layer.forward(x)?)?)
    }

    fn add(&self, a: &Tensor, b: &Tensor) -> Loaded<Tensor> {
        Ok((a + b)?)
    }

    fn concat_channels(&self, a: &Tensor, b: &Tensor) -> Loaded<Tensor> {
        Ok(Tensor::cat(&[a, b], 1)?)
    }

    fn pad_end(&self, x: &Tensor) -> Loaded<Tensor> {
        Ok(x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?)
    }

    fn twice_the_size(&self, x: &Tensor) -> Loaded<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        Ok(x.upsample_nearest2d(2 * height, 2 * width)?)
    }

    fn pixels_as_rows(&self, x: &Tensor) -> Loaded<Tensor> {
        Ok(x.flatten_from(2)?.transpose(1, 2)?)
    }

    fn embed(&self, words: &Tensor, positions: &Tensor, ids: &Tensor, width: usize) -> Loaded<Tensor> {
        let (count, length) = ids.dims2()?;
        let chosen = words.index_select(&ids.flatten_all()?, 0)?.reshape((count, length, width))?;
        Ok(chosen.broadcast_add(&positions.narrow(0, 0, length)?)?)
    }
}
