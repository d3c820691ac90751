//! Layers as nodes of a graph, in two dialects.
//!
//! CPU: standard operators and two of our own (`operators`), channels first. CUDA: channels last, and the fused
//! operators that ONNX Runtime's CUDA provider has for diffusion models (`com.microsoft`: NhwcConv, GroupNorm,
//! MultiHeadAttention, SkipLayerNormalization, BiasSplitGelu). Sources of what they take: onnxruntime 1.31,
//! contrib_ops/cuda/diffusion and contrib_ops/cuda/bert; the schemas in contrib_defs. NhwcConv takes its weights for
//! channels last only where they are constants (conv.cc, `PrePack`).

use ort::operator::Attribute;

use super::graph::{Dialect, OWN, STANDARD, Value, Writer};
use super::operators;
use super::shape::Number;
use crate::generator::diffusion::engine::NetworkError;
use crate::generator::diffusion::model::Activation;
use crate::generator::diffusion::network::{Attention, Kernel, Layers, LinearShape, Norm};

/// Widths before the split for which the CUDA provider has a kernel of BiasSplitGelu.
const BIAS_SPLIT_GELU_WIDTHS: [usize; 3] = [2560, 5120, 10_240];
/// Channels that one block of the CUDA provider's GroupNorm can take: a group must not be wider (group_norm_impl.cu).
const MOST_CHANNELS_OF_A_GROUP: usize = 512;
/// The fused attentions of the CUDA provider (flash, cuDNN's, CUTLASS's) take head sizes that this divides. Others go
/// through a matrix of scores, in the numbers of the queries.
const FUSED_HEAD_STEP: usize = 8;

/// Pixels of a convolution's output from which on ONNX Runtime may lay out a copy of large weights in blocks of
/// channels. With fewer, a call waits for the weights and not for the sums, and the copy would only cost loading time
/// and memory (SD 1.5's levels of 1,280 channels).
const LEAST_BLOCKED_PIXELS: usize = 256;
/// Weights of more bytes are large: ONNX Runtime makes no packed copy of those of fully connected layers.
const LARGE_BYTES: usize = 4 << 20;

pub struct Conv {
    weight: String,
    bias: String,
    kernel: Kernel,
}

pub struct Linear {
    weight: String,
    bias: Option<String>,
    outputs: usize,
}

pub struct GroupNorm {
    weight: String,
    bias: String,
    norm: Norm,
}

pub struct LayerNorm {
    weight: String,
    bias: String,
    epsilon: f64,
}

type Written<T> = Result<T, NetworkError>;

impl Writer {
    fn channels_last(&self) -> bool {
        matches!(self.dialect, Dialect::Cuda(_))
    }

    /// A picture's shape in the graph's layout.
    pub fn laid_out(&self, shape: &[usize]) -> Vec<usize> {
        match (self.channels_last(), shape) {
            (true, &[n, c, h, w]) => vec![n, h, w, c],
            _ => shape.to_vec(),
        }
    }

    /// The graph's input `name`, a picture in f32 with channels first, in the graph's own numbers and layout.
    pub fn input_picture(&self, name: &str, shape: &[usize]) -> Written<Value> {
        let mut name = self.in_own_numbers(name)?;
        if self.channels_last() {
            name = self.transposed(&name, &[0, 2, 3, 1])?;
        }
        Ok(Value { name, shape: shape.to_vec() })
    }

    /// The graph's input `name`, rows in f32, as a matrix.
    pub fn input_rows(&self, name: &str, shape: &[usize]) -> Written<Value> {
        Ok(Value { name: self.in_own_numbers(name)?, shape: shape.to_vec() })
    }

    /// The graph's input `name`, numbers of tokens: in f32 as all inputs, which holds them exactly, then whole numbers.
    pub fn input_ids(&self, name: &str, shape: &[usize]) -> Written<Value> {
        const I64: i64 = 7;
        let name = self.node(STANDARD, "Cast", &[name], vec![Attribute::new("to", I64)?])?;
        Ok(Value { name, shape: shape.to_vec() })
    }

    /// Makes `value` the graph's output `name`, in f32, channels first.
    pub fn output(&self, value: &Value, name: &str) -> Written<()> {
        let mut from = value.name.clone();
        if self.channels_last() && value.shape.len() == 4 {
            from = self.transposed(&from, &[0, 3, 1, 2])?;
        }
        self.named(&self.in_f32(&from)?, name)
    }

