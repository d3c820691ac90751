//! The run's secret: made once from the system's random numbers. Only the run's owner can read it, because it would
//! reveal the sentinels and let others in as any person.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::atomic::write_private;
use super::{RunDir, StoreError, sealed_map};
use crate::domain::Secret;

/// Name of its entry.
const SECRET: &str = "secret";

impl RunDir {
    /// The run's secret, which the first call makes; an error if it is missing although there are sheets.
    ///
    /// All names in task sheets depend on it. Without it all answers remain, but the names cannot be made again.
    pub fn secret(&self) -> Result<Secret, StoreError> {
        if let Some(secret) = self.secret_if_any()? {
            return Ok(secret);
        }
        let path = self.secret_path();
        if self.rounds_to_continue()? > 0 {
            return Err(sealed_map::damaged(&path, "it is missing, and the names in the sheets with it"));
        }
        make(&path)
    }

    /// The run's secret, if there is one.
    pub fn secret_if_any(&self) -> Result<Option<Secret>, StoreError> {
        let path = self.secret_path();
        let Some(mut entries) = sealed_map::read::<String>(&path)? else { return Ok(None) };
        let secret = entries.remove(SECRET).and_then(|text| parse(&text));
        secret.map(Some).ok_or_else(|| sealed_map::damaged(&path, "it is not 64 hexadecimal digits"))
    }

    /// The file of the run's secret.
    pub fn secret_path(&self) -> std::path::PathBuf {
        self.batches().join(SECRET)
    }
}

fn make(path: &Path) -> Result<Secret, StoreError> {
    let mut bytes = [0; 32];
    let random = Path::new("/dev/urandom");
    File::open(random).and_then(|mut file| file.read_exact(&mut bytes)).map_err(StoreError::io("read", random))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let entries = BTreeMap::from([(SECRET.to_owned(), text)]);
    write_private(path, sealed_map::text(path, &entries)?.as_bytes())?;
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
    use std::fs;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_a_damaged_one_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::at(dir.path());
        let secret = run.secret().unwrap();
        assert_eq!(run.secret().unwrap(), secret);
        let path = run.secret_path();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let text = fs::read_to_string(&path).unwrap();
        let other = if text.contains('a') { text.replace('a', "b") } else { text.replace('c', "d") };
        for damage in ["", "short", &other] {
            fs::write(&path, damage).unwrap();
            assert!(run.secret().unwrap_err().to_string().contains("restore"), "{damage}");
        }
    }

    #[test]
    fn a_secret_is_not_made_anew_under_the_sheets_that_depend_on_it() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::at(dir.path());
        run.secret().unwrap();
        fs::write(run.round(0).record_path(), "{}").unwrap();
        fs::remove_file(run.secret_path()).unwrap();
        assert!(run.secret().unwrap_err().to_string().contains("missing"));
    }
}
