//! Pools of an evaluation: releases, runs, Parquet and the trees of published benchmarks, each made by the test itself.
//!
//! A picture is of one colour, which says which picture it is: a row that leads to another picture is seen. Messages
//! are held word by word, with the pool's path as `POOL`.

#[path = "../common/mod.rs"]
mod common;

mod brier;
mod messages;
mod ours;
mod tables;
mod trees;

use std::fs;
use std::path::Path;

use hardset::domain::{Device, EngineChoice, GenerateSpec, ImageRow, Outcome, PlanRow, RunSpec};
use hardset::generator::{Means, Picture};
use hardset::imaging::{RgbImage, encode_png};
use hardset::pool::RunImages;
use hardset::source::{Listing, OpenedPool, PoolOptions, open_pool, source};
use hardset::store::RunDir;

/// A picture of one colour.
pub fn png(side_px: u32, colour: u8) -> Vec<u8> {
    let image =
        RgbImage::new(side_px, side_px, vec![colour; (side_px * side_px * 3) as usize]).expect("it is a picture");
    encode_png(&image, &[]).expect("it can be encoded")
}

/// Writes a file, making folders on the way.
pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("it has a folder")).expect("folders can be made");
    fs::write(path, bytes).expect("files can be written");
}

/// The pool with nothing said of it.
#[track_caller]
pub fn opened(path: &Path) -> OpenedPool {
    with(path, &PoolOptions::default())
}

/// The pool with what people say of it.
#[track_caller]
pub fn with(path: &Path, options: &PoolOptions) -> OpenedPool {
    open_pool(path, options).unwrap_or_else(|error| panic!("{error}"))
}

/// The built-in category set `name`.
pub fn set(name: &str) -> hardset::domain::CategorySet {
    hardset::config::built_in_set(name).expect("it is valid").expect("it is built in")
}

/// The plan of the pool.
#[track_caller]
pub fn listed(pool: &OpenedPool) -> Listing {
    let spec = GenerateSpec::Benchmark(pool.source.clone());
    source(&spec).list(&pool.categories, 0).unwrap_or_else(|error| panic!("{error}"))
}

/// What was found of an image: its place, its category, its kind and value of nuisance, and the colour of its middle or
/// why it cannot be read.
pub type Seen = (String, String, String, Result<u8, String>);

/// All images of a pool, pinned and then read as the mining reads them.
#[track_caller]
pub fn seen(pool: &OpenedPool) -> Vec<Seen> {
    let listing = listed(pool);
    let rows = listing.rows.part(0..listing.rows.len());
    let images = images(pool);
    let mut seen = Vec::new();
    for (row, pinned) in rows.iter().zip(pinned(pool, &rows)) {
        let nuisance = [row.nuisance_kind.clone(), row.nuisance.clone()].map(Option::unwrap_or_default).join("/");
        let colour = match pinned {
            Outcome::Kept(picture) => middle(&images, row, picture),
            Outcome::Dropped(reason) | Outcome::Failed(reason) => Err(reason),
        };
        seen.push((row.source.clone().unwrap_or_default(), row.category.clone(), nuisance, colour));
    }
    seen
}

/// The images of these rows, pinned.
pub fn pinned(pool: &OpenedPool, rows: &[PlanRow]) -> Vec<Outcome<Picture>> {
    let spec = GenerateSpec::Benchmark(pool.source.clone());
    let means = Means { device: Device::Cpu, batch: None, engine: EngineChoice::Auto, runtime: None };
    let mut generator = source(&spec).generator(&means).unwrap_or_else(|error| panic!("{error}"));
    let pictures = generator.generate(rows).unwrap_or_else(|error| panic!("{error}"));
    pictures.finish().unwrap_or_else(|error| panic!("{error}"))
}

/// What reads the images of a run of this pool.
pub fn images(pool: &OpenedPool) -> RunImages {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-2/run");
    let spec = RunDir::at(&fixture).spec().expect("it is a run");
    let spec = RunSpec { generate: GenerateSpec::Benchmark(pool.source.clone()), ..spec };
    RunImages::new(&RunDir::at(&fixture), &spec)
}

fn middle(images: &RunImages, row: &PlanRow, picture: Picture) -> Result<u8, String> {
    let Picture::Found { path, offset, bytes, sha256, size_px: (width_px, height_px) } = picture else {
        panic!("a pool's images are found")
    };
    let row = ImageRow { item_id: row.item_id, path, offset, bytes, sha256, width_px, height_px, made: None };
    match images.picture(&row) {
        Outcome::Kept(picture) => {
            assert_eq!((picture.width_px(), picture.height_px()), (width_px, height_px), "{row:?}");
            Ok(picture.pixels()[picture.pixels().len() / 2])
        }
        Outcome::Dropped(reason) | Outcome::Failed(reason) => Err(reason),
    }
}

/// The reasons of the images that the plan leaves out.
pub fn reasons(pool: &OpenedPool) -> Vec<(String, String)> {
    listed(pool).lost.into_iter().map(|lost| (lost.source, lost.reason)).collect()
}
