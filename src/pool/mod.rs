//! An opened run: its plan, images, predictions and mining, as the verbs see them.
//!
//! Knows where everything is: a verb asks a [`Pool`], not the files. Rows of images and hard items are read once, plan
//! rows and predictions shard by shard, each time that a verb asks. Does not write or decide anything.
//!
//! Holds always: a table of images is read once in a command while the pool has at most `CACHED_ROWS` images, because
//! `build` alone needs it five times; of a larger pool, `CACHED_ROWS` rows stay in memory, because memory must not
//! grow with the pool.

mod classes;
mod error;
mod images;
mod judged;
mod keys;
mod plan;
mod thumbnails;
mod warnings;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::domain::{
    ClassSpace, DropRow, HardRow, ImageRow, ItemId, Outcome, PlanRow, Prediction, RunSpec, Sha256, SurrogateSpec,
};
use crate::imaging::RgbImage;
use crate::source::source;
use crate::store::Unit;
use crate::table::{ImagePaths, dropped_table, images_table, predictions_table, read_hard};
use crate::work::Context;

pub use classes::Classes;
pub use error::PoolError;
pub use images::{FoundImage, ImageProblem, RunImages};
pub use judged::JudgedShard;
pub use keys::{UnitKeys, dropped_key, mining_key, plan_key, rank_key};
pub use plan::{Plan, generated, planned_shards, shard_ranges, shards_per_group};
use thumbnails::Thumbnails;
pub use warnings::ScorerWarning;

/// Images whose rows stay in memory, over all shards: about 40 MB.
const CACHED_ROWS: usize = 1 << 17;

/// The images and the mining of one run.
pub struct Pool<'a> {
    ctx: &'a Context<'a>,
    spec: &'a RunSpec,
    keys: UnitKeys<'a>,
    plan: Plan,
    classes: Classes,
    images: RunImages,
    tables: Mutex<ImageTables>,
    hard: OnceLock<Vec<HardRow>>,
    thumbnails: Thumbnails,
}

/// Tables of images that have been read, by shard.
#[derive(Default)]
struct ImageTables {
    rows: usize,
    by_shard: HashMap<usize, Arc<Vec<ImageRow>>>,
}

impl<'a> Pool<'a> {
    /// Opens the run of `ctx`, which must have a plan; `spec`: its recipe with the mining to use.
    pub fn open(ctx: &'a Context<'a>, spec: &'a RunSpec) -> Result<Self, PoolError> {
        Self::with_plan(ctx, spec, Plan::open(ctx, spec)?)
    }

    /// The same for a process that works on some shards only, which does not read the plan's file where it need not.
    pub fn open_for_part(ctx: &'a Context<'a>, spec: &'a RunSpec) -> Result<Self, PoolError> {
        Self::with_plan(ctx, spec, Plan::open_for_part(ctx, spec)?)
    }

    fn with_plan(ctx: &'a Context<'a>, spec: &'a RunSpec, plan: Plan) -> Result<Self, PoolError> {
        Ok(Self {
            ctx,
            spec,
            keys: UnitKeys::of(spec),
            plan,
            classes: Classes::of(spec).map_err(|space| PoolError::NoSpace { run: ctx.run_name(), space })?,
            images: RunImages::new(&ctx.run, spec),
            tables: Mutex::default(),
            hard: OnceLock::new(),
            thumbnails: Thumbnails::default(),
        })
    }

    /// The run directory, the device and the threads.
    pub fn ctx(&self) -> &'a Context<'a> {
        self.ctx
    }

