//! From a scorer's scores of an image to its prediction, in the scorer's own class space.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::{ClassSpace, ImageRow, ItemId, Outcome, PlanRow, Prediction, ScoreSums, Scores};
use crate::pool::{Pool, PoolError};
use crate::stats::{ClassMask, predict, score_sums};
use crate::table::scores_file;

/// What one scorer's scores are held against.
pub struct Judge<'a> {
    space: &'a ClassSpace,
    mask: ClassMask,
    /// Probabilities of all classes, by item, if the recipe keeps them.
    kept: Option<Mutex<BTreeMap<ItemId, Vec<f32>>>>,
}

impl<'a> Judge<'a> {
    /// That of the scorer `name`.
    pub fn of(pool: &'a Pool, name: &str) -> Result<Self, PoolError> {
        let space = pool.space(name)?;
        let kept = pool.spec().mine.keep_scores.then(Mutex::default);
        Ok(Self { space, mask: ClassMask::of(space), kept })
    }

    /// The classes over which the scorer speaks.
    pub fn space(&self) -> &'a ClassSpace {
        self.space
    }

    /// The prediction for an image; `labels`: the plan's rows of its shard.
    pub fn predict(&self, row: &ImageRow, scores: Outcome<Scores>, labels: &[PlanRow]) -> Outcome<Prediction> {
        let scores = match scores {
            Outcome::Kept(scores) => scores,
            Outcome::Dropped(reason) => return Outcome::Dropped(reason),
            Outcome::Failed(reason) => return Outcome::Failed(reason),
        };
        let Some(accepted) = self.accepted(labels, row.item_id) else {
            return Outcome::Failed("the item is not in the plan".to_owned());
        };
        match predict(row.item_id, &scores, accepted, &self.mask) {
            Ok(prediction) => {
                self.keep(row.item_id, &scores.probs);
                Outcome::Kept(prediction)
            }
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    fn keep(&self, item: ItemId, probs: &[f32]) {
        if let Some(kept) = &self.kept {
            kept.lock().unwrap_or_else(PoisonError::into_inner).insert(item, probs.to_vec());
        }
    }

    /// The probabilities of all classes for these predictions, as a file, if the recipe keeps them.
    pub fn kept(&self, predictions: &[Prediction]) -> Option<Vec<u8>> {
        let mut kept = self.kept.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = std::mem::take(&mut *kept);
        Some(scores_file::encode(self.space.len(), predictions.iter().filter_map(|row| rows.get(&row.item_id))))
    }

    /// The sums of a shard's predictions.
    pub fn sums(&self, predictions: &[Prediction], labels: &[PlanRow]) -> ScoreSums {
        let classes = |row: &'_ Prediction| self.accepted(labels, row.item_id).unwrap_or_default();
        score_sums(self.space.len(), predictions.iter().map(|row| (row, classes(row))))
    }

    /// The classes that are accepted for an item.
    fn accepted(&self, labels: &[PlanRow], item: ItemId) -> Option<&'a [u32]> {
        let at = labels.binary_search_by_key(&item, |label| label.item_id).ok()?;
        Some(self.space.accepted(&labels[at].category))
    }
}
