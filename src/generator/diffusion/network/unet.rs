//! The denoiser: latents, a time and a prompt -> the model's answer (noise or velocity).
//!
//! Source: Rombach et al. 2022; names of tensors and order of parts as in diffusers' `UNet2DConditionModel`.

use candle_core::{Result, Tensor};

use super::NetworkError;
use super::ops::{Conv, GroupNorm, Linear, activate};
use super::resnet::{Resnet, ResnetShape, Upsample};
use super::scope::{Kernel, SAME, Scope, Source};
use super::transformer::Transformer;
use crate::generator::diffusion::model::{Block, UnetConfig};
use crate::generator::diffusion::network::Activation;

pub(super) struct Unet {
    config: UnetConfig,
    conv_in: Conv,
    time1: Linear,
    time2: Linear,
    down: Vec<Level>,
    middle: (Resnet, Transformer, Resnet),
    up: Vec<Level>,
    last_norm: GroupNorm,
    conv_out: Conv,
}

/// One level, down or up.
struct Level {
    layers: Vec<(Resnet, Option<Transformer>)>,
    resize: Option<Resize>,
}

enum Resize {
    Half(Conv),
    Twice(Upsample),
}

type Loaded<T> = std::result::Result<T, NetworkError>;

impl Unet {
    pub fn load(config: &UnetConfig, source: &mut Source) -> Loaded<Self> {
        let mut scope = Scope::new(source, "");
        let first = config.blocks[0].channels;
        let last = &config.blocks[config.blocks.len() - 1];
        let time = 4 * first;
        Ok(Self {
            conv_in: scope.conv("conv_in", (config.in_channels, first), SAME)?,
            time1: scope.linear("time_embedding.linear_1", (first, time), true)?,
            time2: scope.linear("time_embedding.linear_2", (time, time), true)?,
            down: down_levels(config, &mut scope)?,
            middle: (
                Resnet::load(resnet(config, last.channels, last.channels), scope.at("mid_block.resnets.0"))?,
                Transformer::load(config, last, scope.at("mid_block.attentions.0"))?,
                Resnet::load(resnet(config, last.channels, last.channels), scope.at("mid_block.resnets.1"))?,
            ),
            up: up_levels(config, &mut scope)?,
            last_norm: scope.group_norm("conv_norm_out", first, (config.groups, config.epsilon))?,
            conv_out: scope.conv("conv_out", (first, config.out_channels), SAME)?,
            config: config.clone(),
        })
    }

    /// Latents `[n, c, h, w]`, prompts `[n, positions, width]`: as the latents.
    pub fn forward(&self, latents: &Tensor, timestep: f32, prompt: &Tensor) -> Result<Tensor> {
        let time = self.time(timestep, latents)?;
        let mut x = self.conv_in.forward(latents)?;
        let mut skipped = vec![x.clone()];
        for level in &self.down {
            for (resnet, transformer) in &level.layers {
                x = run((resnet, transformer), &x, &time, prompt)?;
                skipped.push(x.clone());
            }
            if let Some(Resize::Half(conv)) = &level.resize {
                x = conv.forward(&self.padded(&x)?)?;
                skipped.push(x.clone());
            }
        }
        let (first, transformer, second) = &self.middle;
        x = second.forward(&transformer.forward(&first.forward(&x, Some(&time))?, prompt)?, Some(&time))?;
        for level in &self.up {
            for (resnet, transformer) in &level.layers {
                let skip = skipped.pop().ok_or_else(|| candle_core::Error::Msg("no skipped state is left".into()))?;
                x = run((resnet, transformer), &Tensor::cat(&[&x, &skip], 1)?, &time, prompt)?;
            }
            if let Some(Resize::Twice(upsample)) = &level.resize {
                x = upsample.forward(&x)?;
            }
        }
        self.conv_out.forward(&self.last_norm.forward_silu(&x)?)
    }

    /// With no padding of its own, the halving convolution gets a row and a column of zeros at the end.
    fn padded(&self, x: &Tensor) -> Result<Tensor> {
        match self.config.downsample_padding {
            0 => x.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1),
            _ => Ok(x.clone()),
        }
    }

    /// The activated embedding of the time, `[1, 1, width]`.
    fn time(&self, timestep: f32, like: &Tensor) -> Result<Tensor> {
        let waves = waves(timestep, self.config.blocks[0].channels, &self.config);
        let waves = Tensor::from_vec(waves, (1, 1, self.config.blocks[0].channels), like.device())?;
        let hidden = activate(&self.time1.forward(&waves.to_dtype(like.dtype())?)?, Activation::Silu)?;
        activate(&self.time2.forward(&hidden)?, Activation::Silu)
    }
}

