//! What a graph by itself says of how it is called: shapes, types, classes, and what two plain pictures give.

use std::path::Path;

use super::error::InspectError;
use crate::config::beside::SaidPreprocess;
use crate::config::class_names;
use crate::domain::{ChannelOrder, Dtype, InputSpec, Layout, OutputKind};
use crate::imaging::RgbImage;
use crate::scorer::{Ask, Given, Port, PortKind, Probe, ScorerError};

/// Side of the pictures where neither the graph nor a file says it.
const USUAL_SIDE_PX: u32 = 224;
/// Pictures in a call of a graph that takes any number.
const BATCH: usize = 8;
/// How much harsher the picture is that tells small logits from probabilities.
const CONTRAST: f64 = 1000.0;
/// How far the sum of 16-bit probabilities may be from 1.
const SUM_TOLERANCE: f64 = 0.02;

/// How pictures go into a graph.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PictureInput {
    pub layout: Layout,
    pub dtype: Dtype,
    pub side_px: u32,
    /// Pictures in a call, if the graph fixes them.
    pub batch: Option<u32>,
    /// What the graph leaves open.
    pub layout_doubt: Option<String>,
    pub side_doubt: Option<String>,
}

/// How a classifier is called and what it gives.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Looked {
    pub input: PictureInput,
    /// Whether the graph takes any batch by its word, but only one picture in truth.
    pub alone: bool,
    /// The place of the output with the classes.
    pub output: usize,
    /// Its name, if there are several.
    pub name: Option<String>,
    pub others: Vec<String>,
    /// Numbers for each picture.
    pub classes: u32,
    pub kind: OutputKind,
    pub kind_doubt: Option<String>,
}

impl Looked {
    /// Pictures in a call.
    pub fn batch(&self) -> usize {
        match self.input.batch {
            Some(fixed) => fixed as usize,
            None if self.alone => 1,
            None => BATCH,
        }
    }
}

/// How pictures go into `port`.
pub(super) fn picture_input(
    port: &Port,
    said: Option<&SaidPreprocess>,
    file: &Path,
) -> Result<PictureInput, InspectError> {
    let refuse = |problem: String| InspectError::NoPictures { file: file.display().to_string(), problem };
    let dtype = match port.kind {
        Some(PortKind::F32) => Dtype::F32,
        Some(PortKind::F16) => Dtype::F16,
        Some(PortKind::U8) => Dtype::U8,
        _ => return Err(refuse(format!("its input {} takes neither f32, f16 nor u8", port.words()))),
    };
    let [batch, a, b, c] = port.dims[..] else {
        return Err(refuse(format!("its input is {}, not [batch, 3, height, width]", port.words())));
    };
    let three = Some(3);
    let (layout, doubt, sides) = match (a, c) {
        (Some(3), _) => (Layout::Nchw, None, [b, c]),
        (_, Some(3)) => (Layout::Nhwc, None, [a, b]),
        (None, None) => {
            let doubt = "the graph does not say where the channels are; nchw is taken, the other is nhwc".to_owned();
            (Layout::Nchw, Some(doubt), [b, c])
        }
        _ => return Err(refuse(format!("its input is {}, without an axis of 3 channels", port.words()))),
    };
    let doubt = doubt
        .or_else(|| (a == three && c == three).then(|| "nchw and nhwc both fit the graph; nchw is taken".to_owned()));
    let fits = |px: u64| u32::try_from(px).ok().filter(|px| (1..=8192).contains(px));
    let (side_px, side_doubt) = match sides {
        [Some(h), Some(w)] if h == w => {
            (fits(h).ok_or_else(|| refuse(format!("its input is {}", port.words())))?, None)
        }
        [Some(h), Some(w)] => {
            return Err(refuse(format!("it takes pictures of {w} x {h} px, and hardset gives models squares")));
        }
        _ => match said.and_then(|said| said.crop_px) {
            Some(px) => (px, None),
            None => {
                let doubt = "the graph takes pictures of any size; for which was it trained?".to_owned();
                (USUAL_SIDE_PX, Some(doubt))
            }
        },
    };
    let batch = batch.and_then(|batch| u32::try_from(batch).ok()).filter(|batch| (1..=1024).contains(batch));
    Ok(PictureInput { layout, dtype, side_px, batch, layout_doubt: doubt, side_doubt })
}

