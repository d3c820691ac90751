//! Images that are known to show their category: a folder with one sub-folder for each category's id.
//!
//! Does not decode the images. Holds always: an image is listed under the category of its folder and no other, because
//! it will serve as known truth.

use std::path::Path;

use crate::config::ConfigError;
use crate::domain::{CategorySet, FolderSource, LabelSource, TaskImage};
use crate::imaging::DecodeLimits;
use crate::source::{Source as _, SourceError};

/// Category and image of every file below `folder`; files of other categories are ignored.
pub fn list(folder: &Path, categories: &CategorySet) -> Result<Vec<(String, TaskImage)>, ConfigError> {
    let limits = DecodeLimits::default();
    let source = FolderSource {
        root: folder.to_owned(),
        labels: LabelSource::ParentFolder,
        labels_csv: None,
        recursive: true,
        max_pixels: limits.max_pixels,
        max_file_bytes: limits.max_file_bytes,
    };
    let cannot = |e: SourceError| {
        let problem = match e {
            SourceError::Folder { source, .. } => format!("cannot be read: {source}"),
            _ => "has no image in a sub-folder named after a category's id".to_owned(),
        };
        ConfigError::value(&folder.display().to_string(), "annotate.sentinels.known_good", problem)
    };
    let listing = source.list(categories, 0).map_err(cannot)?;
    let rows = listing.rows.part(0..listing.rows.len()).into_iter();
    Ok(rows.filter_map(|row| Some((row.category, TaskImage::Known(row.source?)))).collect())
}
