//! CLIP's text transformer: token ids -> the last layer's normalised states.
//!
//! Source: Radford et al., "Learning transferable visual models from natural language supervision", 2021; names of
//! tensors as in transformers' `CLIPTextModel`.

use super::layers::{Attention, Layers, LinearShape};
use super::scope::Scope;
use crate::generator::diffusion::model::{Activation, TextConfig};

pub struct TextEncoder<L: Layers> {
    width: usize,
    words: L::Table,
    positions: L::Table,
    layers: Vec<Layer<L>>,
    last_norm: L::LayerNorm,
}

struct Layer<L: Layers> {
    norm1: L::LayerNorm,
    q: L::Linear,
    k: L::Linear,
    v: L::Linear,
    out: L::Linear,
    norm2: L::LayerNorm,
    widen: L::Linear,
    narrow: L::Linear,
    how: Attention,
    activation: Activation,
}

impl<L: Layers> TextEncoder<L> {
    /// Loads the weights; older files have `text_model.` before each name.
    pub fn load(config: &TextConfig, layers: &mut L) -> Result<Self, L::Error> {
        let old = layers.has("text_model.final_layer_norm.weight");
        let mut scope = Scope::new(layers, if old { "text_model." } else { "" });
        let mut embeddings = scope.at("embeddings");
        let words = embeddings.table("token_embedding.weight", [config.vocabulary, config.width])?;
        let positions = embeddings.table("position_embedding.weight", [config.positions, config.width])?;
        let mut layers = Vec::new();
        for at in 0..config.layers {
            layers.push(Layer::load(config, scope.at(&format!("encoder.layers.{at}")))?);
        }
        let last_norm = scope.layer_norm("final_layer_norm", config.width, config.epsilon)?;
        Ok(Self { width: config.width, words, positions, layers, last_norm })
    }

    /// `[n, positions]` ids: `[n, positions, width]`.
    pub fn forward(&self, l: &L, ids: &L::Tensor) -> Result<L::Tensor, L::Error> {
        let mut x = l.embed(&self.words, &self.positions, ids, self.width)?;
        for layer in &self.layers {
            x = layer.forward(l, &x)?;
        }
        l.layer_norm(&self.last_norm, &x)
    }
}

impl<L: Layers> Layer<L> {
    fn load(config: &TextConfig, mut scope: Scope<L>) -> Result<Self, L::Error> {
        let (width, hidden) = (config.width, config.hidden_width);
        let mut project = |name: &str| scope.linear(&format!("self_attn.{name}_proj"), LinearShape::new(width, width));
        let (q, k, v, out) = (project("q")?, project("k")?, project("v")?, project("out")?);
        Ok(Self {
            norm1: scope.layer_norm("layer_norm1", width, config.epsilon)?,
            norm2: scope.layer_norm("layer_norm2", width, config.epsilon)?,
            widen: scope.linear("mlp.fc1", LinearShape::new(width, hidden))?,
            narrow: scope.linear("mlp.fc2", LinearShape::new(hidden, width))?,
            how: Attention { heads: config.heads, causal: true, upcast: false },
            activation: config.activation,
            q,
            k,
            v,
            out,
        })
    }

    fn forward(&self, l: &L, x: &L::Tensor) -> Result<L::Tensor, L::Error> {
        let h = l.layer_norm(&self.norm1, x)?;
        let (q, k, v) = (l.linear(&self.q, &h)?, l.linear(&self.k, &h)?, l.linear(&self.v, &h)?);
        let h = l.linear(&self.out, &l.attention(self.how, &q, &k, &v)?)?;
        let (x, h) = l.add_then_norm(&self.norm2, x, &h)?;
        let h = l.activate(&l.linear(&self.widen, &h)?, self.activation)?;
        l.add(&x, &l.linear(&self.narrow, &h)?)
    }
}
