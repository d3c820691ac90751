//! Builds hard-example image benchmarks, ImageNet-D style, and keeps the evidence for every image in them.
//!
//! Modules in reading order, lowest layer first; nothing imports its own layer or a higher one (`ARCHITECTURE.md`,
//! `tests/architecture/`).

pub mod domain;

pub mod input;
pub mod installed;

pub mod answers;
pub mod config;
pub mod imaging;
pub mod onnx;
pub mod people;
pub mod stats;
pub mod store;
pub mod table;
#[cfg(feature = "onnx")]
pub mod text;

pub mod assets;
pub mod generator;
pub mod imported;
pub mod render;
pub mod scorer;

pub mod source;

pub mod work;

pub mod pool;

pub mod server;

pub mod stage;

pub mod cli;

#[cfg(test)]
#[path = "../tests/common/needs.rs"]
mod needs;
