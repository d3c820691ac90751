//! release: what people accepted -> a folder that everybody can load.
//!
//! choose -> look -> near -> evidence -> data, forms, questions -> facts -> documents; each file is one step. The folder appears
//! whole or not at all; what was written of the data files when a process was killed is used by the next call.

mod base;
mod choose;
mod columns;
mod data;
mod documents;
mod evidence;
mod facts;
mod forms;
mod look;
mod near;
mod others;
mod questions;

use std::path::PathBuf;

use super::collect::Said;
use super::export::is_inside;
use super::{Context, StageError};
use crate::domain::{
    CategoryCount, DataFileRecord, GenerateSpec, KeyHasher, ReleaseForm, ReleaseRecord, RunSpec, Sha256,
};
use crate::render::release::{CategoryFacts, ChangeFacts, Changes, NearRow, class_names};
use crate::store::{Draft, Place, RELEASE_FORMAT, ReleaseDir};
pub use columns::release_columns;
pub(super) use facts::surrogate_records;

use base::Base;
use choose::{Chosen, LeftOut, Reason, choose};
use evidence::{Kept, Reader};
use facts::Contents;
use others::Others;

/// What a release is asked to be.
pub struct ReleaseTo {
    /// Its folder, which is new or empty.
    pub out: PathBuf,
    /// An older release.
    pub base: Option<PathBuf>,
    /// Other forms to write beside the data files.
    pub also: Vec<ReleaseForm>,
    /// Folders of images that the release should not have.
    pub against: Vec<PathBuf>,
}

/// What was released.
#[derive(Debug, Clone, PartialEq)]
pub struct Released {
    /// Its folder.
    pub out: PathBuf,
    /// What it says of itself.
    pub record: ReleaseRecord,
    /// Hard items that are not in it, by reason.
    pub left_out: Vec<(String, u64)>,
    /// Of these, images that could not be read.
    pub unreadable: u64,
    /// Whether the very release was there already.
    pub was_there: bool,
}

/// Makes the release.
pub fn release(ctx: &Context, spec: &RunSpec, to: &ReleaseTo) -> Result<Released, StageError> {
    check(ctx, spec, to)?;
    let base = to.base.as_deref().map(|path| Base::read(path, &spec.release)).transpose()?;
    let Chosen { items, mut left_out, said } = choose(ctx, spec)?;
    let (seen, unread) = look::look(ctx, spec, items)?;
    let others = Others::read(ctx, &to.against)?;
    let thinned = near::thin(ctx, spec, seen, &others)?;
    left_out.extend(unread.into_iter().chain(thinned.left_out));
    left_out.sort_by_key(|row| row.item_id);
    let kept = evidence::kept(spec, thinned.stays);
    if kept.is_empty() {
        return Err(nothing(ctx, said.as_ref(), &left_out));
    }
    let changes = base.as_ref().map(|base| base.changes(&spec.name, &spec.release, &kept));
    let mut also = to.also.clone();
    also.sort();
    also.dedup();
    let near = &thinned.found;
    let work = Work { ctx, spec, kept: &kept, left_out: &left_out, near, others: &others, said: said.as_ref(), also };
    let key =
        work.key(base.as_ref().zip(changes.as_ref()).map(|(base, changes)| base.record(&spec.name, changes).key))?;
    let done = match Draft::open(&to.out, key)? {
        Place::Done(done) => (done, true),
        Place::Draft(draft) => (work.fill(draft, key, base.as_ref().zip(changes.as_ref()))?, false),
    };
    let reasons = facts::excluded(&left_out);
    Ok(Released {
        out: to.out.clone(),
        record: done.0.record()?,
        left_out: reasons.iter().map(|(reason, images)| (reason.to_string(), *images)).collect(),
        unreadable: reasons.get(&Reason::Unreadable).copied().unwrap_or(0),
        was_there: done.1,
    })
}

/// What can be said before any work is done.
fn check(ctx: &Context, spec: &RunSpec, to: &ReleaseTo) -> Result<(), StageError> {
    let pool = match &spec.generate {
        GenerateSpec::Folder(source) => Some(source.root.as_path()),
        GenerateSpec::Diffusion(_) | GenerateSpec::Fake(_) => None,
    };
    if let Some(folder) = pool.into_iter().chain([ctx.run.path()]).find(|folder| is_inside(folder, &to.out)) {
        let (out, folder) = (to.out.display().to_string(), folder.display().to_string());
        return Err(StageError::ReleaseInside { out, folder });
    }
    Draft::check(&to.out)?;
    others::check(&to.against)
}

fn nothing(ctx: &Context, said: Option<&Said>, left_out: &[LeftOut]) -> StageError {
    let reasons: Vec<String> =
        facts::excluded(left_out).iter().map(|(reason, images)| format!("{images} {reason}")).collect();
    let why = match (reasons.is_empty(), said) {
        (true, _) => "no item is hard; mine with another rule".to_owned(),
        (false, _) => format!("of its hard items {}", reasons.join(", ")),
    };
    StageError::NothingToRelease { run: ctx.run.path().display().to_string(), why }
}

