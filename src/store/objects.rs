//! What a run in a bucket needs of the bucket: where it is, and six calls.
//!
//! Does not know who answers them: `bucket` does, over a network, and tests do from memory.

use std::fmt;
use std::io::Write;
use std::ops::Range;
use std::path::Path;

/// How paths in buckets begin.
const SCHEME: &str = "s3://";
/// Bytes that are sent in one call; of larger files each call has a part.
pub(super) const PIECE_BYTES: u64 = 16 << 20;

/// Objects in a folder of a bucket, by their paths in it, with `/` between the parts. Errors are texts for people.
pub(super) trait Objects: fmt::Debug + Send + Sync {
    /// The bytes of an object; `None` if there is none.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String>;
    /// Writes the bytes of an object, which must be there, to `target`.
    fn get_into(&self, key: &str, target: &mut dyn Write) -> Result<(), String>;
    /// Some bytes of an object, which must be there.
    fn get_range(&self, key: &str, range: Range<u64>) -> Result<Vec<u8>, String>;
    /// Makes the object of the bytes of `file`; it replaces one that is there.
    fn put(&self, key: &str, file: &Path) -> Result<(), String>;
    /// The size of an object in bytes; `None` if there is none.
    fn size(&self, key: &str) -> Result<Option<u64>, String>;
    /// The names of objects and folders directly in `folder`; the empty text is the run's own.
    fn list(&self, folder: &str) -> Result<Vec<String>, String>;
}

/// Whether a path that somebody has written leads into a bucket.
pub fn is_in_bucket(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.starts_with(SCHEME))
}

/// A folder of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bucket: String,
    /// With `/` between its parts, and neither before nor after.
    pub(super) folder: String,
}

impl Place {
    /// The place of `s3://BUCKET/FOLDER`.
    pub(super) fn parse(path: &Path) -> Option<Self> {
        let (bucket, folder) = path.to_str()?.strip_prefix(SCHEME)?.split_once('/')?;
        let folder = folder.trim_end_matches('/');
        let is_plain = |part: &str| !matches!(part, "" | "." | "..");
        let is_place = !bucket.is_empty() && folder.split('/').all(is_plain);
        is_place.then(|| Self { bucket: bucket.to_owned(), folder: folder.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.folder)
    }
}
