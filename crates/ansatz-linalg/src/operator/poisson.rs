//! The pressure Poisson problem on a grid: the 5- or 7-point Laplacian, unscaled.
//!
//! ```text
//! (A·x)ᵢ = dᵢ·xᵢ − Σ x_j over fluid neighbours j,   dᵢ = number of neighbours that are not solid
//! ```
//!
//! on fluid cells, 0 elsewhere: the value 0 in air (Dirichlet), no flux into solids (Neumann). A is symmetric and
//! positive semidefinite; positive definite on the fluid cells where every region touches air. Values in cells that are
//! not fluid do not matter. Multiply by 1/h² for −Δ with the mesh width h.
//!
//! Rows of cells that are fluid, as their neighbours are, run without flags, a whole row in vector registers; others
//! read a mask. Threads share rows. A product reads x once from memory and writes y: 16 bytes a cell in `f64`.

use ansatz_core::{AdjointOp, LinearOp, Scalar};
use faer::sparse::{SparseColMat, Triplet};
use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::grid::{Cell, Grid};
use crate::LinalgError;
use crate::error::shape;

/// Cells that one task works on, in whole rows.
const TASK: usize = 1 << 13;

/// Cells below which a product stays on the calling thread.
const PARALLEL_MIN: usize = 1 << 15;

/// A floating region's mean counts as 0 up to this part of the right-hand side's largest element.
const COMPATIBLE: f64 = 1e-8;

/// The Laplacian of the fluid cells of a grid.
///
/// ```
/// use ansatz_linalg::core::LinearOp;
/// use ansatz_linalg::operator::{Face::Open, Grid, Poisson};
/// let a = Poisson::<f64>::new(&Grid::new(&[2, 2], &[[Open; 2]; 2])?)?;
/// let mut y = [0.0; 4];
/// a.apply(&[1.0, 0.0, 0.0, 0.0], &mut y, &mut []);
/// assert_eq!(y, [4.0, -1.0, -1.0, 0.0]);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Poisson<T> {
    grid: Grid,
    /// dᵢ, 0 where a cell is not fluid.
    diagonal: Vec<T>,
    /// 1 for fluid, 0 else.
    mask: Vec<T>,
    /// Rows of cells that need no mask.
    plain: Vec<bool>,
    zeros: Vec<T>,
    floating: Vec<Vec<usize>>,
}

impl<T: Scalar> Poisson<T> {
    /// The operator of a grid.
    ///
    /// # Errors
    /// [`LinalgError::Singular`] for a grid without a fluid cell.
    pub fn new(grid: &Grid) -> Result<Self, LinalgError> {
        if grid.fluid_cells() == 0 {
            return Err(LinalgError::Singular {
                what: "Laplacian of a grid without a fluid cell",
                estimate: 0.0,
            });
        }
        let (mut diagonal, mut mask) = (vec![T::zero(); grid.len()], vec![T::zero(); grid.len()]);
        let cells = diagonal.iter_mut().zip(&mut mask);
        for (c, (d, m)) in cells.enumerate() {
            if grid.cells()[c] == Cell::Fluid {
                let solid = |n: &(Cell, _)| n.0 == Cell::Solid;
                let around = grid.neighbours(grid.place(c));
                *d = T::of(around.iter().filter(|n| !solid(n)).count() as f64);
                *m = T::one();
            }
        }
        let [nx, ny, nz] = grid.shape();
        let full: Vec<bool> = grid
            .cells()
            .chunks(nx)
            .map(|row| row.iter().all(|c| *c == Cell::Fluid))
            .collect();
        let plain = (0..ny * nz)
            .map(|r| nx > 2 && full[r] && rows_beside(r, ny, nz).iter().flatten().all(|n| full[*n]))
            .collect();
        Ok(Self {
            floating: grid.floating(),
            zeros: vec![T::zero(); nx],
            grid: grid.clone(),
            diagonal,
            mask,
            plain,
        })
    }

    /// The grid.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// The diagonal, 0 in cells that are not fluid.
    pub fn diagonal(&self) -> &[T] {
        &self.diagonal
    }

    /// Whether a region touches no air, so that the operator has constants on it in its kernel.
    pub fn is_singular(&self) -> bool {
        !self.floating.is_empty()
    }

    /// Makes `b` a right-hand side: 0 in cells that are not fluid, and without its mean, if that is rounding, on every
    /// region that touches no air.
    ///
    /// # Errors
    /// [`LinalgError::Shape`]; [`LinalgError::Incompatible`] for a region on which the mean is more than 1e-8 of the
    /// largest element of `b`: no solution exists. `b` is then as it was.
    pub fn prepare(&self, b: &mut [T]) -> Result<(), LinalgError> {
        shape("right-hand side", self.grid.len(), b.len())?;
        let largest = |m: f64, (b, mask): (&T, &T)| m.max((b.f64() * mask.f64()).abs());
        let largest = b.iter().zip(&self.mask).fold(0.0, largest);
        let mean = |b: &[T], region: &[usize]| {
            region.iter().map(|c| b[*c].f64()).sum::<f64>() / region.len() as f64
        };
        for region in &self.floating {
            let mean = mean(b, region);
            // For f32 a mean of n rounded numbers is no smaller.
            let limit = COMPATIBLE.max(4.0 * T::EPS.f64()) * largest;
            if mean.abs() > limit {
                return Err(LinalgError::Incompatible { mean });
            }
        }
        self.restrict(b);
        for region in &self.floating {
            let mean = T::of(mean(b, region));
            for c in region {
                b[*c] -= mean;
            }
        }
        Ok(())
    }

