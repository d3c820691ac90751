//! A hard item: one on which the surrogates of a mining fail together.

use std::sync::Arc;

use super::ItemId;

/// A hard item: a row of the mined table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardRow {
    /// The item.
    pub item_id: ItemId,
    /// Id of its category.
    pub category: String,
    /// Kind and value of its nuisance, if it has one.
    pub nuisance: Option<(String, String)>,
    /// Names of the surrogates that fail, in the mining's order.
    pub failed_by: Arc<[String]>,
    /// How many they are.
    pub n_failed: u32,
    /// The wrong class that most of them gave, and how many did.
    pub agreed_wrong: Option<(i32, u32)>,
    /// Whether some margin is near 0.
    pub near_tie: bool,
}
