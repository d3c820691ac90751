//! Paths as a draft writes them: a TOML's paths are relative to the TOML's own folder.

use std::path::Path;

use crate::config::real_path;

/// `file` as seen from the folder `from` if it is below it, else its absolute path; without a folder as it was given.
pub(super) fn shown(file: &Path, from: Option<&Path>) -> String {
    let Some(from) = from else { return plain(file) };
    let file = real_path(file);
    plain(file.strip_prefix(real_path(from)).unwrap_or(&file))
}

/// The same of a list of classes, which is a path only with a `/`.
pub(super) fn list(file: &Path, from: Option<&Path>) -> String {
    let shown = shown(file, from);
    if shown.contains('/') { shown } else { format!("./{shown}") }
}

/// With `/` between parts and without `.` at the start.
fn plain(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.strip_prefix("./").unwrap_or(&text).to_owned()
}
