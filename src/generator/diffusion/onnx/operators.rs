//! Two operators of our own on the CPU: standard operators need five passes over memory for each, in part on one
//! thread.
//!
//! Holds always: a task's numbers come from one group or one row, so they do not depend on the batch or on threads.

use ort::operator::{
    BoxedKernel, ComputeContext, KernelContext, Operator, OperatorDomain, OperatorInput, OperatorOutput,
    ShapeInferenceContext,
};
use ort::value::{Shape, TensorElementType, ValueRef, ValueType};

use crate::generator::diffusion::kernels::{Affine, GroupNormShape, Target, geglu_row, normalise_group};

/// The domain of these operators.
pub const DOMAIN: &str = "hardset";
/// Group normalisation `x [n, c, h, w], weight [c], bias [c]`; attributes `groups`, `epsilon`, `silu` (0 or 1).
pub const GROUP_NORM: &str = "GroupNorm";
/// `x [rows, 2 width], bias [2 width]`: the first half of each row of `x + bias` times the GELU of the second.
pub const GEGLU: &str = "Geglu";

/// Rows of a GEGLU in one task.
const ROWS: usize = 16;

/// Both operators, for a session's options.
pub fn domain() -> ort::Result<OperatorDomain> {
    OperatorDomain::new(DOMAIN)?.add(GroupNorm)?.add(Geglu)
}

struct GroupNorm;
struct Geglu;

const F32: TensorElementType = TensorElementType::Float32;

impl Operator for GroupNorm {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        GROUP_NORM
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [OperatorInput::required(F32), OperatorInput::required(F32), OperatorInput::required(F32)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(F32)]
    }

    fn create_kernel<'attr>(&self, context: &KernelContext<'attr>) -> ort::Result<Self::Kernel<'attr>> {
        let lacks = |name: &str| ort::Error::new(format!("{GROUP_NORM} has no attribute {name}"));
        let groups: i64 = context.get("groups").ok_or_else(|| lacks("groups"))?;
        let epsilon: f32 = context.get("epsilon").ok_or_else(|| lacks("epsilon"))?;
        let silu: i64 = context.get("silu").ok_or_else(|| lacks("silu"))?;
        let (groups, silu) = (groups as usize, silu != 0);
        Ok(Box::new(move |context: &ComputeContext| group_norm(context, groups, epsilon, silu)))
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> ort::Result<()> {
        let inputs = context.inputs();
        context.set_output(0, &inputs[0])
    }
}

impl Operator for Geglu {
    type Kernel<'attr> = BoxedKernel<'attr>;

    fn name(&self) -> &str {
        GEGLU
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [OperatorInput::required(F32), OperatorInput::required(F32)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(F32)]
    }

    fn create_kernel<'attr>(&self, _: &KernelContext<'attr>) -> ort::Result<Self::Kernel<'attr>> {
        Ok(Box::new(geglu))
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> ort::Result<()> {
        let mut inputs = context.inputs();
        if let ValueType::Tensor { shape, .. } = &mut inputs[0] {
            let [rows, width] = [shape[0], shape[1]];
            *shape = Shape::new([rows, width / 2]);
        }
        context.set_output(0, &inputs[0])
    }
}

fn group_norm(context: &ComputeContext, groups: usize, epsilon: f32, silu: bool) -> ort::Result<()> {
    let [x, weight, bias] = [input(context, 0)?, input(context, 1)?, input(context, 2)?];
    let (shape, x) = x.try_extract_tensor::<f32>()?;
    let affine = Affine { weight: weight.try_extract_tensor::<f32>()?.1, bias: bias.try_extract_tensor::<f32>()?.1 };
    let pixels = shape[2..].iter().product::<i64>() as usize;
    let norm = GroupNormShape { channels: shape[1] as usize, pixels, groups, epsilon, silu };
    let size = norm.group_size();
    in_tasks(context, shape.to_vec(), x.len() / size.max(1), size, |task, out| {
        normalise_group(norm, task, &x[task * size..][..size], affine, out);
    })
}

fn geglu(context: &ComputeContext) -> ort::Result<()> {
    let [x, bias] = [input(context, 0)?, input(context, 1)?];
    let (shape, x) = x.try_extract_tensor::<f32>()?;
    let bias = bias.try_extract_tensor::<f32>()?.1;
    let (rows, width) = (shape[0] as usize, shape[1] as usize / 2);
    in_tasks(context, vec![shape[0], width as i64], rows.div_ceil(ROWS), ROWS * width, |task, out| {
        let rows = x[task * ROWS * 2 * width..].chunks_exact(2 * width);
        out.chunks_exact_mut(width).zip(rows).for_each(|(out, row)| geglu_row(row, bias, out));
    })
}

fn input(context: &ComputeContext, at: usize) -> ort::Result<ValueRef<'_>> {
    context.input(at)?.ok_or_else(|| ort::Error::new(format!("input {at} is missing")))
}

/// Fills the output, of `shape`, on the session's threads: in `tasks` pieces of `size` numbers, the last one perhaps
/// shorter.
fn in_tasks(
    context: &ComputeContext,
    shape: Vec<i64>,
    tasks: usize,
    size: usize,
    fill: impl Fn(usize, &mut [f32]) + Sync + Send,
) -> ort::Result<()> {
    let mut output = context.output(0, shape)?.ok_or_else(|| ort::Error::new("there is no output to fill"))?;
    let (_, out) = output.try_extract_tensor_mut::<f32>()?;
    let (place, length) = (Target(out.as_mut_ptr()), out.len());
    context.par_for(tasks, 0, |task| {
        let start = task * size;
        // SAFETY: tasks write to pieces that do not overlap and are inside the output's `length` numbers.
        let piece = unsafe { std::slice::from_raw_parts_mut(place.at(start), size.min(length - start)) };
        fill(task, piece);
    })
}
