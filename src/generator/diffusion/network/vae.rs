//! The autoencoder's decoder: latents -> pictures.
//!
//! Source: Rombach et al. 2022; names of tensors as in diffusers' `AutoencoderKL`, also the older ones of its attention.

use candle_core::{Result, Tensor};

use super::NetworkError;
use super::ops::{Attention, Conv, GroupNorm, Linear};
use super::resnet::{Resnet, ResnetShape, Upsample};
use super::scope::{POINT, SAME, Scope, Source};
use crate::generator::diffusion::model::VaeConfig;

/// diffusers' own for every normalisation of an autoencoder.
const EPSILON: f64 = 1e-6;

pub(super) struct Decoder {
    config: VaeConfig,
    post_quant: Option<Conv>,
    conv_in: Conv,
    middle: (Resnet, Option<PixelAttention>, Resnet),
    up: Vec<(Vec<Resnet>, Option<Upsample>)>,
    last_norm: GroupNorm,
    conv_out: Conv,
}

struct PixelAttention {
    norm: GroupNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
}

type Loaded<T> = std::result::Result<T, NetworkError>;

impl Decoder {
    pub fn load(config: &VaeConfig, source: &mut Source) -> Loaded<Self> {
        let norm = (config.groups, EPSILON);
        let latent = config.latent_channels;
        let (first, last) = (config.channels[0], config.channels[config.channels.len() - 1]);
        let mut top = Scope::new(source, "");
        let post_quant = match config.post_quant_conv {
            true => Some(top.conv("post_quant_conv", (latent, latent), POINT)?),
            false => None,
        };
        let mut scope = top.at("decoder");
        let middle = ResnetShape { inputs: last, outputs: last, norm, time: None };
        let attention = match config.mid_attention {
            true => Some(PixelAttention::load(last, norm, scope.at("mid_block.attentions.0"))?),
            false => None,
        };
        Ok(Self {
            post_quant,
            conv_in: scope.conv("conv_in", (latent, last), SAME)?,
            middle: (
                Resnet::load(middle, scope.at("mid_block.resnets.0"))?,
                attention,
                Resnet::load(middle, scope.at("mid_block.resnets.1"))?,
            ),
            up: up_levels(config, &mut scope)?,
            last_norm: scope.group_norm("conv_norm_out", first, norm)?,
            conv_out: scope.conv("conv_out", (first, 3), SAME)?,
            config: config.clone(),
        })
    }

    /// Latents as the sampler leaves them, `[n, c, h, w]`: pictures `[n, 3, h', w']`, about -1 to 1.
    pub fn forward(&self, latents: &Tensor) -> Result<Tensor> {
        let latents = ((latents / self.config.scaling_factor)? + self.config.shift_factor)?;
        let latents = self.post_quant.as_ref().map_or(Ok(latents.clone()), |conv| conv.forward(&latents))?;
        let (first, attention, second) = &self.middle;
        let mut x = first.forward(&self.conv_in.forward(&latents)?, None)?;
        if let Some(attention) = attention {
            x = attention.forward(&x)?;
        }
        x = second.forward(&x, None)?;
        for (resnets, upsample) in &self.up {
            for resnet in resnets {
                x = resnet.forward(&x, None)?;
            }
            if let Some(upsample) = upsample {
                x = upsample.forward(&x)?;
            }
        }
        self.conv_out.forward(&self.last_norm.forward_silu(&x)?)
    }
}

fn up_levels(config: &VaeConfig, scope: &mut Scope) -> Loaded<Vec<(Vec<Resnet>, Option<Upsample>)>> {
    let levels = config.channels.len();
    let mut inputs = config.channels[levels - 1];
    let mut up = Vec::new();
    for (at, &outputs) in config.channels.iter().rev().enumerate() {
        let mut here = scope.at(&format!("up_blocks.{at}"));
        let mut resnets = Vec::new();
        for layer in 0..=config.layers {
            let shape = ResnetShape { inputs, outputs, norm: (config.groups, EPSILON), time: None };
            resnets.push(Resnet::load(shape, here.at(&format!("resnets.{layer}")))?);
            inputs = outputs;
        }
        let upsample = match at + 1 < levels {
            true => Some(Upsample::load(outputs, here.at("upsamplers.0"))?),
            false => None,
        };
        up.push((resnets, upsample));
    }
    Ok(up)
}

impl PixelAttention {
    fn load(channels: usize, norm: (usize, f64), mut scope: Scope) -> Loaded<Self> {
        let old = scope.has("query.weight");
        let names = if old { ["query", "key", "value", "proj_attn"] } else { ["to_q", "to_k", "to_v", "to_out.0"] };
        let mut linear = |name: &str| scope.linear(name, (channels, channels), true);
        let [q, k, v, out] = names;
        let (q, k, v, out) = (linear(q)?, linear(k)?, linear(v)?, linear(out)?);
        Ok(Self { norm: scope.group_norm("group_norm", channels, norm)?, q, k, v, out })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.norm.forward(x)?.flatten_from(2)?.transpose(1, 2)?;
        let attention = Attention { heads: 1, causal: false, upcast: false };
        let h = attention.forward(&self.q.forward(&h)?, &self.k.forward(&h)?, &self.v.forward(&h)?)?;
        self.out.forward_channels_first(&h)?.reshape(x.shape())? + x
    }
}
