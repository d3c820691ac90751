//! What a test needs and a machine may lack; used by the tests of the library too.
//!
//! Holds always: a test that checks nothing says so on stderr, and fails where `HARDSET_TEST_ALL` is set.

/// `found`; or `None` after saying loudly that this machine lacks `what` and the test is skipped.
///
/// # Panics
/// With `HARDSET_TEST_ALL` set, if there is nothing: a full run must not pass by skipping.
#[track_caller]
pub fn needs<T>(what: &str, found: Option<T>) -> Option<T> {
    if found.is_none() {
        assert!(
            std::env::var_os("HARDSET_TEST_ALL").is_none(),
            "HARDSET_TEST_ALL is set, but this machine lacks {what}"
        );
        eprintln!("SKIPPED: this machine lacks {what}");
    }
    found
}
