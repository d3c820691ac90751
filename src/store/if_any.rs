//! Reads a file that may not be there.
//!
//! Holds always: only a name that leads nowhere because nobody has written it is absent. A link without its file is an
//! error, and a file that appears while one looks is read. Of a distributed file system, a file without bytes is read
//! again for a while: a machine may have seen the file under the name that it had while it was written, and remember
//! its size of that moment (MooseFS and NFS: for a second, or a few).

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

/// For how long a machine may remember an older size of a file.
const REMEMBERED: Duration = Duration::from_secs(4);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// The bytes of the file at `path`; `None` if nothing has this name.
pub(super) fn read_if_any(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let start = Instant::now();
    loop {
        let error = match fs::read(path) {
            Ok(bytes) if bytes.is_empty() && start.elapsed() < REMEMBERED && is_distributed(path) => {
                std::thread::sleep(PAUSE);
                continue;
            }
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) => error,
        };
        match path.symlink_metadata() {
            // Another process has written it since then.
            Ok(metadata) if error.kind() == ErrorKind::NotFound && !metadata.is_symlink() => {}
            Err(absent) if absent.kind() == ErrorKind::NotFound && error.kind() == ErrorKind::NotFound => {
                return Ok(None);
            }
            _ => return Err(error),
        }
    }
}

/// Whether other machines may write to the file system of `path`: FUSE (MooseFS, …), NFS, Lustre, GPFS, CIFS and what
/// else is none of a machine's own.
#[cfg(target_os = "linux")]
fn is_distributed(path: &Path) -> bool {
    // ext2 to ext4, XFS, Btrfs, F2FS, ZFS, tmpfs, ramfs, overlayfs: linux/magic.h.
    const OWN: [u64; 8] =
        [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x2fc1_2fc1, 0x0102_1994, 0x8584_58f6, 0x794c_7630];
    rustix::fs::statfs(path).is_ok_and(|found| !OWN.contains(&(found.f_type as u64 & 0xffff_ffff)))
}

#[cfg(not(target_os = "linux"))]
fn is_distributed(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_a_name_is_absent_and_anything_else_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert_eq!(read_if_any(&path).unwrap(), None);
        fs::write(&path, "").unwrap();
        let start = Instant::now();
        assert_eq!(read_if_any(&path).unwrap(), Some(Vec::new()));
        assert!(
            start.elapsed() < REMEMBERED || is_distributed(&path),
            "of a file system of its own it is known at once"
        );
        fs::write(&path, "1").unwrap();
        assert_eq!(read_if_any(&path).unwrap(), Some(b"1".to_vec()));
        assert!(read_if_any(dir.path()).is_err() && read_if_any(&path.join("b")).is_err());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
            assert!(read_if_any(&dir.path().join("link")).is_err());
        }
    }
}
