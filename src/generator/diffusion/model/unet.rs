//! The UNet's configuration.
//!
//! Source of names and defaults: diffusers, `UNet2DConditionModel`. Its `attention_head_dim` is the number of heads: a
//! mistake that diffusers keeps for the sake of published models.

use serde_json::json;

use super::{ModelError, json::Json};

/// `unet/config.json`.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct UnetConfig {
    pub in_channels: usize,
    pub out_channels: usize,
    /// From the finest level to the coarsest.
    pub blocks: Vec<Block>,
    /// Width of the text embeddings.
    pub context_width: usize,
    pub groups: usize,
    pub epsilon: f64,
    /// Cosines before sines in the embedding of time.
    pub cosine_first: bool,
    pub frequency_shift: f64,
    /// Transformers project with linear layers instead of 1 x 1 convolutions.
    pub linear_projection: bool,
    /// Zeros around the picture before it is halved.
    pub downsample_padding: usize,
    pub upcast_attention: bool,
    /// Side of the latents that the model was trained for.
    pub sample_size: Option<usize>,
}

/// One level.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Block {
    pub channels: usize,
    /// Residual blocks on the way down; one more on the way up.
    pub layers: usize,
    pub heads: usize,
    /// Blocks of each transformer.
    pub transformer_layers: usize,
    pub attention_down: bool,
    pub attention_up: bool,
}

impl UnetConfig {
    pub(super) fn read(json: &Json) -> Result<Self, ModelError> {
        refuse_what_cannot_run(json)?;
        Ok(Self {
            in_channels: json.count("in_channels", Some(4))?,
            out_channels: json.count("out_channels", Some(4))?,
            blocks: blocks(json)?,
            context_width: json.count("cross_attention_dim", Some(1280))?,
            groups: json.count("norm_num_groups", Some(32))?,
            epsilon: json.positive("norm_eps", 1e-5)?,
            cosine_first: json.flag("flip_sin_to_cos", true)?,
            frequency_shift: frequency_shift(json)?,
            linear_projection: json.flag("use_linear_projection", false)?,
            downsample_padding: downsample_padding(json)?,
            upcast_attention: json.flag("upcast_attention", false)?,
            sample_size: json.get("sample_size").map(|_| json.count("sample_size", None)).transpose()?,
        })
    }
}

fn refuse_what_cannot_run(json: &Json) -> Result<(), ModelError> {
    json.only("_class_name", &["UNet2DConditionModel"])?;
    json.only("act_fn", &["silu", "swish"])?;
    json.only("time_embedding_type", &["positional"])?;
    json.only("resnet_time_scale_shift", &["default"])?;
    json.only("mid_block_type", &["UNetMidBlock2DCrossAttn"])?;
    json.only("attention_type", &["default"])?;
    let null = serde_json::Value::Null;
    let neutral = [
        ("addition_embed_type", null.clone()),
        ("class_embed_type", null.clone()),
        ("encoder_hid_dim", null.clone()),
        ("encoder_hid_dim_type", null.clone()),
        ("time_cond_proj_dim", null.clone()),
        ("time_embedding_act_fn", null.clone()),
        ("time_embedding_dim", null.clone()),
        ("timestep_post_act", null.clone()),
        ("cross_attention_norm", null.clone()),
        ("num_class_embeds", null.clone()),
        ("reverse_transformer_layers_per_block", null),
        ("center_input_sample", json!(false)),
        ("class_embeddings_concat", json!(false)),
        ("dual_cross_attention", json!(false)),
        ("resnet_skip_time_act", json!(false)),
        ("only_cross_attention", json!(false)),
        ("mid_block_only_cross_attention", json!(false)),
        ("mid_block_scale_factor", json!(1)),
        ("resnet_out_scale_factor", json!(1.0)),
        ("conv_in_kernel", json!(3)),
        ("conv_out_kernel", json!(3)),
        ("dropout", json!(0.0)),
    ];
    neutral.into_iter().try_for_each(|(key, neutral)| json.unused(key, neutral))
}

fn downsample_padding(json: &Json) -> Result<usize, ModelError> {
    match json.number("downsample_padding", 1.0)? {
        0.0 => Ok(0),
        1.0 => Ok(1),
        other => Err(json.refuse("downsample_padding", format!("is {other}, which cannot be run; 0 and 1 can"))),
    }
}

/// The first level's channels are the waves of the time: half of them sines, at frequencies that this shifts.
fn frequency_shift(json: &Json) -> Result<f64, ModelError> {
    let waves = json.list("block_out_channels")?[0];
    let shift = json.number("freq_shift", 0.0)?;
    if waves % 2 != 0 || !(0.0..(waves / 2) as f64).contains(&shift) {
        let problem =
            format!("is {shift}, with {waves} channels at the first level; an even number above twice it is wanted");
        return Err(json.refuse("freq_shift", problem));
    }
    Ok(shift)
}

fn blocks(json: &Json) -> Result<Vec<Block>, ModelError> {
    let channels = json.list("block_out_channels")?;
    let levels = channels.len();
    let layers = json.counts("layers_per_block", levels, Some(2))?;
    let heads = match json.get("num_attention_heads") {
        Some(_) => json.counts("num_attention_heads", levels, None)?,
        None => json.counts("attention_head_dim", levels, Some(8))?,
    };
    let transformer_layers = json.counts("transformer_layers_per_block", levels, Some(1))?;
    let down = with_attention(json, "down_block_types", levels, ["CrossAttnDownBlock2D", "DownBlock2D"])?;
    let up = with_attention(json, "up_block_types", levels, ["CrossAttnUpBlock2D", "UpBlock2D"])?;
    let groups = json.count("norm_num_groups", Some(32))?;
    let mut blocks = Vec::new();
    for level in 0..levels {
        let (channels, heads) = (channels[level], heads[level]);
        if channels % heads != 0 || channels % groups != 0 {
            let problem = format!("has {channels}, which {heads} heads or {groups} groups do not divide");
            return Err(json.refuse("block_out_channels", problem));
        }
        blocks.push(Block {
            channels,
            layers: layers[level],
            heads,
            transformer_layers: transformer_layers[level],
            attention_down: down[level],
            attention_up: up[levels - 1 - level],
        });
    }
    Ok(blocks)
}

/// Which levels have attention, by the words of `key`: `types` are a block's name with attention and without.
fn with_attention(json: &Json, key: &str, levels: usize, types: [&str; 2]) -> Result<Vec<bool>, ModelError> {
    let [cross, plain] = types;
    let words = json.words(key)?;
    if words.len() != levels {
        return Err(json.refuse(key, format!("has {} entries; {levels} are wanted", words.len())));
    }
    let unknown = words.iter().find(|word| *word != cross && *word != plain);
    if let Some(word) = unknown {
        return Err(json.refuse(key, format!("has a `{word}`, which cannot be run; {cross} and {plain} can")));
    }
    Ok(words.iter().map(|word| word == cross).collect())
}
