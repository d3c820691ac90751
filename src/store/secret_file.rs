//! The run's secret: made once from the system's random numbers. Only the run's owner can read it, because it would
//! reveal the sentinels and let others in as any person.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::atomic::write_private;
use super::{RunDir, StoreError};
use crate::domain::Secret;

impl RunDir {
    /// The run's secret, which the first call makes.
    ///
    /// All names in task sheets depend on it. Without it all answers remain, but the names cannot be made again.
    pub fn secret(&self) -> Result<Secret, StoreError> {
        let path = self.batches().join("secret");
        match fs::read_to_string(&path) {
            Ok(text) => parse(text.trim()).ok_or_else(|| StoreError::Damaged {
                path: path.display().to_string(),
                problem: "it is not 64 hexadecimal digits".to_owned(),
                remedy: "restore it from a copy of the run: without it, names in the task sheets cannot be made again"
                    .to_owned(),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(&path),
            Err(error) => Err(StoreError::io("read", &path)(error)),
        }
    }
}

fn make(path: &Path) -> Result<Secret, StoreError> {
    let mut bytes = [0; 32];
    let random = Path::new("/dev/urandom");
    File::open(random).and_then(|mut file| file.read_exact(&mut bytes)).map_err(StoreError::io("read", random))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    write_private(path, format!("{text}\n").as_bytes())?;
    Ok(Secret::new(bytes))
}

fn parse(text: &str) -> Option<Secret> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(Secret::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_a_damaged_one_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::at(dir.path());
        let secret = run.secret().unwrap();
        assert_eq!(run.secret().unwrap(), secret);
        let path = dir.path().join("batches/secret");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::write(&path, "short").unwrap();
        assert!(run.secret().unwrap_err().to_string().contains("hexadecimal"));
    }
}
