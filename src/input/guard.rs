//! Runs a decoder, or a reader of tables, so that nothing it does to a file reaches the rest of the program: a panic
//! becomes a reason.
//!
//! Does not bound time or memory: limits of sizes and of scans do, before the work begins.
//! Holds always: the message of a panic in here is not printed, because a broken picture is an everyday thing and has
//! a row in `dropped.parquet`; the messages of all other panics are printed as ever.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside [`caught`].
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// What `work` returns, or what its panic said. `work` must leave nothing half-changed that is used afterwards.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(keep_quiet_inside);
    let outer = INSIDE.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(outer);
    outcome.map_err(|payload| said(&*payload))
}

fn keep_quiet_inside() {
    let others = take_hook();
    set_hook(Box::new(move |panic| {
        if !INSIDE.get() {
            others(panic);
        }
    }));
}

fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_what_it_said_and_the_next_work_is_done() {
        let nothing: Vec<u8> = Vec::new();
        assert_eq!(caught(|| nothing[7]), Err("index out of bounds: the len is 0 but the index is 7".to_owned()));
        assert_eq!(caught(|| panic!("at {}", 5)), Err::<(), _>("at 5".to_owned()));
        assert_eq!(caught(|| 3), Ok(3));
    }

    #[test]
    fn work_inside_work_is_caught_by_the_inner_one() {
        let outcome = caught(|| caught(|| panic!("inner")).unwrap_or_else(|reason| format!("{reason} caught")));
        assert_eq!(outcome, Ok("inner caught".to_owned()));
    }
}
