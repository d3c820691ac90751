//! The denoiser: latents, a time and a prompt -> the model's answer (noise or velocity).
//!
//! Source: Rombach et al. 2022; names of tensors and order of parts as in diffusers' `UNet2DConditionModel`.

use super::layers::{Kernel, Layers, LinearShape, Norm};
use super::resnet::{Resnet, ResnetShape, Upsample};
use super::scope::Scope;
use super::transformer::Transformer;
use crate::generator::diffusion::model::{Activation, Block, UnetConfig};

pub struct Unet<L: Layers> {
    pads_before_halving: bool,
    conv_in: L::Conv,
    time1: L::Linear,
    time2: L::Linear,
    down: Vec<Level<L>>,
    middle: Middle<L>,
    up: Vec<Level<L>>,
    last_norm: L::GroupNorm,
    conv_out: L::Conv,
}

/// One level, down or up.
struct Level<L: Layers> {
    layers: Vec<Layer<L>>,
    resize: Option<Resize<L>>,
}

struct Layer<L: Layers> {
    resnet: Resnet<L>,
    transformer: Option<Transformer<L>>,
}

struct Middle<L: Layers> {
    first: Resnet<L>,
    transformer: Transformer<L>,
    second: Resnet<L>,
}

enum Resize<L: Layers> {
    Half(L::Conv),
    Twice(Upsample<L>),
}

impl<L: Layers> Unet<L> {
    pub fn load(config: &UnetConfig, layers: &mut L) -> Result<Self, L::Error> {
        let mut scope = Scope::new(layers, "");
        let first = config.blocks[0].channels;
        let last = &config.blocks[config.blocks.len() - 1];
        let time = 4 * first;
        let middle = resnet(config, last.channels, last.channels);
        Ok(Self {
            // A halving convolution without padding gets a row and a column of zeros at the end.
            pads_before_halving: config.downsample_padding == 0,
            conv_in: scope.conv("conv_in", Kernel::same(config.in_channels, first))?,
            time1: scope.linear("time_embedding.linear_1", LinearShape::new(first, time))?,
            time2: scope.linear("time_embedding.linear_2", LinearShape::new(time, time))?,
            down: down_levels(config, &mut scope)?,
            middle: Middle {
                first: Resnet::load(middle, scope.at("mid_block.resnets.0"))?,
                transformer: Transformer::load(config, last, scope.at("mid_block.attentions.0"))?,
                second: Resnet::load(middle, scope.at("mid_block.resnets.1"))?,
            },
            up: up_levels(config, &mut scope)?,
            last_norm: scope.group_norm("conv_norm_out", first, norm(config))?,
            conv_out: scope.conv("conv_out", Kernel::same(first, config.out_channels))?,
        })
    }

    /// Latents `[n, c, h, w]`, the time's [`waves`] `[1, 1, width]`, prompts `[n, positions, width]`: as the latents.
    pub fn forward(
        &self,
        l: &L,
        latents: &L::Tensor,
        waves: &L::Tensor,
        prompt: &L::Tensor,
    ) -> Result<L::Tensor, L::Error> {
        let hidden = l.activate(&l.linear(&self.time1, waves)?, Activation::Silu)?;
        let time = l.activate(&l.linear(&self.time2, &hidden)?, Activation::Silu)?;
        let mut x = l.conv(&self.conv_in, latents, None)?;
        let mut skipped = vec![x.clone()];
        for level in &self.down {
            for layer in &level.layers {
                x = layer.forward(l, &x, &time, prompt)?;
                skipped.push(x.clone());
            }
            if let Some(Resize::Half(conv)) = &level.resize {
                let padded = if self.pads_before_halving { l.pad_end(&x)? } else { x };
                x = l.conv(conv, &padded, None)?;
                skipped.push(x.clone());
            }
        }
        x = self.middle.forward(l, &x, &time, prompt)?;
        for level in &self.up {
            for layer in &level.layers {
                // Never `None`: `skipped_channels` counted the states when the layers were loaded.
                if let Some(skip) = skipped.pop() {
                    x = l.concat_channels(&x, &skip)?;
                }
                x = layer.forward(l, &x, &time, prompt)?;
            }
            if let Some(Resize::Twice(upsample)) = &level.resize {
                x = upsample.forward(l, &x)?;
            }
        }
        l.conv(&self.conv_out, &l.group_norm(&self.last_norm, &x, true)?, None)
    }
}

