//! release: the accepted items -> a folder that can be published and loaded.
//!
//! choose -> inspect -> near -> evidence -> data, forms, questions -> facts -> documents; each file is one step.
//!
//! Holds always: the folder appears whole or not at all, because it may be published at once; data files that a killed
//! process has written are used by the next call, because writing them takes long.

mod base;
mod beside;
mod choose;
mod columns;
mod data;
mod documents;
mod error;
mod evidence;
mod facts;
mod forms;
mod inspect;
mod near;
mod others;
mod questions;

use std::path::PathBuf;

use rayon::prelude::*;

use super::annotate::PeopleResult;
use super::prepare::TOOL;
use crate::domain::{BaseRecord, DataFileRecord, ItemId, Key, ReleaseForm, ReleaseRecord, RunSpec, Sha256};
use crate::pool::Pool;
use crate::render::release::{Changes, NearRow, class_names, read_sums};
use crate::source::source;
use crate::store::{
    Draft, RELEASE_FORMAT, ReleaseDir, ReleasePlace, StoreError, hash_file, is_inside, numbered, spec_text,
};
use crate::work::Context;
pub use beside::release_beside;
pub(super) use choose::Reason;
pub use columns::release_columns;
pub use error::ReleaseError;
pub(super) use evidence::NO_KIND;
pub(super) use facts::{Contents, category_counts, surrogate_records};
pub(super) use forms::push_sample;
pub(super) use questions::{Asked, TopClasses, question};

use base::Base;
use choose::{Chosen, LeftOut, account, choose, damaged};
use data::Layout;
use evidence::{ChosenItem, Reader};
use facts::PoolCounts;
use forms::Forms;
use inspect::inspect;
use near::without_duplicates;
use others::Others;

/// The highest number that a folder's name gets.
const MOST_NUMBER: usize = 1000;

/// What the command line asks of a release.
pub struct ReleaseTo {
    /// Its folder, which is new or empty.
    pub out: PathBuf,
    /// Whether, where something else has that name, `<out>-2` is taken, or the next number that is free.
    pub or_numbered: bool,
    /// An older release.
    pub base: Option<PathBuf>,
    /// Other forms to write beside the data files.
    pub also: Vec<ReleaseForm>,
    /// Folders of images, or releases, whose images are left out.
    pub against: Vec<PathBuf>,
}

/// The result.
#[derive(Debug, Clone, PartialEq)]
pub struct Released {
    /// Its folder.
    pub out: PathBuf,
    /// Its record.
    pub record: ReleaseRecord,
    /// Hard items that are not in it, by reason.
    pub left_out: Vec<(String, u64)>,
    /// Of these, images that could not be read.
    pub unreadable: u64,
    /// Whether an earlier call made the same release.
    pub was_there: bool,
}

/// Makes the release.
pub fn release(pool: &Pool, to: &ReleaseTo) -> Result<Released, ReleaseError> {
    check(pool, to)?;
    let spec = pool.spec();
    let base = to.base.as_deref().map(|path| Base::read(path, &spec.release)).transpose()?;
    let Chosen { items, mut left_out, people } = choose(pool)?;
    let judged = people.iter().flat_map(|people| &people.items).map(|item| item.item_id).collect();
    let inspected = inspect(pool, items, judged)?;
    let others = Others::read(pool.ctx(), &to.against)?;
    let unique = without_duplicates(pool, inspected.images, &others)?;
    left_out.extend(inspected.left_out.into_iter().chain(unique.left_out));
    left_out.sort_by_key(|row| row.item_id);
    let chosen = evidence::chosen(pool, unique.stays)?;
    let released: Vec<ItemId> = chosen.iter().map(|item| item.image.item_id).collect();
    account(pool, &released, &left_out)?;
    if chosen.is_empty() {
        return Err(nothing(pool, &left_out));
    }
    let since = base.map(|base| base.changes(&spec.name, &spec.release, &chosen));
    let mut also = to.also.clone();
    also.sort();
    also.dedup();
    let work = Work {
        pool,
        chosen: &chosen,
        left_out: &left_out,
        near: &unique.found,
        others: &others,
        people: people.as_ref(),
        also,
        since,
    };
    let key = work.key()?;
    let (out, place) = place(pool.ctx(), to, key)?;
    let (done, was_there) = match place {
        ReleasePlace::Done(done) => (done, true),
        ReleasePlace::Draft(draft) => (work.fill(draft, key)?, false),
    };
    let reasons = facts::excluded(&left_out);
    Ok(Released {
        out,
        record: done.record()?,
        left_out: facts::in_words(&reasons),
        unreadable: reasons.get(&Reason::Unreadable).copied().unwrap_or(0),
        was_there,
    })
}

