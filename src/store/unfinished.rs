//! Names of files that are being written, and the removal of those that killed processes left.
//!
//! Holds always: the name says which process writes, so that no process ever writes into another's file and a live
//! process's file is never removed: of this machine those whose process has ended, of other machines those that nobody
//! has touched for a day.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::StoreError;
use crate::domain::Sha256;

/// The suffix of unfinished files: `<name>.<machine>-<process>-<number>.unfinished`.
const UNFINISHED: &str = ".unfinished";
/// After this time without a change, nobody writes to a file any more.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// A name for `path` that no other writer has.
pub(super) fn own_name(path: &Path) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{}-{number}{UNFINISHED}", machine(), std::process::id()));
    PathBuf::from(name)
}

/// Whether a file has such a name.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.ends_with(UNFINISHED)
}

/// What distinguishes this machine (and, of a machine, the container) from others that see the same files: process ids
/// mean something only there. Eight hexadecimal digits.
fn machine() -> &'static str {
    static MACHINE: OnceLock<String> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let processes = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Sha256::of(format!("{boot}{}{host}", processes.display()).as_bytes()).short()
    })
}

/// Whether the process that wrote the file with this name has ended; `None` if this machine cannot know.
fn has_ended(name: &str) -> Option<bool> {
    let writer = name.strip_suffix(UNFINISHED)?.rsplit('.').next()?;
    let (writer, _) = writer.rsplit_once('-')?;
    let process = writer.strip_prefix(machine())?.strip_prefix('-')?;
    let processes = Path::new("/proc/self");
    processes.exists().then(|| !Path::new("/proc").join(process).exists())
}

/// Removes the unfinished files in `folder` that nobody writes to any more. A folder that is not there has none.
pub(super) fn remove_abandoned(folder: &Path) -> Result<(), StoreError> {
    for path in files(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_unfinished(&name) && has_ended(&name).unwrap_or_else(|| is_old(&path)) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// The paths in a folder that may not be there.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(StoreError::io("read", folder)(error)),
    }
}

/// Whether nobody has changed the file for a day.
pub(super) fn is_old(path: &Path) -> bool {
    let changed = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age > ABANDONED))
}

/// Removes a file; one that another process has removed is no error.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_processes_that_have_ended_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let mine = own_name(&dir.path().join("a.tar"));
        assert_ne!(mine, own_name(&dir.path().join("a.tar")));
        // Process ids end at 4,194,304 (proc(5)): none has this one.
        let ended = dir.path().join(format!("a.tar.{}-4999999-0{UNFINISHED}", machine()));
        let elsewhere = dir.path().join(format!("a.tar.00000000-1-0{UNFINISHED}"));
        let forgotten = dir.path().join(format!("b.tar.00000000-1-0{UNFINISHED}"));
        let paths = [&mine, &ended, &elsewhere, &forgotten];
        paths.iter().for_each(|path| fs::write(path, "half").unwrap());
        let day = std::time::SystemTime::now() - 2 * ABANDONED;
        fs::File::options().write(true).open(&forgotten).unwrap().set_modified(day).unwrap();
        remove_abandoned(dir.path()).unwrap();
        assert_eq!(paths.map(|path| path.exists()), [true, false, true, false]);
        remove_abandoned(&dir.path().join("none")).unwrap();
    }
}
