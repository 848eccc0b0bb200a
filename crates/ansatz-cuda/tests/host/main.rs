//! The kernels' own text, run on the processor and compared with its twins: planned calls, thread by thread.

mod checks;
mod conv;
mod cubes;
mod grid_field;
mod harness;
mod ihvp;
mod kron;
mod lincomb;
mod philox;
mod reduce;
mod rows;
mod scan;
mod spectrum;
mod stencil;

use ansatz_core::{Key, Scalar};

/// Lengths below, at and beyond 16 bytes, a warp, a block and a leaf of the tree, with tails.
const LENGTHS: [usize; 12] = [0, 1, 2, 3, 5, 31, 255, 257, 4095, 4097, 40_000, 70_001];

/// Normal numbers.
fn normal<T: Scalar>(n: usize, draw: u64) -> Vec<T> {
    let mut x = vec![T::zero(); n];
    Key::new(0xc0da).fill_normal(draw, &mut x);
    x
}

#[track_caller]
fn assert_bits<T: Scalar>(got: &[T], want: &[T], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    let at = (0..got.len()).find(|i| got[*i].f64().to_bits() != want[*i].f64().to_bits());
    assert!(
        at.is_none(),
        "{what}: element {} is {:e}, expected {:e}",
        at.unwrap_or(0),
        got[at.unwrap_or(0)].f64(),
        want[at.unwrap_or(0)].f64()
    );
}