fn run(
    (resnet, transformer): (&Resnet, &Option<Transformer>),
    x: &Tensor,
    time: &Tensor,
    prompt: &Tensor,
) -> Result<Tensor> {
    let x = resnet.forward(x, Some(time))?;
    transformer.as_ref().map_or(Ok(x.clone()), |transformer| transformer.forward(&x, prompt))
}

/// Sines and cosines of the time at frequencies from 1 down to 1/10,000.
///
/// Source: Vaswani et al. 2017, as in diffusers' `get_timestep_embedding`.
fn waves(timestep: f32, width: usize, config: &UnetConfig) -> Vec<f32> {
    let half = width / 2;
    let frequency = |at: usize| (-(10_000_f32.ln()) * at as f32 / (half as f32 - config.frequency_shift as f32)).exp();
    let angles: Vec<f32> = (0..half).map(|at| timestep * frequency(at)).collect();
    let (sines, cosines) = (angles.iter().map(|angle| angle.sin()), angles.iter().map(|angle| angle.cos()));
    match config.cosine_first {
        true => cosines.chain(sines).collect(),
        false => sines.chain(cosines).collect(),
    }
}

fn resnet(config: &UnetConfig, inputs: usize, outputs: usize) -> ResnetShape {
    let time = Some(4 * config.blocks[0].channels);
    ResnetShape { inputs, outputs, norm: (config.groups, config.epsilon), time }
}

fn down_levels(config: &UnetConfig, scope: &mut Scope) -> Loaded<Vec<Level>> {
    let mut levels = Vec::new();
    let mut channels = config.blocks[0].channels;
    for (at, block) in config.blocks.iter().enumerate() {
        let mut here = scope.at(&format!("down_blocks.{at}"));
        let mut layers = Vec::new();
        for layer in 0..block.layers {
            let shape = resnet(config, channels, block.channels);
            layers.push(load_layer((config, block, block.attention_down), shape, &mut here, layer)?);
            channels = block.channels;
        }
        let kernel = Kernel { side: 3, stride: 2, padding: config.downsample_padding };
        let resize = match at + 1 < config.blocks.len() {
            true => Some(Resize::Half(here.conv("downsamplers.0.conv", (channels, channels), kernel)?)),
            false => None,
        };
        levels.push(Level { layers, resize });
    }
    Ok(levels)
}

fn up_levels(config: &UnetConfig, scope: &mut Scope) -> Loaded<Vec<Level>> {
    let mut skipped = skipped_channels(config);
    let mut levels = Vec::new();
    let mut channels = config.blocks[config.blocks.len() - 1].channels;
    for (at, block) in config.blocks.iter().rev().enumerate() {
        let mut here = scope.at(&format!("up_blocks.{at}"));
        let mut layers = Vec::new();
        for layer in 0..=block.layers {
            let shape = resnet(config, channels + skipped.pop().unwrap_or(0), block.channels);
            layers.push(load_layer((config, block, block.attention_up), shape, &mut here, layer)?);
            channels = block.channels;
        }
        let resize = match at + 1 < config.blocks.len() {
            true => Some(Resize::Twice(Upsample::load(channels, here.at("upsamplers.0"))?)),
            false => None,
        };
        levels.push(Level { layers, resize });
    }
    Ok(levels)
}

/// Channels of the states that the way down leaves for the way up.
fn skipped_channels(config: &UnetConfig) -> Vec<usize> {
    let mut skipped = vec![config.blocks[0].channels];
    for (at, block) in config.blocks.iter().enumerate() {
        skipped.extend(std::iter::repeat_n(block.channels, block.layers));
        skipped.extend((at + 1 < config.blocks.len()).then_some(block.channels));
    }
    skipped
}

fn load_layer(
    (config, block, attention): (&UnetConfig, &Block, bool),
    shape: ResnetShape,
    scope: &mut Scope,
    layer: usize,
) -> Loaded<(Resnet, Option<Transformer>)> {
    let resnet = Resnet::load(shape, scope.at(&format!("resnets.{layer}")))?;
    let transformer = match attention {
        true => Some(Transformer::load(config, block, scope.at(&format!("attentions.{layer}")))?),
        false => None,
    };
    Ok((resnet, transformer))
}
