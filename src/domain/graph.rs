//! A graph in ONNX format: its files, and the tensor that it takes pictures in.
//!
//! Does not read files. Holds always: the hash of a graph is that of all of its files, because weights may be in files
//! of their own.

use serde::{Deserialize, Serialize};

use super::{PinnedFile, Sha256};

/// A graph in ONNX format with its files of weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnnxGraph {
    /// The graph, with its own hash; see [`OnnxGraph::sha256`].
    pub weights: PinnedFile,
    /// Files of weights that it names, relative to its folder, sorted by path; none for a model of one file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<PinnedFile>,
}

impl OnnxGraph {
    /// Hash of the model: that of its file; of several files the hash of what `sha256sum` prints about them, the graph
    /// from standard input: `(sha256sum < net.onnx; sha256sum net.onnx.data) | sha256sum`.
    pub fn sha256(&self) -> Sha256 {
        if self.data.is_empty() {
            return self.weights.sha256;
        }
        let mut lines = format!("{}  -\n", self.weights.sha256);
        for file in &self.data {
            lines += &format!("{}  {}\n", file.sha256, file.path.display());
        }
        Sha256::of(lines.as_bytes())
    }
}

/// The input tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// Order of its axes.
    pub layout: Layout,
    /// Type of its numbers.
    pub dtype: Dtype,
    /// Order of its channels.
    pub channels: ChannelOrder,
    /// A value is `(pixel * scale - mean) / std`, pixel in 0..=255.
    pub scale: f64,
    /// See `scale`; in the order of the tensor's channels.
    pub mean: [f64; 3],
    /// See `scale`; in the order of the tensor's channels.
    pub std: [f64; 3],
    /// The fixed batch size of the model, if the recipe names it; it must be the model's own.
    pub batch: Option<u32>,
}

/// Order of the axes of an image tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// batch, channel, row, column
    Nchw,
    /// batch, row, column, channel
    Nhwc,
}

/// Type of a tensor's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit floating point
    F32,
    /// 16-bit floating point (IEEE 754 binary16)
    F16,
    /// bytes
    U8,
}

/// Order of the colour channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// red, green, blue
    Rgb,
    /// blue, green, red (Caffe's models)
    Bgr,
}
