//! Layers on candle tensors: on a CPU by the kernels of `cpu`; on a GPU convolutions by `cudnn` and the rest by candle.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, D, DType, Layout, Result, Shape, Tensor};

use super::cpu::{self, ConvShape, GroupNormShape, Heads, Rows};
#[cfg(feature = "cuda")]
use super::cudnn::Numbers;
use crate::generator::diffusion::model::Activation;

/// Scores that a GPU makes at a time: 6 GiB with those in other types beside them. candle's softmax counts them with an
/// `int`, so that 2^31 would be too many.
const MOST_SCORES: usize = 1 << 29;

fn on_cpu(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

fn numbers<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    Ok(&storage.as_slice::<f32>()?[layout.start_offset()..])
}

fn stored(numbers: Vec<f32>, shape: impl Into<Shape>) -> Result<(CpuStorage, Shape)> {
    Ok((CpuStorage::F32(numbers), shape.into()))
}

/// A fully connected layer; weight `[out, in]`.
pub(super) struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
    host_bias: Vec<f32>,
}

struct LinearOp<'a> {
    bias: &'a [f32],
    channels_first: bool,
}

impl CustomOp2 for LinearOp<'_> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, at: &Layout, w: &CpuStorage, w_at: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((count, rows, width), steps) = (at.shape().dims3()?, at.stride());
        let input = Rows { data: numbers(x, at)?, count, rows, width, steps: [steps[0], steps[1], steps[2]] };
        let outputs = w_at.dims()[0];
        let weight = &numbers(w, w_at)?[..outputs * width];
        let shape = if self.channels_first { (count, outputs, rows) } else { (count, rows, outputs) };
        stored(cpu::linear(input, weight, self.bias, self.channels_first), shape)
    }
}

impl Linear {
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Result<Self> {
        Ok(Self { host_bias: host(bias.as_ref(), &weight)?, weight, bias })
    }

    /// `[images, rows, in]`, in any order of axes: `[images, rows, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if on_cpu(x) {
            return self.on_cpu(x, false);
        }
        let out = x.contiguous()?.broadcast_matmul(&self.weight.t()?)?;
        self.bias.as_ref().map_or(Ok(out.clone()), |bias| out.broadcast_add(bias))
    }

    /// `[images, rows, in]`, in any order of axes: `[images, out, rows]`.
    pub fn forward_channels_first(&self, x: &Tensor) -> Result<Tensor> {
        if on_cpu(x) {
            return self.on_cpu(x, true);
        }
        self.forward(x)?.transpose(1, 2)?.contiguous()
    }

    fn on_cpu(&self, x: &Tensor, channels_first: bool) -> Result<Tensor> {
        x.apply_op2_no_bwd(&self.weight, &LinearOp { bias: &self.host_bias, channels_first })
    }
}

fn host(bias: Option<&Tensor>, weight: &Tensor) -> Result<Vec<f32>> {
    match (bias, on_cpu(weight)) {
        (Some(bias), true) => bias.to_vec1(),
        _ => Ok(Vec::new()),
    }
}

/// A convolution; weight `[out, in, kernel, kernel]`.
pub(super) struct Conv {
    weight: Tensor,
    bias: Tensor,
    host_bias: Vec<f32>,
    stride: usize,
    padding: usize,
}

struct ConvOp {
    /// On a CPU added at once, `[images, out]`; on a GPU later.
    bias: Vec<f32>,
    stride: usize,
    padding: usize,
}

impl ConvOp {
    fn shape(&self, at: &Layout, w_at: &Layout) -> Result<ConvShape> {
        let (images, in_channels, height, width) = at.shape().dims4()?;
        let (out_channels, _, kernel, _) = w_at.shape().dims4()?;
        let (stride, padding) = (self.stride, self.padding);
        Ok(ConvShape { images, in_channels, out_channels, height, width, kernel, stride, padding })
    }
}

