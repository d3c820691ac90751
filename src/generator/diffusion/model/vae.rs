//! The autoencoder's configuration; only its decoder is run.

use serde_json::json;

use super::{ModelError, json::Json};

/// `vae/config.json`.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct VaeConfig {
    pub latent_channels: usize,
    /// From the finest level to the coarsest.
    pub channels: Vec<usize>,
    pub layers: usize,
    pub groups: usize,
    pub mid_attention: bool,
    pub post_quant_conv: bool,
    /// Latents are divided by this before they are decoded.
    pub scaling_factor: f64,
    /// And this is added then.
    pub shift_factor: f64,
}

impl VaeConfig {
    pub(super) fn read(json: &Json) -> Result<Self, ModelError> {
        json.only("_class_name", &["AutoencoderKL"])?;
        json.only("act_fn", &["silu", "swish"])?;
        json.unused("out_channels", json!(3))?;
        json.unused("latents_mean", serde_json::Value::Null)?;
        json.unused("latents_std", serde_json::Value::Null)?;
        let config = Self {
            latent_channels: json.count("latent_channels", Some(4))?,
            channels: json.list("block_out_channels")?,
            layers: json.count("layers_per_block", Some(1))?,
            groups: json.count("norm_num_groups", Some(32))?,
            mid_attention: json.flag("mid_block_add_attention", true)?,
            post_quant_conv: json.flag("use_post_quant_conv", true)?,
            scaling_factor: json.positive("scaling_factor", 0.182_15)?,
            shift_factor: json.number("shift_factor", 0.0)?,
        };
        let types = json.words("up_block_types")?;
        if types.len() != config.channels.len() || types.iter().any(|word| word != "UpDecoderBlock2D") {
            return Err(json.refuse("up_block_types", "is not one UpDecoderBlock2D for each level"));
        }
        match config.channels.iter().find(|channels| *channels % config.groups != 0) {
            Some(channels) => {
                let problem = format!("has {channels}, which {} groups do not divide", config.groups);
                Err(json.refuse("block_out_channels", problem))
            }
            None => Ok(config),
        }
    }

    /// Latents as a sampler leaves them, in the scale in which the decoder takes them.
    pub fn unscaled(&self, latents: &[f32]) -> Vec<f32> {
        let (factor, shift) = ((1.0 / self.scaling_factor) as f32, self.shift_factor as f32);
        latents.iter().map(|x| x * factor + shift).collect()
    }
}
