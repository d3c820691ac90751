//! Pixels -> the numbers of an input tensor, by a table with one value per channel and byte.
//!
//! Source of the arithmetic: torchvision's `ToTensor` and `Normalize`, `(pixel * scale - mean) / std`, rounded once to
//! f32.

use crate::domain::{ChannelOrder, InputSpec, Layout};
use crate::imaging::RgbImage;

/// Fills tensors of one model.
pub struct Filler<T> {
    layout: Layout,
    /// For each channel of the tensor: which channel of the picture, and the value of each byte.
    channels: [(usize, Vec<T>); 3],
}

impl<T: Copy> Filler<T> {
    /// `number` turns a value into the tensor's type.
    pub fn new(spec: &InputSpec, number: impl Fn(f64) -> T) -> Self {
        let table = |c: usize| {
            (0..=255_u8).map(|byte| number((f64::from(byte) * spec.scale - spec.mean[c]) / spec.std[c])).collect()
        };
        let source = |c: usize| match spec.channels {
            ChannelOrder::Rgb => c,
            ChannelOrder::Bgr => 2 - c,
        };
        Self { layout: spec.layout, channels: [0, 1, 2].map(|c| (source(c), table(c))) }
    }

    /// Writes one picture of `[h, w, 3]` into `place`, which has room for it: as `[3, h, w]` or `[h, w, 3]`.
    pub fn write(&self, image: &RgbImage, place: &mut [T]) {
        let pixels = image.pixels().as_chunks::<3>().0;
        match self.layout {
            Layout::Nchw => {
                for (channel, plane) in self.channels.iter().zip(place.chunks_exact_mut(pixels.len())) {
                    for (number, pixel) in plane.iter_mut().zip(pixels) {
                        *number = channel.1[usize::from(pixel[channel.0])];
                    }
                }
            }
            Layout::Nhwc => {
                for (numbers, pixel) in place.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
                    for (number, channel) in numbers.iter_mut().zip(&self.channels) {
                        *number = channel.1[usize::from(pixel[channel.0])];
                    }
                }
            }
        }
    }

    /// Appends one picture of `[h, w, 3]` to `tensor`: as `[3, h, w]` or `[h, w, 3]`.
    pub fn push(&self, image: &RgbImage, tensor: &mut Vec<T>) {
        let pixels = image.pixels().as_chunks::<3>().0;
        match self.layout {
            Layout::Nchw => {
                for (source, table) in &self.channels {
                    tensor.extend(pixels.iter().map(|pixel| table[usize::from(pixel[*source])]));
                }
            }
            Layout::Nhwc => {
                for pixel in pixels {
                    tensor.extend(self.channels.iter().map(|(source, table)| table[usize::from(pixel[*source])]));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Dtype;

    fn filled(layout: Layout, channels: ChannelOrder) -> Vec<f32> {
        let spec = InputSpec {
            layout,
            dtype: Dtype::F32,
            channels,
            scale: 1.0,
            mean: [0.0, 100.0, 200.0],
            std: [1.0, 1.0, 2.0],
            batch: None,
        };
        let mut tensor = Vec::new();
        let image = RgbImage::new(2, 1, vec![1, 2, 4, 11, 12, 14]).unwrap();
        let filler = Filler::new(&spec, |x| x as f32);
        filler.push(&image, &mut tensor);
        let mut written = vec![0.0; tensor.len()];
        filler.write(&image, &mut written);
        assert_eq!(written, tensor, "both ways give the same");
        tensor
    }

    #[test]
    fn planes_or_pixels_red_or_blue_first() {
        assert_eq!(filled(Layout::Nchw, ChannelOrder::Rgb), [1.0, 11.0, -98.0, -88.0, -98.0, -93.0]);
        assert_eq!(filled(Layout::Nhwc, ChannelOrder::Rgb), [1.0, -98.0, -98.0, 11.0, -88.0, -93.0]);
        assert_eq!(filled(Layout::Nhwc, ChannelOrder::Bgr), [4.0, -98.0, -99.5, 14.0, -88.0, -94.5]);
    }
}