    /// Writes 0 into cells that are not fluid.
    ///
    /// # Panics
    /// If `x` is not as long as the grid.
    pub fn restrict(&self, x: &mut [T]) {
        assert_eq!(x.len(), self.grid.len(), "length of the field");
        for (x, m) in x.iter_mut().zip(&self.mask) {
            if *m == T::zero() {
                *x = T::zero();
            }
        }
    }

    /// The matrix, with empty rows and columns for cells that are not fluid.
    ///
    /// # Errors
    /// [`LinalgError::TooLarge`] where faer refuses the size.
    pub fn to_sparse(&self) -> Result<SparseColMat<usize, T>, LinalgError>
    where
        T: faer::traits::RealField,
    {
        let n = self.grid.len();
        let mut entries = Vec::with_capacity(7 * n);
        for c in (0..n).filter(|c| self.mask[*c] != T::zero()) {
            entries.push(Triplet::new(c, c, self.diagonal[c]));
            for (kind, at) in self.grid.neighbours(self.grid.place(c)) {
                if let (Cell::Fluid, Some(at)) = (kind, at) {
                    entries.push(Triplet::new(c, at, -T::one()));
                }
            }
        }
        let needed = entries.len() * (size_of::<T>() + size_of::<usize>());
        SparseColMat::try_new_from_triplets(n, n, &entries).map_err(|_| LinalgError::TooLarge {
            what: "sparse matrix",
            needed,
            limit: isize::MAX as usize,
        })
    }

    /// Rows of cells that one task takes.
    fn rows_per_task(&self) -> usize {
        (TASK / self.grid.shape()[0]).max(1)
    }
}

/// Rows of cells beside row `r` of a plane of `ny`: −y, +y, −z, +z.
pub(crate) fn rows_beside(r: usize, ny: usize, nz: usize) -> [Option<usize>; 4] {
    let (j, k) = (r % ny, r / ny);
    [
        (j > 0).then(|| r.wrapping_sub(1)),
        (j + 1 < ny).then_some(r + 1),
        (k > 0).then(|| r.wrapping_sub(ny)),
        (k + 1 < nz).then_some(r + ny),
    ]
}

/// The product on some rows of cells, the first of which is `first`.
struct Rows<'a, T> {
    op: &'a Poisson<T>,
    x: &'a [T],
    y: &'a mut [T],
    first: usize,
}

impl<T: Scalar> NullaryFnOnce for Rows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { op, x, y, first } = self;
        let [nx, ny, nz] = op.grid.shape();
        for (r, y) in y.chunks_exact_mut(nx).enumerate() {
            let r = first + r;
            let (start, end) = (r * nx, (r + 1) * nx);
            let beside = rows_beside(r, ny, nz);
            let of = |n: Option<usize>| n.map_or(&op.zeros[..], |n| &x[n * nx..][..nx]);
            let [south, north, below, above] = beside.map(of);
            let (own, diagonal) = (&x[start..end], &op.diagonal[start..end]);
            if op.plain[r] {
                let d = diagonal[1];
                let sum = |i: usize| (south[i] + north[i]) + (below[i] + above[i]);
                y[0] = diagonal[0] * own[0] - (own[1] + sum(0));
                let last = nx - 1;
                y[last] = diagonal[last] * own[last] - (own[last - 1] + sum(last));
                let (y, low, mid, high) =
                    (&mut y[1..last], &own[..last - 1], &own[1..last], &own[2..]);
                let (s, n) = (&south[1..last], &north[1..last]);
                let (b, a) = (&below[1..last], &above[1..last]);
                for i in 0..y.len() {
                    y[i] = d * mid[i] - ((low[i] + high[i]) + ((s[i] + n[i]) + (b[i] + a[i])));
                }
            } else {
                let mask = |n: Option<usize>| n.map_or(&op.zeros[..], |n| &op.mask[n * nx..][..nx]);
                let [ms, mn, mb, ma] = beside.map(mask);
                let m = &op.mask[start..end];
                for i in 0..nx {
                    // A comparison, not a product: what a cell that is not fluid holds may be NaN.
                    let fluid = |mask: T, x: T| if mask == T::zero() { mask } else { x };
                    let low = if i > 0 {
                        fluid(m[i - 1], own[i - 1])
                    } else {
                        T::zero()
                    };
                    let high = if i + 1 < nx {
                        fluid(m[i + 1], own[i + 1])
                    } else {
                        T::zero()
                    };
                    let (s, n) = (fluid(ms[i], south[i]), fluid(mn[i], north[i]));
                    let (b, a) = (fluid(mb[i], below[i]), fluid(ma[i], above[i]));
                    // In the order of the rows that need no mask, and of devices.
                    let sum = (low + high) + ((s + n) + (b + a));
                    y[i] = if m[i] == T::zero() {
                        T::zero()
                    } else {
                        diagonal[i] * own[i] - sum
                    };
                }
            }
        }
    }
}

impl<T: Scalar> LinearOp<T> for Poisson<T> {
    fn rows(&self) -> usize {
        self.grid.len()
    }

    fn cols(&self) -> usize {
        self.grid.len()
    }

    fn apply(&self, x: &[T], y: &mut [T], _: &mut [T]) {
        assert_eq!(x.len(), self.grid.len(), "length of the input");
        assert_eq!(y.len(), self.grid.len(), "length of the output");
        let rows = self.rows_per_task();
        let on = |(task, y): (usize, &mut [T])| {
            let first = task * rows;
            Arch::new().dispatch(Rows {
                op: self,
                x,
                y,
                first,
            });
        };
        let chunk = rows * self.grid.shape()[0];
        if x.len() >= PARALLEL_MIN {
            y.par_chunks_mut(chunk).enumerate().for_each(on);
        } else {
            y.chunks_mut(chunk).enumerate().for_each(on);
        }
    }
}

impl<T: Scalar> AdjointOp<T> for Poisson<T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]) {
        self.apply(y, x, scratch);
    }
}