    /// A value in f32, converted to the graph's own numbers.
    fn in_own_numbers(&self, name: &str) -> Written<String> {
        match self.number() {
            Number::F32 => Ok(name.to_owned()),
            number => self.cast(name, number),
        }
    }

    /// A value in the graph's own numbers, converted to f32.
    fn in_f32(&self, name: &str) -> Written<String> {
        match self.number() {
            Number::F32 => Ok(name.to_owned()),
            Number::F16 => self.cast(name, Number::F32),
        }
    }

    fn cast(&self, name: &str, number: Number) -> Written<String> {
        self.node(STANDARD, "Cast", &[name], vec![Attribute::new("to", number.onnx())?])
    }

    fn transposed(&self, name: &str, order: &[i64]) -> Written<String> {
        self.node(STANDARD, "Transpose", &[name], vec![Attribute::new("perm", order.to_vec())?])
    }

    fn reshaped(&self, name: &str, shape: &[usize]) -> Written<String> {
        let shape: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
        let shape = self.whole_numbers(&shape)?;
        self.node(STANDARD, "Reshape", &[name, &shape], vec![])
    }

    fn keep_if_large(&self, weight: &str, shape: &[usize]) {
        if shape.iter().product::<usize>() * size_of::<f32>() > LARGE_BYTES {
            self.keep_as_it_is(weight, shape);
        }
    }

    /// Rows as their matrix: `[n * rows, outputs]`.
    fn product(&self, layer: &Linear, x: &Value, bias: Option<&str>) -> Written<String> {
        let inputs: Vec<&str> = [x.name.as_str(), &layer.weight].into_iter().chain(bias).collect();
        self.node(STANDARD, "Gemm", &inputs, vec![Attribute::new("transB", 1_i64)?])
    }

    fn rows(&self, x: &Value, name: String, width: usize) -> Value {
        Value { name, shape: vec![x.shape[0], x.shape[1], width] }
    }

    fn same(x: &Value, name: String) -> Value {
        Value { name, shape: x.shape.clone() }
    }

    fn unary(&self, x: &str, activation: Activation) -> Written<String> {
        let quick = |alpha: f32| self.node(OWN, "QuickGelu", &[x], vec![Attribute::new("alpha", alpha)?]);
        match activation {
            // x * sigmoid(alpha x) is SiLU with alpha = 1.
            Activation::Silu => quick(1.0),
            Activation::QuickGelu => quick(1.702),
            Activation::Gelu => self.node(OWN, "Gelu", &[x], vec![]),
        }
    }

    fn group_norm_cpu(&self, layer: &GroupNorm, x: &Value, silu: bool) -> Written<String> {
        let attributes = vec![
            Attribute::new("groups", layer.norm.groups as i64)?,
            Attribute::new("epsilon", layer.norm.epsilon as f32)?,
            Attribute::new("silu", i64::from(silu))?,
        ];
        let inputs = [x.name.as_str(), &layer.weight, &layer.bias];
        self.node(operators::DOMAIN, operators::GROUP_NORM, &inputs, attributes)
    }

    /// Of standard operators: each group is one channel of an InstanceNormalization; scale and shift of the channels
    /// follow.
    fn group_norm_standard(&self, layer: &GroupNorm, x: &Value, silu: bool) -> Written<String> {
        let [n, c] = [x.shape[0], x.shape[1]];
        let groups = layer.norm.groups;
        let grouped = self.reshaped(&x.name, &[n, groups, x.shape[1..].iter().product::<usize>() / groups])?;
        let (ones, zeros) = (self.repeated(1.0, groups)?, self.repeated(0.0, groups)?);
        let epsilon = Attribute::new("epsilon", layer.norm.epsilon as f32)?;
        let normal = self.node(STANDARD, "InstanceNormalization", &[&grouped, &ones, &zeros], vec![epsilon])?;
        let normal = self.reshaped(&normal, &x.shape)?;
        let (weight, bias) = (self.reshaped(&layer.weight, &[1, c, 1, 1])?, self.reshaped(&layer.bias, &[1, c, 1, 1])?);
        let scaled = self.node(STANDARD, "Mul", &[&normal, &weight], vec![])?;
        let shifted = self.node(STANDARD, "Add", &[&scaled, &bias], vec![])?;
        if silu { self.unary(&shifted, Activation::Silu) } else { Ok(shifted) }
    }

