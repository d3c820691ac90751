//! The last measured rates of making images on this machine: `rates.toml` in the cache, for estimates of a plan's time.
//!
//! Holds always: the contents of a run do not depend on it, because rates differ between machines.

use std::path::Path;

use super::{StoreError, read_map, write_map};

const NAME: &str = "rates.toml";

/// Stores the rate of `what` on `device`, in images per second.
pub fn record_rate(cache: &Path, what: &str, device: &str, images_per_sec: f64) -> Result<(), StoreError> {
    let path = cache.join(NAME);
    let mut rates = read_map(&path);
    rates.insert(key(what, device), images_per_sec);
    write_map(&path, &rates)
}

/// The rates of `what`, in images per second, by device.
pub fn measured_rates(cache: &Path, what: &str) -> Vec<(String, f64)> {
    let mut rates = Vec::new();
    for (found, rate) in read_map::<f64>(&cache.join(NAME)) {
        if let Some(device) = found.strip_prefix(&key(what, "")).filter(|_| rate > 0.0) {
            rates.push((device.to_owned(), rate));
        }
    }
    rates
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