impl CustomOp2 for ConvOp {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(&self, x: &CpuStorage, at: &Layout, w: &CpuStorage, w_at: &Layout) -> Result<(CpuStorage, Shape)> {
        let shape = self.shape(at, w_at)?;
        let (out_height, out_width) = shape.out_size();
        let out = cpu::conv2d(shape, numbers(x, at)?, numbers(w, w_at)?, &self.bias);
        stored(out, (shape.images, shape.out_channels, out_height, out_width))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, at: &Layout, w: &CudaStorage, w_at: &Layout) -> Result<(CudaStorage, Shape)> {
        let x = Numbers { storage: x, offset: at.start_offset() };
        let weight = Numbers { storage: w, offset: w_at.start_offset() };
        super::cudnn::conv2d(self.shape(at, w_at)?, &x, &weight)
    }
}

impl Conv {
    pub fn new(weight: Tensor, bias: Tensor, stride: usize, padding: usize) -> Result<Self> {
        Ok(Self { host_bias: host(Some(&bias), &weight)?, weight, bias, stride, padding })
    }

    /// `[images, in, height, width]`: `[images, out, …]`; `extra` `[1, out]` is added to every pixel.
    pub fn forward_with(&self, x: &Tensor, extra: Option<&Tensor>) -> Result<Tensor> {
        let (stride, padding) = (self.stride, self.padding);
        if !on_cpu(x) {
            let op = ConvOp { bias: Vec::new(), stride, padding };
            let out = x.contiguous()?.apply_op2_no_bwd(&self.weight, &op)?;
            let bias = extra.map_or_else(|| self.bias.unsqueeze(0), |extra| extra.broadcast_add(&self.bias))?;
            return out.broadcast_add(&bias.unsqueeze(2)?.unsqueeze(3)?);
        }
        let mut bias = self.host_bias.clone();
        if let Some(extra) = extra {
            bias.iter_mut().zip(extra.flatten_all()?.to_vec1::<f32>()?).for_each(|(bias, extra)| *bias += extra);
        }
        let op = ConvOp { bias: bias.repeat(x.dims()[0]), stride, padding };
        x.contiguous()?.apply_op2_no_bwd(&self.weight, &op)
    }
}

/// Group normalisation, with or without SiLU after it.
pub(super) struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    host: [Vec<f32>; 2],
    groups: usize,
    epsilon: f64,
}

struct GroupNormOp<'a> {
    norm: &'a GroupNorm,
    silu: bool,
}

impl CustomOp1 for GroupNormOp<'_> {
    fn name(&self) -> &'static str {
        "group-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, at: &Layout) -> Result<(CpuStorage, Shape)> {
        let (channels, pixels) = (at.dims()[1], at.dims()[2..].iter().product());
        let GroupNorm { host: [weight, bias], groups, epsilon, .. } = self.norm;
        let shape = GroupNormShape { channels, pixels, groups: *groups, epsilon: *epsilon as f32, silu: self.silu };
        let x = &numbers(x, at)?[..at.shape().elem_count()];
        stored(cpu::group_norm(shape, x, weight, bias), at.shape())
    }
}

impl GroupNorm {
    pub fn new(weight: Tensor, bias: Tensor, groups: usize, epsilon: f64) -> Result<Self> {
        let host = [host(Some(&weight), &weight)?, host(Some(&bias), &bias)?];
        Ok(Self { weight, bias, host, groups, epsilon })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, false)
    }

    pub fn forward_silu(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, true)
    }

    fn run(&self, x: &Tensor, silu: bool) -> Result<Tensor> {
        if on_cpu(x) {
            return x.contiguous()?.apply_op1_no_bwd(&GroupNormOp { norm: self, silu });
        }
        let channels = x.dim(1)?;
        let norm =
            candle_nn::GroupNorm::new(self.weight.clone(), self.bias.clone(), channels, self.groups, self.epsilon)?;
        let out = x.apply(&norm)?;
        if silu { out.silu() } else { Ok(out) }
    }
}

/// Layer normalisation over the last axis.
pub(super) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    host: [Vec<f32>; 2],
    epsilon: f32,
}

