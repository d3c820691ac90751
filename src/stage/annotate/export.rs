//! annotate export: task sheets for people, in the formats of the tools that they use.
//!
//! Does not choose images: `rounds` does. Holds always: no file says which task is a sentinel, because a sentinel that
//! can be recognised catches nobody; an image is decoded once for all formats and tasks, because decoding costs the
//! most.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rayon::prelude::*;

use super::AnnotateError;
use super::collect::missing;
use super::pack::Packer;
use super::rounds::{self, ChosenRound, Wanted};
use crate::config::class_names;
use crate::domain::{Category, ExportFormat, Question, RunSpec, Task, TaskImage};
use crate::imaging::sheet_bytes;
use crate::people::Round;
use crate::pool::Pool;
use crate::render::annotate::{self as page, SheetQuestion, SheetTask};
use crate::render::tasks::{self, TaskLine};
use crate::store::{HandOut, is_inside};

/// Bytes of JPEGs for later sheets in memory, of images that several sheets show.
const MOST_HELD_BYTES: usize = 64 << 20;

/// Where sheets go and how images are addressed there.
#[derive(Debug, Clone)]
pub struct ExportTo {
    /// The tool.
    pub format: ExportFormat,
    /// The folder.
    pub out: PathBuf,
    /// What precedes `images/<sheet>/<task>.jpg`; `None`: a path that the tool understands.
    pub image_url: Option<String>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The round, from 1.
    pub round: u64,
    /// Sheets.
    pub sheets: u64,
    /// Images on them, sentinels included.
    pub tasks: u64,
    /// People who are wanted, over all sheets.
    pub assignments: u64,
    /// What they cost, in the recipe's currency.
    pub cost: f64,
    /// Images that could not be shown.
    pub left_out: u64,
    /// Hard images that are on sheets of other rounds: the round, from 1, and how many.
    pub others: Vec<(u64, u64)>,
    /// The folder.
    pub out: PathBuf,
}

/// Which sheets are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sheets {
    /// Those for the items that the recipe asks for and that are on no sheet yet.
    Hard,
    /// Those for missing votes.
    Missing,
    /// Those of a round that exists, from 1.
    Round(u64),
}

/// Writes sheets for one tool. After an interruption the same call continues where it stopped.
pub fn export(pool: &Pool, to: &ExportTo, sheets: Sheets) -> Result<Exported, AnnotateError> {
    let (ctx, spec) = (pool.ctx(), pool.spec());
    let wanted = if sheets == Sheets::Missing { Wanted::Missing(missing(ctx, spec)?) } else { Wanted::Hard };
    if to.format == ExportFormat::Prolific && to.image_url.is_none() {
        return Err(AnnotateError::ImageUrl);
    }
    if is_inside(ctx.run.path(), &to.out) {
        return Err(AnnotateError::OutInside { out: to.out.display().to_string() });
    }
    // Before the round is made, because a round that cannot be written must not exist.
    HandOut::check(&to.out)?;
    let chosen = match sheets {
        Sheets::Round(number) => rounds::numbered(pool, number)?,
        Sheets::Hard | Sheets::Missing => rounds::round(pool, wanted)?,
    };
    let folder = HandOut::open(&to.out, &readme(pool, &chosen.round, to.format)?)?;
    let mut exported = write(pool, &chosen, &[Target { to, folder }])?;
    Ok(exported.remove(0))
}

/// The sheets that `build` writes inside the run, one folder for each format of the recipe. Sheets of other settings
/// are replaced.
pub fn export_all(pool: &Pool) -> Result<Vec<Exported>, AnnotateError> {
    let formats = &pool.spec().annotate.export;
    if formats.is_empty() {
        return Ok(Vec::new());
    }
    let own = pool.ctx().run.path().join("export");
    let places: Vec<ExportTo> =
        formats.iter().map(|&format| ExportTo { format, out: own.join(format.name()), image_url: None }).collect();
    for to in &places {
        HandOut::check(&to.out)?;
    }
    let chosen = rounds::round(pool, Wanted::Hard)?;
    let mut targets = Vec::with_capacity(places.len());
    for to in &places {
        targets.push(Target { to, folder: HandOut::renew(&to.out, &readme(pool, &chosen.round, to.format)?)? });
    }
    write(pool, &chosen, &targets)
}

