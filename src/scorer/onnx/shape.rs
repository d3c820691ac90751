//! Compares a model's declared inputs and outputs with the surrogate's TOML.
//!
//! Holds always: a message says which key to change, because only the author of the TOML can know what is right.

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

use super::graph::PictureGraph;
use crate::domain::{Dtype, InputSpec, Layout};

/// What the session needs to be called.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Name of the image input.
    pub input: String,
    /// Name of the output with the classes.
    pub output: String,
    /// Batch size that the model is fixed to.
    pub batch: Option<usize>,
}

/// Usual name of an input for pictures.
pub const PIXELS: &str = "pixel_values";
/// Usual name of an input for token ids.
pub const IDS: &str = "input_ids";
/// Usual name of an input that says which tokens are not padding.
pub const MASK: &str = "attention_mask";
/// Usual names of outputs with rows of pictures, in order.
const OF_IMAGES: [&str; 2] = ["image_embeds", "pooler_output"];
/// Usual names of outputs with rows of texts, in order.
pub const OF_TEXTS: [&str; 2] = ["text_embeds", "pooler_output"];

/// Most pictures in one call. A model asks for the memory of its batch.
const MOST_BATCH: usize = 1024;
/// Most bytes of one call's pictures.
const MOST_BYTES: u64 = 4 << 30;

/// Checks the session's declarations; the error says what differs and what to write. `batch`: pictures in a call,
/// unless the model or the recipe fixes them.
pub fn check(session: &Session, model: &PictureGraph, batch: usize) -> Result<Call, String> {
    let inputs = session.inputs();
    let is_tower = model.classes.is_none();
    let input = match (inputs, is_tower) {
        ([input], _) => input,
        (_, true) => picture_input(inputs).ok_or_else(|| no_pictures(inputs))?,
        (_, false) => {
            return Err(format!(
                "the model has {} inputs ({}), but an image classifier has one",
                inputs.len(),
                names(inputs)
            ));
        }
    };
    let fixed = check_input(input, model)?;
    check_size(fixed.unwrap_or(batch), fixed.is_some(), model)?;
    let usual: &[&str] = if is_tower { &OF_IMAGES } else { &[] };
    let output = pick_output(session.outputs(), model.output.as_deref(), usual, "output.name")?;
    Ok(Call { input: input.name().to_owned(), output, batch: fixed })
}

fn no_pictures(inputs: &[Outlet]) -> String {
    format!("its image tower has no input for pictures (`{PIXELS}`); it has {}: is it the text tower?", names(inputs))
}

/// The input for pictures: by its usual name, else the only one with four axes.
pub fn picture_input(inputs: &[Outlet]) -> Option<&Outlet> {
    let named = inputs.iter().find(|input| input.name() == PIXELS);
    let has_four = |input: &&Outlet| matches!(input.dtype(), ValueType::Tensor { shape, .. } if shape.len() == 4);
    let mut with_four = inputs.iter().filter(has_four);
    named.or_else(|| with_four.next().filter(|_| with_four.next().is_none()))
}

/// The input whose batch is that of a call: for pictures, else for texts.
pub fn main_input(inputs: &[Outlet]) -> Option<&Outlet> {
    picture_input(inputs).or_else(|| inputs.iter().find(|input| input.name() == IDS)).or_else(|| inputs.first())
}

/// The name of an input's batch dimension, if it is open and has one: `batch_size`.
pub fn batch_dimension(input: &Outlet) -> Option<String> {
    let ValueType::Tensor { shape, dimension_symbols, .. } = input.dtype() else { return None };
    let (size, name) = (shape.first()?, dimension_symbols.first()?);
    (*size < 0 && !name.is_empty()).then(|| name.clone())
}

/// The names of inputs or outputs, for messages.
pub fn names(outlets: &[Outlet]) -> String {
    outlets.iter().map(|outlet| format!("`{}`", outlet.name())).collect::<Vec<_>>().join(", ")
}

/// The output that is read: `name`, which the key `key` gives, else the first of the `usual` names, else the only one.
pub fn pick_output(outputs: &[Outlet], name: Option<&str>, usual: &[&str], key: &str) -> Result<String, String> {
    let has = |name: &str| outputs.iter().any(|output| output.name() == name);
    if let Some(name) = name {
        return if has(name) {
            Ok(name.to_owned())
        } else {
            Err(format!("the model has no output `{name}`; it has {}", names(outputs)))
        };
    }
    if let Some(name) = usual.iter().find(|name| has(name)) {
        return Ok((*name).to_owned());
    }
    match outputs {
        [only] => Ok(only.name().to_owned()),
        _ => {
            let what = if usual.is_empty() { "classes" } else { "rows" };
            Err(format!(
                "the model has {} outputs ({}); name the one with the {what} with {key}",
                outputs.len(),
                names(outputs)
            ))
        }
    }
}

