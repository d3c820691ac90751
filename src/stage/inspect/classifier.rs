//! The draft of a classifier: what its graph, the files beside it and the trial say, and what is still a question.

use std::path::Path;

use super::look::{Looked, plain_spec};
use super::paths;
use super::readings::{Reading, geometry_words, input_words, usual_geometry};
use super::trial::{Tried, Verdict};
use crate::config::beside::{Beside, IMAGENET_MEAN_STD, SaidPreprocess};
use crate::config::class_names;
use crate::domain::{
    Crop, Draft, DraftLine, DraftTable, Dtype, Geometry, InputSpec, Interpolation, Layout, OutputKind, Resize,
};
use crate::render::draft::{channels, number, numbers, preprocess, quoted};

/// Share of the names that must be ImageNet's: lists of names differ in some.
const SAME_NAMES: f64 = 0.5;

/// What is known of a classifier before the draft is made.
pub(super) struct Known<'a> {
    pub file: &'a Path,
    pub looked: &'a Looked,
    pub beside: &'a Beside,
    /// The reading of the files and of usage.
    pub start: Reading,
    /// Readings that were tried, the best first.
    pub tried: &'a [Tried],
}

impl Known<'_> {
    fn said(&self) -> Option<&SaidPreprocess> {
        self.beside.preprocess.as_ref()
    }

    fn chosen(&self) -> Option<&Tried> {
        self.tried.iter().find(|tried| tried.verdict == Verdict::Chosen)
    }

    fn reading(&self) -> &Reading {
        self.chosen().map_or(&self.start, |tried| &tried.reading)
    }
}

/// The reading that files and usage give.
pub(super) fn start(looked: &Looked, beside: &Beside) -> Reading {
    let said = beside.preprocess.as_ref();
    let input = input_spec(looked, said);
    let mut geometry = usual_geometry(looked.input.side_px);
    if let Some(said) = said {
        geometry = said_geometry(said, looked.input.side_px).unwrap_or(geometry);
    }
    let offset = match looked.classes.checked_sub(class_names().len() as u32) {
        Some(1) if !beside.labels.first().is_some_and(|name| is_same(name, class_names()[0])) => 1,
        _ => 0,
    };
    Reading { geometry, input, offset }
}

/// The file's resize for pictures of `side_px`; `None` if it does not fit the graph.
pub(super) fn said_geometry(said: &SaidPreprocess, side_px: u32) -> Option<Geometry> {
    let crop_px = said.crop_px.filter(|px| *px == side_px)?;
    let resize = said.resize.filter(|resize| match resize {
        Resize::Shorter(px) | Resize::Squash(px) => *px >= crop_px,
        Resize::None => true,
    })?;
    let interpolation = said.interpolation.unwrap_or(Interpolation::Bilinear);
    let crop = if said.floor_crop { Crop::Floor } else { Crop::Round };
    Some(Geometry { resize, interpolation, antialias: true, crop_px, crop })
}

fn input_spec(looked: &Looked, said: Option<&SaidPreprocess>) -> InputSpec {
    let plain = plain_spec(&looked.input);
    if plain.dtype == Dtype::U8 {
        return plain;
    }
    let numbers = said.and_then(|said| said.numbers);
    // TensorFlow's models, which have nhwc, mostly take -1 to 1; PyTorch's ImageNet's mean.
    let [mean, std] = match looked.input.layout {
        Layout::Nchw => IMAGENET_MEAN_STD,
        Layout::Nhwc => [plain.mean, plain.std],
    };
    let (scale, mean, std) = numbers.unwrap_or((plain.scale, mean, std));
    let order = said.and_then(|said| said.channels).unwrap_or(plain.channels);
    InputSpec { channels: order, scale, mean, std, ..plain }
}

/// The draft; `from`: the folder of the file it will be in.
pub(super) fn draft(known: &Known<'_>, from: Option<&Path>) -> Draft {
    let keys = DraftTable { name: "", lines: vec![weights(known, from), geometry(known), output(known, from)] };
    let input = DraftTable { name: "input", lines: input(known) };
    Draft { about: Vec::new(), tables: vec![keys, input] }
}

fn weights(known: &Known<'_>, from: Option<&Path>) -> DraftLine {
    let path = quoted(&paths::shown(known.file, from));
    DraftLine::new("weights", format!("{{ path = {path} }}"))
}

