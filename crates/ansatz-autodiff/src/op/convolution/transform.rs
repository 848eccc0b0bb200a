//! The transforms of Winograd's tiles, on vectors of tiles or of channels.
//!
//! Forms are Bᵀ·x·B and its like for matrices
//!
//! | | rows |
//! |---|---|
//! | Aᵀ | (1, 1, 1, 0), (0, 1, −1, −1) |
//! | Bᵀ | (1, 0, −1, 0), (0, 1, 1, 0), (0, −1, 1, 0), (0, 1, 0, −1) |
//! | G | (1, 0, 0), (½, ½, ½), (½, −½, ½), (0, 0, 1) |

use pulp::{Simd, WithSimd};

/// Elements of a transformed tile.
pub(super) const TILE: usize = 16;

/// Which transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Bᵀ·x·B.
    Source,
    /// Aᵀ·m·A.
    Result,
    /// A·y·Aᵀ.
    Cotangent,
    /// G·w·Gᵀ.
    Weights,
    /// Gᵀ·u·G.
    Gradient,
}

/// A transform of many tiles, whose elements are arrays one behind the other.
pub struct Map<'a, T> {
    pub(crate) form: Form,
    /// How many times, and how far the arrays are then.
    pub(crate) times: usize,
    pub(crate) step: usize,
    pub(crate) next: usize,
    /// Length of the arrays, whole vectors.
    pub(crate) length: usize,
    pub(crate) x: &'a [T],
    /// Where the arrays are, row by row.
    pub(crate) from: [usize; TILE],
    pub(crate) out: &'a mut [T],
    /// Distance of the arrays that are written.
    pub(crate) to: usize,
}

macro_rules! map {
    ($type:ty, $vector:ident, $view:ident, $view_mut:ident, $splat:ident,
     $add:ident, $sub:ident, $mul:ident) => {
        impl WithSimd for Map<'_, $type> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                const SOURCE: usize = Form::Source as usize;
                const RESULT: usize = Form::Result as usize;
                const COTANGENT: usize = Form::Cotangent as usize;
                const WEIGHTS: usize = Form::Weights as usize;
                const GRADIENT: usize = Form::Gradient as usize;
                match self.form {
                    Form::Source => self.each::<S, SOURCE, 4, 4>(simd),
                    Form::Result => self.each::<S, RESULT, 4, 2>(simd),
                    Form::Cotangent => self.each::<S, COTANGENT, 2, 4>(simd),
                    Form::Weights => self.each::<S, WEIGHTS, 3, 4>(simd),
                    Form::Gradient => self.each::<S, GRADIENT, 4, 3>(simd),
                }
            }
        }

        impl Map<'_, $type> {
            /// Transforms from `N`×`N` to `M`×`M` elements.
            #[inline(always)]
            fn each<S: Simd, const F: usize, const N: usize, const M: usize>(self, simd: S) {
                let zero = simd.$splat(0.0);
                for turn in 0..self.times {
                    let arrays: [&[S::$vector]; TILE] = std::array::from_fn(|k| {
                        let start = self.from[k] + turn * self.step;
                        S::$view(&self.x[start..][..self.length]).0
                    });
                    let vectors = arrays[0].len();
                    let lanes = self.length / vectors.max(1);
                    for v in 0..vectors {
                        let mut rows = [[zero; 4]; 4];
                        for i in 0..N {
                            let mut row = [zero; 4];
                            for j in 0..N {
                                row[j] = arrays[i * N + j][v];
                            }
                            rows[i] = Self::line::<S, F>(simd, row);
                        }
                        let at = turn * self.next + v * lanes;
                        for j in 0..M {
                            let column = [rows[0][j], rows[1][j], rows[2][j], rows[3][j]];
                            let column = Self::line::<S, F>(simd, column);
                            for i in 0..M {
                                let start = (i * M + j) * self.to + at;
                                let out = &mut self.out[start..][..lanes];
                                S::$view_mut(out).0[0] = column[i];
                            }
                        }
                    }
                }
            }

            /// Along one axis.
            #[inline(always)]
            fn line<S: Simd, const F: usize>(
                simd: S,
                [a, b, c, d]: [S::$vector; 4],
            ) -> [S::$vector; 4] {
                let (zero, half) = (simd.$splat(0.0), simd.$splat(0.5));
                if F == Form::Source as usize {
                    let (p, q) = (simd.$sub(a, c), simd.$add(b, c));
                    [p, q, simd.$sub(c, b), simd.$sub(b, d)]
                } else if F == Form::Result as usize {
                    let (p, q) = (simd.$add(b, c), simd.$sub(b, c));
                    [simd.$add(a, p), simd.$sub(q, d), zero, zero]
                } else if F == Form::Cotangent as usize {
                    [a, simd.$add(a, b), simd.$sub(a, b), simd.$sub(zero, b)]
                } else if F == Form::Weights as usize {
                    let (p, q) = (simd.$mul(half, simd.$add(a, c)), simd.$mul(half, b));
                    [a, simd.$add(p, q), simd.$sub(p, q), c]
                } else {
                    let p = simd.$mul(half, simd.$add(b, c));
                    let q = simd.$mul(half, simd.$sub(b, c));
                    [simd.$add(a, p), q, simd.$add(p, d), zero]
                }
            }
        }
    };
}

map!(
    f32,
    f32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s
);
map!(
    f64,
    f64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s
);