/// Checks what can be checked before any work is done.
fn check(pool: &Pool, to: &ReleaseTo) -> Result<(), ReleaseError> {
    let photographs = source(&pool.spec().generate).folder();
    let folders = photographs.into_iter().chain([pool.ctx().run.path()]);
    for folder in folders {
        if is_inside(folder, &to.out) {
            let (out, folder) = (to.out.display().to_string(), folder.display().to_string());
            return Err(ReleaseError::Inside { out, folder });
        }
    }
    if !to.or_numbered {
        Draft::check(&to.out)?;
    }
    others::check(&to.against)
}

/// The place of the release with this key: the same one, which is whole, or a draft.
fn place(ctx: &Context, to: &ReleaseTo, key: Sha256) -> Result<(PathBuf, ReleasePlace), ReleaseError> {
    let mut number = 1;
    loop {
        let out = numbered(&to.out, number);
        let place = Draft::open(&out, key).map_err(ReleaseError::from).and_then(|place| {
            if let ReleasePlace::Done(done) = &place {
                check_whole(ctx, done)?;
            }
            Ok(place)
        });
        let is_other = |error: &StoreError| {
            matches!(error, StoreError::Taken { .. } | StoreError::Damaged { .. } | StoreError::Format { .. })
        };
        match place {
            Err(ReleaseError::Store(error)) if to.or_numbered && number < MOST_NUMBER && is_other(&error) => {
                if !matches!(error, StoreError::Taken { .. }) {
                    ctx.progress.note(&format!("left alone, the release gets another name: {error}"));
                }
                number += 1;
            }
            place => return Ok((out, place?)),
        }
    }
}

fn nothing(pool: &Pool, left_out: &[LeftOut]) -> ReleaseError {
    let reasons = facts::excluded(left_out);
    let why = if reasons.is_empty() {
        "no item is hard; mine with another rule".to_owned()
    } else {
        let reasons: Vec<String> = reasons.iter().map(|(reason, images)| format!("{images} {reason}")).collect();
        format!("of its hard items {}", reasons.join(", "))
    };
    ReleaseError::Nothing { run: pool.ctx().run_name(), why }
}

/// Everything that a release is written from.
struct Work<'a> {
    pool: &'a Pool<'a>,
    chosen: &'a [ChosenItem],
    left_out: &'a [LeftOut],
    near: &'a [NearRow],
    others: &'a Others,
    people: Option<&'a PeopleResult>,
    also: Vec<ReleaseForm>,
    /// The changes since an older release: their numbers, and image for image.
    since: Option<(BaseRecord, Changes)>,
}