/// A folder that sheets are written to.
struct Target<'a> {
    to: &'a ExportTo,
    folder: HandOut,
}

fn readme(pool: &Pool, round: &Round, format: ExportFormat) -> Result<String, AnnotateError> {
    let look = rounds::look(&pool.ctx().run, pool.spec(), round)?;
    Ok(tasks::readme(format, &pool.spec().name, &format!("{}.{}", round.index + 1, look.short())))
}

fn write(pool: &Pool, chosen: &ChosenRound, targets: &[Target]) -> Result<Vec<Exported>, AnnotateError> {
    let (ctx, spec, round) = (pool.ctx(), pool.spec(), &chosen.round);
    let threads = ctx.thread_pool()?;
    let jpegs = Jpegs::new(pool, round)?;
    ctx.progress.start("sheets", round.tasks.len() as u64);
    for (number, sheet) in round.sheets().enumerate() {
        ctx.check_stop()?;
        let images = threads.install(|| jpegs.of_sheet(number, sheet))?;
        for target in targets {
            threads.install(|| write_images(spec, sheet, &images, target))?;
        }
        ctx.progress.advance(sheet.len() as u64);
    }
    ctx.progress.finish();
    let blanks = jpegs.blanks.into_inner().unwrap_or_else(PoisonError::into_inner);
    ctx.run.add_blanks("export", &blanks)?;
    let assignments = round.assignments();
    let mut exported = Vec::with_capacity(targets.len());
    for Target { to, folder } in targets {
        write_tasks(spec, round, to, folder)?;
        exported.push(Exported {
            round: round.index as u64 + 1,
            sheets: round.sheets().count() as u64,
            tasks: round.tasks.len() as u64,
            assignments,
            cost: spec.annotate.cost(assignments),
            left_out: rounds::left_out(&ctx.run, round)? + blanks.len() as u64,
            others: chosen.others.iter().map(|(&index, &images)| (index as u64 + 1, images)).collect(),
            out: folder.path().to_owned(),
        });
    }
    Ok(exported)
}

/// JPEGs of tasks. An image is decoded for the first sheet that shows it, and encoded for all of its tasks.
struct Jpegs<'a> {
    pool: &'a Pool<'a>,
    packer: Packer,
    tasks_of: BTreeMap<&'a TaskImage, Vec<NumberedTask<'a>>>,
    /// By name of the task.
    held: Mutex<HashMap<&'a str, Vec<u8>>>,
    /// Largest number of them.
    most_held: usize,
    /// Tasks that show a grey square.
    blanks: Mutex<BTreeSet<String>>,
}

/// A task and the number of its sheet, from 0.
struct NumberedTask<'a> {
    sheet: usize,
    task: &'a Task,
}

impl<'a> Jpegs<'a> {
    fn new(pool: &'a Pool, round: &'a Round) -> Result<Self, AnnotateError> {
        let mut tasks_of: BTreeMap<&TaskImage, Vec<NumberedTask>> = BTreeMap::new();
        for (sheet, tasks) in round.sheets().enumerate() {
            for task in tasks {
                tasks_of.entry(&task.image).or_default().push(NumberedTask { sheet, task });
            }
        }
        Ok(Self {
            pool,
            packer: Packer::open(pool, tasks_of.keys().copied())?,
            tasks_of,
            held: Mutex::default(),
            most_held: MOST_HELD_BYTES / sheet_bytes(pool.spec().annotate.image_px),
            blanks: Mutex::default(),
        })
    }

    /// The JPEGs of sheet `number`, in its order.
    fn of_sheet(&self, number: usize, sheet: &'a [Task]) -> Result<Vec<Vec<u8>>, AnnotateError> {
        let lacking: BTreeSet<&TaskImage> = {
            let held = self.held();
            sheet.iter().filter(|task| !held.contains_key(task.name.as_str())).map(|task| &task.image).collect()
        };
        let lacking: Vec<&TaskImage> = lacking.into_iter().collect();
        lacking.par_iter().try_for_each(|image| self.encode(image, number))?;
        let mut held = self.held();
        let mut jpegs = Vec::with_capacity(sheet.len());
        for task in sheet {
            let jpeg = held.remove(task.name.as_str());
            jpegs.push(jpeg.ok_or_else(|| unshown(&task.image, "it was not encoded; please report this bug"))?);
        }
        Ok(jpegs)
    }

