//! The interface between networks and the engines that run their layers.

use crate::generator::diffusion::model::Activation;

/// Loads layers by the names of their weights and applies them.
///
/// Shapes: a picture is `[n, c, h, w]`, rows are `[n, rows, width]`; the layout in memory is up to the implementation.
/// Applying takes `&self`: candle computes at once; a builder of graphs adds a node and returns the name of its output.
pub trait Layers {
    /// What flows between layers.
    type Tensor: Clone;
    /// A convolution.
    type Conv;
    /// A fully connected layer.
    type Linear;
    /// Group normalisation.
    type GroupNorm;
    /// Layer normalisation.
    type LayerNorm;
    /// Rows to choose from, or to add.
    type Table;
    /// Why a layer cannot be loaded or applied.
    type Error;

    /// Whether the model's files have tensor `name`.
    fn has(&self, name: &str) -> bool;
    /// `name.weight` `[outputs, inputs, side, side]` and `name.bias` `[outputs]`.
    fn load_conv(&mut self, name: &str, kernel: Kernel) -> Result<Self::Conv, Self::Error>;
    /// `name.weight` `[outputs, inputs]` (`[outputs, inputs, 1, 1]` where it is kept as a convolution), `name.bias`.
    fn load_linear(&mut self, name: &str, shape: LinearShape) -> Result<Self::Linear, Self::Error>;
    /// `name.weight` and `name.bias`, `[channels]`.
    fn load_group_norm(&mut self, name: &str, channels: usize, norm: Norm) -> Result<Self::GroupNorm, Self::Error>;
    /// `name.weight` and `name.bias`, `[width]`.
    fn load_layer_norm(&mut self, name: &str, width: usize, epsilon: f64) -> Result<Self::LayerNorm, Self::Error>;
    /// `name` `[rows, width]`.
    fn load_table(&mut self, name: &str, shape: [usize; 2]) -> Result<Self::Table, Self::Error>;

    /// Picture to picture; `extra` `[1, 1, outputs]` is added to every pixel.
    fn conv(
        &self,
        layer: &Self::Conv,
        x: &Self::Tensor,
        extra: Option<&Self::Tensor>,
    ) -> Result<Self::Tensor, Self::Error>;
    /// Rows to rows.
    fn linear(&self, layer: &Self::Linear, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// Rows to a picture of the shape of `like`, but for its channels.
    fn linear_to_picture(
        &self,
        layer: &Self::Linear,
        x: &Self::Tensor,
        like: &Self::Tensor,
    ) -> Result<Self::Tensor, Self::Error>;
    /// Picture to picture; `silu`: x * sigmoid(x) of what comes out.
    fn group_norm(&self, layer: &Self::GroupNorm, x: &Self::Tensor, silu: bool) -> Result<Self::Tensor, Self::Error>;
    /// Rows to rows.
    fn layer_norm(&self, layer: &Self::LayerNorm, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// Rows `q` look at rows `k` and take of `v`.
    fn attention(
        &self,
        how: Attention,
        q: &Self::Tensor,
        k: &Self::Tensor,
        v: &Self::Tensor,
    ) -> Result<Self::Tensor, Self::Error>;
    /// Every number through `activation`.
    fn activate(&self, x: &Self::Tensor, activation: Activation) -> Result<Self::Tensor, Self::Error>;
    /// Rows to rows of half the layer's outputs: the first half of each row times the GELU of the second.
    fn linear_geglu(&self, layer: &Self::Linear, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// Two of one shape.
    fn add(&self, a: &Self::Tensor, b: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// `a + b`, and these rows normalised: [`Layers::add`] and [`Layers::layer_norm`], which some devices do in one.
    fn add_then_norm(
        &self,
        layer: &Self::LayerNorm,
        a: &Self::Tensor,
        b: &Self::Tensor,
    ) -> Result<(Self::Tensor, Self::Tensor), Self::Error> {
        let sum = self.add(a, b)?;
        let normal = self.layer_norm(layer, &sum)?;
        Ok((sum, normal))
    }
    /// Pictures of one size, the channels of `a` first.
    fn concat_channels(&self, a: &Self::Tensor, b: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// A picture with a row of zeros below and a column of zeros to the right.
    fn pad_end(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// A picture of twice the size each way, every pixel four times.
    fn twice_the_size(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// A picture's pixels as rows, line by line.
    fn pixels_as_rows(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// Rows of `words`, `width` wide, by their numbers `[n, positions]`, with the rows of `positions` added.
    fn embed(
        &self,
        words: &Self::Table,
        positions: &Self::Table,
        ids: &Self::Tensor,
        width: usize,
    ) -> Result<Self::Tensor, Self::Error>;
}

/// A convolution with a square kernel.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    pub inputs: usize,
    pub outputs: usize,
    pub side: usize,
    pub stride: usize,
    pub padding: usize,
}

impl Kernel {
    /// 3 x 3 that keeps the size.
    pub fn same(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, side: 3, stride: 1, padding: 1 }
    }

    /// Pixel by pixel.
    pub fn point(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, side: 1, stride: 1, padding: 0 }
    }

    /// 3 x 3 that halves the size.
    pub fn half(channels: usize, padding: usize) -> Self {
        Self { inputs: channels, outputs: channels, side: 3, stride: 2, padding }
    }
}

/// A fully connected layer.
#[derive(Debug, Clone, Copy)]
pub struct LinearShape {
    pub inputs: usize,
    pub outputs: usize,
    pub bias: bool,
    /// Whether the file keeps it as a 1 x 1 convolution.
    pub kept_as_conv: bool,
}

impl LinearShape {
    /// With a bias.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, bias: true, kept_as_conv: false }
    }

    /// Without.
    pub fn without_bias(inputs: usize, outputs: usize) -> Self {
        Self { bias: false, ..Self::new(inputs, outputs) }
    }
}

/// Group normalisation.
#[derive(Debug, Clone, Copy)]
pub struct Norm {
    pub groups: usize,
    pub epsilon: f64,
}

/// How queries look at keys.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Heads side by side in the width.
    pub heads: usize,
    /// Query i sees only keys 0 to i.
    pub causal: bool,
    /// Scores are made in f32 at any precision (`upcast_attention`: SD 2.1's overflow in f16).
    pub upcast: bool,
}
