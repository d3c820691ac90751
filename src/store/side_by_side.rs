//! Many small calls to a file system or a server at the same time.

use std::panic::resume_unwind;

/// Calls at a time: they wait for others, not for the processor.
const AT_A_TIME: usize = 16;

/// What `call` returns for each of `items`, in their order; several calls run at the same time.
pub fn side_by_side<T: Sync, R: Send>(items: &[T], call: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let share = items.len().div_ceil(AT_A_TIME).max(1);
    let mut results = Vec::with_capacity(items.len());
    std::thread::scope(|scope| {
        let call = &call;
        let threads: Vec<_> =
            items.chunks(share).map(|items| scope.spawn(move || items.iter().map(call).collect::<Vec<R>>())).collect();
        for thread in threads {
            results.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
    });
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        for count in [0, 1, 15, 16, 17, 1000] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(side_by_side(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
