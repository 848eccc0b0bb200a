//! Memory that is kept for the next state of its size.
//!
//! A solver makes and drops states of few sizes. Blocks of device memory are rounded up to sizes in steps of an eighth of a
//! power of two, and a dropped one waits on its shelf: from the second step on nothing is asked of the driver. A pool belongs
//! to one stream, which runs all work on its blocks in order, so that a block may be handed out while kernels on its former
//! contents still wait.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cudarc::driver::CudaSlice;

/// Elements of the smallest block.
const SMALLEST: usize = 64;

/// How many elements a block for `len` elements has: at most an eighth more, from 64 on.
pub(crate) fn block_len(len: usize) -> usize {
    let len = len.max(SMALLEST);
    let step = (len.next_power_of_two() / 16).max(SMALLEST);
    len.div_ceil(step) * step
}

/// Free blocks of one element type by their length.
#[doc(hidden)]
#[derive(Debug)]
pub struct Shelf<B> {
    free: Mutex<HashMap<usize, Vec<B>>>,
}

impl<B> Default for Shelf<B> {
    fn default() -> Self {
        Self {
            free: Mutex::new(HashMap::new()),
        }
    }
}

impl<B> Shelf<B> {
    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Vec<B>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self, len: usize) -> Option<B> {
        self.lock().get_mut(&len)?.pop()
    }

    pub(crate) fn put(&self, len: usize, block: B) {
        self.lock().entry(len).or_default().push(block);
    }

    /// Drops every free block.
    pub(crate) fn clear(&self) {
        let blocks = std::mem::take(&mut *self.lock());
        drop(blocks);
    }

    /// Elements on the shelf.
    pub(crate) fn elements(&self) -> usize {
        self.lock().iter().map(|(len, free)| len * free.len()).sum()
    }
}

/// A shelf for each element type.
#[doc(hidden)]
#[derive(Debug, Default)]
#[allow(missing_docs)]
pub struct Shelves {
    pub f32: Shelf<CudaSlice<f32>>,
    pub f64: Shelf<CudaSlice<f64>>,
    pub u8: Shelf<CudaSlice<u8>>,
    pub u32: Shelf<CudaSlice<u32>>,
    pub i32: Shelf<CudaSlice<i32>>,
    pub u64: Shelf<CudaSlice<u64>>,
}

impl Shelves {
    pub(crate) fn clear(&self) {
        self.f32.clear();
        self.f64.clear();
        self.u8.clear();
        self.u32.clear();
        self.i32.clear();
        self.u64.clear();
    }

    pub(crate) fn bytes(&self) -> usize {
        let four = self.f32.elements() + self.u32.elements() + self.i32.elements();
        let eight = self.f64.elements() + self.u64.elements();
        self.u8.elements() + 4 * four + 8 * eight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_an_eighth_larger_at_most() {
        for len in (0..5000).chain([1 << 20, (1 << 20) + 1, 10_000_000, 123_456_789]) {
            let block = block_len(len);
            assert!(block >= len && block >= SMALLEST, "{len}: {block}");
            assert!(
                block <= SMALLEST.max(len + len / 8 + SMALLEST),
                "{len}: {block}"
            );
            assert_eq!(
                block_len(block),
                block,
                "{len}: a block's own length is a block's"
            );
        }
    }

    #[test]
    fn a_shelf_gives_back_what_it_got() {
        let shelf = Shelf::default();
        shelf.put(64, 'a');
        shelf.put(128, 'b');
        assert_eq!(shelf.elements(), 192);
        assert_eq!(
            (shelf.take(128), shelf.take(128), shelf.take(64)),
            (Some('b'), None, Some('a'))
        );
        shelf.put(64, 'c');
        shelf.clear();
        assert_eq!((shelf.take(64), shelf.elements()), (None, 0));
    }
}
