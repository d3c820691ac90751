//! The draft of a model of two towers: pictures by its preprocessor, texts by its tokenizer, scale and bias by its
//! weights.

use std::path::{Path, PathBuf};

use super::classifier::said_geometry;
use super::error::InspectError;
use super::files::ModelFiles;
use super::look::{PictureInput, picture_input};
use super::paths;
use crate::config::beside::{Beside, CLIP_MEAN_STD, HALF_MEAN_STD, TextFamily, scalar};
use crate::domain::{Crop, Draft, DraftLine, DraftTable, Dtype, Geometry, Interpolation, Layout, Resize};
use crate::render::draft::{channels, number, numbers, preprocess, quoted};
use crate::scorer::{Port, PortKind};

/// The files in which the numbers of a whole model may be.
const WEIGHTS: [&str; 2] = ["model.safetensors", "open_clip_model.safetensors"];

/// Whether a graph takes texts.
pub(super) fn takes_text(inputs: &[Port]) -> bool {
    inputs.iter().any(|port| port.name == "input_ids" || port.name == "text")
}

/// What is known of the towers.
pub(super) struct Towers<'a> {
    pub files: &'a ModelFiles,
    pub beside: &'a Beside,
    /// What the graph of pictures takes.
    pub inputs: &'a [Port],
    /// What the graph of texts takes; the same for a joint model.
    pub text_inputs: &'a [Port],
}

/// The draft; `from`: the folder of the file it will be in.
pub(super) fn draft(towers: &Towers<'_>, from: Option<&Path>) -> Result<Draft, InspectError> {
    let is_picture = |port: &&Port| port.dims.len() == 4 && port.kind != Some(PortKind::Integer);
    let port = towers.inputs.iter().find(is_picture).ok_or_else(|| InspectError::NoPictures {
        file: towers.files.image.display().to_string(),
        problem: "it takes texts, and no graph beside it (vision_model.onnx) takes pictures".to_owned(),
    })?;
    let input = picture_input(port, towers.beside.preprocess.as_ref(), &towers.files.image)?;
    let weights = format!("{{ path = {} }}", quoted(&paths::shown(&towers.files.image, from)));
    let keys = vec![DraftLine::new("weights", weights), geometry(towers, &input)];
    let tables = vec![
        DraftTable { name: "", lines: keys },
        DraftTable { name: "input", lines: pixels(towers, &input) },
        DraftTable { name: "text", lines: text(towers, from) },
        DraftTable { name: "output", lines: output(towers) },
    ];
    Ok(Draft { about: Vec::new(), tables })
}

fn family(towers: &Towers<'_>) -> TextFamily {
    towers.beside.text.family.unwrap_or(TextFamily::Clip)
}

fn geometry(towers: &Towers<'_>, input: &PictureInput) -> DraftLine {
    let said = towers.beside.preprocess.as_ref();
    let found = said.and_then(|said| Some((said, said_geometry(said, input.side_px)?)));
    let side = input.side_px;
    let line = match found {
        Some((said, geometry)) => DraftLine::new("preprocess", preprocess(&geometry))
            .noting(format!("from {}", said.file))
            .asking(said.doubts.clone()),
        None => {
            let resize = match family(towers) {
                TextFamily::Clip => Resize::Shorter(side),
                TextFamily::Siglip => Resize::Squash(side),
            };
            let interpolation = Interpolation::Bicubic;
            let geometry = Geometry { resize, interpolation, antialias: true, crop_px: side, crop: Crop::Round };
            let ask = "no file says how pictures are resized: CLIP resizes the shorter side and cuts the centre, \
                       SigLIP squashes, both bicubic";
            DraftLine::new("preprocess", preprocess(&geometry)).asking([ask.to_owned()])
        }
    };
    line.asking(input.side_doubt.clone())
}

fn pixels(towers: &Towers<'_>, input: &PictureInput) -> Vec<DraftLine> {
    let said = towers.beside.preprocess.as_ref();
    let layout = if input.layout == Layout::Nchw { "nchw" } else { "nhwc" };
    let dtype = match input.dtype {
        Dtype::F32 => "f32",
        Dtype::F16 => "f16",
        Dtype::U8 => "u8",
    };
    let order = said.and_then(|said| said.channels).map_or("rgb", channels);
    let usual = match family(towers) {
        TextFamily::Clip => CLIP_MEAN_STD,
        TextFamily::Siglip => HALF_MEAN_STD,
    };
    let (scale, mean, std) = said.and_then(|said| said.numbers).unwrap_or((1.0 / 255.0, usual[0], usual[1]));
    let doubt = said.is_none().then(|| "no file says how pixels become numbers; these are the family's".to_owned());
    let mut lines = vec![
        DraftLine::new("layout", quoted(layout)).asking(input.layout_doubt.clone()),
        DraftLine::new("dtype", quoted(dtype)),
        DraftLine::new("channels", quoted(order)),
    ];
    if input.dtype != Dtype::U8 {
        lines.push(DraftLine::new("scale", number(scale)).asking(doubt));
        lines.push(DraftLine::new("mean", numbers(&mean)));
        lines.push(DraftLine::new("std", numbers(&std)));
    }
    lines
}