impl Work<'_> {
    /// Hash of everything that the release depends on.
    fn key(&self) -> Result<Sha256, ReleaseError> {
        let (run, spec) = (&self.pool.ctx().run, self.pool.spec());
        let mut units = vec![run.plan()];
        units.extend((0..self.pool.shards()).map(|shard| run.images(shard)));
        for shard in 0..self.pool.shards() {
            units.extend(spec.mine.select.surrogates.iter().map(|name| run.predictions(name, shard)));
        }
        let mut records = Vec::with_capacity(units.len());
        for unit in &units {
            records.push(unit.existing()?.hash());
        }
        let key = Key::new("release", 3)
            .field("tool", TOOL)
            .field("recipe", Sha256::of(recipe(spec)?.as_bytes()))
            .list("also", self.also.iter().map(|form| form.folder()))
            .field("base", self.since.as_ref().map(|(base, _)| base.key))
            .list("records", records)
            .list("images", self.chosen.iter().map(|item| item.image.sha256))
            .list("paths", self.chosen.iter().map(|item| &item.path))
            .list("left out", self.left_out.iter().map(left_out_identity))
            .list("near", self.near.iter().map(near_identity))
            .list("others", self.others.folders.iter().map(|folder| &folder.name))
            .list("others read", self.others.folders.iter().map(|folder| folder.images))
            .list("others unread", self.others.folders.iter().map(|folder| folder.unread))
            .field("people", self.people.map(|people| people.identity));
        Ok(key.finish())
    }

    fn fill(&self, draft: Draft, key: Sha256) -> Result<ReleaseDir, ReleaseError> {
        let (ctx, spec) = (self.pool.ctx(), self.pool.spec());
        let counts = facts::count_pool(self.pool, self.chosen)?;
        let hard = (self.chosen.len() + self.left_out.len()) as u64;
        if counts.hard != hard {
            let problem = format!("its predictions make {} images hard, but its mining has {hard}", counts.hard);
            return Err(damaged(self.pool, problem));
        }
        let columns = columns::columns(spec, self.people.is_some());
        let categories = facts::categories(spec, facts::images_by_label(spec, self.chosen));
        let classes = class_names(&categories);
        let files = data::cut(self.chosen);
        let mut reader = Reader::new(self.pool, self.chosen, self.people)?;
        let layout = Layout { columns: &columns, classes: &classes, draft: &draft, files: &files };
        data::write(ctx, &mut reader, &layout)?;
        let names = &spec.mine.select.surrogates;
        let spaces = names.iter().map(|name| self.pool.space(name)).collect::<Result<Vec<_>, _>>()?;
        questions::write(&mut reader, &spec.categories, &spaces, &draft)?;
        let mut forms = Forms { ctx, reader: &mut reader, layout: &layout };
        for form in &self.also {
            forms.write(*form)?;
        }
        draft.put("recipe.toml", recipe(spec)?.as_bytes())?;
        documents::write_lists(&draft, self.left_out, self.near, self.since.as_ref().map(|(_, changes)| changes))?;
        let files = documents::file_records(ctx, &draft, &files)?;
        let record = self.record(key, files, &counts);
        let contents = Contents {
            recipe: &spec.published(),
            record: &record,
            excluded: facts::in_words(&facts::excluded(self.left_out)),
            kinds: facts::kinds(self.chosen),
            right: counts.right_on_release,
            recipe_sha256: documents::recipe_sha256(&draft)?,
        };
        documents::write(&draft, &contents.facts())?;
        draft.put_record(&record)?;
        documents::write_sums(ctx, &draft, &record.files)?;
        ctx.check_stop()?;
        // Reading takes no lock: another command may have changed the run meanwhile.
        if self.key()? != key {
            return Err(ReleaseError::RunChanged { run: ctx.run_name() });
        }
        Ok(draft.commit()?)
    }

    fn record(&self, key: Sha256, files: Vec<DataFileRecord>, counts: &PoolCounts) -> ReleaseRecord {
        let spec = self.pool.spec();
        ReleaseRecord {
            format: RELEASE_FORMAT,
            tool: TOOL.to_owned(),
            key,
            name: spec.name.clone(),
            version: spec.release.version.clone(),
            verified: self.people.is_some(),
            mining: spec.mining_id(),
            images: self.chosen.len() as u64,
            pool_images: counts.images,
            excluded: self.left_out.len() as u64,
            near_duplicates: self.near.len() as u64,
            compared: self.others.folders.clone(),
            people: self.people.map(|people| facts::people_record(spec, people)),
            categories: category_counts(spec, facts::images_by_label(spec, self.chosen)),
            surrogates: surrogate_records(spec, &counts.right),
            files,
            also: self.also.clone(),
            base: self.since.as_ref().map(|(base, _)| base.clone()),
        }
    }
}

/// An error if a release that was made earlier is not as it was made.
fn check_whole(ctx: &Context, done: &ReleaseDir) -> Result<(), ReleaseError> {
    let sums = std::fs::read_to_string(done.path().join("SHA256SUMS"));
    let (names, unread) = sums.map(|text| read_sums(&text)).unwrap_or_default();
    let is_other = |name: &String, expected: &String| {
        let found = hash_file(&done.path().join(name));
        !found.is_ok_and(|(_, found)| found.to_string() == *expected)
    };
    let changed =
        ctx.thread_pool()?.install(|| names.par_iter().find_first(|(name, expected)| is_other(name, expected)));
    match changed {
        Some((name, _)) => Err(done.damaged(format!("its file {name} is not the one of SHA256SUMS")).into()),
        None if names.is_empty() || unread > 0 => Err(done.damaged("its SHA256SUMS cannot be read".to_owned()).into()),
        None => Ok(()),
    }
}

fn left_out_identity(row: &LeftOut) -> Sha256 {
    let LeftOut { item_id, category, reason, detail } = row;
    Key::new("left out", 1)
        .field("item", item_id.0)
        .field("category", category)
        .field("reason", reason.to_string())
        .field("detail", detail)
        .finish()
}

fn near_identity(row: &NearRow) -> Sha256 {
    let NearRow { item_id, like, distance, excluded } = row;
    Key::new("near duplicate", 1)
        .field("item", *item_id)
        .field("like", like)
        .field("distance", *distance)
        .field("excluded", *excluded)
        .finish()
}

/// The recipe as it is published, without paths.
fn recipe(spec: &RunSpec) -> Result<String, ReleaseError> {
    spec_text(&spec.published()).map_err(|e| ReleaseError::Recipe(e.to_string()))
}
