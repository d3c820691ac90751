//! Writes a graph for ONNX Runtime: values with shapes, nodes, weights straight from the model's files.
//!
//! Goes through ONNX Runtime's model editor: no protobuf, no file, no limit of 2 GB. Holds always: every shape is known
//! while the graph is written; f32 weights for a CPU are the mapped file itself, which the session must not outlive.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Arc;

use half::{bf16, f16};
use ort::AsPointer;
use ort::editor::{Graph, Model, Node, Opset};
use ort::memory::{Allocator, MemoryInfo};
use ort::operator::Attribute;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::sys;
use ort::value::{Outlet, PrimitiveTensorElementType, Shape, SymbolicDimensions, Tensor, TensorElementType, ValueType};

use super::operators;
use super::shape::Number;
use crate::generator::diffusion::engine::NetworkError;
use crate::generator::diffusion::model::{Raw, RawType, Weights};

/// Operators and their versions. The standard ones are those of ONNX 1.15, which every ONNX Runtime with a model editor
/// knows. The CPU provider itself adds the layout in blocks of channels; 1.22 and 1.23 want it declared.
const OPSETS: [(&str, u32); 4] = [(STANDARD, 20), (OWN, 1), ("com.microsoft.nchwc", 1), (operators::DOMAIN, 1)];
/// Operators of ONNX Runtime's own.
pub const OWN: &str = "com.microsoft";
/// And the standard ones.
pub const STANDARD: &str = ort::editor::ONNX_DOMAIN;
/// Weights of fewer bytes must be in ONNX Runtime's own memory.
const LEAST_MAPPED_BYTES: usize = 128;

/// The operators and the layout that a graph is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Standard operators and two of our own, channels first: what ONNX Runtime's CPU provider lays out in blocks of
    /// channels by itself.
    Cpu,
    /// The fused operators of the CUDA provider, channels last, as tensor cores need them.
    Cuda(Number),
}

/// A value in the graph. Pictures are `[n, c, h, w]` here, whatever the layout; rows are `[n, rows, width]` here and a
/// matrix of `n * rows` rows in the graph.
#[derive(Debug, Clone)]
pub struct Value {
    pub name: String,
    pub shape: Vec<usize>,
}

/// An input or the output of a graph.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: String,
    pub number: TensorElementType,
    /// In the graph's layout.
    pub shape: Vec<usize>,
}

impl Named {
    /// In f32, as all inputs and outputs of networks.
    pub fn new(name: &str, shape: &[usize]) -> Self {
        Self { name: name.to_owned(), number: TensorElementType::Float32, shape: shape.to_vec() }
    }

    fn outlet(&self) -> Outlet {
        let dimension_symbols = SymbolicDimensions::empty(self.shape.len());
        let (ty, shape) = (self.number, shape_of(&self.shape));
        Outlet::new(&self.name, ValueType::Tensor { ty, shape, dimension_symbols })
    }
}

/// A graph that is being written.
pub struct Writer {
    pub dialect: Dialect,
    weights: Arc<Weights>,
    state: RefCell<State>,
}

struct State {
    graph: Graph,
    nodes: usize,
    /// Weights that the graph calls inputs with a default.
    replaceable: Vec<Named>,
    /// Names of constants that have been written.
    constants: HashMap<String, String>,
}

type Written<T> = Result<T, NetworkError>;

impl Writer {
    /// An empty graph over the weights of one network.
    pub fn new(weights: Arc<Weights>, dialect: Dialect) -> Written<Self> {
        let graph = Graph::new()?;
        let state = State { graph, nodes: 0, replaceable: Vec::new(), constants: HashMap::new() };
        Ok(Self { dialect, weights, state: RefCell::new(state) })
    }

    /// Whether the model's files have tensor `name`.
    pub fn has(&self, name: &str) -> bool {
        self.weights.has(name)
    }

    /// The type of number that the graph computes in.
    pub fn number(&self) -> Number {
        match self.dialect {
            Dialect::Cpu => Number::F32,
            Dialect::Cuda(number) => number,
        }
    }

    /// Adds a node of one output and returns that one's name.
    pub fn node(&self, domain: &str, operator: &str, inputs: &[&str], attributes: Vec<Attribute>) -> Written<String> {
        Ok(self.node_with(domain, operator, inputs, &["result"], attributes)?.swap_remove(0))
    }

    /// Adds a node and returns the names of its outputs; an output with an empty name here is not wanted.
    pub fn node_with(
        &self,
        domain: &str,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: Vec<Attribute>,
    ) -> Written<Vec<String>> {
        let mut state = self.state.borrow_mut();
        let name = format!("{operator}_{}", state.nodes);
        state.nodes += 1;
        let full = |output: &&str| if output.is_empty() { String::new() } else { format!("{name}.{output}") };
        let outputs: Vec<String> = outputs.iter().map(full).collect();
        state.graph.add_node(Node::new(operator, domain, &name, inputs, &outputs, attributes)?)?;
        Ok(outputs)
    }

