//! The autoencoder's decoder: latents -> pictures.
//!
//! Source: Rombach et al. 2022; names of tensors as in diffusers' `AutoencoderKL`, also the older names of its
//! attention.

use super::layers::{Attention, Kernel, Layers, LinearShape, Norm};
use super::resnet::{Resnet, ResnetShape, Upsample};
use super::scope::Scope;
use crate::generator::diffusion::model::VaeConfig;

/// diffusers' own for every normalisation of an autoencoder.
const EPSILON: f64 = 1e-6;

pub struct Decoder<L: Layers> {
    post_quant: Option<L::Conv>,
    conv_in: L::Conv,
    middle: Middle<L>,
    up: Vec<Level<L>>,
    last_norm: L::GroupNorm,
    conv_out: L::Conv,
}

struct Middle<L: Layers> {
    first: Resnet<L>,
    attention: Option<PixelAttention<L>>,
    second: Resnet<L>,
}

struct Level<L: Layers> {
    resnets: Vec<Resnet<L>>,
    upsample: Option<Upsample<L>>,
}

struct PixelAttention<L: Layers> {
    norm: L::GroupNorm,
    q: L::Linear,
    k: L::Linear,
    v: L::Linear,
    out: L::Linear,
}

impl<L: Layers> Decoder<L> {
    pub fn load(config: &VaeConfig, layers: &mut L) -> Result<Self, L::Error> {
        let norm = Norm { groups: config.groups, epsilon: EPSILON };
        let latent = config.latent_channels;
        let (first, last) = (config.channels[0], config.channels[config.channels.len() - 1]);
        let mut top = Scope::new(layers, "");
        let mut post_quant = None;
        if config.post_quant_conv {
            post_quant = Some(top.conv("post_quant_conv", Kernel::point(latent, latent))?);
        }
        let mut scope = top.at("decoder");
        let middle = ResnetShape { inputs: last, outputs: last, norm, time: None };
        let mut attention = None;
        if config.mid_attention {
            attention = Some(PixelAttention::load(last, norm, scope.at("mid_block.attentions.0"))?);
        }
        Ok(Self {
            post_quant,
            conv_in: scope.conv("conv_in", Kernel::same(latent, last))?,
            middle: Middle {
                first: Resnet::load(middle, scope.at("mid_block.resnets.0"))?,
                attention,
                second: Resnet::load(middle, scope.at("mid_block.resnets.1"))?,
            },
            up: up_levels(config, &mut scope)?,
            last_norm: scope.group_norm("conv_norm_out", first, norm)?,
            conv_out: scope.conv("conv_out", Kernel::same(first, 3))?,
        })
    }

    /// Latents in the autoencoder's own scale ([`VaeConfig::unscaled`]), `[n, c, h, w]`: pictures `[n, 3, h', w']`,
    /// about -1 to 1.
    pub fn forward(&self, l: &L, latents: &L::Tensor) -> Result<L::Tensor, L::Error> {
        let latents = match &self.post_quant {
            Some(conv) => l.conv(conv, latents, None)?,
            None => latents.clone(),
        };
        let mut x = self.middle.first.forward(l, &l.conv(&self.conv_in, &latents, None)?, None)?;
        if let Some(attention) = &self.middle.attention {
            x = attention.forward(l, &x)?;
        }
        x = self.middle.second.forward(l, &x, None)?;
        for level in &self.up {
            for resnet in &level.resnets {
                x = resnet.forward(l, &x, None)?;
            }
            if let Some(upsample) = &level.upsample {
                x = upsample.forward(l, &x)?;
            }
        }
        l.conv(&self.conv_out, &l.group_norm(&self.last_norm, &x, true)?, None)
    }
}

fn up_levels<L: Layers>(config: &VaeConfig, scope: &mut Scope<L>) -> Result<Vec<Level<L>>, L::Error> {
    let norm = Norm { groups: config.groups, epsilon: EPSILON };
    let levels = config.channels.len();
    let mut inputs = config.channels[levels - 1];
    let mut up = Vec::new();
    for (at, &outputs) in config.channels.iter().rev().enumerate() {
        let mut here = scope.at(&format!("up_blocks.{at}"));
        let mut resnets = Vec::new();
        for layer in 0..=config.layers {
            let shape = ResnetShape { inputs, outputs, norm, time: None };
            resnets.push(Resnet::load(shape, here.at(&format!("resnets.{layer}")))?);
            inputs = outputs;
        }
        let mut upsample = None;
        if at + 1 < levels {
            upsample = Some(Upsample::load(outputs, here.at("upsamplers.0"))?);
        }
        up.push(Level { resnets, upsample });
    }
    Ok(up)
}

impl<L: Layers> PixelAttention<L> {
    fn load(channels: usize, norm: Norm, mut scope: Scope<L>) -> Result<Self, L::Error> {
        let old = scope.has("query.weight");
        let [q, k, v, out] =
            if old { ["query", "key", "value", "proj_attn"] } else { ["to_q", "to_k", "to_v", "to_out.0"] };
        let shape = LinearShape::new(channels, channels);
        Ok(Self {
            q: scope.linear(q, shape)?,
            k: scope.linear(k, shape)?,
            v: scope.linear(v, shape)?,
            out: scope.linear(out, shape)?,
            norm: scope.group_norm("group_norm", channels, norm)?,
        })
    }

    fn forward(&self, l: &L, x: &L::Tensor) -> Result<L::Tensor, L::Error> {
        let h = l.pixels_as_rows(&l.group_norm(&self.norm, x, false)?)?;
        let how = Attention { heads: 1, causal: false, upcast: false };
        let h = l.attention(how, &l.linear(&self.q, &h)?, &l.linear(&self.k, &h)?, &l.linear(&self.v, &h)?)?;
        l.add(&l.linear_to_picture(&self.out, &h, x)?, x)
    }
}
