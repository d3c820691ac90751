//! The images of tasks, as people see them.
//!
//! Holds always: the bytes of a JPEG depend on its task, because equal bytes would show that two tasks have one image.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use super::AnnotateError;
use crate::domain::{ItemId, Outcome, RunSpec, Secret, Task, TaskImage};
use crate::imaging::{self, DecodeLimits, RgbImage};
use crate::pool::{FoundImage, Pool, RunImages};
use crate::source::read_picture_file;

/// Finds, reads and encodes the images of some tasks.
pub struct Packer {
    images: RunImages,
    found: HashMap<ItemId, FoundImage>,
    known_good: Option<PathBuf>,
    image_px: u32,
    secret: Secret,
}

impl Packer {
    /// A packer for the images `shown`.
    pub fn open<'a>(pool: &Pool, shown: impl Iterator<Item = &'a TaskImage>) -> Result<Self, AnnotateError> {
        pool.check_source()?;
        let wanted: BTreeSet<ItemId> = shown.filter_map(TaskImage::item).collect();
        let RunSpec { annotate, .. } = pool.spec();
        Ok(Self {
            images: pool.images().clone(),
            found: pool.find_images(&wanted)?,
            known_good: annotate.sentinels.known_good.clone(),
            image_px: annotate.image_px,
            secret: pool.ctx().run.secret()?,
        })
    }

    /// Why an image cannot be shown; `None` if it can. An item was decoded when it was scored, so it is decoded again
    /// only if its file was written to since then.
    pub fn problem(&self, image: &TaskImage) -> Option<String> {
        match image {
            TaskImage::Known(_) => self.picture(image).err(),
            TaskImage::Item(item) => match self.found(*item) {
                Ok(found) => self.images.problem(found),
                Err(problem) => Some(problem),
            },
        }
    }

    /// The picture of an image.
    pub fn picture(&self, image: &TaskImage) -> Result<RgbImage, String> {
        match image {
            TaskImage::Item(item) => match self.images.picture(&self.found(*item)?.row) {
                Outcome::Kept(picture) => Ok(picture),
                Outcome::Dropped(reason) | Outcome::Failed(reason) => Err(reason),
            },
            TaskImage::Known(path) => self.known(path),
        }
    }

    /// The JPEG for a task; its bytes depend on the task's name.
    pub fn jpeg(&self, task: &Task, picture: &RgbImage) -> Result<Vec<u8>, AnnotateError> {
        let seed = self.secret.seed("pixels", &task.name);
        imaging::sheet_jpeg(picture, self.image_px, seed)
            .map_err(|e| AnnotateError::TaskImage { image: name(&task.image), reason: e.to_string() })
    }

    /// What people see instead of an image that cannot be shown any more.
    pub fn blank(&self, task: &Task) -> Result<Vec<u8>, AnnotateError> {
        let grey = RgbImage::new(1, 1, vec![127; 3])
            .map_err(|e| AnnotateError::TaskImage { image: name(&task.image), reason: e.to_string() })?;
        self.jpeg(task, &grey)
    }

    fn found(&self, item: ItemId) -> Result<&FoundImage, String> {
        self.found.get(&item).ok_or_else(|| "the run no longer has its image".to_owned())
    }

    fn known(&self, path: &str) -> Result<RgbImage, String> {
        let folder = self.known_good.as_deref().ok_or("the recipe no longer names annotate.sentinels.known_good")?;
        let limits = DecodeLimits::default();
        let bytes = read_picture_file(&folder.join(path), limits.max_file_bytes, "the limit")?;
        imaging::decode(&bytes, &limits).map_err(|e| e.to_string())
    }
}

/// The name of an image in messages.
pub fn name(image: &TaskImage) -> String {
    match image {
        TaskImage::Item(item) => format!("item {item}"),
        TaskImage::Known(path) => path.clone(),
    }
}