struct LayerNormOp<'a>(&'a LayerNorm);

impl CustomOp1 for LayerNormOp<'_> {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, at: &Layout) -> Result<(CpuStorage, Shape)> {
        let [weight, bias] = &self.0.host;
        let x = &numbers(x, at)?[..at.shape().elem_count()];
        stored(cpu::layer_norm(x, weight, bias, self.0.epsilon), at.shape())
    }
}

impl LayerNorm {
    pub fn new(weight: Tensor, bias: Tensor, epsilon: f64) -> Result<Self> {
        let host = [host(Some(&weight), &weight)?, host(Some(&bias), &bias)?];
        Ok(Self { weight, bias, host, epsilon: epsilon as f32 })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if on_cpu(x) {
            return x.contiguous()?.apply_op1_no_bwd(&LayerNormOp(self));
        }
        candle_nn::ops::layer_norm(&x.contiguous()?, &self.weight, &self.bias, self.epsilon)
    }
}

/// How queries look at keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attention {
    /// Heads side by side in the width.
    pub heads: usize,
    /// Query i sees only keys 0 to i.
    pub causal: bool,
    /// Scores are made in f32 at any precision (`upcast_attention`: SD 2.1's overflow in f16).
    pub upcast: bool,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_at: &Layout,
        k: &CpuStorage,
        k_at: &Layout,
        v: &CpuStorage,
        v_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (images, queries, width) = q_at.shape().dims3()?;
        let keys = k_at.dims()[1];
        let shape = Heads { images, queries, keys, width, heads: self.heads, causal: self.causal };
        let out = cpu::attention(shape, numbers(q, q_at)?, numbers(k, k_at)?, numbers(v, v_at)?);
        stored(out, q_at.shape())
    }
}

impl Attention {
    /// `q` `[images, queries, width]`, `k` and `v` `[images, keys, width]`: as `q`.
    pub fn forward(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        let (q, k, v) = (q.contiguous()?, k.contiguous()?, v.contiguous()?);
        if on_cpu(&q) {
            return q.apply_op3_no_bwd(&k, &v, self);
        }
        self.in_pieces(&q, &k, &v, MOST_SCORES)
    }

    /// The same with at most so many scores at a time, but for one row of them: image by image, head by head, and by
    /// blocks of queries. A causal mask wants all queries of a head.
    fn in_pieces(&self, q: &Tensor, k: &Tensor, v: &Tensor, most: usize) -> Result<Tensor> {
        let ((images, queries, width), keys) = (q.dims3()?, k.dim(1)?);
        if images * self.heads * queries * keys <= most {
            return self.with_all_scores(q, k, v);
        }
        if images > 1 {
            let one = |at| self.in_pieces(&q.narrow(0, at, 1)?, &k.narrow(0, at, 1)?, &v.narrow(0, at, 1)?, most);
            return Tensor::cat(&(0..images).map(one).collect::<Result<Vec<_>>>()?, 0);
        }
        if self.heads > 1 {
            let (size, one_head) = (width / self.heads, Self { heads: 1, ..*self });
            let part = |x: &Tensor, head: usize| x.narrow(2, head * size, size)?.contiguous();
            let one = |head| one_head.in_pieces(&part(q, head)?, &part(k, head)?, &part(v, head)?, most);
            return Tensor::cat(&(0..self.heads).map(one).collect::<Result<Vec<_>>>()?, 2);
        }
        let block = (most / keys).clamp(1, queries);
        if self.causal || block == queries {
            return self.with_all_scores(q, k, v);
        }
        let rows = (0..queries).step_by(block);
        let some = |at: usize| self.with_all_scores(&q.narrow(1, at, block.min(queries - at))?, k, v);
        Tensor::cat(&rows.map(some).collect::<Result<Vec<_>>>()?, 1)
    }

