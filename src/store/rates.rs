//! How fast images were made here, as last measured: `rates.toml` in the cache, for estimates of what a plan takes.
//!
//! Nothing that a run holds depends on it. Holds always: a file that cannot be read counts as empty.

use std::collections::BTreeMap;
use std::path::Path;

use super::{StoreError, write_whole};

const NAME: &str = "rates.toml";

type Rates = BTreeMap<String, f64>;

fn read(cache: &Path) -> Rates {
    let text = std::fs::read_to_string(cache.join(NAME)).unwrap_or_default();
    toml::from_str(&text).unwrap_or_default()
}

/// Keeps the rate of `what` on `device`, in images per second.
pub fn record_rate(cache: &Path, what: &str, device: &str, images_per_sec: f64) -> Result<(), StoreError> {
    let mut rates = read(cache);
    rates.insert(key(what, device), images_per_sec);
    let path = cache.join(NAME);
    let text = toml::to_string(&rates).map_err(|e| StoreError::io("write", &path)(std::io::Error::other(e)))?;
    write_whole(&path, text.as_bytes())
}

/// The rates of `what`, in images per second, by device.
pub fn measured_rates(cache: &Path, what: &str) -> Vec<(String, f64)> {
    let of = |(found, rate): (String, f64)| Some((found.strip_prefix(&key(what, ""))?.to_owned(), rate));
    read(cache).into_iter().filter(|(_, rate)| *rate > 0.0).filter_map(of).collect()
}

fn key(what: &str, device: &str) -> String {
    format!("{what} on {device}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rate_of_each_device_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        assert!(measured_rates(dir.path(), "sd 512x512").is_empty());
        for (what, device, rate) in [("sd 512x512", "cpu", 0.1), ("sd 512x512", "cpu", 0.2), ("sd 256x256", "cpu", 1.0)]
        {
            record_rate(dir.path(), what, device, rate).unwrap();
        }
        assert_eq!(measured_rates(dir.path(), "sd 512x512"), [("cpu".to_owned(), 0.2)]);
        std::fs::write(dir.path().join(NAME), "not toml").unwrap();
        assert!(measured_rates(dir.path(), "sd 512x512").is_empty());
    }
}
