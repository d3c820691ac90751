//! Matrix products of one thread each, and linear layers made of them.

use gemm::{Parallelism, gemm};
use rayon::prelude::*;

use super::{Target, pieces};

/// A matrix somewhere in a slice: element (row, column) is at `row * row_step + column * column_step`.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub data: &'a [f32],
    pub row_step: usize,
    pub column_step: usize,
}

impl View<'_> {
    /// The last element of a `rows` x `columns` matrix must be inside the slice.
    fn check(&self, rows: usize, columns: usize) {
        let last = (rows.max(1) - 1) * self.row_step + (columns.max(1) - 1) * self.column_step;
        assert!(last < self.data.len(), "a {rows} x {columns} matrix does not fit its slice");
    }
}

/// Where a product goes: row-major, rows `row_step` apart; `add`: on top of what is there.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub first: *mut f32,
    pub row_step: usize,
    pub add: bool,
}

/// `[m, k] x [k, n] * scale` on one thread; `sizes`: m, n, k.
///
/// # Safety
/// `out` points to `m` rows of `n` elements that no other thread touches meanwhile and that, with `add`, hold numbers.
pub(super) unsafe fn multiply(out: Product, sizes: [usize; 3], a: View, b: View, scale: f32) {
    let [m, n, k] = sizes;
    a.check(m, k);
    b.check(k, n);
    let steps = |view: View| (view.column_step as isize, view.row_step as isize);
    let ((a_cs, a_rs), (b_cs, b_rs)) = (steps(a), steps(b));
    let (a, b) = (a.data.as_ptr(), b.data.as_ptr());
    let (dst, dst_rs) = (out.first, out.row_step as isize);
    // SAFETY: both inputs were checked against their slices; the caller vouches for the output.
    unsafe {
        gemm(
            m,
            n,
            k,
            dst,
            1,
            dst_rs,
            out.add,
            a,
            a_cs,
            a_rs,
            b,
            b_cs,
            b_rs,
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// The input of a linear layer: `count` images of `rows` x `width` numbers, in any order of axes.
#[derive(Clone, Copy)]
pub(in super::super) struct Rows<'a> {
    pub data: &'a [f32],
    pub count: usize,
    pub rows: usize,
    pub width: usize,
    /// Distance of (image, row, column) neighbours.
    pub steps: [usize; 3],
}

/// `x W^T + bias` with W `[out, width]` row-major: `[count, rows, out]`; with `channels_first`: `[count, out, rows]`.
pub(in super::super) fn linear(x: Rows, weight: &[f32], bias: &[f32], channels_first: bool) -> Vec<f32> {
    let outputs = weight.len() / x.width;
    let mut out = vec![0.0; x.count * x.rows * outputs];
    let base = Target(out.as_mut_ptr());
    let by_rows = x.rows >= outputs;
    let tiles = if by_rows { pieces(x.rows, 4, 64) } else { pieces(outputs, 4, 64) };
    (0..x.count * tiles.len()).into_par_iter().for_each(|task| {
        let (image, tile) = (task / tiles.len(), tiles[task % tiles.len()].clone());
        let (rows, columns) = if by_rows { (tile, 0..outputs) } else { (0..x.rows, tile) };
        let input = &x.data[image * x.steps[0] + rows.start * x.steps[1]..];
        let input = View { data: input, row_step: x.steps[1], column_step: x.steps[2] };
        let weights = View { data: &weight[columns.start * x.width..], row_step: x.width, column_step: 1 };
        let start = image * x.rows * outputs;
        // SAFETY: tasks differ in image, or in their range of rows or columns, so that no two write the same element.
        unsafe {
            if channels_first {
                let first = base.at(start + columns.start * x.rows + rows.start);
                for (row, channel) in columns.clone().enumerate() {
                    let value = bias.get(channel).copied().unwrap_or(0.0);
                    std::slice::from_raw_parts_mut(first.add(row * x.rows), rows.len()).fill(value);
                }
                let input = View { data: input.data, row_step: input.column_step, column_step: input.row_step };
                let out = Product { first, row_step: x.rows, add: true };
                multiply(out, [columns.len(), rows.len(), x.width], weights, input, 1.0);
            } else {
                let first = base.at(start + rows.start * outputs + columns.start);
                for row in 0..rows.len() {
                    let target = std::slice::from_raw_parts_mut(first.add(row * outputs), columns.len());
                    match bias.get(columns.clone()) {
                        Some(bias) => target.copy_from_slice(bias),
                        None => target.fill(0.0),
                    }
                }
                let weights = View { data: weights.data, row_step: 1, column_step: x.width };
                let out = Product { first, row_step: outputs, add: true };
                multiply(out, [rows.len(), columns.len(), x.width], input, weights, 1.0);
            }
        }
    });
    out
}