fn check_input(input: &Outlet, model: &PictureGraph) -> Result<Option<usize>, String> {
    let ValueType::Tensor { ty, shape, .. } = input.dtype() else {
        return Err(format!("input `{}` is not a tensor", input.name()));
    };
    let wanted = element(model.input.dtype);
    if *ty != wanted {
        let dtype = [Dtype::F32, Dtype::F16, Dtype::U8].into_iter().find(|&dtype| element(dtype) == *ty);
        let remedy =
            dtype.map_or("no image type fits".to_owned(), |dtype| format!("write input.dtype = \"{}\"", word(dtype)));
        return Err(format!("input `{}` takes {ty:?}, not {wanted:?}; {remedy}", input.name()));
    }
    let declared: Vec<i64> = shape.iter().copied().collect();
    let expected = expected_shape(&model.input, model.preprocess.crop_px);
    let fits =
        declared.len() == 4 && declared[1..].iter().zip(&expected[1..]).all(|(&have, &want)| have < 0 || have == want);
    if !fits {
        return Err(format!(
            "input `{}` has shape {declared:?}, but layout and crop_px give {expected:?} (-1: any); correct \
             input.layout or preprocess.crop_px",
            input.name()
        ));
    }
    check_batch(declared[0], model.input.batch)
}

fn check_batch(declared: i64, said: Option<u32>) -> Result<Option<usize>, String> {
    match (usize::try_from(declared).ok().filter(|&n| n > 0), said) {
        (Some(fixed), Some(said)) if fixed != said as usize => {
            Err(format!("the model's batch is fixed at {fixed}, but input.batch says {said}"))
        }
        (Some(fixed), _) => Ok(Some(fixed)),
        (None, said) => Ok(said.map(|said| said as usize)),
    }
}

fn check_size(batch: usize, is_fixed: bool, model: &PictureGraph) -> Result<(), String> {
    let remedy = if is_fixed { "export the model with an open batch, or a small one" } else { "lower mine.batch" };
    if batch > MOST_BATCH {
        return Err(format!("a call of it has {batch} pictures, but at most {MOST_BATCH} are possible; {remedy}"));
    }
    let side = u64::from(model.preprocess.crop_px);
    let number = match model.input.dtype {
        Dtype::F32 => 4,
        Dtype::F16 => 2,
        Dtype::U8 => 1,
    };
    let bytes = batch as u64 * 3 * side * side * number;
    if bytes > MOST_BYTES {
        let gib = bytes >> 30;
        return Err(format!(
            "a call of {batch} pictures of {side} px takes {gib} GiB, but at most 4 are taken; {remedy}"
        ));
    }
    Ok(())
}

/// What is wrong with an output of `numbers` numbers for `batch` pictures, where there should be `classes` for each.
pub fn other_classes(numbers: usize, batch: usize, classes: usize) -> String {
    let each = numbers / batch;
    if !numbers.is_multiple_of(batch) {
        let problem = format!("it gives {numbers} numbers for {batch} picture(s), not {batch} x {classes} classes");
        return format!("{problem}; name another output with output.name");
    }
    let problem = format!("it gives {each} numbers for a picture, but output.classes is {classes}");
    let remedy = if each == classes + 1 {
        format!("if it has a background class in front, write output.classes = {each} and output.offset = 1")
    } else if each + 1 == classes {
        format!("write output.classes = {each}, and no output.offset unless it has extra classes in front")
    } else {
        "write that number and the list of its classes (output.space), or name another output with output.name"
            .to_owned()
    };
    format!("{problem}; {remedy}")
}

/// The name in recipes.
fn word(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "f32",
        Dtype::F16 => "f16",
        Dtype::U8 => "u8",
    }
}

fn element(dtype: Dtype) -> TensorElementType {
    match dtype {
        Dtype::F32 => TensorElementType::Float32,
        Dtype::F16 => TensorElementType::Float16,
        Dtype::U8 => TensorElementType::Uint8,
    }
}

/// `[batch, …]` with -1 for the batch.
pub fn expected_shape(input: &InputSpec, side: u32) -> [i64; 4] {
    let side = i64::from(side);
    match input.layout {
        Layout::Nchw => [-1, 3, side, side],
        Layout::Nhwc => [-1, side, side, 3],
    }
}

#[cfg(test)]
mod tests {
    use super::other_classes;

    #[test]
    fn an_output_of_another_width_is_named_with_what_to_write() {
        let check = |numbers, batch, classes, part: &str| {
            let text = other_classes(numbers, batch, classes);
            assert!(text.contains(part), "{text}");
        };
        check(2002, 2, 1000, "write output.classes = 1001 and output.offset = 1");
        check(1000, 1, 1001, "write output.classes = 1000, and no output.offset");
        check(2 * 21843, 2, 1000, "it gives 21843 numbers for a picture, but output.classes is 1000");
        check(10, 1, 1000, "the list of its classes (output.space)");
        check(1001, 2, 1000, "1001 numbers for 2 picture(s)");
    }
}
