//! The matrix product of a matrix that is never written out.
//!
//! out[i, j] += Σₖ x[aᵢ + bₖ]·v[k, j] is the product of im2col's matrix, whose element (i, k) lies at
//! aᵢ + bₖ of the padded planes, with a panel v of weights. A tile of the result stays in registers; a
//! row of the panel is read as vectors, the elements of x as numbers. Each element of the result is one
//! chain of fused multiplications and additions in the order of k, whatever the tiles and the instruction
//! set: its bits depend on neither.

use std::array;

use pulp::{Simd, WithSimd};

/// Steps whose part of a panel stays in the first cache level.
pub(super) const DEPTH: usize = 128;

/// A product with a panel of `V` vectors.
pub struct Product<'a, T, const V: usize> {
    pub(crate) x: &'a [T],
    /// Where the rows begin.
    pub(crate) a: &'a [u32],
    /// Where the elements of a row are, from its beginning.
    pub(crate) b: &'a [u32],
    /// A row of the panel for each of `b`.
    pub(crate) v: &'a [T],
    /// A row for each of `a`.
    pub(crate) out: &'a mut [T],
    pub(crate) start: Start,
}

/// What sums begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Zero,
    /// What is there.
    Here,
}

/// Asks for the lanes of a vector.
#[derive(Default)]
pub(crate) struct Lanes<T>(pub(crate) std::marker::PhantomData<T>);

macro_rules! product {
    ($type:ty, $vector:ident, $view:ident, $view_mut:ident, $splat:ident, $mul_add:ident) => {
        impl<const V: usize> WithSimd for Product<'_, $type, V> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                // As many sums as the registers hold beside a row of the panel and an element.
                match (S::REGISTER_COUNT > 16, V) {
                    (true, 1) => self.tiles::<S, 16>(simd),
                    (true, _) => self.tiles::<S, 8>(simd),
                    (false, 1) => self.tiles::<S, 12>(simd),
                    (false, _) => self.tiles::<S, 6>(simd),
                }
            }
        }

        impl<const V: usize> Product<'_, $type, V> {
            #[inline(always)]
            fn tiles<S: Simd, const M: usize>(self, simd: S) {
                let zero = [simd.$splat(0.0); V];
                let Some(reach) = self.b.iter().max().map(|b| *b as usize + 1) else {
                    return;
                };
                let panel = &S::$view(self.v).0.as_chunks::<V>().0[..self.b.len()];
                let out = S::$view_mut(self.out).0.as_chunks_mut::<V>().0;
                // Slices of one length need one check.
                let row = |a: u32| &self.x[a as usize..][..reach];
                let (whole, rest) = self.a.as_chunks::<M>();
                let (tiles, last) = out[..self.a.len()].as_chunks_mut::<M>();
                for (a, out) in whole.iter().zip(tiles) {
                    let rows: [&[$type]; M] = array::from_fn(|r| row(a[r]));
                    let sums = match self.start {
                        Start::Zero => [zero; M],
                        Start::Here => *out,
                    };
                    *out = Self::tile::<S, M>(simd, rows, self.b, panel, sums);
                }
                if rest.is_empty() {
                    return;
                }
                // The last tile repeats its last row.
                let rows: [&[$type]; M] = array::from_fn(|r| row(rest[r.min(rest.len() - 1)]));
                let sums = match self.start {
                    Start::Zero => [zero; M],
                    Start::Here => array::from_fn(|r| last[r.min(last.len() - 1)]),
                };
                let sums = Self::tile::<S, M>(simd, rows, self.b, panel, sums);
                for (o, sum) in last.iter_mut().zip(&sums) {
                    *o = *sum;
                }
            }

            /// The sums of a tile, which stay in registers.
            #[inline(always)]
            fn tile<S: Simd, const M: usize>(
                simd: S,
                rows: [&[$type]; M],
                b: &[u32],
                panel: &[[S::$vector; V]],
                mut sums: [[S::$vector; V]; M],
            ) -> [[S::$vector; V]; M] {
                for (b, v) in b.iter().zip(panel) {
                    let v: [S::$vector; V] = *v;
                    for r in 0..M {
                        let x = simd.$splat(rows[r][*b as usize]);
                        for c in 0..V {
                            sums[r][c] = simd.$mul_add(x, v[c], sums[r][c]);
                        }
                    }
                }
                sums
            }
        }

        impl WithSimd for Lanes<$type> {
            type Output = usize;

            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) -> usize {
                size_of::<S::$vector>() / size_of::<$type>()
            }
        }
    };
}

product!(
    f32,
    f32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    mul_add_f32s
);
product!(
    f64,
    f64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    mul_add_f64s
);