fn geometry(known: &Known<'_>) -> DraftLine {
    let reading = known.reading();
    let mut line = DraftLine::new("preprocess", preprocess(&reading.geometry));
    let usual = "the shorter side is the crop / 0.875 (256 for 224); also usual: shorter = the crop, squash = the \
                 crop, bicubic (timm, transformers), antialias = false (OpenCV, TensorFlow)";
    match (known.chosen(), known.said()) {
        (Some(chosen), _) => {
            line = line.noting(format!("the best of what was tried: {}", geometry_words(&reading.geometry)));
            let same_input = |tried: &&Tried| tried.reading.input == chosen.reading.input;
            let alike: Vec<String> = known
                .tried
                .iter()
                .filter(same_input)
                .filter(|tried| tried.verdict == Verdict::Alike && tried.reading.geometry != reading.geometry)
                .map(|tried| geometry_words(&tried.reading.geometry))
                .collect();
            if !alike.is_empty() {
                let all = alike.join("; ");
                let ask = format!("these photographs do not tell it from: {all}. What does its card say?");
                line = line.asking([ask]);
            }
        }
        (None, Some(said)) if said_geometry(said, known.looked.input.side_px).is_some() => {
            line = line.noting(format!("from {}", said.file)).asking(said.doubts.clone());
        }
        (None, Some(said)) => {
            let side = known.looked.input.side_px;
            let problem = format!("{} does not fit the graph's {side} px: {usual}", said.file);
            line = line.asking(said.doubts.iter().cloned().chain([problem]));
        }
        (None, None) => {
            let how = "no file says how it was evaluated";
            line = line.asking([format!("{how}: {usual}; `--try FOLDER` of labelled photographs tells them apart")]);
        }
    }
    line.asking(known.looked.input.side_doubt.clone())
}

fn output(known: &Known<'_>, from: Option<&Path>) -> DraftLine {
    let (looked, offset) = (known.looked, known.reading().offset);
    let kind = match looked.kind {
        OutputKind::Logits => "logits",
        OutputKind::Probabilities => "probabilities",
    };
    let mut value = format!("kind = \"{kind}\", classes = {}", looked.classes);
    if offset > 0 {
        value += &format!(", offset = {offset}");
    }
    if let Some(name) = &looked.name {
        value += &format!(", name = {}", quoted(name));
    }
    let mut space = space_question(looked.classes, &known.beside.labels);
    let is_whole = known.beside.labels.len() == (looked.classes - offset) as usize;
    match known.beside.list.as_ref().filter(|_| is_whole && space.is_some()) {
        Some(list) => {
            value += &format!(", space = {}", quoted(&paths::list(list, from)));
            space = None;
        }
        None if space.is_some() => value += ", space = \"categories\"",
        None => {}
    }
    let mut line = DraftLine::new("output", format!("{{ {value} }}")).asking(looked.kind_doubt.clone()).asking(space);
    if !looked.others.is_empty() {
        line = line.asking([format!(
            "it has other outputs too: {}; is this the one with the classes?",
            looked.others.join(", ")
        )]);
    }
    if offset > 0 && known.chosen().is_none() {
        line = line.asking([format!(
            "{} classes are ImageNet's {} and {offset} more: in front of them (offset = {offset}) or behind (offset \
             = 0)?",
            looked.classes,
            class_names().len()
        )]);
    }
    line
}

/// What to ask about the classes, if they are not ImageNet's.
fn space_question(classes: u32, labels: &[String]) -> Option<String> {
    let known = class_names();
    let more = (classes as usize).checked_sub(known.len());
    let named = labels.iter().filter(|label| !label.is_empty() && !label.starts_with("LABEL_")).count();
    let first = labels.iter().take(3).map(|label| format!("{label:?}")).collect::<Vec<_>>().join(", ");
    let ask = "name a list of its classes, or `categories` if they are the recipe's, in its order";
    match more {
        Some(more @ 0..=1) if named < known.len() => {
            let _ = more;
            None
        }
        Some(more @ 0..=1) => {
            let at = labels.len().saturating_sub(known.len()).min(more);
            let same = known.iter().zip(&labels[at..]).filter(|(name, label)| is_same(label, name)).count();
            let is_imagenet = same as f64 >= SAME_NAMES * known.len() as f64;
            (!is_imagenet)
                .then(|| format!("it has {classes} classes, but they are not ImageNet-1k's ({first}, …): {ask}"))
        }
        _ if named > 0 => Some(format!("it has {classes} classes ({first}, …): {ask}")),
        _ => Some(format!("it has {classes} classes, and no file names them: {ask}")),
    }
}