/// Calls the classifier with two plain pictures.
pub(super) fn classifier(
    probe: &mut Probe,
    said: Option<&SaidPreprocess>,
    file: &Path,
) -> Result<Looked, InspectError> {
    let refuse = |problem: String| InspectError::NoPictures { file: file.display().to_string(), problem };
    let [port] = probe.inputs() else {
        let all = probe.inputs().iter().map(Port::words).collect::<Vec<_>>().join(", ");
        return Err(refuse(format!("it has {} inputs ({all}), but a classifier has one", probe.inputs().len())));
    };
    let input = picture_input(port, said, file)?;
    let spec = plain_spec(&input);
    let pictures = plain_pictures(input.side_px);
    let fixed = input.batch.map(|batch| batch as usize);
    let mut call = |batch: usize| -> Result<Vec<Given>, ScorerError> {
        pictures.iter().map(|picture| probe.all(Ask { input: &spec, batch }, std::slice::from_ref(picture))).collect()
    };
    let (given, batch, alone) = match (call(fixed.unwrap_or(2)), fixed) {
        (Ok(given), fixed) => (given, fixed.unwrap_or(2), false),
        (Err(_), None) => (call(1)?, 1, true),
        (Err(error), Some(_)) => return Err(error.into()),
    };
    let each = |numbers: &[f32]| numbers.len() / batch;
    let useful: Vec<(usize, usize)> =
        given[0].iter().map(|(at, numbers)| (*at, each(numbers))).filter(|(_, each)| *each >= 2).collect();
    let names: Vec<String> = probe.outputs().iter().map(|output| output.name.clone()).collect();
    let Some(&(output, classes)) = useful.iter().min_by_key(|(at, each)| preference(&names[*at], *each)) else {
        let all = probe.outputs().iter().map(Port::words).collect::<Vec<_>>().join(", ");
        return Err(refuse(format!("none of its outputs ({all}) gives numbers for two classes or more")));
    };
    let rows: Vec<&[f32]> = given
        .iter()
        .flat_map(|call| call.iter().find(|(at, _)| *at == output))
        .map(|(_, numbers)| &numbers[..classes])
        .collect();
    let (mut kind, mut kind_doubt) = kind_of(&rows);
    if kind_doubt.is_some() && input.dtype != Dtype::U8 {
        // What is no probability grows with the contrast.
        let harsh = InputSpec { std: spec.std.map(|std| std / CONTRAST), ..spec };
        let given = probe.all(Ask { input: &harsh, batch }, &pictures[1..])?;
        let numbers = given.iter().find(|(at, _)| *at == output).map_or(&[][..], |(_, numbers)| &numbers[..classes]);
        if numbers.iter().any(|x| x.is_finite() && !(-1e-6..=1.0001).contains(x)) {
            (kind, kind_doubt) = (OutputKind::Logits, None);
        }
    }
    let several = names.len() > 1;
    let others = useful.iter().filter(|(at, _)| *at != output).map(|(at, each)| format!("{} ({each})", names[*at]));
    Ok(Looked {
        input,
        alone,
        output,
        name: several.then(|| names[output].clone()),
        others: others.collect(),
        classes: classes as u32,
        kind,
        kind_doubt,
    })
}

/// Smallest for the output that most likely has the classes.
fn preference(name: &str, numbers: usize) -> (bool, usize) {
    let name = name.to_lowercase();
    let words = ["logit", "prob", "softmax", "class", "output", "score", "pred"];
    let of_imagenet = class_names().len();
    let is_usual = numbers == of_imagenet || numbers == of_imagenet + 1;
    (!is_usual, words.iter().position(|word| name.contains(word)).unwrap_or(words.len()))
}

