//! A place in the tree of weights' names, from which a network loads its layers.

use super::layers::{Kernel, Layers, LinearShape, Norm};

/// A place in the tree of names.
pub struct Scope<'a, L> {
    layers: &'a mut L,
    prefix: String,
}

impl<'a, L: Layers> Scope<'a, L> {
    /// The top of the tree, or the part of it below `prefix` (ending in a dot).
    pub fn new(layers: &'a mut L, prefix: &str) -> Self {
        Self { layers, prefix: prefix.to_owned() }
    }

    /// The place `name` below this one.
    pub fn at(&mut self, name: &str) -> Scope<'_, L> {
        Scope { prefix: format!("{}{name}.", self.prefix), layers: self.layers }
    }

    /// Whether the model's files have tensor `name` here.
    pub fn has(&self, name: &str) -> bool {
        self.layers.has(&self.full(name))
    }

    /// A table of rows.
    pub fn table(&mut self, name: &str, shape: [usize; 2]) -> Result<L::Table, L::Error> {
        self.layers.load_table(&self.full(name), shape)
    }

    /// A fully connected layer.
    pub fn linear(&mut self, name: &str, shape: LinearShape) -> Result<L::Linear, L::Error> {
        self.layers.load_linear(&self.full(name), shape)
    }

    /// A convolution.
    pub fn conv(&mut self, name: &str, kernel: Kernel) -> Result<L::Conv, L::Error> {
        self.layers.load_conv(&self.full(name), kernel)
    }

    /// Group normalisation.
    pub fn group_norm(&mut self, name: &str, channels: usize, norm: Norm) -> Result<L::GroupNorm, L::Error> {
        self.layers.load_group_norm(&self.full(name), channels, norm)
    }

    /// Layer normalisation.
    pub fn layer_norm(&mut self, name: &str, width: usize, epsilon: f64) -> Result<L::LayerNorm, L::Error> {
        self.layers.load_layer_norm(&self.full(name), width, epsilon)
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}