/// Whether a label, `tench, Tinca tinca`, has this name first.
fn is_same(label: &str, name: &str) -> bool {
    let plain = |text: &str| text.split(',').next().unwrap_or_default().trim().replace('_', " ").to_lowercase();
    plain(label) == plain(name)
}

fn input(known: &Known<'_>) -> Vec<DraftLine> {
    let (input, looked) = (&known.reading().input, known.looked);
    let layout = match input.layout {
        Layout::Nchw => "nchw",
        Layout::Nhwc => "nhwc",
    };
    let dtype = match input.dtype {
        Dtype::F32 => "f32",
        Dtype::F16 => "f16",
        Dtype::U8 => "u8",
    };
    let mut lines = vec![
        DraftLine::new("layout", quoted(layout)).asking(looked.input.layout_doubt.clone()),
        DraftLine::new("dtype", quoted(dtype)),
    ];
    let (mut order, mut scale) = (DraftLine::new("channels", quoted(channels(input.channels))), None);
    if input.dtype != Dtype::U8 {
        scale = Some(DraftLine::new("scale", number(input.scale)));
    }
    match (known.chosen(), known.said().filter(|said| said.numbers.is_some())) {
        (Some(chosen), _) => {
            let alike: Vec<String> = known
                .tried
                .iter()
                .filter(|tried| tried.verdict == Verdict::Alike)
                .map(|tried| &tried.reading.input)
                .filter(|other| *other != &chosen.reading.input)
                .map(input_words)
                .collect();
            if !alike.is_empty() {
                let question = format!("these photographs do not tell it from: {}; try more", alike.join("; "));
                scale = scale.map(|line| line.asking([question]));
            }
            let differs = known.said().is_some() && known.start.input != *input;
            let file = known.said().map(|said| said.file.as_str()).unwrap_or_default();
            let beside = format!("the photographs say otherwise than {file}; which is right?");
            scale = scale.map(|line| line.asking(differs.then_some(beside)));
        }
        (None, Some(said)) => scale = scale.map(|line| line.noting(format!("from {}", said.file))),
        (None, None) => {
            order = order.asking(["rgb is usual; Caffe's models and those fed by OpenCV take bgr".to_owned()]);
            let ask = "no file says how pixels become numbers, (pixel * scale - mean) / std. Usual: ImageNet's mean \
                       and std (PyTorch), 0.5 and 0.5 (TensorFlow), 0 and 1, CLIP's, or scale 1 with Caffe's \
                       means; `--try FOLDER` of labelled photographs finds it in seconds";
            scale = scale.map(|line| line.asking([ask.to_owned()]));
        }
    }
    lines.push(order);
    if let Some(scale) = scale {
        lines.push(scale);
        lines.push(DraftLine::new("mean", numbers(&input.mean)));
        lines.push(DraftLine::new("std", numbers(&input.std)));
    }
    if let Some(batch) = looked.input.batch {
        lines.push(DraftLine::new("batch", batch.to_string()));
    } else if looked.alone {
        let note = "it takes one picture at a time, although its graph leaves the number open";
        lines.push(DraftLine::new("batch", "1").noting(note));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_are_not_imagenets_are_asked_about() {
        let names: Vec<String> = class_names().iter().map(|name| format!("{name}, another")).collect();
        assert_eq!(space_question(1000, &names), None);
        assert_eq!(space_question(1000, &[]), None);
        let with_background: Vec<String> = [vec!["background".to_owned()], names.clone()].concat();
        assert_eq!(space_question(1001, &with_background), None);
        let reversed: Vec<String> = names.into_iter().rev().collect();
        assert!(space_question(1000, &reversed).unwrap().contains("not ImageNet-1k's"));
        assert!(space_question(2, &["sfw".to_owned(), "nsfw".to_owned()]).unwrap().contains("\"sfw\", \"nsfw\""));
        assert!(space_question(12, &[]).unwrap().contains("no file names them"));
    }
}