impl<L: Layers> Layer<L> {
    fn load(
        config: &UnetConfig,
        shape: ResnetShape,
        transformer: Option<&Block>,
        scope: &mut Scope<L>,
        at: usize,
    ) -> Result<Self, L::Error> {
        let resnet = Resnet::load(shape, scope.at(&format!("resnets.{at}")))?;
        let transformer = match transformer {
            Some(block) => Some(Transformer::load(config, block, scope.at(&format!("attentions.{at}")))?),
            None => None,
        };
        Ok(Self { resnet, transformer })
    }

    fn forward(&self, l: &L, x: &L::Tensor, time: &L::Tensor, prompt: &L::Tensor) -> Result<L::Tensor, L::Error> {
        let x = self.resnet.forward(l, x, Some(time))?;
        match &self.transformer {
            Some(transformer) => transformer.forward(l, &x, prompt),
            None => Ok(x),
        }
    }
}

impl<L: Layers> Middle<L> {
    fn forward(&self, l: &L, x: &L::Tensor, time: &L::Tensor, prompt: &L::Tensor) -> Result<L::Tensor, L::Error> {
        let x = self.first.forward(l, x, Some(time))?;
        let x = self.transformer.forward(l, &x, prompt)?;
        self.second.forward(l, &x, Some(time))
    }
}

/// Sines and cosines of the time at frequencies from 1 down to 1/10,000: as many as the first level has channels.
///
/// Source: Vaswani et al. 2017, as in diffusers' `get_timestep_embedding`.
pub fn waves(timestep: f32, config: &UnetConfig) -> Vec<f32> {
    let half = config.blocks[0].channels / 2;
    let frequency = |at: usize| (-(10_000_f32.ln()) * at as f32 / (half as f32 - config.frequency_shift as f32)).exp();
    let angles: Vec<f32> = (0..half).map(|at| timestep * frequency(at)).collect();
    let (sines, cosines) = (angles.iter().map(|angle| angle.sin()), angles.iter().map(|angle| angle.cos()));
    if config.cosine_first { cosines.chain(sines).collect() } else { sines.chain(cosines).collect() }
}

fn norm(config: &UnetConfig) -> Norm {
    Norm { groups: config.groups, epsilon: config.epsilon }
}

fn resnet(config: &UnetConfig, inputs: usize, outputs: usize) -> ResnetShape {
    ResnetShape { inputs, outputs, norm: norm(config), time: Some(4 * config.blocks[0].channels) }
}

fn down_levels<L: Layers>(config: &UnetConfig, scope: &mut Scope<L>) -> Result<Vec<Level<L>>, L::Error> {
    let mut levels = Vec::new();
    let mut channels = config.blocks[0].channels;
    for (at, block) in config.blocks.iter().enumerate() {
        let mut here = scope.at(&format!("down_blocks.{at}"));
        let transformer = block.attention_down.then_some(block);
        let mut layers = Vec::new();
        for layer in 0..block.layers {
            let shape = resnet(config, channels, block.channels);
            layers.push(Layer::load(config, shape, transformer, &mut here, layer)?);
            channels = block.channels;
        }
        let mut resize = None;
        if at + 1 < config.blocks.len() {
            let kernel = Kernel::half(channels, config.downsample_padding);
            resize = Some(Resize::Half(here.conv("downsamplers.0.conv", kernel)?));
        }
        levels.push(Level { layers, resize });
    }
    Ok(levels)
}

fn up_levels<L: Layers>(config: &UnetConfig, scope: &mut Scope<L>) -> Result<Vec<Level<L>>, L::Error> {
    let mut skipped = skipped_channels(config);
    let mut levels = Vec::new();
    let mut channels = config.blocks[config.blocks.len() - 1].channels;
    for (at, block) in config.blocks.iter().rev().enumerate() {
        let mut here = scope.at(&format!("up_blocks.{at}"));
        let transformer = block.attention_up.then_some(block);
        let mut layers = Vec::new();
        for layer in 0..=block.layers {
            let shape = resnet(config, channels + skipped.pop().unwrap_or(0), block.channels);
            layers.push(Layer::load(config, shape, transformer, &mut here, layer)?);
            channels = block.channels;
        }
        let mut resize = None;
        if at + 1 < config.blocks.len() {
            resize = Some(Resize::Twice(Upsample::load(channels, here.at("upsamplers.0"))?));
        }
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
