//! The rows of fake images, each computed by its number.
//!
//! Holds always: memory does not depend on the number of images, because people ask for the cost of any number.

use crate::domain::{CategorySet, FakeImages, ItemId, Philox, PlanRow};

/// Images of every category, one category after another.
#[derive(Debug, Clone)]
pub struct FakeRows {
    images_per_category: u32,
    categories: CategorySet,
    seeds: Philox,
    len: u32,
}

impl FakeRows {
    /// The rows of these images; `None` if their number does not fit 32 bits.
    pub fn new(images: &FakeImages, categories: &CategorySet, seed: u64) -> Option<Self> {
        let images_per_category = images.images_per_category;
        let len = u32::try_from(categories.entries.len() as u64 * u64::from(images_per_category)).ok()?;
        Some(Self { images_per_category, categories: categories.clone(), seeds: Philox::new(seed, 0), len })
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Categories with at least one of them.
    pub fn categories(&self) -> u64 {
        if self.len == 0 { 0 } else { self.categories.entries.len() as u64 }
    }

    /// The row of item `item`, which is below [`FakeRows::len`].
    pub fn row(&self, item: u32) -> PlanRow {
        let category = &self.categories.entries[(item / self.images_per_category) as usize];
        PlanRow {
            item_id: ItemId(item),
            category: category.id.clone(),
            label_ids: category.imagenet_ids.iter().map(|&id| id as i32).collect(),
            nuisance_kind: Some("noise".to_owned()),
            nuisance: Some(format!("noise {}", item % self.images_per_category)),
            template: None,
            prompt: None,
            negative_prompt: None,
            seed: self.seeds.u64(u64::from(item)),
            source: None,
        }
    }
}
