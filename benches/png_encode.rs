//! How many PNGs of 512 x 512 px hardset encodes in a second, by number of threads: what a GPU that makes images waits
//! for.
//!
//! Usage: cargo bench --bench png_encode -- FOLDER [THREADS…]         photographs, those with sides of 512 px and more
//!
//! Photographs are shrunk to 512 px on the shorter side and cropped. The bytes are compared between numbers of threads.

use std::path::Path;
use std::time::Instant;

use hardset::domain::{Crop, Geometry, Interpolation, Resize};
use hardset::imaging::{DecodeLimits, RgbImage, decode, encode_png, fit};
use rayon::prelude::*;

const SIDE_PX: u32 = 512;
const IMAGES: usize = 64;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn photographs(folder: &Path) -> Result<Vec<RgbImage>> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let geometry = Geometry {
        resize: Resize::Shorter(SIDE_PX),
        interpolation: Interpolation::Bicubic,
        antialias: true,
        crop_px: SIDE_PX,
        crop: Crop::Round,
    };
    let mut images = Vec::new();
    for path in paths {
        let Ok(image) = decode(&std::fs::read(&path)?, &DecodeLimits::default()) else { continue };
        if image.width_px().min(image.height_px()) >= SIDE_PX {
            images.push(fit(&image, &geometry)?);
        }
    }
    match images.len() {
        0 => Err(format!("{}: no photograph has sides of {SIDE_PX} px", folder.display()).into()),
        found => Ok(images.into_iter().cycle().take(IMAGES.max(found)).collect()),
    }
}

fn encode(images: &[RgbImage]) -> Result<Vec<Vec<u8>>> {
    let encoded: std::result::Result<Vec<_>, _> = images.par_iter().map(|image| encode_png(image, &[])).collect();
    Ok(encoded?)
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let (folder, threads) = args.split_first().ok_or("which folder of photographs?")?;
    let images = photographs(Path::new(folder))?;
    let threads = if threads.is_empty() { vec!["1".to_owned(), "2".to_owned()] } else { threads.to_vec() };
    let mut first: Option<Vec<Vec<u8>>> = None;
    for count in threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count.parse()?).build()?;
        let begun = Instant::now();
        let encoded = pool.install(|| encode(&images).map_err(|error| error.to_string()))?;
        let secs = begun.elapsed().as_secs_f64();
        let bytes = encoded.iter().map(Vec::len).sum::<usize>() / encoded.len();
        let speed = encoded.len() as f64 / secs;
        eprintln!(
            "{count} threads: {speed:.1} images/s, {:.1} ms each, {bytes} bytes on average",
            1e3 * secs / encoded.len() as f64
        );
        match &first {
            Some(first) if *first != encoded => return Err("other bytes than with the first number of threads".into()),
            Some(_) => {}
            None => first = Some(encoded),
        }
    }
    Ok(())
}
