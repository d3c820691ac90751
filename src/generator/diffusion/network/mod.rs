//! The three networks of Stable Diffusion, written once: which layer follows which, and what its weights are called.
//!
//! What a layer does is behind [`Layers`]: candle computes it at once, the ONNX Runtime engine writes it into a graph.
//! Holds always: nothing here knows a tensor library, a device or a batch.

mod clip;
mod layers;
mod resnet;
mod scope;
mod transformer;
mod unet;
mod vae;

pub(super) use clip::TextEncoder;
pub(super) use layers::{Attention, Kernel, Layers, LinearShape, Norm};
pub(super) use unet::{Unet, waves};
pub(super) use vae::Decoder;