    /// A constant of whole numbers, such as a shape.
    pub fn whole_numbers(&self, numbers: &[i64]) -> Written<String> {
        self.constant(&format!("i64 {numbers:?}"), &[numbers.len()], numbers)
    }

    /// A constant of factors.
    pub fn factors(&self, factors: &[f32]) -> Written<String> {
        self.constant(&format!("f32 {factors:?}"), &[factors.len()], factors)
    }

    /// A constant of `count` times `number`, in f32.
    pub fn repeated(&self, number: f32, count: usize) -> Written<String> {
        self.constant(&format!("{count} x {number}"), &[count], &vec![number; count])
    }

    /// Calls a value by another name.
    pub fn named(&self, from: &str, name: &str) -> Written<()> {
        let node = Node::new("Identity", STANDARD, format!("to {name}"), [from], [name], [])?;
        Ok(self.state.borrow_mut().graph.add_node(node)?)
    }

    fn constant<T: PrimitiveTensorElementType + Copy + std::fmt::Debug>(
        &self,
        name: &str,
        shape: &[usize],
        numbers: &[T],
    ) -> Written<String> {
        let mut state = self.state.borrow_mut();
        if let Some(known) = state.constants.get(name) {
            return Ok(known.clone());
        }
        let mut tensor = Tensor::<T>::new(&Allocator::default(), shape_of(shape))?;
        tensor.extract_tensor_mut().1.copy_from_slice(numbers);
        state.graph.add_initializer(name, tensor, false)?;
        state.constants.insert(name.to_owned(), name.to_owned());
        Ok(name.to_owned())
    }

    /// A weight, in the numbers that the graph computes in; `shape` is the file's, `placed` the graph's.
    pub fn weight(&self, name: &str, shape: &[usize], placed: &[usize]) -> Written<String> {
        self.weight_in(self.number(), name, shape, placed)
    }

    /// A weight in a given type of number.
    pub fn weight_in(&self, number: Number, name: &str, shape: &[usize], placed: &[usize]) -> Written<String> {
        let raw = self.weights.tensor(name, shape)?;
        match (number, raw.dtype) {
            (Number::F32, RawType::F32) if can_be_mapped::<f32>(raw.bytes) => {
                self.map::<f32>(name, raw.bytes, placed)?
            }
            (Number::F16, RawType::F16) if can_be_mapped::<f16>(raw.bytes) => {
                self.map::<f16>(name, raw.bytes, placed)?
            }
            (Number::F32, _) => self.copy(name, placed, &numbers(&raw))?,
            (Number::F16, _) => self.copy(name, placed, &halves(&raw))?,
        }
        Ok(name.to_owned())
    }

    /// Keeps ONNX Runtime from making a laid-out or packed copy of a weight on a CPU: the weight is declared as an
    /// input with a default, which a caller could replace (none does), and is therefore used as the file has it.
    pub fn keep_as_it_is(&self, name: &str, shape: &[usize]) {
        let mut state = self.state.borrow_mut();
        if self.dialect == Dialect::Cpu && !state.replaceable.iter().any(|kept| kept.name == name) {
            state.replaceable.push(Named::new(name, shape));
        }
    }

    /// The weight `[outputs, inputs, side, side]` of a convolution as `[outputs, side, side, inputs]`.
    pub fn weight_channels_last(&self, name: &str, shape: [usize; 4]) -> Written<String> {
        let raw = self.weights.tensor(name, &shape)?;
        let [outputs, inputs, height, width] = shape;
        let placed = [outputs, height, width, inputs];
        match self.number() {
            Number::F32 => self.copy(name, &placed, &channels_last(&numbers(&raw), inputs, height * width))?,
            Number::F16 => self.copy(name, &placed, &channels_last(&halves(&raw), inputs, height * width))?,
        }
        Ok(name.to_owned())
    }

    fn copy<T: PrimitiveTensorElementType + Copy + std::fmt::Debug>(
        &self,
        name: &str,
        shape: &[usize],
        numbers: &[T],
    ) -> Written<()> {
        let mut tensor = Tensor::<T>::new(&Allocator::default(), shape_of(shape))?;
        tensor.extract_tensor_mut().1.copy_from_slice(numbers);
        let external = size_of_val(numbers) >= LEAST_MAPPED_BYTES;
        self.state.borrow_mut().graph.add_initializer(name, tensor, external)?;
        Ok(())
    }

