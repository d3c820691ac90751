//! annotate export: task sheets for people, in the format of the tool that they use. `sentinels` never leave the run.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rayon::prelude::*;

use super::inside::is_inside;
use super::pack::Packer;
use super::sheets::{self, Round, Wanted};
use super::{Context, StageError, missing};
use crate::config::class_names;
use crate::domain::{Category, ExportFormat, RunSpec, Task};
use crate::render::annotate::{self as page, SheetQuestion, SheetTask};
use crate::render::tasks::{self, TaskLine};
use crate::store::HandOut;

/// Images encoded at a time, for each thread.
const WAVE: usize = 8;

/// Where sheets go and how images are addressed there.
#[derive(Debug, Clone)]
pub struct ExportTo {
    /// The tool.
    pub format: ExportFormat,
    /// The folder.
    pub out: PathBuf,
    /// What stands before `images/<sheet>/<task>.jpg`; `None`: what suits the tool.
    pub image_url: Option<String>,
    /// Whether votes that are missing are asked for, rather than all that the recipe wants.
    pub missing: bool,
    /// Whether the folder is the run's own, in which sheets of other settings are replaced.
    pub own: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The round, from 1.
    pub round: u64,
    /// Sheets.
    pub sheets: u64,
    /// Images on them, sentinels among them.
    pub tasks: u64,
    /// People who are wanted, over all sheets.
    pub assignments: u64,
    /// What they cost, in the recipe's currency.
    pub cost: f64,
    /// Images that could not be shown.
    pub left_out: u64,
    /// The folder.
    pub out: PathBuf,
}

/// Writes the sheets; a call that was interrupted goes on where it stopped.
pub fn export(ctx: &Context, spec: &RunSpec, to: &ExportTo) -> Result<Exported, StageError> {
    let wanted = if to.missing { Wanted::Missing(missing(ctx, spec)?) } else { Wanted::Hard };
    if to.format == ExportFormat::Prolific && to.image_url.is_none() {
        return Err(StageError::ImageUrl);
    }
    if !to.own && is_inside(ctx.run.path(), &to.out) {
        return Err(StageError::OutInside { out: to.out.display().to_string() });
    }
    // A round that nobody could be given is not made.
    HandOut::check(&to.out)?;
    let round = sheets::round(ctx, spec, wanted)?;
    let look = format!("{}.{}", round.index + 1, round.look(ctx, spec).short());
    let readme = tasks::readme(to.format, &spec.name, &look);
    let out = if to.own { HandOut::renew(&to.out, &readme) } else { HandOut::open(&to.out, &readme) }?;
    let packer = Packer::open(ctx, spec, round.tasks.iter().map(|task| &task.image))?;
    ctx.progress.start("sheets", round.tasks.len() as u64);
    let blanks = Mutex::default();
    let pack = |task: &Task| pack(ctx, &packer, task, &blanks);
    match to.format {
        ExportFormat::Html => pages(ctx, spec, &round, pack, &out)?,
        _ => images(ctx, &round, pack, &out)?,
    }
    ctx.progress.finish();
    let blanks: BTreeSet<String> = blanks.into_inner().unwrap_or_else(PoisonError::into_inner);
    ctx.run.add_blanks("export", &blanks)?;
    write_tasks(spec, &round, to, &out)?;
    let sheets = round.sheets().count() as u64;
    let assignments = round.assignments();
    Ok(Exported {
        round: round.index as u64 + 1,
        sheets,
        tasks: round.tasks.len() as u64,
        assignments,
        cost: spec.annotate.cost(assignments),
        left_out: round.left_out(&ctx.run) + blanks.len() as u64,
        out: out.path().to_owned(),
    })
}

/// The JPEG of a task; one that cannot be made any more costs that image alone.
fn pack(ctx: &Context, packer: &Packer, task: &Task, blanks: &Mutex<BTreeSet<String>>) -> Result<Vec<u8>, StageError> {
    packer.jpeg(task).or_else(|error| {
        ctx.progress.note(&format!("{error}; people see a grey square, and their answers to it do not count"));
        blanks.lock().unwrap_or_else(PoisonError::into_inner).insert(task.name.clone());
        packer.blank(task)
    })
}

fn image_name(task: &Task) -> String {
    format!("images/{}/{}.jpg", task.batch, task.name)
}

fn images(
    ctx: &Context,
    round: &Round,
    pack: impl Fn(&Task) -> Result<Vec<u8>, StageError> + Sync,
    out: &HandOut,
) -> Result<(), StageError> {
    let pool = ctx.pool()?;
    for wave in round.tasks.chunks(WAVE * ctx.threads) {
        ctx.check_stop()?;
        let write = |task: &Task| -> Result<(), StageError> { Ok(out.write(&image_name(task), &pack(task)?)?) };
        pool.install(|| wave.par_iter().try_for_each(write))?;
        ctx.progress.advance(wave.len() as u64);
    }
    Ok(())
}