    /// Encodes an image for its tasks on sheet `number` and, while there is room, on later ones. An image that cannot
    /// be shown any more becomes a grey square on this sheet; the other tasks are not affected.
    fn encode(&self, image: &TaskImage, number: usize) -> Result<(), AnnotateError> {
        let picture = self.packer.picture(image);
        if let (Ok(picture), Some(item)) = (&picture, image.item()) {
            self.pool.keep_thumbnail(item, picture);
        }
        for &NumberedTask { sheet, task } in &self.tasks_of[image] {
            let is_wanted =
                sheet == number || (sheet > number && picture.is_ok() && self.held().len() < self.most_held);
            if !is_wanted || self.held().contains_key(task.name.as_str()) {
                continue;
            }
            let jpeg = match &picture {
                Ok(picture) => self.packer.jpeg(task, picture),
                Err(reason) => Err(unshown(image, reason)),
            };
            let jpeg = jpeg.or_else(|error| self.blank(task, &error))?;
            self.held().insert(&task.name, jpeg);
        }
        Ok(())
    }

    fn blank(&self, task: &Task, error: &AnnotateError) -> Result<Vec<u8>, AnnotateError> {
        self.pool
            .ctx()
            .progress
            .note(&format!("{error}; people see a grey square, and their answers to it do not count"));
        self.blanks.lock().unwrap_or_else(PoisonError::into_inner).insert(task.name.clone());
        self.packer.blank(task)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<&'a str, Vec<u8>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unshown(image: &TaskImage, reason: &str) -> AnnotateError {
    AnnotateError::TaskImage { image: super::pack::name(image), reason: reason.to_owned() }
}

/// The images of a sheet, as files of their own or inside its page.
fn write_images(spec: &RunSpec, sheet: &[Task], jpegs: &[Vec<u8>], target: &Target) -> Result<(), AnnotateError> {
    if target.to.format != ExportFormat::Html {
        let write = |task: &Task, jpeg: &Vec<u8>| target.folder.write(&image_name(task), jpeg);
        return Ok(sheet.par_iter().zip(jpegs).try_for_each(|(task, jpeg)| write(task, jpeg))?);
    }
    let uris: Vec<String> = jpegs.iter().map(|jpeg| tasks::jpeg_uri(jpeg)).collect();
    let page = page::sheet_page(&sheet_of(spec, sheet, |task| uris[task.position as usize].clone()));
    Ok(target.folder.write(&format!("{}.html", sheet[0].batch), &page)?)
}

fn image_name(task: &Task) -> String {
    format!("images/{}/{}.jpg", task.batch, task.name)
}

/// A sheet as the page shows it.
pub(super) fn sheet_of(spec: &RunSpec, sheet: &[Task], image: impl Fn(&Task) -> String) -> page::Sheet {
    let question = |question: &Question| SheetQuestion { id: question.id.clone(), text: question.text.clone() };
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

fn write_tasks(spec: &RunSpec, round: &Round, to: &ExportTo, out: &HandOut) -> Result<(), AnnotateError> {
    let lines: Vec<TaskLine> = round.tasks.iter().map(|task| line(spec, task, to)).collect();
    let questions = &spec.annotate.questions;
    match to.format {
        ExportFormat::LabelStudio => {
            let ids: Vec<String> = questions.iter().map(|question| question.id.clone()).collect();
            out.write("config.xml", tasks::label_studio_config(&ids).as_bytes())?;
            out.write("tasks.json", &tasks::label_studio_tasks(&lines))?;
        }
        ExportFormat::Prolific => {
            let shown = |question: &Question| (question.id.clone(), question.about("the one beside the image"));
            let shown: Vec<(String, String)> = questions.iter().map(shown).collect();
            out.write("dataset.csv", &tasks::prolific_csv(&lines))?;
            out.write("instructions.json", &tasks::prolific_instructions(&shown))?;
        }
        ExportFormat::Csv => {
            // `write_new`, because people may have filled the file in.
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

/// What precedes an image's path.
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

/// Characters that are escaped in the query of a URL: all but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A category's name and a short explanation: that of its set, or else the names of the classes that it accepts.
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
