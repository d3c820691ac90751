//! Images of a latent diffusion model: prompts in, pixels out.
//!
//! Noise, sampling, guidance and batching are here, on plain arrays; what runs the networks is behind
//! `engine::Engine`. Holds always: an image depends on its row and the recipe alone, not on the batch around it.

#[cfg(feature = "candle")]
mod candle;
mod choice;
mod decoding;
mod doctor;
mod engine;
mod error;
mod kernels;
mod model;
mod network;
#[cfg(not(feature = "candle"))]
mod no_candle;
mod noise;
mod onnx;
mod pipeline;
mod pixels;
mod reference;
mod run;
mod sampler;

pub(super) use choice::{candle_problem, engine_facts};
pub(super) use doctor::{benchmark, compare, facts, files, load_networks};
pub use error::DiffusionError;
pub(super) use pipeline::{check, load};

#[cfg(not(feature = "candle"))]
use no_candle as candle;
