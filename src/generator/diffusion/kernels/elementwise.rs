//! Number by number: activations, softmax, and the exponential they are made of.
//!
//! Each loop is compiled twice, once for AVX2 and FMA, and chosen when it runs: on one machine always the same one.
//! Source of `exp`: Cephes' `expf` (S. Moshier), relative error below 2e-7 between -87 and 88; of `erf`: Abramowitz and
//! Stegun 7.1.26, absolute error below 1.5e-7.

#[cfg(feature = "candle")]
use rayon::prelude::*;

#[cfg(feature = "candle")]
use crate::generator::diffusion::model::Activation;

/// Numbers per task.
#[cfg(feature = "candle")]
const CHUNK: usize = 1 << 14;

/// Compiles a loop for this machine: with AVX2 and FMA where it has them, without them elsewhere.
macro_rules! vectorised {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)? $body:block) => {
        $(#[$doc])*
        $vis fn $name($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($arg: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn wide($($arg: $type),*) $(-> $result)? { plain($($arg),*) }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has all that this function asks for.
                    return unsafe { wide($($arg),*) };
                }
            }
            plain($($arg),*)
        }
    };
}
pub(in super::super) use vectorised;

/// Applies `activation` to every number.
#[cfg(feature = "candle")]
pub(in super::super) fn activate(x: &[f32], activation: Activation) -> Vec<f32> {
    let mut out = x.to_vec();
    out.par_chunks_mut(CHUNK).for_each(|chunk| match activation {
        Activation::Silu => silu(chunk),
        Activation::Gelu => gelu(chunk),
        Activation::QuickGelu => quick_gelu(chunk),
    });
    out
}

/// GEGLU: of each row of `2 width` numbers the first half times the GELU of the second: rows of `width`.
///
/// Source: Shazeer, "GLU variants improve transformer", 2020.
#[cfg(feature = "candle")]
pub(in super::super) fn geglu(x: &[f32], width: usize) -> Vec<f32> {
    let (mut out, none) = (vec![0.0; x.len() / 2], vec![0.0; 2 * width]);
    out.par_chunks_mut(width).zip(x.par_chunks(2 * width)).for_each(|(out, row)| geglu_row(row, &none, out));
    out
}

/// GEGLU of one row after `bias` has been added to it; `row` and `bias` are twice as long as `out`.
pub(in super::super) fn geglu_row(row: &[f32], bias: &[f32], out: &mut [f32]) {
    let (value, gate) = row.split_at(out.len());
    let (value_bias, gate_bias) = bias.split_at(out.len());
    out.iter_mut().zip(gate).zip(gate_bias).for_each(|((out, gate), bias)| *out = gate + bias);
    gelu(out);
    out.iter_mut().zip(value).zip(value_bias).for_each(|((out, value), bias)| *out *= value + bias);
}

vectorised! {
    pub(super) fn silu(x: &mut [f32]) {
        x.iter_mut().for_each(|x| *x /= 1.0 + exp(-*x));
    }
}

#[cfg(feature = "candle")]
vectorised! {
    fn quick_gelu(x: &mut [f32]) {
        x.iter_mut().for_each(|x| *x /= 1.0 + exp(-1.702 * *x));
    }
}

vectorised! {
    fn gelu(x: &mut [f32]) {
        x.iter_mut().for_each(|x| *x *= 0.5 + 0.5 * erf(*x * std::f32::consts::FRAC_1_SQRT_2));
    }
}

#[cfg(feature = "candle")]
vectorised! {
    /// Turns the first `seen` scores into exp(score - largest) and the others into 0; returns their sum.
    pub(in super::super) fn softmax_unscaled(scores: &mut [f32], seen: usize) -> f32 {
        let (seen, hidden) = scores.split_at_mut(seen);
        hidden.fill(0.0);
        let mut lanes = [f32::NEG_INFINITY; 16];
        let (chunks, rest) = seen.as_chunks::<16>();
        for chunk in chunks {
            lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane = if *x > *lane { *x } else { *lane });
        }
        let largest = lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sums = [0.0; 16];
        let (chunks, rest) = seen.as_chunks_mut::<16>();
        for chunk in chunks {
            for (sum, x) in sums.iter_mut().zip(chunk) {
                *x = exp(*x - largest);
                *sum += *x;
            }
        }
        rest.iter_mut().for_each(|x| *x = exp(*x - largest));
        sums.iter().chain(rest.iter()).sum()
    }
}

#[inline(always)]
#[allow(clippy::excessive_precision)] // Cephes' own digits.
fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it rounds to a whole number, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.3, 88.3);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_375 + n * 2.121_944_40e-4;
    let p = ((((1.987_569_15e-4 * r + 1.398_199_95e-3) * r + 8.333_451_9e-3) * r + 4.166_579_6e-2) * r
        + 1.666_666_55e-1)
        * r
        + 5.000_000_1e-1;
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    (p * r * r + r + 1.0) * f32::from_bits(power)
}

#[inline(always)]
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let p = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    (1.0 - p * exp(-x * x)).copysign(x)
}

#[cfg(all(test, feature = "candle"))]
mod tests {
    use super::*;

    fn grid() -> Vec<f32> {
        (-8000..=8000).map(|i| i as f32 / 400.0).collect()
    }

    fn check(ours: &[f32], wanted: impl Fn(f64) -> f64, tolerance: f64) {
        for (x, y) in grid().iter().zip(ours) {
            let wanted = wanted(f64::from(*x));
            assert!((f64::from(*y) - wanted).abs() <= tolerance * (1.0 + wanted.abs()), "at {x}: {y}, not {wanted}");
        }
    }

    #[test]
    fn activations_equal_their_definitions() {
        check(&activate(&grid(), Activation::Silu), |x| x / (1.0 + (-x).exp()), 3e-7);
        check(&activate(&grid(), Activation::QuickGelu), |x| x / (1.0 + (-1.702 * x).exp()), 3e-7);
        let phi = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
        check(&activate(&grid(), Activation::Gelu), |x| x * phi(x), 1e-6);
    }

    #[test]
    fn nan_stays_nan() {
        for activation in [Activation::Silu, Activation::Gelu, Activation::QuickGelu] {
            assert!(activate(&[f32::NAN], activation)[0].is_nan());
        }
        assert!(softmax_unscaled(&mut [f32::NAN, 1.0], 2).is_nan());
    }

    #[test]
    fn softmax_sums_what_it_leaves() {
        let mut scores: Vec<f32> = (0..37).map(|i| (i as f32).sin() * 30.0).collect();
        let sum = softmax_unscaled(&mut scores, 35);
        assert_eq!(scores[35..], [0.0, 0.0]);
        assert!((scores.iter().sum::<f32>() - sum).abs() < 1e-5 && scores.contains(&1.0));
    }

    #[test]
    fn geglu_takes_the_gate_from_the_second_half() {
        let out = geglu(&[2.0, 3.0, 0.0, 100.0], 2);
        assert_eq!(out, [0.0, 300.0]);
    }
}