    /// Fused where the provider has it for these channels; elsewhere (models far smaller than any of Stable
    /// Diffusion's) the standard operators in f32, channels first.
    fn group_norm_cuda(&self, layer: &GroupNorm, x: &Value, silu: bool) -> Written<String> {
        if !has_fused_group_norm(x.shape[1], layer.norm.groups) {
            let planes = self.transposed(&self.in_f32(&x.name)?, &[0, 3, 1, 2])?;
            let planes = Value { name: planes, shape: x.shape.clone() };
            let normal = self.group_norm_standard(layer, &planes, silu)?;
            return self.in_own_numbers(&self.transposed(&normal, &[0, 2, 3, 1])?);
        }
        let attributes = vec![
            Attribute::new("epsilon", layer.norm.epsilon as f32)?,
            Attribute::new("groups", layer.norm.groups as i64)?,
            Attribute::new("activation", i64::from(silu))?,
            Attribute::new("channels_last", 1_i64)?,
        ];
        self.node(OWN, "GroupNorm", &[&x.name, &layer.weight, &layer.bias], attributes)
    }
}

/// Whether the CUDA provider's GroupNorm takes a picture of this many channels: its threads take two at a time and must
/// not cross into another group. Source: group_norm_impl.cu, `LaunchGroupNormKernel`.
fn has_fused_group_norm(channels: usize, groups: usize) -> bool {
    let each = channels / groups;
    each.is_multiple_of(2) && each <= MOST_CHANNELS_OF_A_GROUP
}

impl Layers for Writer {
    type Tensor = Value;
    type Conv = Conv;
    type Linear = Linear;
    type GroupNorm = GroupNorm;
    type LayerNorm = LayerNorm;
    type Table = String;
    type Error = NetworkError;

    fn has(&self, name: &str) -> bool {
        self.has(name)
    }

    fn load_conv(&mut self, name: &str, kernel: Kernel) -> Written<Conv> {
        let shape = [kernel.outputs, kernel.inputs, kernel.side, kernel.side];
        let weight = format!("{name}.weight");
        let weight = match self.dialect {
            Dialect::Cpu => self.weight(&weight, &shape, &shape)?,
            Dialect::Cuda(_) => self.weight_channels_last(&weight, shape)?,
        };
        let bias = self.weight(&format!("{name}.bias"), &[kernel.outputs], &[kernel.outputs])?;
        Ok(Conv { weight, bias, kernel })
    }

    fn load_linear(&mut self, name: &str, shape: LinearShape) -> Written<Linear> {
        let LinearShape { inputs, outputs, bias, kept_as_conv } = shape;
        let stored = [outputs, inputs, 1, 1];
        let stored = if kept_as_conv { &stored[..] } else { &stored[..2] };
        let weight = format!("{name}.weight");
        let weight = self.weight(&weight, stored, &[outputs, inputs])?;
        self.keep_if_large(&weight, &[outputs, inputs]);
        let bias = if bias { Some(self.weight(&format!("{name}.bias"), &[outputs], &[outputs])?) } else { None };
        Ok(Linear { weight, bias, outputs })
    }

    fn load_group_norm(&mut self, name: &str, channels: usize, norm: Norm) -> Written<GroupNorm> {
        // The fused operator takes scale and shift only in f32.
        let load = |what: &str| self.weight_in(Number::F32, &format!("{name}.{what}"), &[channels], &[channels]);
        Ok(GroupNorm { weight: load("weight")?, bias: load("bias")?, norm })
    }

    fn load_layer_norm(&mut self, name: &str, width: usize, epsilon: f64) -> Written<LayerNorm> {
        let load = |what: &str| self.weight(&format!("{name}.{what}"), &[width], &[width]);
        Ok(LayerNorm { weight: load("weight")?, bias: load("bias")?, epsilon })
    }

    fn load_table(&mut self, name: &str, shape: [usize; 2]) -> Written<String> {
        self.weight(name, &shape, &shape)
    }

