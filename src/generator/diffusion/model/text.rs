//! The text encoder's configuration: CLIP's text transformer.

use serde_json::json;

use super::{ModelError, json::Json};

/// The function between two layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Activation {
    /// x / (1 + exp(-x)); also called swish.
    Silu,
    /// x * Phi(x), by erf.
    Gelu,
    /// x / (1 + exp(-1.702 x)), as OpenAI's CLIP has it.
    QuickGelu,
}

/// `text_encoder/config.json`.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct TextConfig {
    pub vocabulary: usize,
    /// Tokens of a prompt, begin and end included.
    pub positions: usize,
    pub width: usize,
    pub hidden_width: usize,
    pub layers: usize,
    pub heads: usize,
    pub activation: Activation,
    pub epsilon: f64,
}

impl TextConfig {
    pub(super) fn read(json: &Json) -> Result<Self, ModelError> {
        json.only("model_type", &["clip_text_model"])?;
        json.unused("attention_dropout", json!(0.0))?;
        json.unused("use_attention_mask", json!(false))?;
        let known = [("quick_gelu", Activation::QuickGelu), ("gelu", Activation::Gelu), ("silu", Activation::Silu)];
        let config = Self {
            vocabulary: json.count("vocab_size", Some(49_408))?,
            positions: json.count("max_position_embeddings", Some(77))?,
            width: json.count("hidden_size", Some(512))?,
            hidden_width: json.count("intermediate_size", Some(2048))?,
            layers: json.count("num_hidden_layers", Some(12))?,
            heads: json.count("num_attention_heads", Some(8))?,
            activation: json.one_of("hidden_act", &known)?,
            epsilon: json.positive("layer_norm_eps", 1e-5)?,
        };
        if !config.width.is_multiple_of(config.heads) {
            return Err(json.refuse("num_attention_heads", "does not divide `hidden_size`"));
        }
        Ok(config)
    }
}
