//! CLIP's text transformer: token ids -> the last layer's normalised states.
//!
//! Source: Radford et al., "Learning transferable visual models from natural language supervision", 2021; names of tensors
//! as in transformers' `CLIPTextModel`.

use candle_core::{Result, Tensor};

use super::NetworkError;
use super::ops::{Attention, LayerNorm, Linear, activate};
use super::scope::{Scope, Source};
use crate::generator::diffusion::model::TextConfig;
use crate::generator::diffusion::network::Activation;

pub(super) struct TextEncoder {
    tokens: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    last_norm: LayerNorm,
}

struct Layer {
    norm1: LayerNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm2: LayerNorm,
    widen: Linear,
    narrow: Linear,
    attention: Attention,
    activation: Activation,
}

impl TextEncoder {
    /// Reads the weights; older files have `text_model.` before each name.
    pub fn load(config: &TextConfig, source: &mut Source) -> std::result::Result<Self, NetworkError> {
        let old = source.weights.has("text_model.final_layer_norm.weight");
        let mut scope = Scope::new(source, if old { "text_model." } else { "" });
        let mut embeddings = scope.at("embeddings");
        let tokens = embeddings.tensor("token_embedding.weight", &[config.vocabulary, config.width])?;
        let positions = embeddings.tensor("position_embedding.weight", &[config.positions, config.width])?;
        let layer = |at| Layer::load(config, scope.at(&format!("encoder.layers.{at}")));
        let layers = (0..config.layers).map(layer).collect::<std::result::Result<_, _>>()?;
        let last_norm = scope.layer_norm("final_layer_norm", config.width, config.epsilon)?;
        Ok(Self { tokens, positions, layers, last_norm })
    }

    /// `[n, positions]` u32: `[n, positions, width]`.
    pub fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let (count, length) = ids.dims2()?;
        let words = self.tokens.index_select(&ids.flatten_all()?, 0)?.reshape((count, length, ()))?;
        let mut x = words.broadcast_add(&self.positions.narrow(0, 0, length)?)?;
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        self.last_norm.forward(&x)
    }
}

impl Layer {
    fn load(config: &TextConfig, mut scope: Scope) -> std::result::Result<Self, NetworkError> {
        let (width, hidden) = (config.width, config.hidden_width);
        let mut project = |name: &str| scope.linear(&format!("self_attn.{name}_proj"), (width, width), true);
        let (q, k, v, out) = (project("q")?, project("k")?, project("v")?, project("out")?);
        Ok(Self {
            norm1: scope.layer_norm("layer_norm1", width, config.epsilon)?,
            norm2: scope.layer_norm("layer_norm2", width, config.epsilon)?,
            widen: scope.linear("mlp.fc1", (width, hidden), true)?,
            narrow: scope.linear("mlp.fc2", (hidden, width), true)?,
            attention: Attention { heads: config.heads, causal: true, upcast: false },
            activation: config.activation,
            q,
            k,
            v,
            out,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.norm1.forward(x)?;
        let h = self.attention.forward(&self.q.forward(&h)?, &self.k.forward(&h)?, &self.v.forward(&h)?)?;
        let x = (x + self.out.forward(&h)?)?;
        let h = activate(&self.widen.forward(&self.norm2.forward(&x)?)?, self.activation)?;
        x + self.narrow.forward(&h)?
    }
}
