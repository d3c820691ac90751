//! Thumbnails of the report, made when a picture is decoded for something else, because decoding takes far longer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::domain::ItemId;
use crate::imaging::{self, RgbImage};

/// Longest side of a thumbnail, in px: twice the size on the page, for screens of high resolution.
const SIDE_PX: u32 = 256;
const QUALITY: u8 = 72;

/// Thumbnails that are wanted, and those that are made.
#[derive(Default)]
pub(super) struct Thumbnails(Mutex<ThumbnailCache>);

#[derive(Default)]
struct ThumbnailCache {
    wanted: BTreeSet<ItemId>,
    made: BTreeMap<ItemId, Vec<u8>>,
}

impl Thumbnails {
    pub(super) fn want(&self, items: BTreeSet<ItemId>) {
        self.cache().wanted = items;
    }

    pub(super) fn keep(&self, item: ItemId, picture: &RgbImage) {
        {
            let kept = self.cache();
            if !kept.wanted.contains(&item) || kept.made.contains_key(&item) {
                return;
            }
        }
        // Without the lock, because other threads encode at the same time.
        let jpeg = encode(picture);
        self.cache().made.insert(item, jpeg);
    }

    pub(super) fn get(&self, item: ItemId) -> Option<Vec<u8>> {
        self.cache().made.get(&item).cloned()
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, ThumbnailCache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thumbnail of a picture as a JPEG; empty where it cannot be encoded, and the page shows a placeholder.
pub(super) fn encode(picture: &RgbImage) -> Vec<u8> {
    imaging::encode_jpeg(&imaging::thumbnail(picture, SIDE_PX), QUALITY).unwrap_or_default()
}
