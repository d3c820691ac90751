//! `spec.toml`: the resolved recipe of a run, and the published one of a release.
//!
//! Holds always: a spec of a format that this program could misread is refused with the name of what wrote it; a spec
//! of which anything was changed is refused too, because every result follows from it.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::{StoreError, lenient, seal, write_whole};
use crate::domain::{FormatVersion, RunSpec};

/// The format of run directories.
pub const FORMAT: FormatVersion = FormatVersion { major: 2, minor: 3 };

/// What people can do about a damaged spec.
const REMEDY: &str = "restore it from a copy; settings are changed with --set, not in this file";

/// Reads the spec in the file at `path`.
pub(super) fn read(path: &Path) -> Result<RunSpec, StoreError> {
    let bytes = fs::read(path).map_err(StoreError::io("read", path))?;
    let damaged = |problem: String| damaged(path, &problem);
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged("it is not UTF-8 text".to_owned()))?;
    let table: Table = toml::from_str(text).map_err(|e| damaged(e.to_string()))?;
    let found = check_format(path, &table)?;
    let document = seal::open_toml(&bytes).map_err(damaged)?;
    let spec = if found.minor > FORMAT.minor { lenient::from_table(table) } else { toml::from_str(document) };
    spec.map_err(|e| damaged(e.to_string()))
}

fn damaged(path: &Path, problem: &str) -> StoreError {
    StoreError::Damaged {
        path: path.display().to_string(),
        problem: problem.trim().to_owned(),
        remedy: REMEDY.to_owned(),
    }
}

/// The format of a spec; an error for one that this program cannot read.
fn check_format(path: &Path, table: &Table) -> Result<FormatVersion, StoreError> {
    let tool = table.get("tool").and_then(Value::as_str);
    let found = match table.get("format") {
        // Format 1 had one number.
        Some(Value::Integer(major)) => Err(major.to_string()),
        Some(format) => format.clone().try_into().map_err(|_| "no valid format".to_owned()),
        None => return Err(damaged(path, "it does not say its format")),
    };
    match found {
        Ok(found) if FORMAT.can_read(found) => Ok(found),
        found => {
            let found = found.map_or_else(|text| text, |found: FormatVersion| found.to_string());
            Err(StoreError::format(path, found, tool, FORMAT))
        }
    }
}

/// The text of a spec's file.
pub fn spec_text(spec: &RunSpec) -> Result<String, toml::ser::Error> {
    Ok(seal::seal_toml(&toml::to_string(spec)?))
}

/// Writes the spec, unless the same is there already; whether it did.
pub(super) fn write(path: &Path, spec: &RunSpec) -> Result<bool, StoreError> {
    let sealed = spec_text(spec).map_err(|e| StoreError::io("write", path)(std::io::Error::other(e)))?;
    match fs::read(path) {
        Ok(stored) if stored == sealed.as_bytes() => Ok(false),
        _ => write_whole(path, sealed.as_bytes()).map(|()| true),
    }
}