/// Probabilities are in 0 to 1 and sum to 1.
fn kind_of(rows: &[&[f32]]) -> (OutputKind, Option<String>) {
    if rows.iter().any(|row| row.iter().any(|x| !x.is_finite())) {
        let doubt = "it gives numbers that are not finite for a plain picture; are the weights whole?".to_owned();
        return (OutputKind::Logits, Some(doubt));
    }
    let inside = rows.iter().all(|row| row.iter().all(|x| (-1e-6..=1.0001).contains(x)));
    let sums: Vec<f64> = rows.iter().map(|row| row.iter().map(|&x| f64::from(x)).sum()).collect();
    if !inside {
        return (OutputKind::Logits, None);
    }
    if sums.iter().all(|sum| (sum - 1.0).abs() < SUM_TOLERANCE) {
        return (OutputKind::Probabilities, None);
    }
    let doubt = format!(
        "its numbers lie in 0 to 1, but sum to {:.2}: is it one probability for each class by itself? As logits they \
         still have the right order",
        sums[0]
    );
    (OutputKind::Logits, Some(doubt))
}

/// What a byte-wise or -1 to 1 input would be.
pub(super) fn plain_spec(input: &PictureInput) -> InputSpec {
    let (scale, mean, std) = match input.dtype {
        Dtype::U8 => (1.0, [0.0; 3], [1.0; 3]),
        Dtype::F32 | Dtype::F16 => (1.0 / 255.0, [0.5; 3], [0.5; 3]),
    };
    let PictureInput { layout, dtype, .. } = *input;
    InputSpec { layout, dtype, channels: ChannelOrder::Rgb, scale, mean, std, batch: None }
}

/// A grey one and one of stripes.
fn plain_pictures(side_px: u32) -> Vec<RgbImage> {
    let bytes = 3 * (side_px as usize).pow(2);
    let stripes = (0..bytes).map(|at| (at * 7 % 256) as u8).collect();
    [vec![128; bytes], stripes].into_iter().flat_map(|pixels| RgbImage::new(side_px, side_px, pixels)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(dims: &[i64]) -> Port {
        let dims = dims.iter().map(|&side| u64::try_from(side).ok()).collect();
        Port { name: "x".to_owned(), kind: Some(PortKind::F32), dims }
    }

    /// Layout, side and batch of an input of this shape, or a part of the error.
    #[track_caller]
    fn check(dims: &[i64], expected: Result<(Layout, u32, Option<u32>, bool), &str>) {
        match (picture_input(&port(dims), None, Path::new("a.onnx")), expected) {
            (Ok(found), Ok(expected)) => {
                let doubts = found.layout_doubt.is_some() || found.side_doubt.is_some();
                assert_eq!((found.layout, found.side_px, found.batch, doubts), expected);
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn shapes_say_layout_side_and_batch() {
        check(&[-1, 3, 224, 224], Ok((Layout::Nchw, 224, None, false)));
        check(&[1, 160, 160, 3], Ok((Layout::Nhwc, 160, Some(1), false)));
        check(&[-1, 3, -1, -1], Ok((Layout::Nchw, 224, None, true)));
        check(&[-1, -1, -1, -1], Ok((Layout::Nchw, 224, None, true)));
        check(&[1, 1, 28, 28], Err("without an axis of 3 channels"));
        check(&[1, 3, 240, 320], Err("320 x 240 px"));
        check(&[1, 10], Err("not [batch, 3, height, width]"));
    }

    #[test]
    fn probabilities_sum_to_one() {
        assert_eq!(kind_of(&[&[0.2, 0.8], &[1.0, 0.0]]), (OutputKind::Probabilities, None));
        assert_eq!(kind_of(&[&[0.2, 0.8], &[-1.0, 2.0]]), (OutputKind::Logits, None));
        assert!(kind_of(&[&[0.9, 0.9]]).1.unwrap().contains("sum to 1.80"));
        assert!(kind_of(&[&[f32::NAN, 0.9]]).1.unwrap().contains("not finite"));
    }
}
