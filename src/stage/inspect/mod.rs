//! inspect: drafts a surrogate's TOML from a model: its graph, the files beside it and, if there are labelled
//! photographs, from how well each plausible reading does on them.
//!
//! Holds always: what no file and no photograph says is a question in the draft, never a silent guess; the same model
//! and photographs give the same draft.

mod classifier;
mod error;
mod files;
mod hub;
mod look;
mod paths;
mod photographs;
mod readings;
mod trial;
mod zero_shot;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::prepare;
use crate::config::beside::Beside;
use crate::config::class_names;
use crate::domain::Draft;
use crate::render::draft;
use crate::scorer::Probe;
use crate::store;
use crate::work::Context;
use classifier::Known;
use files::ModelFiles;
use trial::Bench;
use zero_shot::Towers;

pub use error::InspectError;
pub use readings::Reading;
pub use trial::{Tried, Verdict};

/// What is asked of a model.
#[derive(Debug, Clone)]
pub struct Wishes<'a> {
    /// An ONNX file, a folder, or an id of the hub.
    pub model: &'a str,
    /// Labelled photographs.
    pub photographs: Option<&'a Path>,
    /// The file to write.
    pub out: Option<&'a Path>,
}

/// A draft and what was tried for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspected {
    /// The TOML.
    pub toml: String,
    /// What is still to be decided, as (key, question).
    pub questions: Vec<(String, String)>,
    /// The readings that were tried, the best first.
    pub tried: Vec<Tried>,
    /// Photographs that could not be used, and why.
    pub lost: BTreeMap<PathBuf, String>,
}

/// Drafts the TOML of a model and writes it, if a file is named.
pub fn inspect(ctx: &Context, wishes: &Wishes<'_>) -> Result<Inspected, InspectError> {
    if let Some(out) = wishes.out.filter(|out| out.exists()) {
        return Err(InspectError::Exists { path: out.display().to_string() });
    }
    let mut path = PathBuf::from(wishes.model);
    if !path.exists()
        && let Some(folder) = hub::fetched(ctx, wishes.model)?
    {
        path = folder;
    }
    let files = files::find(&path)?;
    let beside = Beside::read(&files.folders)?;
    let runtime = prepare::ready(ctx)?.runtime;
    let probe = Probe::open(&runtime, &files.image, ctx.threads)?;
    let from = wishes.out.map(|out| out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")));
    let model = Model { ctx, files: &files, beside: &beside, from };
    let mut inspected = if files.text.is_some() || zero_shot::takes_text(probe.inputs()) {
        if let Some(folder) = wishes.photographs {
            let problem = "a zero-shot model has one reading, that of its folder; leave --try out".to_owned();
            return Err(InspectError::CannotTry { folder: folder.display().to_string(), problem });
        }
        let text = files.text.as_ref().map(|text| Probe::open(&runtime, text, ctx.threads)).transpose()?;
        model.towers(&probe, text.as_ref())?
    } else {
        model.classifier(probe, wishes.photographs)?
    };
    inspected.draft.about = about(wishes.model, &files, &inspected);
    let made = inspected.draft;
    for (path, reason) in &inspected.lost {
        ctx.progress.note(&format!("{} is not used: {reason}", path.display()));
    }
    let questions = made.questions().into_iter().map(|(key, question)| (key, question.to_owned())).collect();
    let toml = draft::text(&made);
    if let Some(out) = wishes.out {
        store::write_whole(out, toml.as_bytes())?;
    }
    Ok(Inspected { toml, questions, tried: inspected.tried, lost: inspected.lost })
}

/// Readings in the draft of those that were tried on a few photographs.
const SHOWN: usize = 4;

/// A draft without its first lines.
#[derive(Default)]
struct Made {
    draft: Draft,
    tried: Vec<Tried>,
    lost: BTreeMap<PathBuf, String>,
}

struct Model<'a> {
    ctx: &'a Context<'a>,
    files: &'a ModelFiles,
    beside: &'a Beside,
    /// The folder of the draft.
    from: Option<&'a Path>,
}