    fn conv(&self, layer: &Conv, x: &Value, extra: Option<&Value>) -> Written<Value> {
        let Kernel { outputs, side, stride, padding, .. } = layer.kernel;
        let twice = |number: usize| [number as i64; 2];
        let attributes = vec![
            Attribute::new("kernel_shape", twice(side).to_vec())?,
            Attribute::new("strides", twice(stride).to_vec())?,
            Attribute::new("pads", vec![padding as i64; 4])?,
        ];
        let (domain, operator) = if self.channels_last() { (OWN, "NhwcConv") } else { (STANDARD, "Conv") };
        let mut name = self.node(domain, operator, &[&x.name, &layer.weight, &layer.bias], attributes)?;
        if let Some(extra) = extra {
            let extra = self.reshaped(&extra.name, &self.laid_out(&[1, outputs, 1, 1]))?;
            name = self.node(STANDARD, "Add", &[&name, &extra], vec![])?;
        }
        let size = |length: usize| (length + 2 * padding - side) / stride + 1;
        if size(x.shape[2]) * size(x.shape[3]) < LEAST_BLOCKED_PIXELS {
            self.keep_if_large(&layer.weight, &[outputs, layer.kernel.inputs, side, side]);
        }
        Ok(Value { name, shape: vec![x.shape[0], outputs, size(x.shape[2]), size(x.shape[3])] })
    }

    fn linear(&self, layer: &Linear, x: &Value) -> Written<Value> {
        let name = self.product(layer, x, layer.bias.as_deref())?;
        Ok(self.rows(x, name, layer.outputs))
    }

    fn linear_geglu(&self, layer: &Linear, x: &Value) -> Written<Value> {
        let width = layer.outputs / 2;
        if let (true, Some(bias), true) =
            (self.channels_last(), &layer.bias, BIAS_SPLIT_GELU_WIDTHS.contains(&layer.outputs))
        {
            let product = self.product(layer, x, None)?;
            let product = self.reshaped(&product, &[x.shape[0], x.shape[1], layer.outputs])?;
            let gated = self.node(OWN, "BiasSplitGelu", &[&product, bias], vec![])?;
            return Ok(self.rows(x, self.reshaped(&gated, &[x.shape[0] * x.shape[1], width])?, width));
        }
        if let (Dialect::Cpu, Some(bias)) = (self.dialect, &layer.bias) {
            let product = self.product(layer, x, None)?;
            let gated = self.node(operators::DOMAIN, operators::GEGLU, &[&product, bias], vec![])?;
            return Ok(self.rows(x, gated, width));
        }
        let product = self.product(layer, x, layer.bias.as_deref())?;
        let attributes = vec![Attribute::new("axis", -1_i64)?, Attribute::new("num_outputs", 2_i64)?];
        let halves = self.node_with(STANDARD, "Split", &[&product], &["first", "second"], attributes)?;
        let gate = self.unary(&halves[1], Activation::Gelu)?;
        Ok(self.rows(x, self.node(STANDARD, "Mul", &[&halves[0], &gate], vec![])?, width))
    }

    fn linear_to_picture(&self, layer: &Linear, x: &Value, like: &Value) -> Written<Value> {
        let product = self.product(layer, x, layer.bias.as_deref())?;
        let shape = vec![x.shape[0], layer.outputs, like.shape[2], like.shape[3]];
        if self.channels_last() {
            return Ok(Value { name: self.reshaped(&product, &self.laid_out(&shape))?, shape });
        }
        let rows = self.reshaped(&product, &[x.shape[0], x.shape[1], layer.outputs])?;
        let planes = self.transposed(&rows, &[0, 2, 1])?;
        Ok(Value { name: self.reshaped(&planes, &shape)?, shape })
    }

    fn group_norm(&self, layer: &GroupNorm, x: &Value, silu: bool) -> Written<Value> {
        let name = match self.dialect {
            Dialect::Cpu => self.group_norm_cpu(layer, x, silu)?,
            Dialect::Cuda(_) => self.group_norm_cuda(layer, x, silu)?,
        };
        Ok(Self::same(x, name))
    }

    fn layer_norm(&self, layer: &LayerNorm, x: &Value) -> Written<Value> {
        let attributes = vec![Attribute::new("axis", -1_i64)?, Attribute::new("epsilon", layer.epsilon as f32)?];
        let inputs = [x.name.as_str(), &layer.weight, &layer.bias];
        Ok(Self::same(x, self.node(STANDARD, "LayerNormalization", &inputs, attributes)?))
    }

    fn add_then_norm(&self, layer: &LayerNorm, a: &Value, b: &Value) -> Written<(Value, Value)> {
        if self.dialect == Dialect::Cpu {
            let sum = self.add(a, b)?;
            let normal = self.layer_norm(layer, &sum)?;
            return Ok((sum, normal));
        }
        let inputs = [a.name.as_str(), &b.name, &layer.weight, &layer.bias];
        let attributes = vec![Attribute::new("epsilon", layer.epsilon as f32)?];
        // Mean and deviation, its second and third output, are for training.
        let outputs = ["normal", "", "", "sum"];
        let mut named = self.node_with(OWN, "SkipLayerNormalization", &inputs, &outputs, attributes)?;
        let sum = Self::same(a, named.swap_remove(3));
        Ok((sum, Self::same(a, named.swap_remove(0))))
    }