/// Everything that a release is written from.
struct Work<'a> {
    ctx: &'a Context<'a>,
    spec: &'a RunSpec,
    kept: &'a [Kept],
    left_out: &'a [LeftOut],
    near: &'a [NearRow],
    others: &'a Others,
    said: Option<&'a Said>,
    also: Vec<ReleaseForm>,
}

impl Work<'_> {
    /// Hash of everything that the release depends on.
    fn key(&self, base: Option<Sha256>) -> Result<Sha256, StageError> {
        let (run, spec) = (&self.ctx.run, self.spec);
        let mut key = KeyHasher::new().field("stage", "release 1").field("tool", super::resolve::TOOL);
        key = key.field("recipe", recipe(spec)?).field("also", format!("{:?}", self.also));
        key = key.field("base", base.map(|base| base.to_string()).unwrap_or_default());
        let shards = super::planned::Planned::open(self.ctx, spec)?.ranges.len();
        let predictions = (0..shards).flat_map(|at| spec.mine.select.surrogates.iter().map(move |name| (name, at)));
        let records =
            (0..shards).map(|at| run.images(at)).chain(predictions.map(|(name, at)| run.predictions(name, at)));
        for record in std::iter::once(run.plan()).chain(records).filter_map(|unit| unit.record()) {
            key = key.field("record", record.hash().to_string());
        }
        for kept in self.kept {
            key = key.field("item", format!("{} {}", kept.image.sha256, kept.path));
        }
        key = key.field("left out", format!("{:?}{:?}{:?}", self.left_out, self.near, self.others.folders));
        if let Some(said) = self.said {
            key = key.field("items", format!("{:?}{:?}", said.items, said.agreement));
            key = said.votes.iter().fold(key, |key, vote| key.field("vote", format!("{vote:?}")));
        }
        Ok(key.finish())
    }

    fn fill(&self, draft: Draft, key: Sha256, base: Option<(&Base, &Changes)>) -> Result<ReleaseDir, StageError> {
        let (ctx, spec) = (self.ctx, self.spec);
        let columns = columns::columns(spec, self.said.is_some());
        let categories = facts::categories(spec, self.kept);
        let classes = class_names(&categories);
        let files = data::cut(self.kept);
        let mut reader = Reader::new(ctx, spec, self.kept, self.said)?;
        data::write(ctx, &mut reader, (&columns, &classes), (&draft, &files))?;
        questions::write(&mut reader, &spec.categories, &draft)?;
        let (reader, draft_ref) = (&mut reader, &draft);
        let mut forms =
            forms::Forms { ctx, reader, columns: &columns, classes: &classes, draft: draft_ref, files: &files };
        self.also.iter().try_for_each(|form| forms.write(*form))?;
        let recipe = recipe(spec)?;
        draft.put("recipe.toml", recipe.as_bytes())?;
        documents::write_lists(&draft, self.left_out, self.near, base.map(|(_, changes)| changes))?;
        let file_facts = documents::file_facts(ctx, &draft, &files)?;
        let record = self.record(key, &files, (&categories, &classes), base);
        let contents = Contents {
            spec,
            kept: self.kept,
            left_out: self.left_out,
            near: self.near,
            others: &self.others.folders,
            columns: &columns,
            said: self.said,
            forms: &self.also,
            changes: record.base.as_ref().map(change_facts),
        };
        let pool = facts::count_pool(ctx, spec, self.kept)?;
        let recipe_sha256 = Sha256::of(recipe.as_bytes()).to_string();
        documents::write(&draft, &contents.facts(&pool, file_facts.clone(), recipe_sha256))?;
        draft.put_record(&record)?;
        documents::write_sums(ctx, &draft, &file_facts)?;
        ctx.check_stop()?;
        Ok(draft.commit()?)
    }

    fn record(
        &self,
        key: Sha256,
        files: &[data::DataFile],
        (categories, classes): (&[CategoryFacts], &[String]),
        base: Option<(&Base, &Changes)>,
    ) -> ReleaseRecord {
        let count = |(category, class): (&CategoryFacts, &String)| CategoryCount {
            id: category.id.clone(),
            class: class.clone(),
            images: category.images,
        };
        let file = |file: &data::DataFile| DataFileRecord { path: file.path(), images: file.items().len() as u64 };
        ReleaseRecord {
            format: RELEASE_FORMAT,
            tool: super::resolve::TOOL.to_owned(),
            key,
            name: self.spec.name.clone(),
            version: self.spec.release.version.clone(),
            verified: self.said.is_some(),
            mining: self.spec.mining_id(),
            images: self.kept.len() as u64,
            categories: categories.iter().zip(classes).map(count).collect(),
            surrogates: surrogate_records(self.spec),
            files: files.iter().map(file).collect(),
            also: self.also.clone(),
            base: base.map(|(base, changes)| base.record(&self.spec.name, changes)),
        }
    }
}

fn change_facts(base: &crate::domain::BaseRecord) -> ChangeFacts {
    ChangeFacts { base_version: base.called(), added: base.added, removed: base.removed, relabelled: base.relabelled }
}

/// The recipe as it is published.
fn recipe(spec: &RunSpec) -> Result<String, StageError> {
    toml::to_string(&spec.published()).map_err(|e| StageError::Recipe(e.to_string()))
}