    fn with_all_scores(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        let (images, queries, width) = q.dims3()?;
        let (size, dtype) = (width / self.heads, q.dtype());
        let split = |x: &Tensor| x.reshape((images, x.dim(1)?, self.heads, size))?.transpose(1, 2)?.contiguous();
        let (q, k, v) = (split(q)?, split(k)?, split(v)?);
        let wide = if self.upcast { DType::F32 } else { dtype };
        let q = (q.to_dtype(wide)? / (size as f64).sqrt())?;
        // f16 sums of thousands of exponentials are too coarse.
        let mut scores = q.matmul(&k.to_dtype(wide)?.t()?)?.to_dtype(DType::F32)?;
        if self.causal {
            let keys = k.dim(2)?;
            let hidden = (0..queries).flat_map(|row| (0..keys).map(move |key| if key > row { f32::MIN } else { 0.0 }));
            let hidden = Tensor::from_iter(hidden, scores.device())?.reshape((1, 1, queries, keys))?;
            scores = scores.broadcast_add(&hidden)?;
        }
        let weights = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(dtype)?;
        weights.matmul(&v)?.transpose(1, 2)?.reshape((images, queries, width))
    }
}

struct ActivationOp(Activation);

impl CustomOp1 for ActivationOp {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, at: &Layout) -> Result<(CpuStorage, Shape)> {
        stored(cpu::activate(&numbers(x, at)?[..at.shape().elem_count()], self.0), at.shape())
    }
}

/// Applies `activation` to every number.
pub(super) fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    if on_cpu(x) {
        return x.contiguous()?.apply_op1_no_bwd(&ActivationOp(activation));
    }
    match activation {
        Activation::Silu => x.silu(),
        Activation::Gelu => x.gelu_erf(),
        Activation::QuickGelu => x * candle_nn::ops::sigmoid(&(x * 1.702)?)?,
    }
}

struct GegluOp;

impl CustomOp1 for GegluOp {
    fn name(&self) -> &'static str {
        "geglu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, at: &Layout) -> Result<(CpuStorage, Shape)> {
        let (images, rows, width) = at.shape().dims3()?;
        let x = &numbers(x, at)?[..images * rows * width];
        stored(cpu::geglu(x, width / 2), (images, rows, width / 2))
    }
}

/// `[images, rows, 2 width]`: the first half of each row times the GELU of the second.
pub(super) fn geglu(x: &Tensor) -> Result<Tensor> {
    if on_cpu(x) {
        return x.contiguous()?.apply_op1_no_bwd(&GegluOp);
    }
    let halves = x.chunk(2, D::Minus1)?;
    &halves[0] * halves[1].gelu_erf()?
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn numbers(shape: (usize, usize, usize), seed: f32) -> Tensor {
        let count = shape.0 * shape.1 * shape.2;
        let data = (0..count).map(|at| (at as f32 * 0.37 + seed).sin());
        Tensor::from_iter(data, &Device::Cpu).unwrap().reshape(shape).unwrap()
    }

    /// Attention at once, in pieces of `most` scores, and by the CPU's kernel: the largest difference is small.
    fn check(attention: Attention, most: usize) {
        let (q, k, v) = (numbers((2, 10, 12), 0.1), numbers((2, 10, 12), 0.7), numbers((2, 10, 12), 1.9));
        let whole = attention.with_all_scores(&q, &k, &v).unwrap();
        for other in [attention.in_pieces(&q, &k, &v, most).unwrap(), attention.forward(&q, &k, &v).unwrap()] {
            assert_eq!(other.dims(), whole.dims());
            let apart = (other - &whole).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(apart < 1e-6, "{attention:?}, {most} scores: {apart:e}");
        }
    }

    #[test]
    fn attention_is_the_same_in_whatever_pieces_it_is_made() {
        // 2 images x 3 heads x 10 x 10 scores: all, by images, by heads, by rows, a row alone although it is too long.
        for most in [600, 599, 299, 99, 35, 10, 3] {
            check(Attention { heads: 3, causal: false, upcast: false }, most);
            check(Attention { heads: 3, causal: true, upcast: false }, most);
            check(Attention { heads: 1, causal: false, upcast: true }, most);
        }
    }
}
