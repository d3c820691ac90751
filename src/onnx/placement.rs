//! On which device the operators of a session ended up.
//!
//! ONNX Runtime silently gives the CPU every operator for which a GPU's provider has no kernel. It also puts some there
//! on purpose: arithmetic on shapes is a few integers. A session for a GPU is therefore refused only if heavy operators
//! are elsewhere.
//!
//! The C API has this information from version 1.24 on (`Session_GetEpGraphAssignmentInfo`). `ort` has no wrapper for
//! it and names it only in builds that refuse older libraries, so the functions are taken from the API's table, whose
//! places never change (onnxruntime_c_api.h; onnxruntime_c_api.cc asserts them).

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_void};

use ort::AsPointer;
use ort::session::Session;
use ort::session::builder::SessionBuilder;
use ort::sys::{OrtSession, OrtStatusPtr};

/// The first version of the C API that has these functions.
pub const API_VERSION: u32 = 24;
/// Places in the table.
const ASSIGNMENT_INFO: usize = 407;
const PROVIDER_OF: usize = 408;
const NODES_OF: usize = 409;
const OPERATOR_OF: usize = 412;

/// The provider whose operators run on the GPU.
const CUDA: &str = "CUDAExecutionProvider";

/// Opaque types of the C API.
type Subgraph = c_void;
type Node = c_void;
type AssignmentInfo =
    unsafe extern "system" fn(*const OrtSession, *mut *const *const Subgraph, *mut usize) -> OrtStatusPtr;
type NodesOf = unsafe extern "system" fn(*const Subgraph, *mut *const *const Node, *mut usize) -> OrtStatusPtr;
type TextOf = unsafe extern "system" fn(*const c_void, *mut *const c_char) -> OrtStatusPtr;

/// Where one operator runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedOperator {
    /// Its type: `Conv`.
    pub operator: String,
    /// The provider: `CPUExecutionProvider`.
    pub provider: String,
}

/// The C API's table of a library of version 1.24 or later.
#[derive(Debug, Clone, Copy)]
pub struct Table(*const *const c_void);

// SAFETY: the table is static and constant.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

impl Table {
    /// `table`: the result of `GetApi(24)` of the loaded library; `None` if that is null.
    pub fn new(table: *const c_void) -> Option<Self> {
        (!table.is_null()).then_some(Self(table.cast()))
    }

    /// Makes the session remember where its operators are placed.
    pub fn remember(builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        Ok(builder.with_config_entry("session.record_ep_graph_assignment_info", "1")?)
    }

    /// The operators of a session whose options went through [`Table::remember`], before a provider fuses its own.
    pub fn placed(self, session: &Session) -> ort::Result<Vec<PlacedOperator>> {
        // SAFETY: the types are those of the C API at these places; what is read belongs to the session, which is
        // borrowed.
        unsafe {
            let info: AssignmentInfo = std::mem::transmute(self.at(ASSIGNMENT_INFO));
            let nodes_of: NodesOf = std::mem::transmute(self.at(NODES_OF));
            let (mut subgraphs, mut count) = (std::ptr::null(), 0);
            ort::Error::result_from_status(info(session.ptr(), &raw mut subgraphs, &raw mut count))?;
            let mut placed = Vec::new();
            for &subgraph in slice(subgraphs, count) {
                let provider = self.text(PROVIDER_OF, subgraph)?;
                let (mut nodes, mut count) = (std::ptr::null(), 0);
                ort::Error::result_from_status(nodes_of(subgraph, &raw mut nodes, &raw mut count))?;
                for &node in slice(nodes, count) {
                    placed.push(PlacedOperator { operator: self.text(OPERATOR_OF, node)?, provider: provider.clone() });
                }
            }
            Ok(placed)
        }
    }

    /// The function at a place.
    unsafe fn at(self, place: usize) -> *const c_void {
        // SAFETY: the table of API 24 is longer than any of the places above.
        unsafe { *self.0.add(place) }
    }

    unsafe fn text(self, place: usize, of: *const c_void) -> ort::Result<String> {
        let mut text = std::ptr::null();
        // SAFETY: the functions at these places take a pointer of their kind and give a text that lives with the
        // session.
        unsafe {
            let text_of: TextOf = std::mem::transmute(self.at(place));
            ort::Error::result_from_status(text_of(of, &raw mut text))?;
            Ok(CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    }
}

/// # Safety
/// `first` points to `count` pointers that live as long as the session, or is null.
unsafe fn slice<'a>(first: *const *const c_void, count: usize) -> &'a [*const c_void] {
    if first.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(first, count) }
}

/// Why a session for the GPU is refused; `None` if its heavy operators are on the GPU.
pub fn problem(placed: &[PlacedOperator]) -> Option<String> {
    let mut elsewhere: BTreeMap<&str, usize> = BTreeMap::new();
    for placed in placed.iter().filter(|placed| placed.provider != CUDA && is_heavy(&placed.operator)) {
        *elsewhere.entry(&placed.operator).or_default() += 1;
    }
    if elsewhere.is_empty() {
        return None;
    }
    let operators: Vec<String> = elsewhere.iter().map(|counted| format!("{} {}", counted.1, counted.0)).collect();
    let heavy = placed.iter().filter(|placed| is_heavy(&placed.operator)).count();
    let cause = "the CUDA provider has no kernel for them, or cuDNN is not available";
    Some(format!("of its {heavy} heavy operators these would run on the CPU: {}; {cause}", operators.join(", ")))
}

/// Convolutions, products of matrices and attention, fused or quantised ones too.
fn is_heavy(operator: &str) -> bool {
    ["Conv", "MatMul", "Gemm", "Attention"].iter().any(|heavy| operator.contains(heavy))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Conv@CUDA Gather@CPU` -> where each is placed.
    fn placed(text: &str) -> Vec<PlacedOperator> {
        let one = |word: &str| {
            let (operator, provider) = word.split_once('@').unwrap();
            PlacedOperator { operator: operator.to_owned(), provider: format!("{provider}ExecutionProvider") }
        };
        text.split_whitespace().map(one).collect()
    }

    #[test]
    fn arithmetic_on_shapes_may_be_on_the_cpu_and_heavy_work_may_not() {
        let shapes = "Conv@CUDA MatMul@CUDA Shape@CPU Gather@CPU Unsqueeze@CPU Concat@CPU Slice@CPU Softmax@CUDA";
        assert_eq!(problem(&placed(shapes)), None);
        assert_eq!(problem(&[]), None);
        let mixed = "Conv@CUDA Conv@CPU QLinearConv@CPU Conv@CPU FusedMatMul@CUDA MultiHeadAttention@CPU Gather@CPU";
        let expected = "of its 6 heavy operators these would run on the CPU: 2 Conv, 1 MultiHeadAttention, \
                        1 QLinearConv; the CUDA provider has no kernel for them, or cuDNN is not available";
        assert_eq!(problem(&placed(mixed)).as_deref(), Some(expected));
    }
}
