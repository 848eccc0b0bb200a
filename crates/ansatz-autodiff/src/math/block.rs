//! Slices in blocks of fixed length.
//!
//! A processor keeps some 150 instructions in flight, fewer than it takes to hide the chain through
//! a whole function. Kernels therefore run over a block in stages, each a short loop that becomes
//! vector instructions, with what passes between them in arrays of the first cache level. The last
//! block is filled up: there are no loops for tails, and the same instructions for every element.

use ansatz_core::Scalar;
use pulp::NullaryFnOnce;

/// Elements per block.
pub(super) const BLOCK: usize = 64;

/// What a kernel reads or writes at a time.
pub(super) type Block<T> = [T; BLOCK];

/// An element-wise function of N arguments.
pub(super) trait Kernel<T, const N: usize> {
    /// Without branches, for it is compiled once per instruction set.
    fn block(&self, x: [&Block<T>; N], out: &mut Block<T>);
}

/// A kernel on slices of equal length.
pub(super) struct Run<'a, T, K, const N: usize> {
    pub(super) kernel: K,
    pub(super) x: [&'a [T]; N],
    pub(super) out: &'a mut [T],
}

impl<T: Scalar, K: Kernel<T, N>, const N: usize> NullaryFnOnce for Run<'_, T, K, N> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let mut filled = [[T::one(); BLOCK]; N];
        let mut surplus = [T::one(); BLOCK];
        let (blocks, tail) = self.out.as_chunks_mut::<BLOCK>();
        let whole = blocks.len();
        let x = self.x.map(|x| x.as_chunks::<BLOCK>());
        if !tail.is_empty() {
            for k in 0..N {
                filled[k][..tail.len()].copy_from_slice(x[k].1);
            }
        }
        // One call, for the kernel is compiled into it.
        for i in 0..whole + usize::from(!tail.is_empty()) {
            let (x, out) = if i < whole {
                (x.map(|x| &x.0[i]), &mut blocks[i])
            } else {
                (filled.each_ref(), &mut surplus)
            };
            self.kernel.block(x, out);
        }
        tail.copy_from_slice(&surplus[..tail.len()]);
    }
}

/// One loop, for functions of few instructions.
#[inline(always)]
pub(super) fn each<T: Copy>(x: &Block<T>, out: &mut Block<T>, f: impl Fn(T) -> T) {
    for i in 0..BLOCK {
        out[i] = f(x[i]);
    }
}
