//! The labelled photographs of `--try`: found as a recipe's folder finds them, decoded and fitted in several ways.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::error::InspectError;
use crate::config::wordnet_ids;
use crate::domain::{Category, CategorySet, FolderSource, GenerateSpec, Geometry, LabelSource, Sha256};
use crate::imaging::{self, DecodeLimits, RgbImage};
use crate::source::{Listing, Rows, SourceError, read_picture_file, source};

/// Most photographs that are looked at; more change no answer.
const MOST: usize = 400;

/// A photograph with its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Photograph {
    pub path: PathBuf,
    /// Index in ImageNet-1k.
    pub class: usize,
}

/// Photographs below `root` whose names or folders have a WordNet id, at most [`MOST`], evenly spread.
pub(super) fn find(root: &Path) -> Result<Vec<Photograph>, InspectError> {
    let refuse = |problem: String| InspectError::CannotTry { folder: root.display().to_string(), problem };
    let listing = match listed(root, LabelSource::WordnetId) {
        Err(SourceError::NoLabel { .. }) => listed(root, LabelSource::ParentFolder),
        listing => listing,
    };
    let listing = listing.map_err(|error| match error {
        SourceError::Folder { source, .. } => refuse(format!("cannot be read: {source}")),
        SourceError::Empty { .. } => refuse("has no photographs (jpg, png, webp, bmp)".to_owned()),
        SourceError::NoLabel { .. } => refuse(
            "none of its photographs has a label; give the files or their folders names with the WordNet id of their \
             class, such as n01440764_tench.jpg"
                .to_owned(),
        ),
        other => other.into(),
    })?;
    let Rows::Listed(rows) = listing.rows else { return Ok(Vec::new()) };
    let step = rows.len().div_ceil(MOST).max(1);
    let classes = wordnet_ids();
    let photograph = |row: &crate::domain::PlanRow| {
        let class = *classes.get(row.category.as_str())? as usize;
        Some(Photograph { path: root.join(row.source.as_deref()?), class })
    };
    Ok(rows.iter().step_by(step).filter_map(photograph).collect())
}

fn listed(root: &Path, labels: LabelSource) -> Result<Listing, SourceError> {
    let entries = wordnet_ids().into_iter().map(|(id, class)| Category::new(id, &[class])).collect();
    let set = CategorySet { name: "ImageNet-1k".to_owned(), sha256: Sha256::of(b""), entries };
    let DecodeLimits { max_pixels, max_file_bytes } = DecodeLimits::default();
    let folder =
        FolderSource { root: root.to_owned(), labels, labels_csv: None, recursive: true, max_pixels, max_file_bytes };
    source(&GenerateSpec::Folder(folder)).list(&set, 0)
}

/// For each of `geometries` the fitted pictures of those `photographs` that can be fitted in all ways, and their
/// places; the others go to `lost` with the reason.
pub(super) fn fitted(
    photographs: &[Photograph],
    geometries: &[Geometry],
    lost: &mut BTreeMap<PathBuf, String>,
) -> (Vec<usize>, Vec<Vec<RgbImage>>) {
    let read: Vec<Result<Vec<RgbImage>, String>> =
        photographs.par_iter().map(|photograph| in_all_ways(&photograph.path, geometries)).collect();
    let mut places = Vec::new();
    let mut pictures = vec![Vec::new(); geometries.len()];
    for (place, read) in read.into_iter().enumerate() {
        match read {
            Ok(ways) => {
                places.push(place);
                pictures.iter_mut().zip(ways).for_each(|(pictures, way)| pictures.push(way));
            }
            Err(reason) => {
                lost.insert(photographs[place].path.clone(), reason);
            }
        }
    }
    (places, pictures)
}

fn in_all_ways(path: &Path, geometries: &[Geometry]) -> Result<Vec<RgbImage>, String> {
    let limits = DecodeLimits::default();
    let bytes = read_picture_file(path, limits.max_file_bytes, "the limit")?;
    let image = imaging::decode(&bytes, &limits).map_err(|error| error.to_string())?;
    geometries.iter().map(|geometry| imaging::fit(&image, geometry).map_err(|error| error.to_string())).collect()
}
