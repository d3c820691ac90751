//! Unit normal noise from the counter-based generator: a number depends on (seed, stream, place) alone.
//!
//! Source: Box and Muller, 1958, in f64 by `libm`, so that every machine gets the same bits, rounded to f32 last.

use crate::domain::Philox;

/// Stream of an item's first latents; the noise of sampler call `n` is stream `n` after it.
const LATENTS: u64 = 1;

/// The first latents of the item with this seed.
pub(super) fn latents(seed: u64, count: usize) -> Vec<f32> {
    normals(Philox::new(seed, LATENTS), count)
}

/// The fresh noise of sampler call `call`.
pub(super) fn fresh(seed: u64, call: usize, count: usize) -> Vec<f32> {
    normals(Philox::new(seed, LATENTS + 1 + call as u64), count)
}

fn normals(random: Philox, count: usize) -> Vec<f32> {
    let pairs = (0..count.div_ceil(2) as u64).flat_map(|at| {
        let [a, b, c, d] = random.words(at);
        // 53 bits each; the first in (0, 1], so that its logarithm is finite.
        let unit = |high: u32, low: u32| ((u64::from(high) << 21) | u64::from(low >> 11)) as f64 / (1_u64 << 53) as f64;
        let radius = (-2.0 * libm::log(1.0 - unit(a, b))).sqrt();
        let angle = std::f64::consts::TAU * unit(c, d);
        [radius * libm::cos(angle), radius * libm::sin(angle)]
    });
    pairs.map(|number| number as f32).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_normal_and_streams_differ() {
        let numbers = latents(7, 100_001);
        assert_eq!(numbers.len(), 100_001);
        let mean = |of: &dyn Fn(f64) -> f64| numbers.iter().map(|&x| of(f64::from(x))).sum::<f64>() / 100_001.0;
        let moments = [mean(&|x| x), mean(&|x| x * x), mean(&|x| x.powi(3)), mean(&|x| x.powi(4))];
        for (found, wanted) in moments.into_iter().zip([0.0, 1.0, 0.0, 3.0]) {
            assert!((found - wanted).abs() < 0.06, "{moments:?}");
        }
        assert_ne!(latents(7, 4), fresh(7, 0, 4));
        assert_ne!(fresh(7, 0, 4), fresh(7, 1, 4));
        assert_eq!(latents(7, 3), latents(7, 9)[..3]);
    }

    #[test]
    fn a_few_numbers_never_change() {
        let golden = [latents(1, 2), fresh(1, 3, 2)].concat();
        assert_eq!(golden.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), GOLDEN, "{golden:?}");
    }

    /// Made by a Python program from the papers' formulas; a change of any bit makes every release irreproducible.
    const GOLDEN: [u32; 4] = [1_025_795_587, 1_047_402_317, 3_221_930_598, 1_015_704_727];
}
