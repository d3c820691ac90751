//! Holds `imaging` against Pillow, torchvision and imagehash: pixels and hashes equal bit for bit, files refused where
//! Pillow refuses.
//!
//! The golden numbers of `tests/golden/` are always checked. Real photographs and broken files are looked for in
//! `$HARDSET_TEST_DATA` or `../shared/data`; where they are absent those tests say so on stderr and check nothing.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use common::test_data;
use hardset::domain::{Crop, Geometry, Interpolation, Resize};
use hardset::imaging::{DecodeLimits, RgbImage, decode, dimensions, fit, perceptual_hash, thumbnail};
use safetensors::SafeTensors;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// `tests/golden/resample.json`, made by `make_resample.py` beside it.
#[derive(Deserialize)]
struct Golden {
    fits: Vec<GoldenFit>,
    thumbnails: Vec<GoldenThumbnail>,
}

#[derive(Deserialize)]
struct GoldenFit {
    image: (u32, u32),
    geometry: Geometry,
    sha256: String,
}

#[derive(Deserialize)]
struct GoldenThumbnail {
    image: (u32, u32),
    longest_px: u32,
    size: (u32, u32),
    sha256: String,
}

/// `tests/golden/phash.json`, made by `make_phash.py` beside it; the photographs by file name.
#[derive(Deserialize)]
struct GoldenHashes {
    synthetic: Vec<GoldenHash>,
    photographs: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct GoldenHash {
    pattern: String,
    size: (u32, u32),
    hash: String,
}

/// `tests/golden/pictures.json`, made by `make_pictures.py` beside it.
#[derive(Deserialize)]
struct GoldenPictures {
    pictures: Vec<GoldenPicture>,
}

/// A file, and what Pillow reads from it; without a hash Pillow refuses it.
#[derive(Deserialize)]
struct GoldenPicture {
    name: String,
    /// Base64.
    file: String,
    size: Option<(u32, u32)>,
    rgb_sha256: Option<String>,
}

/// `tests/golden/points.json`, made by `make_points.py` beside it.
#[derive(Deserialize)]
struct GoldenPoints {
    cases: Vec<GoldenPoint>,
}

/// A resize without antialias. Base64: `bytes` as u8, `thousandths` of a level as i32, little-endian.
#[derive(Deserialize)]
struct GoldenPoint {
    image: (u32, u32),
    geometry: Geometry,
    by: String,
    bytes: Option<String>,
    thousandths: Option<String>,
}

/// One entry of `edge/expected.json`: what Pillow sees, or the class of its error.
#[derive(Deserialize)]
struct Expected {
    size: Option<(u32, u32)>,
    rgb_sha256: Option<String>,
    error: Option<String>,
}

fn golden<T: serde::de::DeserializeOwned>(file: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = fs::read_to_string(path).expect("tests/golden is part of the checkout");
    serde_json::from_str(&text).expect("a golden file has its fields")
}

fn sha256(image: &RgbImage) -> String {
    Sha256::digest(image.pixels()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The image of `make_resample.py`.
fn synthetic(size_px: (u32, u32)) -> RgbImage {
    let (width_px, height_px) = size_px;
    let level = |i: u32| (7 * i * i + 13 * i + 31 * (i >> 3)) as u8;
    let pixels = (0..width_px * height_px * 3).map(level).collect();
    RgbImage::new(width_px, height_px, pixels).expect("the sizes of the golden file are sizes")
}

/// The patterns of `make_phash.py`.
fn pattern(name: &str, size_px: (u32, u32)) -> RgbImage {
    let (width_px, height_px) = size_px;
    let noise = xorshift32((width_px * height_px * 3) as usize);
    let noise_at = |x: u32, y: u32| [0, 1, 2].map(|channel| noise[((y * width_px + x) * 3 + channel) as usize]);
    let at = &|x: u32, y: u32| match name {
        "flat" => [200, 100, 50],
        "ramp" => [x * 255 / width_px, y * 255 / height_px, (3 * x + 5 * y) % 256].map(|level| level as u8),
        "checkers" if (x / 7 + y / 7) % 2 == 1 => [10, 40, 90],
        "checkers" => [255; 3],
        "noise" => noise_at(x, y),
        "mirrored" => noise_at(x.min(width_px - 1 - x), y),
        other => panic!("{other} is not known to this test"),
    };
    let pixels = (0..height_px).flat_map(|y| (0..width_px).flat_map(move |x| at(x, y))).collect();
    RgbImage::new(width_px, height_px, pixels).expect("the sizes of the golden file are sizes")
}

/// The high bytes of the first `count` numbers.
fn xorshift32(count: usize) -> Vec<u8> {
    let mut state = 2_463_534_242_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}

fn hash(image: &RgbImage) -> String {
    format!("{:016x}", perceptual_hash(image))
}

/// The geometry that a key of `crops.safetensors` names after its `|`.
fn named_geometry(name: &str) -> Geometry {
    let (resize, interpolation, crop_px) = match name {
        "resize256_bilinear_crop224" => (Resize::Shorter(256), Interpolation::Bilinear, 224),
        "resize224_bicubic_crop224" => (Resize::Shorter(224), Interpolation::Bicubic, 224),
        "squash_160_bilinear" => (Resize::Squash(160), Interpolation::Bilinear, 160),
        other => panic!("{other} is not known to this test"),
    };
    Geometry { resize, interpolation, antialias: true, crop_px, crop: Crop::Round }
}

#[test]
fn resampling_equals_pillow_on_synthetic_images() {
    for case in golden::<Golden>("resample.json").fits {
        let made = fit(&synthetic(case.image), &case.geometry).expect("the golden crops fit");
        assert_eq!(sha256(&made), case.sha256, "{:?} {:?}", case.image, case.geometry);
    }
}

#[test]
fn thumbnails_equal_pillows_lanczos() {
    for case in golden::<Golden>("resample.json").thumbnails {
        let made = thumbnail(&synthetic(case.image), case.longest_px);
        assert_eq!((made.width_px(), made.height_px()), case.size);
        assert_eq!(sha256(&made), case.sha256, "{:?} at {} px", case.image, case.longest_px);
    }
}

/// OpenCV's nearest and Pillow's are equal; its fixed point moves linear and cubic by a level; PyTorch does not round.
#[test]
fn resampling_without_antialias_is_that_of_opencv_and_pytorch() {
    let decoded = |text: Option<String>| BASE64_STANDARD.decode(text.unwrap_or_default()).expect("it is base64");
    let cases = golden::<GoldenPoints>("points.json").cases;
    assert_eq!(cases.len(), 36);
    for GoldenPoint { image, geometry, by, bytes, thousandths } in cases {
        let made = fit(&synthetic(image), &geometry).expect("the golden crops fit");
        let of_torch = decoded(thousandths);
        let exact = of_torch.as_chunks().0.iter().map(|four| f64::from(i32::from_le_bytes(*four)) / 1000.0);
        let theirs: Vec<f64> =
            exact.map(|x| x.clamp(0.0, 255.0)).chain(decoded(bytes).into_iter().map(f64::from)).collect();
        let most = match (by.as_str(), geometry.interpolation) {
            (_, Interpolation::Nearest) => 0.0,
            // PyTorch computes coordinates in f32.
            ("torch", _) => 0.51,
            _ => 1.0,
        };
        assert_eq!(theirs.len(), made.pixels().len());
        let apart = made.pixels().iter().zip(&theirs).map(|(&ours, theirs)| (f64::from(ours) - theirs).abs());
        let worst = apart.fold(0.0, f64::max);
        assert!(worst <= most, "{by} {image:?} {geometry:?}: {worst} levels");
    }
}

#[test]
fn odd_pictures_are_read_or_refused_as_by_pillow() {
    let limits = DecodeLimits::default();
    let pictures = golden::<GoldenPictures>("pictures.json").pictures;
    assert!(pictures.len() > 200);
    for GoldenPicture { name, file, size, rgb_sha256 } in pictures {
        let file = BASE64_STANDARD.decode(file).expect("the golden file is base64");
        let read = decode(&file, &limits);
        let pixels = read.as_ref().ok().map(sha256);
        assert_eq!(pixels, rgb_sha256, "{name}: {read:?}");
        assert!(size.is_none() || dimensions(&file, &limits).ok() == size, "{name}");
    }
}

#[test]
fn hashes_equal_imagehash_on_synthetic_images() {
    for case in golden::<GoldenHashes>("phash.json").synthetic {
        assert_eq!(hash(&pattern(&case.pattern, case.size)), case.hash, "{} {:?}", case.pattern, case.size);
    }
}

#[test]
fn hashes_of_photographs_equal_imagehash() {
    let Some(photos) = test_data("photos") else { return };
    for (file, expected) in golden::<GoldenHashes>("phash.json").photographs {
        let bytes = fs::read(photos.join(&file)).expect("the photograph is there");
        let image = decode(&bytes, &DecodeLimits::default()).expect("Pillow reads it");
        assert_eq!(hash(&image), expected, "{file}");
    }
}

#[test]
fn crops_of_photographs_equal_torchvision() {
    let (Some(parity), Some(photos)) = (test_data("parity"), test_data("photos")) else {
        return;
    };
    let bytes = fs::read(parity.join("crops.safetensors")).expect("crops.safetensors is readable");
    let crops = SafeTensors::deserialize(&bytes).expect("crops.safetensors is intact");
    for (key, tensor) in crops.tensors() {
        let (file, name) = key.split_once('|').expect("a key is file|geometry");
        let photo = fs::read(photos.join(file)).expect("the photograph is there");
        let image = decode(&photo, &DecodeLimits::default()).expect("Pillow reads it");
        let made = fit(&image, &named_geometry(name)).expect("the crop fits");
        assert_eq!(tensor.shape(), [made.height_px() as usize, made.width_px() as usize, 3], "{key}");
        let differing = made.pixels().iter().zip(tensor.data()).filter(|(ours, theirs)| ours != theirs).count();
        assert_eq!(differing, 0, "{key}: bytes that differ");
    }
}

#[test]
fn difficult_files_are_read_or_refused_as_pillow_does() {
    let Some(edge) = test_data("edge") else { return };
    let text = fs::read_to_string(edge.join("expected.json")).expect("expected.json is readable");
    let expected: BTreeMap<String, Expected> = serde_json::from_str(&text).expect("expected.json has its fields");
    for (file, expected) in expected {
        let bytes = fs::read(edge.join(&file)).expect("the file is there");
        check_file(&file, &bytes, &expected);
    }
}

fn check_file(file: &str, bytes: &[u8], expected: &Expected) {
    let limits = DecodeLimits::default();
    match (decode(bytes, &limits), &expected.error) {
        (Ok(image), None) => {
            let size = (image.width_px(), image.height_px());
            assert_eq!(Some(size), expected.size, "{file}");
            assert_eq!(Some(sha256(&image)), expected.rgb_sha256, "{file}");
            assert_eq!(dimensions(bytes, &limits).ok(), Some(size), "{file}");
        }
        (Err(error), Some(pillows)) => assert!(agrees(&error.to_string(), pillows), "{file}: {error} / {pillows}"),
        (ours, pillows) => panic!("{file}: {ours:?}, but Pillow: {pillows:?}"),
    }
}

/// Whether our message and Pillow's exception mean the same.
fn agrees(ours: &str, pillows: &str) -> bool {
    let parts: &[&str] = match pillows {
        "DecompressionBombError" => &["over the limit"],
        "UnidentifiedImageError" => &["the file is empty", "not a picture"],
        _ => &["ends before the picture does"],
    };
    parts.iter().any(|part| ours.contains(part))
}
