//! Tries a device on a sum whose result is known: a convolution and a matrix product, which use cuDNN and cuBLAS on a
//! GPU.
//!
//! A trial is needed, because a library that loads may still have no kernels for the GPU.

use ort::editor::{Graph, Model, Node, ONNX_DOMAIN, Opset};
use ort::memory::Allocator;
use ort::session::builder::SessionBuilder;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, Shape, SymbolicDimensions, Tensor, TensorElementType, ValueType};

/// Side of the square picture, and of its convolution with a 3 x 3 kernel.
const SIDE: i64 = 8;
const INNER: i64 = SIDE - 2;
/// The expected result: sums of nine ones, six of which are summed.
const EXPECTED: f32 = 54.0;
/// Algorithms that go through Fourier or Winograd transforms are not exact.
const TOLERANCE: f32 = 1e-2;
/// The version of operators for which all providers of ONNX Runtime 1.22 have kernels.
const OPSET: u32 = 17;

/// The session: `image` of `[1, 1, 8, 8]` f32 -> `sums` of `[1, 1, 6, 6]`.
pub fn session(options: &SessionBuilder) -> ort::Result<Session> {
    let mut graph = Graph::new()?;
    graph.set_inputs([outlet("image", [1, 1, SIDE, SIDE])])?;
    graph.set_outputs([outlet("sums", [1, 1, INNER, INNER])])?;
    graph.add_node(Node::new("Conv", ONNX_DOMAIN, "conv", ["image", "kernel"], ["inner"], [])?)?;
    graph.add_node(Node::new("MatMul", ONNX_DOMAIN, "matmul", ["inner", "ones"], ["sums"], [])?)?;
    graph.add_initializer("kernel", ones(&[1, 1, 3, 3])?, false)?;
    graph.add_initializer("ones", ones(&[INNER, INNER])?, false)?;
    // Optimisations add operators of these domains; before 1.24 the domains must be declared from the start.
    let (contrib, nchwc) = (Opset::new("com.microsoft", 1)?, Opset::new("com.microsoft.nchwc", 1)?);
    let mut model = Model::new([Opset::new(ONNX_DOMAIN, OPSET)?, contrib, nchwc])?;
    model.set_graph(graph)?;
    model.into_session(options)
}

/// Runs the session on a picture of ones; returns what is wrong with the result, if anything.
pub fn run(session: &mut Session) -> ort::Result<Option<String>> {
    let image = ones(&[1, 1, SIDE, SIDE])?;
    let outputs = session.run(vec![("image", SessionInputValue::from(image.into_dyn()))])?;
    let (_, sums) = outputs["sums"].try_extract_tensor::<f32>()?;
    let wrong = sums.iter().find(|sum| (**sum - EXPECTED).abs() > TOLERANCE || sum.is_nan());
    if sums.len() != (INNER * INNER) as usize {
        return Ok(Some(format!("a trial gave {} numbers instead of {}", sums.len(), INNER * INNER)));
    }
    Ok(wrong.map(|sum| format!("a trial gave {sum} instead of {EXPECTED}")))
}

fn outlet(name: &str, shape: [i64; 4]) -> Outlet {
    let shape = Shape::new(shape);
    let dimension_symbols = SymbolicDimensions::empty(shape.len());
    Outlet::new(name, ValueType::Tensor { ty: TensorElementType::Float32, shape, dimension_symbols })
}

/// A tensor of ones in ONNX Runtime's own memory, as initializers must be.
fn ones(shape: &[i64]) -> ort::Result<Tensor<f32>> {
    let mut tensor = Tensor::<f32>::new(&Allocator::default(), Shape::new(shape.iter().copied()))?;
    tensor.extract_tensor_mut().1.fill(1.0);
    Ok(tensor)
}
