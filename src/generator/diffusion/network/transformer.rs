//! The UNet's transformers: pixels look at each other and at the prompt.
//!
//! Source: Rombach et al., "High-resolution image synthesis with latent diffusion models", 2022; names of tensors as in
//! diffusers' `Transformer2DModel`.

use candle_core::{Result, Tensor};

use super::NetworkError;
use super::ops::{Attention, GroupNorm, LayerNorm, Linear, geglu};
use super::scope::Scope;
use crate::generator::diffusion::model::{Block, UnetConfig};

/// diffusers' own, whatever `norm_eps` says.
const EPSILON: f64 = 1e-6;
const LAYER_EPSILON: f64 = 1e-5;

pub(super) struct Transformer {
    norm: GroupNorm,
    project_in: Linear,
    layers: Vec<Layer>,
    project_out: Linear,
}

struct Layer {
    norms: [LayerNorm; 3],
    to_self: CrossAttention,
    to_prompt: CrossAttention,
    widen: Linear,
    narrow: Linear,
}

struct CrossAttention {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    attention: Attention,
}

impl Transformer {
    pub fn load(config: &UnetConfig, block: &Block, mut scope: Scope) -> std::result::Result<Self, NetworkError> {
        let width = block.channels;
        let conv = !config.linear_projection;
        let layer = |at| Layer::load(config, block, scope.at(&format!("transformer_blocks.{at}")));
        let layers = (0..block.transformer_layers).map(layer).collect::<std::result::Result<_, _>>()?;
        Ok(Self {
            norm: scope.group_norm("norm", width, (config.groups, EPSILON))?,
            project_in: scope.linear_or_conv("proj_in", (width, width), conv)?,
            layers,
            project_out: scope.linear_or_conv("proj_out", (width, width), conv)?,
        })
    }

    /// `[n, c, h, w]` and the prompt's embeddings `[n, positions, width]`: as the first.
    pub fn forward(&self, x: &Tensor, prompt: &Tensor) -> Result<Tensor> {
        let h = self.norm.forward(x)?.flatten_from(2)?.transpose(1, 2)?;
        let mut h = self.project_in.forward(&h)?;
        for layer in &self.layers {
            h = layer.forward(&h, prompt)?;
        }
        self.project_out.forward_channels_first(&h)?.reshape(x.shape())? + x
    }
}

impl Layer {
    fn load(config: &UnetConfig, block: &Block, mut scope: Scope) -> std::result::Result<Self, NetworkError> {
        let width = block.channels;
        let mut norm = |at| scope.layer_norm(&format!("norm{at}"), width, LAYER_EPSILON);
        let norms = [norm(1)?, norm(2)?, norm(3)?];
        Ok(Self {
            norms,
            to_self: CrossAttention::load(config, block, width, scope.at("attn1"))?,
            to_prompt: CrossAttention::load(config, block, config.context_width, scope.at("attn2"))?,
            widen: scope.linear("ff.net.0.proj", (width, 8 * width), true)?,
            narrow: scope.linear("ff.net.2", (4 * width, width), true)?,
        })
    }

    fn forward(&self, x: &Tensor, prompt: &Tensor) -> Result<Tensor> {
        let h = self.norms[0].forward(x)?;
        let x = (self.to_self.forward(&h, &h)? + x)?;
        let x = (self.to_prompt.forward(&self.norms[1].forward(&x)?, prompt)? + x)?;
        let h = geglu(&self.widen.forward(&self.norms[2].forward(&x)?)?)?;
        self.narrow.forward(&h)? + x
    }
}

impl CrossAttention {
    fn load(
        config: &UnetConfig,
        block: &Block,
        source: usize,
        mut scope: Scope,
    ) -> std::result::Result<Self, NetworkError> {
        let width = block.channels;
        Ok(Self {
            q: scope.linear("to_q", (width, width), false)?,
            k: scope.linear("to_k", (source, width), false)?,
            v: scope.linear("to_v", (source, width), false)?,
            out: scope.linear("to_out.0", (width, width), true)?,
            attention: Attention { heads: block.heads, causal: false, upcast: config.upcast_attention },
        })
    }

    fn forward(&self, x: &Tensor, source: &Tensor) -> Result<Tensor> {
        let (q, k, v) = (self.q.forward(x)?, self.k.forward(source)?, self.v.forward(source)?);
        self.out.forward(&self.attention.forward(&q, &k, &v)?)
    }
}
