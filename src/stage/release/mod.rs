//! release: the accepted items -> a folder that can be published and loaded.
//!
//! choose -> inspect -> near -> evidence -> data, forms, questions -> facts -> documents; each file is one step.
//!
//! Holds always: the folder appears whole or not at all, because it may be published at once; data files that a killed
//! process has written are used by the next call, because writing them takes long.

mod base;
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

use super::annotate::PeopleResult;
use super::prepare::TOOL;
use crate::domain::{
    BaseRecord, CategoryCount, DataFileRecord, KeyHasher, ReleaseForm, ReleaseRecord, RunSpec, Sha256,
};
use crate::pool::Pool;
use crate::render::release::{CategoryFacts, ChangeFacts, Changes, NearRow, class_names};
use crate::source::source;
use crate::store::{Draft, RELEASE_FORMAT, ReleaseDir, ReleasePlace, Unit, is_inside};
pub use columns::release_columns;
pub use error::ReleaseError;
pub(super) use facts::surrogate_records;

use base::Base;
use choose::{Chosen, LeftOut, Reason, choose};
use data::{DataFile, Layout};
use evidence::{ChosenItem, Reader};
use facts::Contents;
use forms::Forms;
use inspect::inspect;
use near::without_duplicates;
use others::Others;

/// What the command line asks of a release.
pub struct ReleaseTo {
    /// Its folder, which is new or empty.
    pub out: PathBuf,
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
    let inspected = inspect(pool, items)?;
    let others = Others::read(pool.ctx(), &to.against)?;
    let unique = without_duplicates(pool, inspected.images, &others)?;
    left_out.extend(inspected.left_out.into_iter().chain(unique.left_out));
    left_out.sort_by_key(|row| row.item_id);
    let chosen = evidence::chosen(spec, unique.stays);
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
    let (done, was_there) = match Draft::open(&to.out, key)? {
        ReleasePlace::Done(done) => (done, true),
        ReleasePlace::Draft(draft) => (work.fill(draft, key)?, false),
    };
    let reasons = facts::excluded(&left_out);
    Ok(Released {
        out: to.out.clone(),
        record: done.record()?,
        left_out: reasons.iter().map(|(reason, images)| (reason.to_string(), *images)).collect(),
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
    Draft::check(&to.out)?;
    others::check(&to.against)
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
        let mut key = KeyHasher::new().field("stage", "release 2").field("tool", TOOL);
        key = key.field("recipe", recipe(spec)?).field("also", format!("{:?}", self.also));
        let base = self.since.as_ref().map(|(base, _)| base.key.to_string());
        key = key.field("base", base.unwrap_or_default());
        let mut units = vec![run.plan()];
        units.extend((0..self.pool.shards()).map(|shard| run.images(shard)));
        for shard in 0..self.pool.shards() {
            units.extend(spec.mine.select.surrogates.iter().map(|name| run.predictions(name, shard)));
        }
        for record in units.iter().filter_map(Unit::record) {
            key = key.field("record", record.hash().to_string());
        }
        for item in self.chosen {
            key = key.field("item", format!("{} {}", item.image.sha256, item.path));
        }
        key = key.field("left out", format!("{:?}{:?}{:?}", self.left_out, self.near, self.others.folders));
        if let Some(people) = self.people {
            key = key.field("items", format!("{:?}{:?}", people.items, people.agreement));
            for vote in &people.votes {
                key = key.field("vote", format!("{vote:?}"));
            }
        }
        Ok(key.finish())
    }

    fn fill(&self, draft: Draft, key: Sha256) -> Result<ReleaseDir, ReleaseError> {
        let (ctx, spec) = (self.pool.ctx(), self.pool.spec());
        let columns = columns::columns(spec, self.people.is_some());
        let categories = facts::categories(spec, self.chosen);
        let classes = class_names(&categories);
        let files = data::cut(self.chosen);
        let mut reader = Reader::new(self.pool, self.chosen, self.people)?;
        let layout = Layout { columns: &columns, classes: &classes, draft: &draft, files: &files };
        data::write(ctx, &mut reader, &layout)?;
        questions::write(&mut reader, &spec.categories, &draft)?;
        let mut forms = Forms { ctx, reader: &mut reader, layout: &layout };
        for form in &self.also {
            forms.write(*form)?;
        }
        let recipe = recipe(spec)?;
        draft.put("recipe.toml", recipe.as_bytes())?;
        documents::write_lists(&draft, self.left_out, self.near, self.since.as_ref().map(|(_, changes)| changes))?;
        let file_facts = documents::file_facts(ctx, &draft, &files)?;
        let record = self.record(key, &layout, &categories);
        let contents = Contents {
            spec,
            chosen: self.chosen,
            left_out: self.left_out,
            near: self.near,
            others: &self.others.folders,
            columns: &columns,
            people: self.people,
            forms: &self.also,
            changes: record.base.as_ref().map(change_facts),
        };
        let pool = facts::count_pool(self.pool, self.chosen)?;
        let recipe_sha256 = Sha256::of(recipe.as_bytes()).to_string();
        documents::write(&draft, &contents.facts(&pool, file_facts.clone(), recipe_sha256))?;
        draft.put_record(&record)?;
        documents::write_sums(ctx, &draft, &file_facts)?;
        ctx.check_stop()?;
        Ok(draft.commit()?)
    }

    fn record(&self, key: Sha256, layout: &Layout, categories: &[CategoryFacts]) -> ReleaseRecord {
        let spec = self.pool.spec();
        let mut counts = Vec::with_capacity(categories.len());
        for (category, class) in categories.iter().zip(layout.classes) {
            counts.push(CategoryCount { id: category.id.clone(), class: class.clone(), images: category.images });
        }
        let file = |file: &DataFile| DataFileRecord { path: file.path(), images: file.items().len() as u64 };
        ReleaseRecord {
            format: RELEASE_FORMAT,
            tool: TOOL.to_owned(),
            key,
            name: spec.name.clone(),
            version: spec.release.version.clone(),
            verified: self.people.is_some(),
            mining: spec.mining_id(),
            images: self.chosen.len() as u64,
            categories: counts,
            surrogates: surrogate_records(spec),
            files: layout.files.iter().map(file).collect(),
            also: self.also.clone(),
            base: self.since.as_ref().map(|(base, _)| base.clone()),
        }
    }
}

fn change_facts(base: &BaseRecord) -> ChangeFacts {
    ChangeFacts { base_version: base.called(), added: base.added, removed: base.removed, relabelled: base.relabelled }
}

/// The recipe as it is published, without paths.
fn recipe(spec: &RunSpec) -> Result<String, ReleaseError> {
    toml::to_string(&spec.published()).map_err(|e| ReleaseError::Recipe(e.to_string()))
}
