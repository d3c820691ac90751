//! Attention of several heads, a block of queries at a time, so that the whole matrix of scores is never in memory.
//!
//! Source: Vaswani et al., "Attention is all you need", 2017: softmax(q k^T / sqrt(d)) v.

use rayon::prelude::*;

use super::Target;
use super::matmul::{Product, View, multiply};
use crate::generator::diffusion::kernels::softmax_unscaled;

/// Queries whose scores are in memory at a time.
const BLOCK: usize = 256;

/// Sizes of an attention.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Heads {
    pub images: usize,
    pub queries: usize,
    pub keys: usize,
    /// All heads together.
    pub width: usize,
    pub heads: usize,
    /// Whether query i sees only keys 0 to i.
    pub causal: bool,
}

/// `q` `[images, queries, width]`, `k` and `v` `[images, keys, width]`, heads side by side: as `q`.
pub(in super::super) fn attention(shape: Heads, q: &[f32], k: &[f32], v: &[f32]) -> Vec<f32> {
    let Heads { images, queries, keys, width, heads, causal } = shape;
    let size = width / heads;
    let scale = 1.0 / (size as f32).sqrt();
    let blocks = queries.div_ceil(BLOCK);
    let mut out = vec![0.0; images * queries * width];
    let base = Target(out.as_mut_ptr());
    (0..images * heads * blocks).into_par_iter().for_each_init(Vec::new, |scores, task| {
        let (image, head, block) = (task / (heads * blocks), task / blocks % heads, task % blocks);
        let start = block * BLOCK;
        let rows = BLOCK.min(queries - start);
        let head_at = |row: usize| row * width + head * size;
        let [q, k, v] = [(q, image * queries + start), (k, image * keys), (v, image * keys)].map(|(data, row)| View {
            data: &data[head_at(row)..],
            row_step: width,
            column_step: 1,
        });
        let k = View { data: k.data, row_step: 1, column_step: width };
        scores.resize(rows * keys, 0.0);
        let to_scores = Product { first: scores.as_mut_ptr(), row_step: keys, add: false };
        // SAFETY: `scores` is this task's own.
        unsafe { multiply(to_scores, [rows, keys, size], q, k, scale) };
        let sums: Vec<f32> = (scores.chunks_exact_mut(keys).enumerate())
            .map(|(row, scores)| softmax_unscaled(scores, if causal { start + row + 1 } else { keys }))
            .collect();
        let first = base.at((image * queries + start) * width + head * size);
        let scores = View { data: scores, row_step: keys, column_step: 1 };
        // SAFETY: tasks differ in image, head or queries, so that no two write the same element.
        unsafe {
            multiply(Product { first, row_step: width, add: false }, [rows, size, keys], scores, v, 1.0);
            for (row, sum) in sums.iter().enumerate() {
                let values = std::slice::from_raw_parts_mut(first.add(row * width), size);
                values.iter_mut().for_each(|value| *value /= sum);
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: u64) -> Vec<f32> {
        let stream = crate::domain::Philox::new(seed, 0);
        (0..n as u64).map(|at| 4.0 * stream.unit_f32(at) - 2.0).collect()
    }

    fn by_definition(shape: Heads, q: &[f32], k: &[f32], v: &[f32]) -> Vec<f32> {
        let Heads { images, queries, keys, width, heads, causal } = shape;
        let size = width / heads;
        let mut out = vec![0.0; q.len()];
        for (image, head, row) in
            (0..images * heads * queries).map(|i| (i / (heads * queries), i / queries % heads, i % queries))
        {
            let at = |data: &[f32], length: usize, row: usize, i: usize| {
                f64::from(data[(image * length + row) * width + head * size + i])
            };
            let seen = if causal { row + 1 } else { keys };
            let score = |key| {
                (0..size).map(|i| at(q, queries, row, i) * at(k, keys, key, i)).sum::<f64>() / (size as f64).sqrt()
            };
            let weights: Vec<f64> = (0..seen).map(|key| score(key).exp()).collect();
            let sum: f64 = weights.iter().sum();
            for i in 0..size {
                let value = (0..seen).map(|key| weights[key] * at(v, keys, key, i)).sum::<f64>() / sum;
                out[(image * queries + row) * width + head * size + i] = value as f32;
            }
        }
        out
    }

    fn check(shape: Heads) {
        let q = numbers(shape.images * shape.queries * shape.width, 1);
        let [k, v] = [2, 3].map(|seed| numbers(shape.images * shape.keys * shape.width, seed));
        let (ours, wanted) = (attention(shape, &q, &k, &v), by_definition(shape, &q, &k, &v));
        let worst = ours.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{shape:?}: off by {worst}");
    }

    #[test]
    fn equals_the_definition_across_blocks_and_heads() {
        check(Heads { images: 2, queries: 300, keys: 77, width: 24, heads: 3, causal: false });
        check(Heads { images: 1, queries: 5, keys: 5, width: 8, heads: 1, causal: false });
    }

    #[test]
    fn a_causal_query_sees_nothing_that_follows_it() {
        check(Heads { images: 2, queries: 77, keys: 77, width: 32, heads: 4, causal: true });
    }
}
