//! When files were last written to.

use std::cmp::Ordering;
use std::fs;
use std::path::Path;

/// How the times at which two files were last written to follow each other, by the clock of their file system; `None`
/// if one of them is unknown.
pub fn written_order(a: &Path, b: &Path) -> Option<Ordering> {
    let written = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    Some(written(a)?.cmp(&written(b)?))
}
