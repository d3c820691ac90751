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
    session_of(graph, options)
}

fn session_of(graph: Graph, options: &SessionBuilder) -> ort::Result<Session> {
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

#[cfg(test)]
mod tests {
    use ort::operator::Attribute;

    use super::*;
    use crate::domain::Device;
    use crate::onnx::Runtime;

    /// A border of zeros, and a pooling over it, as in the first layers of BiT: the largest of zeros and ones below
    /// zero is zero. Without the border it would be -1.
    #[test]
    fn zeros_around_a_picture_count_when_the_largest_number_is_sought() {
        let Some(runtime) = Runtime::of_this_machine() else { return };
        let mut graph = Graph::new().unwrap();
        graph.set_inputs([outlet("image", [1, 1, SIDE, SIDE])]).unwrap();
        graph.set_outputs([outlet("most", [1, 1, SIDE, SIDE])]).unwrap();
        let pad = Node::new("Pad", ONNX_DOMAIN, "pad", ["image", "border"], ["larger"], []).unwrap();
        let kernel = Attribute::new("kernel_shape", vec![3_i64, 3]).unwrap();
        let pool = Node::new("MaxPool", ONNX_DOMAIN, "pool", ["larger"], ["most"], [kernel]).unwrap();
        graph.add_node(pad).unwrap();
        graph.add_node(pool).unwrap();
        let mut border = Tensor::<i64>::new(&Allocator::default(), [8_usize]).unwrap();
        border.extract_tensor_mut().1.copy_from_slice(&[0, 0, 1, 1, 0, 0, 1, 1]);
        graph.add_initializer("border", border, false).unwrap();
        let mut session = session_of(graph, &runtime.options(Device::Cpu, 1).unwrap()).unwrap();
        let mut image = ones(&[1, 1, SIDE, SIDE]).unwrap();
        image.extract_tensor_mut().1.fill(-1.0);
        let outputs = session.run(vec![("image", SessionInputValue::from(image.into_dyn()))]).unwrap();
        let (_, most) = outputs["most"].try_extract_tensor::<f32>().unwrap();
        let side = SIDE as usize;
        let is_border = |place: usize| [place / side, place % side].iter().any(|&at| at == 0 || at == side - 1);
        let expected: Vec<f32> = (0..side * side).map(|place| if is_border(place) { 0.0 } else { -1.0 }).collect();
        assert_eq!(most, expected);
    }
}
