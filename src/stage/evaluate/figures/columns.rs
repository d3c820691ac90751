//! The images of a pool in groups: by kind, nuisance and category; and the clusters in which a grid made them.

use std::collections::BTreeMap;

use crate::stats::ClusterDesign;
use crate::table::PoolColumns;

/// The images of a pool, grouped.
pub struct Images {
    /// How many there are.
    pub len: usize,
    /// Kinds of nuisance, with the places of their images; none if no image has one.
    pub kinds: Groups,
    /// Nuisances as `kind: nuisance`.
    pub nuisances: Groups,
    /// Categories.
    pub categories: Groups,
    /// Categories and nuisances as clusters.
    pub design: ClusterDesign,
    /// Whether every image has a nuisance, and there are several nuisances.
    pub is_grid: bool,
}

/// Places of the images of each group, by name.
pub type Groups = BTreeMap<String, Vec<usize>>;

impl Images {
    /// Groups the images.
    pub fn new(pool: &PoolColumns) -> Self {
        let mut kinds = Groups::new();
        let mut nuisances = Groups::new();
        let mut categories = Groups::new();
        let mut named = Vec::with_capacity(pool.len());
        for at in 0..pool.len() {
            categories.entry(pool.category[at].clone()).or_default().push(at);
            let nuisance = nuisance_name(pool.kind[at].as_deref(), pool.nuisance[at].as_deref());
            if let Some(kind) = &pool.kind[at] {
                kinds.entry(kind.clone()).or_default().push(at);
            }
            if let Some(nuisance) = &nuisance {
                nuisances.entry(nuisance.clone()).or_default().push(at);
            }
            named.push(nuisance);
        }
        let of_category = numbered(pool.category.iter().map(String::as_str));
        let is_grid = named.iter().all(Option::is_some) && nuisances.len() > 1;
        let of_nuisance = numbered(named.iter().map(|name| name.as_deref().unwrap_or_default()));
        let design = ClusterDesign::new(&of_category, is_grid.then_some(&of_nuisance[..]));
        Self { len: pool.len(), kinds, nuisances, categories, design, is_grid }
    }
}

/// A nuisance with its kind, because two kinds may have one of the same name.
fn nuisance_name(kind: Option<&str>, nuisance: Option<&str>) -> Option<String> {
    match (kind, nuisance) {
        (Some(kind), Some(nuisance)) => Some(format!("{kind}: {nuisance}")),
        (None, Some(nuisance)) => Some(nuisance.to_owned()),
        (_, None) => None,
    }
}

/// Equal names get equal numbers, in the order in which they appear.
pub fn numbered<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u32> {
    let mut known: BTreeMap<&str, u32> = BTreeMap::new();
    let mut numbers = Vec::new();
    for name in names {
        let next = known.len() as u32;
        numbers.push(*known.entry(name).or_insert(next));
    }
    numbers
}
