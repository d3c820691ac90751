//! Whether a model's numbers for a picture depend on the pictures beside it in one call.
//!
//! They do where a model measures the whole batch: dynamic quantisation takes its scale from all numbers of a call, and
//! batch normalisation left in training mode takes mean and variance from them. Does not know how a model is called.
//!
//! Holds always: calls that are compared have the same shape and the picture at the same place, because sums may round
//! otherwise elsewhere; so an honest model gives the same bits on a CPU.

use crate::domain::{Device, Philox};
use crate::imaging::RgbImage;

/// Largest difference between two calls on a GPU that counts as equal, relative to the largest number of the two: sums
/// there may be made in another order.
const GPU_TOLERANCE: f32 = 1e-3;

/// Whether the numbers of one picture change with its neighbours; `side_px`: the side of the model's pictures; `batch`:
/// pictures in a call, at least 2. `rows` calls the model and returns the numbers of each picture.
pub fn depend<E>(
    device: Device,
    side_px: u32,
    batch: usize,
    mut rows: impl FnMut(&[RgbImage]) -> Result<Vec<Vec<f32>>, E>,
) -> Result<bool, E> {
    // Faint noise, so that black, white and strong noise beside it change every range, mean and variance.
    let Some(subject) = noise(side_px, 1, 112, 32) else { return Ok(false) };
    let company = [noise(side_px, 2, 120, 16), noise(side_px, 3, 0, 256), noise(side_px, 4, 255, 1)];
    for place in [0, batch - 1] {
        let mut first: Option<Vec<f32>> = None;
        for other in company.iter().flatten() {
            let mut pictures = vec![other.clone(); batch];
            pictures[place] = subject.clone();
            let found = rows(&pictures)?.into_iter().nth(place).unwrap_or_default();
            match &first {
                Some(first) if !are_equal(device, first, &found) => return Ok(true),
                Some(_) => {}
                None => first = Some(found),
            }
        }
    }
    Ok(false)
}

/// Noise of `levels` levels from `lowest` on; `None` for a picture without pixels.
fn noise(side_px: u32, stream: u64, lowest: u32, levels: u32) -> Option<RgbImage> {
    let noise = Philox::new(0, stream);
    let bytes = 3 * (side_px as usize).pow(2);
    let words = (0..bytes.div_ceil(4) as u64).flat_map(|at| noise.words(at));
    let pixels = words.map(|word| (lowest + word % levels) as u8).take(bytes).collect();
    RgbImage::new(side_px, side_px, pixels).ok()
}

fn are_equal(device: Device, a: &[f32], b: &[f32]) -> bool {
    let same_bits = a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
    match device {
        Device::Cpu | Device::Auto => same_bits,
        Device::Cuda(_) => {
            let largest = a.iter().chain(b).fold(0.0_f32, |largest, x| largest.max(x.abs()));
            same_bits || a.iter().zip(b).all(|(a, b)| (a - b).abs() <= GPU_TOLERANCE * largest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found of a model that is this function of the means of all pictures.
    fn check(device: Device, batch: usize, model: impl Fn(&[f32], usize) -> f32) -> bool {
        let mean =
            |image: &RgbImage| image.pixels().iter().map(|&x| f32::from(x)).sum::<f32>() / image.pixels().len() as f32;
        let rows = |pictures: &[RgbImage]| -> Result<Vec<Vec<f32>>, ()> {
            let means: Vec<f32> = pictures.iter().map(mean).collect();
            Ok((0..means.len()).map(|at| vec![model(&means, at), 1.0]).collect())
        };
        depend(device, 4, batch, rows).unwrap()
    }

    #[test]
    fn a_model_that_measures_the_batch_is_found_and_an_honest_one_is_not() {
        let largest = |means: &[f32]| means.iter().copied().fold(0.0, f32::max);
        for batch in [2, 3, 32] {
            for device in [Device::Cpu, Device::Cuda(0)] {
                assert!(!check(device, batch, |means, at| means[at]), "alone");
                assert!(check(device, batch, |means, at| (means[at] / largest(means) * 127.0).round()), "one scale");
                assert!(check(device, batch, |means, at| means[at] - means.iter().sum::<f32>() / 9.0), "one mean");
                assert!(check(device, batch, |means, at| means[..=at].iter().sum()), "what stands before");
                assert!(check(device, batch, |means, at| means[at..].iter().sum()), "what stands behind");
            }
        }
    }

    #[test]
    fn a_gpu_may_round_otherwise_and_a_cpu_may_not() {
        let rounded = |means: &[f32], at: usize| means[at] * (1.0 + 1e-6 * (means[0] + means[means.len() - 1]) / 255.0);
        assert!(!check(Device::Cuda(0), 2, rounded));
        assert!(check(Device::Cpu, 2, rounded));
        assert!(!check(Device::Cpu, 2, |_, _| f32::NAN), "broken in another way, which others find");
    }
}