    /// The recipe.
    pub fn spec(&self) -> &'a RunSpec {
        self.spec
    }

    /// The keys of its images and predictions.
    pub fn keys(&self) -> &UnitKeys<'a> {
        &self.keys
    }

    /// The class spaces of its scorers.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The class space of the scorer `name`.
    pub fn space(&self, name: &str) -> Result<&ClassSpace, PoolError> {
        let scorer = self.spec.mine.surrogates.iter().find(|scorer| scorer.name == name);
        let space = scorer.and_then(|scorer| self.classes.space(&scorer.space));
        space.ok_or_else(|| self.not_ready(format!("its spec.toml has no scorer `{name}`")))
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.plan.ranges.len()
    }

    /// The plan's rows of shard `shard`.
    pub fn items(&self, shard: usize) -> Result<Vec<PlanRow>, PoolError> {
        self.plan.rows(shard)
    }

    /// Reads encoded images and pictures.
    pub fn images(&self) -> &RunImages {
        &self.images
    }

    /// The rows of the images of shard `shard`, which must be made; items ascending.
    pub fn image_rows(&self, shard: usize) -> Result<Arc<Vec<ImageRow>>, PoolError> {
        if let Some(rows) = self.cached(shard) {
            return Ok(rows);
        }
        let rows = Arc::new(images_table::decode(&self.images_file(shard)?)?);
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.rows + rows.len() <= CACHED_ROWS && tables.by_shard.insert(shard, Arc::clone(&rows)).is_none() {
            tables.rows += rows.len();
        }
        Ok(rows)
    }

    /// Brings the images of shard `shard` to this machine, if the run is in a bucket.
    pub fn bring_images(&self, shard: usize) -> Result<(), PoolError> {
        if self.ctx.run.home().is_none() {
            return Ok(());
        }
        let unit = self.ctx.run.images(shard);
        Ok(unit.bring(&unit.existing()?)?)
    }

    /// Items and paths of the images of shard `shard`: the columns that a mining repeats.
    pub fn image_paths(&self, shard: usize) -> Result<ImagePaths, PoolError> {
        match self.cached(shard) {
            Some(rows) => Ok(ImagePaths::of(&rows)?),
            None => Ok(images_table::read_paths(&self.images_file(shard)?)?),
        }
    }

    fn cached(&self, shard: usize) -> Option<Arc<Vec<ImageRow>>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).by_shard.get(&shard).cloned()
    }

    /// The images of `wanted` that the run has.
    pub fn find_images(&self, wanted: &BTreeSet<ItemId>) -> Result<HashMap<ItemId, FoundImage>, PoolError> {
        let mut found = HashMap::with_capacity(wanted.len());
        for shard in 0..self.shards() {
            if found.len() == wanted.len() {
                break;
            }
            for row in self.image_rows(shard)?.iter().filter(|row| wanted.contains(&row.item_id)) {
                found.insert(row.item_id, FoundImage { row: row.clone(), shard });
            }
        }
        Ok(found)
    }

    /// The hard items of the current mining, which must be made.
    pub fn hard(&self) -> Result<&[HardRow], PoolError> {
        if let Some(hard) = self.hard.get() {
            return Ok(hard);
        }
        let unit = self.ctx.run.mined(&self.spec.mining_id());
        let missing = || "its mining is not made yet".to_owned();
        if unit.record()?.is_none() {
            return Err(self.not_ready(missing()));
        }
        let (images, predictions) = (self.image_records()?, self.prediction_records(&self.spec.voters())?);
        let key = mining_key(self.spec, &self.plan.record, &images, &predictions);
        let hard = read_hard(&self.table(&unit, key, missing)?)?;
        Ok(self.hard.get_or_init(|| hard))
    }

    /// What earlier stages and the current mining lost; the mining must be made.
    pub fn dropped(&self) -> Result<Vec<DropRow>, PoolError> {
        let mut records = vec![self.plan.record.hash()];
        records.extend(self.image_records()?);
        records.extend(self.prediction_records(&self.spec.scored())?);
        let missing = || "its mining is not made yet".to_owned();
        let path = self.table(&self.ctx.run.dropped(), dropped_key(&records), missing)?;
        Ok(dropped_table::decode(&path)?)
    }

    /// The predictions of scorer `name` for shard `shard`, which must be made.
    pub fn predictions(&self, name: &str, shard: usize) -> Result<Vec<Prediction>, PoolError> {
        Ok(predictions_table::decode(&self.predictions_file(name, shard)?)?)
    }

    /// The file of the predictions of scorer `name` for shard `shard`.
    pub fn predictions_file(&self, name: &str, shard: usize) -> Result<PathBuf, PoolError> {
        let unit = self.ctx.run.predictions(name, shard);
        let missing = || format!("the predictions of {name} for shard {shard} are not made yet");
        let scorer = self.spec.mine.surrogates.iter().find(|scorer| scorer.name == name);
        let scorer = scorer.ok_or_else(|| self.not_ready(missing()))?;
        let images = self.ctx.run.images(shard).existing()?;
        self.table(&unit, self.keys.predictions(&images, scorer), missing)
    }

    fn images_file(&self, shard: usize) -> Result<PathBuf, PoolError> {
        let key = self.keys.images(&self.plan.record, &self.plan.ranges[shard]);
        self.table(&self.ctx.run.images(shard), key, || format!("the images of shard {shard} are not made yet"))
    }

    /// The table of a unit with this key, which is hashed before anybody parses it.
    fn table(&self, unit: &Unit, key: Sha256, missing: impl FnOnce() -> String) -> Result<PathBuf, PoolError> {
        let Some(record) = unit.record()? else { return Err(self.not_ready(missing())) };
        if record.key != key {
            return Err(unit.of_other_inputs().into());
        }
        Ok(unit.checked(&record, "parquet")?)
    }

    /// The hashes of the records of all images.
    fn image_records(&self) -> Result<Vec<Sha256>, PoolError> {
        let mut hashes = Vec::with_capacity(self.shards());
        for shard in 0..self.shards() {
            hashes.push(self.ctx.run.images(shard).existing()?.hash());
        }
        Ok(hashes)
    }

    /// The hashes of the records of all predictions, those of one scorer after another.
    fn prediction_records(&self, scorers: &[&SurrogateSpec]) -> Result<Vec<Sha256>, PoolError> {
        let mut hashes = Vec::with_capacity(scorers.len() * self.shards());
        for scorer in scorers {
            for shard in 0..self.shards() {
                hashes.push(self.ctx.run.predictions(&scorer.name, shard).existing()?.hash());
            }
        }
        Ok(hashes)
    }

    /// An error if the images cannot be read now.
    pub fn check_source(&self) -> Result<(), PoolError> {
        Ok(source(&self.spec.generate).check_there()?)
    }

    /// From now on the thumbnails of these items are kept when their pictures are decoded.
    pub fn want_thumbnails(&self, items: BTreeSet<ItemId>) {
        self.thumbnails.want(items);
    }

    /// Keeps the thumbnail of a picture that was decoded for something else, if it is wanted.
    pub fn keep_thumbnail(&self, item: ItemId, picture: &RgbImage) {
        self.thumbnails.keep(item, picture);
    }

    /// The thumbnail of an image, as a JPEG; empty for an image that has changed or is gone.
    pub fn thumbnail(&self, row: &ImageRow) -> Vec<u8> {
        self.thumbnails.get(row.item_id).unwrap_or_else(|| match self.images.picture(row) {
            Outcome::Kept(picture) => thumbnails::encode(&picture),
            Outcome::Dropped(_) | Outcome::Failed(_) => Vec::new(),
        })
    }

    /// An error that says what the run lacks.
    pub fn not_ready(&self, missing: String) -> PoolError {
        PoolError::NotReady { run: self.ctx.run_name(), missing }
    }
}
