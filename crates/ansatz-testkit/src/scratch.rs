//! Working memory that each thread keeps, so that a model allocates on its first call only.

use std::cell::RefCell;

thread_local! {
    static POOL: RefCell<Vec<Vec<f64>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` with `len` numbers of unspecified value. Calls may nest.
pub(crate) fn with<R>(len: usize, f: impl FnOnce(&mut [f64]) -> R) -> R {
    let mut buffer = POOL.with(|p| p.borrow_mut().pop()).unwrap_or_default();
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    let result = f(&mut buffer[..len]);
    POOL.with(|p| p.borrow_mut().push(buffer));
    result
}

/// Cuts `N` pieces of the given lengths off the front of `buffer`.
pub(crate) fn split<const N: usize>(
    mut buffer: &mut [f64],
    lengths: [usize; N],
) -> [&mut [f64]; N] {
    lengths.map(|n| {
        let (piece, rest) = std::mem::take(&mut buffer).split_at_mut(n);
        buffer = rest;
        piece
    })
}
