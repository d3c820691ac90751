//! What a surrogate's TOML says of a graph that takes pictures, be it a classifier or a tower.

use crate::domain::{Geometry, ImageTower, InputSpec, OnnxGraph, OnnxModel};

/// A graph that takes pictures, as a surrogate's TOML describes it.
#[derive(Debug, Clone)]
pub struct PictureGraph {
    /// The graph.
    pub graph: OnnxGraph,
    /// From a picture to the graph's size.
    pub preprocess: Geometry,
    /// From pixels to the input tensor.
    pub input: InputSpec,
    /// Name of the output with the rows.
    pub output: Option<String>,
    /// Numbers of a row, if the TOML says it: a classifier's classes.
    pub classes: Option<usize>,
}

impl PictureGraph {
    /// Of a classifier.
    pub fn of_classifier(model: &OnnxModel) -> Self {
        let OnnxModel { preprocess, input, output, .. } = model.clone();
        let classes = Some(output.classes as usize);
        Self { graph: model.graph(), preprocess, input, output: output.name, classes }
    }

    /// Of a tower, or a joint model.
    pub fn of_tower(tower: &ImageTower) -> Self {
        let ImageTower { graph, preprocess, input, output } = tower.clone();
        Self { graph, preprocess, input, output, classes: None }
    }
}
