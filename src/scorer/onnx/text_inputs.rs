//! The values of a session's inputs for texts: token ids, and which of them are not padding.
//!
//! Does not make token ids. Holds always: an input that is not known here is an error that names it, because a model
//! that gets a wrong value gives plausible numbers.

use ort::value::{DynValue, Outlet, Tensor, TensorElementType, ValueType};

use super::shape::{self, IDS, MASK};
use crate::text::TextIds;

/// What a graph's inputs get in every call, by name.
pub type Values = Vec<(String, DynValue)>;

/// A graph's inputs for texts.
pub struct TextInputs<'a> {
    /// For token ids.
    ids: &'a Outlet,
    /// For what tells them from padding.
    mask: Option<&'a Outlet>,
}

impl<'a> TextInputs<'a> {
    /// Those of these inputs that are not for pictures; `None` if all are.
    pub fn of(inputs: &'a [Outlet]) -> Result<Option<Self>, String> {
        let pictures = shape::picture_input(inputs).map(Outlet::name);
        let texts: Vec<&Outlet> = inputs.iter().filter(|input| Some(input.name()) != pictures).collect();
        let named = |name: &str| texts.iter().copied().find(|input| input.name() == name);
        let (ids, mask) = match (named(IDS), named(MASK), texts.as_slice()) {
            (_, _, []) => return Ok(None),
            (Some(ids), mask, all) if all.len() == 1 + usize::from(mask.is_some()) => (ids, mask),
            (None, None, [only]) => (*only, None),
            _ => {
                let names = shape::names(inputs);
                let known = format!("a text tower has `{IDS}`, and may have `{MASK}`");
                return Err(format!("it has inputs that are not known ({names}); {known}: export it in that way"));
            }
        };
        Ok(Some(Self { ids, mask }))
    }

    /// Texts of a call, if the graph fixes them.
    pub fn batch(&self) -> Result<Option<usize>, String> {
        fixed(self.ids, 0)
    }

    /// `text`, `rows` times.
    pub fn values(&self, text: &TextIds, rows: usize) -> Result<Values, String> {
        let ids = text.ids.iter().map(|&id| i64::from(id)).collect();
        let mut values = vec![(self.ids.name().to_owned(), value(self.ids, ids, rows)?)];
        if let Some(mask) = self.mask {
            let used = (0..text.ids.len()).map(|at| i64::from(at < text.used)).collect();
            values.push((mask.name().to_owned(), value(mask, used, rows)?));
        }
        Ok(values)
    }
}

/// What the inputs for texts of a graph that is called with `batch` pictures get: `text`, in every call.
pub fn beside_pictures(inputs: &[Outlet], text: &TextIds, batch: usize) -> Result<Values, String> {
    let Some(texts) = TextInputs::of(inputs)? else { return Ok(Values::new()) };
    // A graph whose texts and pictures have one batch wants as many of both.
    let of_pictures = shape::picture_input(inputs).and_then(shape::batch_dimension);
    let is_shared = of_pictures.is_some() && shape::batch_dimension(texts.ids) == of_pictures;
    texts.values(text, texts.batch()?.unwrap_or(if is_shared { batch } else { 1 }))
}

/// The length of the axis `axis` of a tensor, if it is fixed.
pub fn fixed(input: &Outlet, axis: usize) -> Result<Option<usize>, String> {
    let ValueType::Tensor { shape, .. } = input.dtype() else {
        return Err(format!("input `{}` is not a tensor", input.name()));
    };
    Ok(shape.get(axis).and_then(|&length| usize::try_from(length).ok()).filter(|&length| length > 0))
}

/// The value of an input: `numbers`, one for each token, `rows` times.
fn value(input: &Outlet, numbers: Vec<i64>, rows: usize) -> Result<DynValue, String> {
    let (name, positions) = (input.name(), numbers.len());
    let ValueType::Tensor { ty, shape, .. } = input.dtype() else {
        return Err(format!("input `{name}` is not a tensor"));
    };
    if shape.len() != 2 {
        return Err(format!("input `{name}` has {} axes, but texts have two: is it the image tower?", shape.len()));
    }
    if let Some(length) = fixed(input, 1)?.filter(|&length| length != positions) {
        return Err(format!("it reads {length} tokens at a time; write text.positions = {length}"));
    }
    let numbers: Vec<i64> = numbers.iter().cycle().take(rows * positions).copied().collect();
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
