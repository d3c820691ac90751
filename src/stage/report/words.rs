//! Values of the run as the page shows them.

use crate::domain::{RunSpec, SurrogateSpec};
use crate::pool::Pool;
use crate::render::numbers::count;
use crate::stats::Interval;

/// The hash of a surrogate's weights, as text.
pub(super) fn weights(surrogate: &SurrogateSpec) -> String {
    surrogate.weights_sha256().map_or_else(|| "none (fake)".to_owned(), |hash| hash.to_string())
}

/// The class space of a scorer, and how many classes that has.
pub(super) fn space_words(pool: &Pool, name: &str) -> String {
    pool.space(name)
        .map_or_else(|_| "unknown".to_owned(), |space| format!("{} ({})", space.name, count(space.len() as u64)))
}

/// Without any item there is no proportion; the page shows a dash for NaN.
pub(super) fn interval(interval: Option<Interval>) -> Interval {
    interval.unwrap_or(Interval { value: f64::NAN, low: f64::NAN, high: f64::NAN })
}

/// The readable name of category `id`.
pub(super) fn category_name(spec: &RunSpec, id: &str) -> String {
    spec.categories.by_id(id).map_or_else(|| id.to_owned(), |category| category.name.clone())
}
