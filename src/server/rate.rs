//! Limits on requests: a bucket for each person or address that is emptied by requests and refilled by time.

use std::collections::HashMap;
use std::time::Instant;

/// The largest number of buckets, so that strangers cannot fill the memory; more people at a time are not expected.
const MOST: usize = 10_000;

/// The size of a bucket, in requests, and how fast it fills up again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// Requests that may come at once.
    pub burst: f64,
    /// Requests that are added every second.
    pub per_sec: f64,
}

/// The requests that a person or address could still make at the moment of the last one.
struct Bucket {
    left: f64,
    updated: Instant,
}

impl Bucket {
    fn refilled(&self, now: Instant, limit: Limit) -> f64 {
        (self.left + now.duration_since(self.updated).as_secs_f64() * limit.per_sec).min(limit.burst)
    }
}

/// The buckets, by person or address.
#[derive(Default)]
pub(super) struct RateLimiter(HashMap<String, Bucket>);

impl RateLimiter {
    /// Whether `who` may make one more request.
    pub fn admits(&mut self, who: String, limit: Limit) -> bool {
        let now = Instant::now();
        if self.0.len() >= MOST && !self.0.contains_key(&who) {
            // Full buckets go first, because a new bucket is full too.
            self.0.retain(|_, bucket| bucket.refilled(now, limit) < limit.burst);
            if self.0.len() >= MOST {
                self.0.clear();
            }
        }
        let bucket = self.0.entry(who).or_insert(Bucket { left: limit.burst, updated: now });
        bucket.left = bucket.refilled(now, limit);
        bucket.updated = now;
        let admitted = bucket.left >= 1.0;
        if admitted {
            bucket.left -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_others_are_not_touched() {
        let mut rate = RateLimiter::default();
        let limit = |per_sec| Limit { burst: 3.0, per_sec };
        let admitted = (0..10).filter(|_| rate.admits("a".into(), limit(0.0))).count();
        assert_eq!(admitted, 3);
        assert!(rate.admits("b".into(), limit(0.0)));
        assert!(rate.admits("a".into(), limit(1e9)));
    }
}