    fn attention(&self, how: Attention, q: &Value, k: &Value, v: &Value) -> Written<Value> {
        // Only where scores are stored can they be too large for halves (`upcast_attention`): fused attentions keep
        // them in f32 registers.
        let stored = !(q.shape[2] / how.heads).is_multiple_of(FUSED_HEAD_STEP);
        let upcast = how.upcast && stored && self.number() == Number::F16;
        let rows = |x: &Value| {
            let rows = self.reshaped(&x.name, &x.shape)?;
            if upcast { self.in_f32(&rows) } else { Ok(rows) }
        };
        let [q3, k3, v3] = [rows(q)?, rows(k)?, rows(v)?];
        let attributes = vec![
            Attribute::new("num_heads", how.heads as i64)?,
            Attribute::new("unidirectional", i64::from(how.causal))?,
        ];
        let mut name = self.node(OWN, "MultiHeadAttention", &[&q3, &k3, &v3], attributes)?;
        if upcast {
            name = self.in_own_numbers(&name)?;
        }
        Ok(Self::same(q, self.reshaped(&name, &[q.shape[0] * q.shape[1], q.shape[2]])?))
    }

    fn activate(&self, x: &Value, activation: Activation) -> Written<Value> {
        Ok(Self::same(x, self.unary(&x.name, activation)?))
    }

    fn add(&self, a: &Value, b: &Value) -> Written<Value> {
        Ok(Self::same(a, self.node(STANDARD, "Add", &[&a.name, &b.name], vec![])?))
    }

    fn concat_channels(&self, a: &Value, b: &Value) -> Written<Value> {
        let axis = if self.channels_last() { 3_i64 } else { 1 };
        let name = self.node(STANDARD, "Concat", &[&a.name, &b.name], vec![Attribute::new("axis", axis)?])?;
        let mut shape = a.shape.clone();
        shape[1] += b.shape[1];
        Ok(Value { name, shape })
    }

    fn pad_end(&self, x: &Value) -> Written<Value> {
        let ends = self.laid_out(&[0, 0, 1, 1]);
        let pads: Vec<i64> = [0; 4].into_iter().chain(ends).map(|count| count as i64).collect();
        let name = self.node(STANDARD, "Pad", &[&x.name, &self.whole_numbers(&pads)?], vec![])?;
        let &[n, c, h, w] = x.shape.as_slice() else { return Ok(x.clone()) };
        Ok(Value { name, shape: vec![n, c, h + 1, w + 1] })
    }

    fn twice_the_size(&self, x: &Value) -> Written<Value> {
        let &[n, c, h, w] = x.shape.as_slice() else { return Ok(x.clone()) };
        let shape = vec![n, c, 2 * h, 2 * w];
        let scales: Vec<f32> = self.laid_out(&[1, 1, 2, 2]).into_iter().map(|factor| factor as f32).collect();
        let attributes = vec![
            Attribute::new("mode", "nearest".to_owned())?,
            Attribute::new("coordinate_transformation_mode", "asymmetric".to_owned())?,
            Attribute::new("nearest_mode", "floor".to_owned())?,
        ];
        let name = self.node(STANDARD, "Resize", &[&x.name, "", &self.factors(&scales)?], attributes)?;
        Ok(Value { name, shape })
    }

    fn pixels_as_rows(&self, x: &Value) -> Written<Value> {
        let &[n, c, h, w] = x.shape.as_slice() else { return Ok(x.clone()) };
        let mut name = x.name.clone();
        if !self.channels_last() {
            name = self.transposed(&self.reshaped(&name, &[n, c, h * w])?, &[0, 2, 1])?;
        }
        Ok(Value { name: self.reshaped(&name, &[n * h * w, c])?, shape: vec![n, h * w, c] })
    }

    fn embed(&self, words: &String, positions: &String, ids: &Value, width: usize) -> Written<Value> {
        let chosen = self.node(STANDARD, "Gather", &[words, &ids.name], vec![])?;
        let placed = self.node(STANDARD, "Add", &[&chosen, positions], vec![])?;
        let shape = vec![ids.shape[0], ids.shape[1], width];
        Ok(Value { name: self.reshaped(&placed, &[shape[0] * shape[1], width])?, shape })
    }
}
