//! How many requests somebody may make: a bucket that fills up again.

use std::collections::HashMap;
use std::time::Instant;

/// Buckets kept; more people than that at the same time are not expected, and strangers must not fill the memory.
const MOST: usize = 10_000;

/// The buckets.
#[derive(Default)]
pub(super) struct Rate(HashMap<String, (f64, Instant)>);

impl Rate {
    /// Whether `who` may make one more request, with `most` at once and `each_second` more every second.
    pub fn admits(&mut self, who: String, most: f64, each_second: f64) -> bool {
        let now = Instant::now();
        if self.0.len() >= MOST && !self.0.contains_key(&who) {
            // Full buckets are forgotten first: they say nothing.
            self.0.retain(|_, (left, last)| *left + now.duration_since(*last).as_secs_f64() * each_second < most);
            if self.0.len() >= MOST {
                self.0.clear();
            }
        }
        let (left, last) = self.0.entry(who).or_insert((most, now));
        *left = (*left + now.duration_since(*last).as_secs_f64() * each_second).min(most);
        *last = now;
        let admitted = *left >= 1.0;
        if admitted {
            *left -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_others_are_not_touched() {
        let mut rate = Rate::default();
        let admitted = (0..10).filter(|_| rate.admits("a".into(), 3.0, 0.0)).count();
        assert_eq!(admitted, 3);
        assert!(rate.admits("b".into(), 3.0, 0.0));
        assert!(rate.admits("a".into(), 3.0, 1e9));
    }
}
