//! Limits on requests: a bucket for each person or address that is emptied by requests and refilled by time.
//!
//! Holds always: a bucket is refilled and judged by its own limit, because strangers must not change what people have
//! left; there are at most [`MOST`] buckets, because strangers must not fill the memory.

use std::collections::HashMap;
use std::time::Instant;

/// The largest number of buckets; more people at a time are not expected.
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
    limit: Limit,
    left: f64,
    updated: Instant,
}

impl Bucket {
    fn refilled(&self, now: Instant) -> f64 {
        let added = now.duration_since(self.updated).as_secs_f64() * self.limit.per_sec;
        (self.left + added).min(self.limit.burst)
    }
}

/// The buckets, by person or address.
#[derive(Default)]
pub(super) struct RateLimiter(HashMap<String, Bucket>);

impl RateLimiter {
    /// Whether `who` may make one more request; `limit`: that of a new bucket, which keeps it.
    pub fn admits(&mut self, who: String, limit: Limit) -> bool {
        self.admits_at(Instant::now(), who, limit)
    }

    fn admits_at(&mut self, now: Instant, who: String, limit: Limit) -> bool {
        if self.0.len() >= MOST && !self.0.contains_key(&who) {
            // Full buckets go first, because a new bucket is full too.
            self.0.retain(|_, bucket| bucket.refilled(now) < bucket.limit.burst);
            if self.0.len() >= MOST {
                self.0.clear();
            }
        }
        let bucket = self.0.entry(who).or_insert(Bucket { limit, left: limit.burst, updated: now });
        bucket.left = bucket.refilled(now);
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
    use std::time::Duration;

    use super::*;

    const PERSON: Limit = Limit { burst: 1000.0, per_sec: 100.0 };
    const STRANGER: Limit = Limit { burst: 3.0, per_sec: 1.0 };

    /// How many of `requests` are admitted at `now`.
    fn admitted(rate: &mut RateLimiter, now: Instant, who: &str, limit: Limit, requests: usize) -> usize {
        (0..requests).filter(|_| rate.admits_at(now, who.to_owned(), limit)).count()
    }

    #[test]
    fn a_bucket_empties_and_fills_again_and_others_are_not_touched() {
        let (mut rate, start) = (RateLimiter::default(), Instant::now());
        assert_eq!(admitted(&mut rate, start, "a", STRANGER, 10), 3);
        assert_eq!(admitted(&mut rate, start, "b", STRANGER, 1), 1);
        assert_eq!(admitted(&mut rate, start + Duration::from_secs(2), "a", STRANGER, 10), 2);
    }

    #[test]
    fn strangers_who_fill_the_map_do_not_change_what_a_person_has_left() {
        let (mut rate, start) = (RateLimiter::default(), Instant::now());
        assert_eq!(admitted(&mut rate, start, "person", PERSON, 600), 600);
        for stranger in 1..MOST {
            assert!(rate.admits_at(start, stranger.to_string(), STRANGER));
        }
        let later = start + Duration::from_secs(1);
        assert_eq!(admitted(&mut rate, later, "one more", STRANGER, 1), 1);
        assert_eq!(rate.0.len(), 2, "the buckets of the others were full again");
        assert_eq!(admitted(&mut rate, later, "person", PERSON, 1000), 500);
    }
}