impl Model<'_> {
    fn towers(&self, image: &Probe, text: Option<&Probe>) -> Result<Made, InspectError> {
        let text_inputs = text.map_or_else(|| image.inputs(), Probe::inputs);
        let towers = Towers { files: self.files, beside: self.beside, inputs: image.inputs(), text_inputs };
        Ok(Made { draft: zero_shot::draft(&towers, self.from)?, ..Made::default() })
    }

    fn classifier(&self, mut probe: Probe, folder: Option<&Path>) -> Result<Made, InspectError> {
        let file = &self.files.image;
        let looked = look::classifier(&mut probe, self.beside.preprocess.as_ref(), file)?;
        let start = classifier::start(&looked, self.beside);
        let (mut tried, mut lost) = (Vec::new(), BTreeMap::new());
        if let Some(folder) = folder {
            let refuse = |problem: String| InspectError::CannotTry { folder: folder.display().to_string(), problem };
            let known = class_names().len() as u32;
            if !(known..=known + 1).contains(&looked.classes) {
                let problem = format!(
                    "the model has {} classes, and the labels of photographs are of ImageNet-1k's {known}; leave \
                     --try out",
                    looked.classes
                );
                return Err(refuse(problem));
            }
            let photographs = photographs::find(folder)?;
            let trusted = self.beside.preprocess.as_ref().is_some_and(|said| said.numbers.is_some());
            let mut bench =
                Bench { ctx: self.ctx, probe: &mut probe, looked: &looked, photographs: &photographs, trusted, lost };
            let readings = self.ctx.thread_pool()?.install(|| bench.run(&start, known))?;
            lost = bench.lost;
            if readings.first().is_none_or(|first| first.of == 0) {
                let reason = lost.values().next().cloned().unwrap_or_default();
                return Err(refuse(format!("none of its photographs can be used: {reason}")));
            }
            tried = readings;
        }
        let known = Known { file, looked: &looked, beside: self.beside, start, tried: &tried };
        Ok(Made { draft: classifier::draft(&known, self.from), tried, lost })
    }
}

/// The lines at the top of a draft.
fn about(model: &str, files: &ModelFiles, made: &Made) -> Vec<String> {
    let mut lines = vec![format!("Drafted by hardset {} from {model}.", env!("CARGO_PKG_VERSION"))];
    if !made.draft.questions().is_empty() {
        lines.push("A line that begins with `# ?` is a question that nothing here answers.".to_owned());
    }
    if !files.others.is_empty() {
        lines.push(format!("Other graphs beside it: {}.", files.others.join(", ")));
    }
    let all = made.tried.iter().map(|tried| tried.of).max().unwrap_or(0);
    let (full, few): (Vec<&Tried>, Vec<&Tried>) = made.tried.iter().partition(|tried| tried.of == all);
    lines.extend(full.into_iter().map(tried_words));
    lines.extend(few.iter().take(SHOWN).map(|tried| tried_words(tried)));
    if few.len() > SHOWN {
        lines.push(format!("and {} readings that were worse on a few photographs", few.len() - SHOWN));
    }
    if !made.lost.is_empty() {
        lines.push(format!("{} photograph(s) could not be used.", made.lost.len()));
    }
    lines
}

/// `  78.0 % of 100 (log p -1.02)  chosen  (x / 255 - 0.5) / 0.5, rgb; …`.
pub fn tried_words(tried: &Tried) -> String {
    let verdict = match tried.verdict {
        Verdict::Chosen => "chosen",
        Verdict::Alike => "alike",
        Verdict::Worse => "worse",
    };
    let (share, of, log) = (100.0 * tried.accuracy(), tried.of, tried.log_prob);
    format!("{share:5.1} % of {of}, log p {log:.3}, {verdict}: {}", tried.reading.words())
}
