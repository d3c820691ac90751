//! The values of a session's inputs for texts: token ids, and which of them are not padding.
//!
//! Does not make token ids. Holds always: an input that is not known here is an error that names it, because a model
//! that gets a wrong value gives plausible numbers.

use ort::session::Session;
use ort::value::{DynValue, Outlet, Tensor, TensorElementType, ValueType};

use super::shape::{self, Call, IDS, MASK};
use crate::text::TextIds;

/// What the inputs of a graph beside that for pictures get.
pub enum Beside {
    /// There are none.
    Nothing,
    /// This text, in every call: a joint model takes pictures and texts.
    Text(TextIds),
}

impl Beside {
    /// The values for `session`, which is called with `batch` pictures.
    pub fn values(&self, session: &Session, call: &Call, batch: usize) -> Result<Vec<(String, DynValue)>, String> {
        let Self::Text(text) = self else { return Ok(Vec::new()) };
        let inputs = session.inputs();
        let of_pictures = inputs.iter().find(|input| input.name() == call.input).and_then(shape::batch_dimension);
        let mut values = Vec::new();
        for input in inputs.iter().filter(|input| input.name() != call.input) {
            // A graph whose texts and pictures have one batch wants as many of both.
            let is_shared = of_pictures.is_some() && shape::batch_dimension(input) == of_pictures;
            let rows = fixed(input, 0)?.unwrap_or(if is_shared { batch } else { 1 });
            values.push((input.name().to_owned(), value(input, text, rows)?));
        }
        Ok(values)
    }
}

/// The length of the axis `axis` of a tensor, if it is fixed.
pub fn fixed(input: &Outlet, axis: usize) -> Result<Option<usize>, String> {
    let ValueType::Tensor { shape, .. } = input.dtype() else {
        return Err(format!("input `{}` is not a tensor", input.name()));
    };
    Ok(shape.get(axis).and_then(|&length| usize::try_from(length).ok()).filter(|&length| length > 0))
}

/// The value of an input for texts: `text`, `rows` times.
pub fn value(input: &Outlet, text: &TextIds, rows: usize) -> Result<DynValue, String> {
    let name = input.name();
    let ValueType::Tensor { ty, shape, .. } = input.dtype() else {
        return Err(format!("input `{name}` is not a tensor"));
    };
    let positions = text.ids.len();
    if shape.len() != 2 {
        return Err(format!("input `{name}` has {} axes, but texts have two: is it the image tower?", shape.len()));
    }
    if let Some(length) = fixed(input, 1)?.filter(|&length| length != positions) {
        return Err(format!("it reads {length} tokens at a time; write text.positions = {length}"));
    }
    let one: Vec<i64> = match name {
        MASK => (0..positions).map(|at| i64::from(at < text.used)).collect(),
        _ if name == IDS || !name.contains("mask") && !name.contains("position") => {
            text.ids.iter().map(|&id| i64::from(id)).collect()
        }
        _ => return Err(format!("input `{name}` is not known; a text tower has `{IDS}`, and may have `{MASK}`")),
    };
    let numbers: Vec<i64> = one.iter().cycle().take(rows * positions).copied().collect();
    let shape = [rows as i64, positions as i64];
    let made = match ty {
        TensorElementType::Int64 => Tensor::from_array((shape, numbers)).map(Tensor::into_dyn),
        TensorElementType::Int32 => {
            let numbers: Vec<i32> = numbers.into_iter().map(|number| number as i32).collect();
            Tensor::from_array((shape, numbers)).map(Tensor::into_dyn)
        }
        other => return Err(format!("input `{name}` takes {other:?}, but token ids are i64 or i32")),
    };
    made.map_err(|error| error.to_string())
}
