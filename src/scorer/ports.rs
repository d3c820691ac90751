//! What a graph declares of its inputs and outputs, without the library's types.

/// An input or output of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// The type of its numbers; `None` for one that is no tensor of numbers.
    pub kind: Option<PortKind>,
    /// Its sides; `None` for an open one.
    pub dims: Vec<Option<u64>>,
}

/// Types of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortKind {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// Bytes.
    U8,
    /// Whole numbers of 32 or 64 bits.
    Integer,
    /// Any other.
    Other,
}

impl Port {
    /// As people write it: `pixel_values [?, 3, 224, 224]`.
    pub fn words(&self) -> String {
        let side = |side: &Option<u64>| side.map_or_else(|| "?".to_owned(), |side| side.to_string());
        format!("{} [{}]", self.name, self.dims.iter().map(side).collect::<Vec<_>>().join(", "))
    }
}

/// Numbers of the outputs of one call, by the output's place.
pub type Given = Vec<(usize, Vec<f32>)>;

/// How a graph is called with pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ask<'a> {
    /// Pixels to numbers.
    pub input: &'a crate::domain::InputSpec,
    /// Pictures in a call; fewer are filled up with copies of the last.
    pub batch: usize,
}
