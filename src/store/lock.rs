//! One process per run directory.
//!
//! Holds always: at most one process writes to a run, because two could overwrite each other's records. The lock is the
//! operating system's, which releases it however the process ends; the text of the file is for people.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use super::StoreError;

const NAME: &str = "lock";
/// How often, and after what time, a lock without a holder's name is tried again.
const LOOKS: u32 = 10;
const LOOK: Duration = Duration::from_millis(20);

/// Held while a process works on a run.
pub struct Lock(File);

impl Lock {
    /// Takes the lock of the run in `dir`; the error names the process that has it.
    pub fn take(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(NAME);
        let mut file = (OpenOptions::new().read(true).write(true).create(true).truncate(false))
            .open(&path)
            .map_err(StoreError::io("lock", &path))?;
        let mut looks = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(StoreError::io("lock", &path)(source)),
            }
            let mut holder = String::new();
            let _ = file.rewind().and_then(|()| file.read_to_string(&mut holder));
            // Without a name it may be somebody who only looks whether the lock is held.
            looks += 1;
            if !holder.is_empty() || looks == LOOKS {
                let holder = if holder.is_empty() { "another process" } else { holder.trim() };
                return Err(StoreError::Locked { path: dir.display().to_string(), holder: holder.to_owned() });
            }
            std::thread::sleep(LOOK);
        }
        let mut lock = Self(file);
        // The text only informs people, so a full disk must not stop a run that would only read.
        let _ = lock.write_text(&whoami());
        Ok(lock)
    }

    /// Whether a process holds the lock of the run in `dir`. Works on a read-only disk too.
    pub fn is_held(dir: &Path) -> bool {
        let Ok(file) = File::open(dir.join(NAME)) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Takes the lock of the folder `dir`, which is created if it does not exist.
    pub fn take_new(dir: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir).map_err(StoreError::io("make folder", dir))?;
        Self::take(dir)
    }

    fn write_text(&mut self, text: &str) -> std::io::Result<()> {
        self.0.set_len(0)?;
        self.0.rewind()?;
        self.0.write_all(text.as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The file is empty between runs, so that equal runs have equal bytes.
        let _ = self.0.set_len(0);
    }
}

/// The name of this machine; empty if it is unknown.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

fn whoami() -> String {
    let command: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let host = host_name();
    let host = if host.is_empty() { "this machine" } else { &host };
    format!("process {} on {host} ({})", std::process::id(), command.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_learns_who_was_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        let refused = Lock::take(dir.path()).err().unwrap().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        assert!(Lock::is_held(dir.path()));
        drop(first);
        assert!(!Lock::is_held(dir.path()) && !Lock::is_held(&dir.path().join("none")));
        assert_eq!(std::fs::read(dir.path().join(NAME)).unwrap(), b"");
        assert!(Lock::take(dir.path()).is_ok());
    }
}