fn beside(towers: &Towers<'_>, name: &str) -> Option<PathBuf> {
    towers.files.folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn text(towers: &Towers<'_>, from: Option<&Path>) -> Vec<DraftLine> {
    let (known, family) = (&towers.beside.text, family(towers));
    let mut lines = Vec::new();
    if let Some(file) = &towers.files.text {
        lines.push(DraftLine::new("weights", format!("{{ path = {} }}", quoted(&paths::shown(file, from)))));
    }
    lines.push(match beside(towers, "tokenizer.json") {
        Some(file) => DraftLine::new("tokenizer", quoted(&paths::shown(&file, from))),
        None => DraftLine::new("tokenizer", quoted("tokenizer.json")).asking([
            "there is no tokenizer.json beside the model; transformers' AutoTokenizer(…).save_pretrained writes one"
                .to_owned(),
        ]),
    });
    let fixed = towers.text_inputs.iter().find(|port| port.kind == Some(PortKind::Integer));
    let fixed = fixed.and_then(|port| *port.dims.get(1)?).and_then(|length| u32::try_from(length).ok());
    let usual = if family == TextFamily::Clip { 77 } else { 64 };
    lines.push(match fixed.or(known.positions) {
        Some(positions) => DraftLine::new("positions", positions.to_string()),
        None => DraftLine::new("positions", usual.to_string())
            .asking([format!("no file says how many tokens a text has; {usual} is the family's")]),
    });
    let usual = if family == TextFamily::Clip { "<|endoftext|>" } else { "</s>" };
    lines.push(match &known.padding {
        Some(padding) => DraftLine::new("padding", quoted(padding)),
        None => DraftLine::new("padding", quoted(usual))
            .asking([format!("no file says with which token texts are filled up; {usual} is the family's")]),
    });
    let clean = DraftLine::new("clean", quoted(known.clean.unwrap_or("as-is")));
    lines.push(match known.clean {
        Some("lower") => clean.noting("trained on lower-cased text, which its tokenizer.json does not make"),
        Some(_) => clean,
        None => {
            clean.asking(["as-is, or `lower` or `canonical` (SigLIP) if the tokenizer leaves that out?".to_owned()])
        }
    });
    let template = match family {
        TextFamily::Clip => "a photo of a {}.",
        TextFamily::Siglip => "This is a photo of {}.",
    };
    lines.push(DraftLine::new("templates", format!("[{}]", quoted(template))).asking([
        "the texts are yours to choose: one template, or several whose rows are averaged; {} is the name of a class"
            .to_owned(),
    ]));
    lines
}

fn output(towers: &Towers<'_>) -> Vec<DraftLine> {
    let stored = |name: &str| WEIGHTS.iter().find_map(|file| scalar(&beside(towers, file)?, name));
    let (scale, bias) = (stored("logit_scale").map(f64::exp), stored("logit_bias"));
    let is_siglip = family(towers) == TextFamily::Siglip || bias.is_some();
    let (kind, usual_scale, usual_bias) = if is_siglip { ("sigmoid", 117.3, -12.9) } else { ("softmax", 100.0, 0.0) };
    // As 32-bit numbers, which they are in the weights.
    let short = |x: f64| number((x as f32).to_string().parse().unwrap_or(x));
    let mut kind = DraftLine::new("kind", quoted(kind));
    if towers.beside.text.family.is_none() && bias.is_none() {
        kind = kind.asking(["no file names the family: softmax (CLIP) or sigmoid (SigLIP)?".to_owned()]);
    }
    let absent = |what: &str, usual: f64| {
        format!(
            "{what} is in no file here (it is in the weights of the whole model, model.safetensors); {usual} is usual"
        )
    };
    let space = DraftLine::new("space", quoted("categories")).asking([
        "it is asked for the names of the recipe's categories; for those of a list of classes write its name, such as \
         imagenet-1k"
            .to_owned(),
    ]);
    let mut lines = vec![kind, space];
    lines.push(match scale {
        Some(scale) => DraftLine::new("scale", short(scale)).noting("exp(logit_scale) of the weights"),
        None => DraftLine::new("scale", number(usual_scale)).asking([absent("exp(logit_scale)", usual_scale)]),
    });
    match bias {
        Some(bias) => lines.push(DraftLine::new("bias", short(bias)).noting("logit_bias of the weights")),
        None if is_siglip => {
            lines.push(DraftLine::new("bias", number(usual_bias)).asking([absent("logit_bias", usual_bias)]));
        }
        None => {}
    }
    lines
}
