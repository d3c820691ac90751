//! The images of tasks, as people see them.

use std::collections::{BTreeSet, HashMap};

use super::images;
use super::planned::Planned;
use super::{Context, StageError};
use crate::domain::{ImageRow, ItemId, Outcome, RunSpec, Secret, Task, TaskImage};
use crate::imaging::{self, DecodeLimits, RgbImage};
use crate::store::RunDir;
use crate::table::images_table;

/// Finds, reads and encodes the images of some tasks.
pub struct Packer {
    run: RunDir,
    spec: RunSpec,
    secret: Secret,
    rows: HashMap<ItemId, ImageRow>,
}

impl Packer {
    /// For the images `shown`, which are looked up.
    pub fn open<'a>(
        ctx: &Context,
        spec: &RunSpec,
        shown: impl Iterator<Item = &'a TaskImage>,
    ) -> Result<Self, StageError> {
        images::check_source(spec)?;
        let wanted: BTreeSet<ItemId> = shown.filter_map(TaskImage::item).collect();
        let mut rows = HashMap::with_capacity(wanted.len());
        for shard in 0..Planned::open(ctx, spec)?.ranges.len() {
            let found = images_table::decode(&ctx.run.images(shard).file("parquet"))?;
            rows.extend(found.into_iter().filter(|row| wanted.contains(&row.item_id)).map(|row| (row.item_id, row)));
        }
        Ok(Self { run: ctx.run.clone(), spec: spec.clone(), secret: ctx.run.secret()?, rows })
    }

    /// Why an image cannot be shown, if it cannot.
    pub fn problem(&self, image: &TaskImage) -> Option<String> {
        self.picture(image).err()
    }

    /// The JPEG for a task; its bytes hang on the task's name.
    pub fn jpeg(&self, task: &Task) -> Result<Vec<u8>, StageError> {
        let jpeg = self.picture(&task.image).and_then(|picture| self.packed(task, &picture));
        jpeg.map_err(|reason| StageError::TaskImage { image: name(&task.image), reason })
    }

    /// What stands in the place of an image that cannot be shown any more.
    pub fn blank(&self, task: &Task) -> Result<Vec<u8>, StageError> {
        let blank = RgbImage::new(1, 1, vec![127; 3]).map_err(|e| e.to_string());
        let jpeg = blank.and_then(|picture| self.packed(task, &picture));
        jpeg.map_err(|reason| StageError::TaskImage { image: name(&task.image), reason })
    }

    fn packed(&self, task: &Task, picture: &RgbImage) -> Result<Vec<u8>, String> {
        let seed = self.secret.seed("pixels", &task.name);
        imaging::sheet_jpeg(picture, self.spec.annotate.image_px, seed).map_err(|e| e.to_string())
    }

    fn picture(&self, image: &TaskImage) -> Result<RgbImage, String> {
        match image {
            TaskImage::Item(item) => self.item(*item),
            TaskImage::Known(path) => self.known(path),
        }
    }

    fn item(&self, item: ItemId) -> Result<RgbImage, String> {
        let row = self.rows.get(&item).ok_or("the run has no image of it any more")?;
        match images::read(&self.run, &self.spec, row) {
            Outcome::Kept(picture) => Ok(picture),
            Outcome::Dropped(reason) | Outcome::Failed(reason) => Err(reason),
        }
    }

    fn known(&self, path: &str) -> Result<RgbImage, String> {
        let folder =
            self.spec.annotate.sentinels.known_good.as_deref().ok_or("annotate.sentinels.known_good is gone")?;
        let bytes = std::fs::read(folder.join(path)).map_err(|e| format!("the file cannot be read: {e}"))?;
        imaging::decode(&bytes, &DecodeLimits::default()).map_err(|e| e.to_string())
    }
}

fn name(image: &TaskImage) -> String {
    match image {
        TaskImage::Item(item) => format!("item {item}"),
        TaskImage::Known(path) => path.clone(),
    }
}