fn pages(
    ctx: &Context,
    spec: &RunSpec,
    round: &Round,
    pack: impl Fn(&Task) -> Result<Vec<u8>, StageError> + Sync,
    out: &HandOut,
) -> Result<(), StageError> {
    let pool = ctx.pool()?;
    for sheet in round.sheets() {
        ctx.check_stop()?;
        let jpegs: Result<Vec<_>, _> = pool.install(|| sheet.par_iter().map(&pack).collect());
        let uris = jpegs?.iter().map(|jpeg| tasks::jpeg_uri(jpeg)).collect::<Vec<_>>();
        let image = |task: &Task| uris[task.position as usize].clone();
        out.write(&format!("{}.html", sheet[0].batch), &page::sheet_page(&sheet_of(spec, sheet, image)))?;
        ctx.progress.advance(sheet.len() as u64);
    }
    Ok(())
}

/// A sheet as the page shows it.
pub(super) fn sheet_of(spec: &RunSpec, sheet: &[Task], image: impl Fn(&Task) -> String) -> page::Sheet {
    let question =
        |question: &crate::domain::Question| SheetQuestion { id: question.id.clone(), text: question.text.clone() };
    let task = |task: &Task| {
        let (category, gloss) = named(spec, &task.category);
        SheetTask { task: task.name.clone(), image: image(task), category, gloss, answers: Default::default() }
    };
    page::Sheet {
        batch: sheet.first().map(|task| task.batch.clone()).unwrap_or_default(),
        person: None,
        questions: spec.annotate.questions.iter().map(question).collect(),
        tasks: sheet.iter().map(task).collect(),
    }
}

fn write_tasks(spec: &RunSpec, round: &Round, to: &ExportTo, out: &HandOut) -> Result<(), StageError> {
    let lines: Vec<TaskLine> = round.tasks.iter().map(|task| line(spec, task, to)).collect();
    let questions = &spec.annotate.questions;
    match to.format {
        ExportFormat::LabelStudio => {
            let ids: Vec<String> = questions.iter().map(|question| question.id.clone()).collect();
            out.write("config.xml", tasks::label_studio_config(&ids).as_bytes())?;
            out.write("tasks.json", &tasks::label_studio_tasks(&lines))?;
        }
        ExportFormat::Prolific => {
            let shown =
                |question: &crate::domain::Question| (question.id.clone(), question.about("the one beside the image"));
            let shown: Vec<(String, String)> = questions.iter().map(shown).collect();
            out.write("dataset.csv", &tasks::prolific_csv(&lines))?;
            out.write("instructions.json", &tasks::prolific_instructions(&shown))?;
        }
        ExportFormat::Csv => {
            // People may have filled it in.
            out.write_new("tasks.csv", &tasks::csv(&lines))?;
            out.write("tasks.jsonl", &tasks::jsonl(&lines))?;
        }
        ExportFormat::Html => {}
    }
    Ok(())
}

fn line(spec: &RunSpec, task: &Task, to: &ExportTo) -> TaskLine {
    let (category, gloss) = named(spec, &task.category);
    TaskLine {
        batch: task.batch.clone(),
        position: task.position + 1,
        task: task.name.clone(),
        image: format!("{}{}", prefix(to), image_name(task)),
        questions: spec.annotate.questions.iter().map(|q| (q.id.clone(), q.about(&category))).collect(),
        category,
        gloss,
    }
}

/// What stands before an image's path.
fn prefix(to: &ExportTo) -> String {
    match (&to.image_url, to.format) {
        (Some(url), _) => format!("{}/", url.trim_end_matches('/')),
        (None, ExportFormat::LabelStudio) => {
            let out = std::path::absolute(&to.out).unwrap_or_else(|_| to.out.clone());
            let folder = out.file_name().unwrap_or_default().to_string_lossy();
            format!("/data/local-files/?d={}/", utf8_percent_encode(&folder, RESERVED))
        }
        (None, _) => String::new(),
    }
}

/// For the query of a URL: all but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A category's name and what else it is called: as its set says, or the names of the classes that it accepts.
pub(super) fn named(spec: &RunSpec, id: &str) -> (String, Option<String>) {
    let Some(category) = spec.categories.by_id(id) else { return (id.to_owned(), None) };
    (category.name.clone(), category.gloss.clone().or_else(|| classes(category)))
}

fn classes(category: &Category) -> Option<String> {
    let names = class_names();
    let of = |id: &u32| names.get(*id as usize).copied().filter(|name| !name.eq_ignore_ascii_case(&category.name));
    let mut others: Vec<&str> = category.imagenet_ids.iter().filter_map(of).collect();
    others.dedup();
    (!others.is_empty()).then(|| others.join(", "))
}

/// The sheets of `build`: in the run, one folder for each format that the recipe names.
pub fn export_all(ctx: &Context, spec: &RunSpec) -> Result<Vec<Exported>, StageError> {
    let folder = |format: ExportFormat| ctx.run.path().join("export").join(format.name());
    let to = |&format: &ExportFormat| {
        export(ctx, spec, &ExportTo { format, out: folder(format), image_url: None, missing: false, own: true })
    };
    spec.annotate.export.iter().map(to).collect()
}
