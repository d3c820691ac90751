//! Locks.
//!
//! Holds always: a thread that panics keeps no other from its work.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks the value, even after a thread that held the lock has panicked, because no change here is left half-done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
