//! Where images come from: one file for each kind of source, which says all that is special about it.
//!
//! A new kind of source is a variant of [`GenerateSpec`], its keys in `config/generate.rs`, one file here that
//! implements [`Source`], and one arm of [`source`]. No verb asks of which kind a source is; that is the
//! invariant of this room, because a kind that is asked for in twenty places is forgotten in one of them.

mod benchmark;
mod diffusion;
mod error;
mod fake;
mod fake_rows;
mod folder;
mod grid;
mod kind;
mod labels;
mod labels_csv;
mod listing;

use crate::domain::{DiffusionModel, GenerateSpec};

pub use benchmark::{BenchmarkError, OpenedPool, PoolOptions, open_pool, release_columns};
pub use error::SourceError;
pub use folder::{ImagesBelow, images_below, read_picture_file};
pub use grid::Grid;
pub use kind::Source;
pub use listing::{Listing, Rows};

/// The source of a recipe.
pub fn source(spec: &GenerateSpec) -> &dyn Source {
    match spec {
        GenerateSpec::Folder(source) => source,
        GenerateSpec::Diffusion(source) => source,
        GenerateSpec::Benchmark(source) => source,
        GenerateSpec::Fake(source) => source,
    }
}

/// The source with the model of a diffusion source replaced by what `find` makes of it.
pub fn with_model<E>(
    spec: &GenerateSpec,
    find: impl FnOnce(&DiffusionModel) -> Result<DiffusionModel, E>,
) -> Result<GenerateSpec, E> {
    let mut spec = spec.clone();
    if let GenerateSpec::Diffusion(source) = &mut spec {
        source.model = find(&source.model)?;
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FakeImages;

    #[test]
    fn shards_are_few_enough_and_small_enough() {
        let fake = GenerateSpec::Fake(FakeImages { images_per_category: 1, size_px: 1, fail_every: None });
        let shard_items = [400, 10_000_000, 0].map(|items| source(&fake).default_shard_items(items));
        assert_eq!(shard_items, [256, 16_384, 256]);
    }
}