    /// Makes the mapped file's own memory a weight. `ort` has no safe way for memory that is not ONNX Runtime's own.
    fn map<T: PrimitiveTensorElementType>(&self, name: &str, bytes: &[u8], shape: &[usize]) -> Written<()> {
        let (api, editor) = (ort::api(), ort::api::editor()?);
        let place = MemoryInfo::default();
        let shape = shape_of(shape);
        let name = CString::new(name).map_err(ort::Error::<()>::wrap)?;
        let mut state = self.state.borrow_mut();
        let mut value: *mut sys::OrtValue = std::ptr::null_mut();
        // SAFETY: the memory is `bytes.len()` long, holds `shape` numbers of this type (the caller checked length and
        // alignment), is only read, and stays mapped as long as the session of this graph: `Call` keeps both.
        unsafe {
            ort::Error::<()>::result_from_status((api.CreateTensorWithDataAsOrtValue)(
                place.ptr(),
                bytes.as_ptr().cast_mut().cast(),
                bytes.len(),
                shape.as_ptr(),
                shape.len(),
                T::into_tensor_element_type().into(),
                &mut value,
            ))?;
            let added = (editor.AddInitializerToGraph)(state.graph.ptr_mut(), name.as_ptr(), value, true);
            if let Err(error) = ort::Error::<()>::result_from_status(added) {
                (api.ReleaseValue)(value);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Closes the graph and makes a session of it.
    pub fn finish(self, inputs: &[Named], output: &Named, options: SessionBuilder) -> Written<Session> {
        let State { mut graph, replaceable, .. } = self.state.into_inner();
        graph.set_inputs(inputs.iter().chain(&replaceable).map(Named::outlet))?;
        graph.set_outputs([output.outlet()])?;
        let opsets = OPSETS.map(|(domain, version)| Opset::new(domain, version));
        let mut model = Model::new(opsets.into_iter().collect::<ort::Result<Vec<_>>>()?)?;
        model.set_graph(graph)?;
        // A session made directly from a model does not know our own operators; one that begins empty does.
        let mut options = options.with_operators(operators::domain()?)?;
        let mut session = options.edit_from_memory(&empty_model())?;
        session.apply_model(&model)?;
        Ok(session.into_session()?)
    }
}

/// An ONNX file without inputs, nodes and outputs.
///
/// Source of the field numbers: onnx.proto3 (`ModelProto`: 1 ir_version, 7 graph, 8 opset_import; `GraphProto`: 2 name;
/// `OperatorSetIdProto`: 1 domain, 2 version). All lengths and numbers here fit into seven bits, as one byte each.
fn empty_model() -> Vec<u8> {
    const IR_VERSION: u8 = 9;
    let text = |field: u8, text: &str| [&[field << 3 | 2, text.len() as u8], text.as_bytes()].concat();
    let message = |field: u8, body: Vec<u8>| [&[field << 3 | 2, body.len() as u8], body.as_slice()].concat();
    let mut model = vec![1 << 3, IR_VERSION];
    model.extend(message(7, text(2, "hardset")));
    for (domain, version) in OPSETS {
        let body = [text(1, domain), vec![2 << 3, version as u8]].concat();
        model.extend(message(8, body));
    }
    model
}

pub fn shape_of(shape: &[usize]) -> Shape {
    Shape::new(shape.iter().map(|&size| size as i64))
}

fn can_be_mapped<T>(bytes: &[u8]) -> bool {
    bytes.len() >= LEAST_MAPPED_BYTES && bytes.as_ptr().cast::<T>().is_aligned()
}

fn numbers(raw: &Raw) -> Vec<f32> {
    match raw.dtype {
        RawType::F32 => raw.bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        RawType::F16 => raw.bytes.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect(),
        RawType::Bf16 => {
            raw.bytes.as_chunks::<2>().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()).collect()
        }
    }
}

fn halves(raw: &Raw) -> Vec<f16> {
    match raw.dtype {
        RawType::F16 => raw.bytes.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes)).collect(),
        RawType::F32 | RawType::Bf16 => numbers(raw).into_iter().map(f16::from_f32).collect(),
    }
}

/// `[outputs, inputs, pixels]` as `[outputs, pixels, inputs]`.
fn channels_last<T: Copy>(weight: &[T], inputs: usize, pixels: usize) -> Vec<T> {
    let mut placed = Vec::with_capacity(weight.len());
    for output in weight.chunks_exact(inputs * pixels) {
        for pixel in 0..pixels {
            placed.extend((0..inputs).map(|input| output[input * pixels + pixel]));
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::channels_last;

    #[test]
    fn channels_move_behind_pixels() {
        // Two outputs, three inputs, two pixels: the number is output, input, pixel.
        let weight = [0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121];
        assert_eq!(channels_last(&weight, 3, 2), [0, 10, 20, 1, 11, 21, 100, 110, 120, 101, 111, 121]);
    }
}
