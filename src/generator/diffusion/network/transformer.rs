//! The UNet's transformers: pixels look at each other and at the prompt.
//!
//! Source: Rombach et al., "High-resolution image synthesis with latent diffusion models", 2022; names of tensors as in
//! diffusers' `Transformer2DModel`.

use super::layers::{Attention, Layers, LinearShape, Norm};
use super::scope::Scope;
use crate::generator::diffusion::model::{Block, UnetConfig};

/// diffusers' own; `norm_eps` does not change it.
const EPSILON: f64 = 1e-6;
const LAYER_EPSILON: f64 = 1e-5;

pub struct Transformer<L: Layers> {
    norm: L::GroupNorm,
    project_in: L::Linear,
    layers: Vec<Layer<L>>,
    project_out: L::Linear,
}

struct Layer<L: Layers> {
    norms: [L::LayerNorm; 3],
    to_self: CrossAttention<L>,
    to_prompt: CrossAttention<L>,
    widen: L::Linear,
    narrow: L::Linear,
}

struct CrossAttention<L: Layers> {
    q: L::Linear,
    k: L::Linear,
    v: L::Linear,
    out: L::Linear,
    how: Attention,
}

impl<L: Layers> Transformer<L> {
    pub fn load(config: &UnetConfig, block: &Block, mut scope: Scope<L>) -> Result<Self, L::Error> {
        let width = block.channels;
        let project = LinearShape { kept_as_conv: !config.linear_projection, ..LinearShape::new(width, width) };
        let mut layers = Vec::new();
        for at in 0..block.transformer_layers {
            layers.push(Layer::load(config, block, scope.at(&format!("transformer_blocks.{at}")))?);
        }
        Ok(Self {
            norm: scope.group_norm("norm", width, Norm { groups: config.groups, epsilon: EPSILON })?,
            project_in: scope.linear("proj_in", project)?,
            layers,
            project_out: scope.linear("proj_out", project)?,
        })
    }

    /// `[n, c, h, w]` and the prompt's embeddings `[n, positions, width]`: as the first.
    pub fn forward(&self, l: &L, x: &L::Tensor, prompt: &L::Tensor) -> Result<L::Tensor, L::Error> {
        let h = l.pixels_as_rows(&l.group_norm(&self.norm, x, false)?)?;
        let mut h = l.linear(&self.project_in, &h)?;
        for layer in &self.layers {
            h = layer.forward(l, &h, prompt)?;
        }
        l.add(&l.linear_to_picture(&self.project_out, &h, x)?, x)
    }
}

impl<L: Layers> Layer<L> {
    fn load(config: &UnetConfig, block: &Block, mut scope: Scope<L>) -> Result<Self, L::Error> {
        let width = block.channels;
        let mut norm = |at| scope.layer_norm(&format!("norm{at}"), width, LAYER_EPSILON);
        let norms = [norm(1)?, norm(2)?, norm(3)?];
        let how = Attention { heads: block.heads, causal: false, upcast: config.upcast_attention };
        Ok(Self {
            norms,
            to_self: CrossAttention::load(width, width, how, scope.at("attn1"))?,
            to_prompt: CrossAttention::load(width, config.context_width, how, scope.at("attn2"))?,
            widen: scope.linear("ff.net.0.proj", LinearShape::new(width, 8 * width))?,
            narrow: scope.linear("ff.net.2", LinearShape::new(4 * width, width))?,
        })
    }

    fn forward(&self, l: &L, x: &L::Tensor, prompt: &L::Tensor) -> Result<L::Tensor, L::Error> {
        let [first, second, third] = &self.norms;
        let h = l.layer_norm(first, x)?;
        let (x, h) = l.add_then_norm(second, &self.to_self.forward(l, &h, &h)?, x)?;
        let (x, h) = l.add_then_norm(third, &self.to_prompt.forward(l, &h, prompt)?, &x)?;
        let h = l.linear_geglu(&self.widen, &h)?;
        l.add(&l.linear(&self.narrow, &h)?, &x)
    }
}

impl<L: Layers> CrossAttention<L> {
    /// `width`: of the pixels; `source`: of what they look at.
    fn load(width: usize, source: usize, how: Attention, mut scope: Scope<L>) -> Result<Self, L::Error> {
        Ok(Self {
            q: scope.linear("to_q", LinearShape::without_bias(width, width))?,
            k: scope.linear("to_k", LinearShape::without_bias(source, width))?,
            v: scope.linear("to_v", LinearShape::without_bias(source, width))?,
            out: scope.linear("to_out.0", LinearShape::new(width, width))?,
            how,
        })
    }

    fn forward(&self, l: &L, x: &L::Tensor, source: &L::Tensor) -> Result<L::Tensor, L::Error> {
        let (q, k, v) = (l.linear(&self.q, x)?, l.linear(&self.k, source)?, l.linear(&self.v, source)?);
        l.linear(&self.out, &l.attention(self.how, &q, &k, &v)?)
    }
}
