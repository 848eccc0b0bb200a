//! Geometric multigrid on grids with cell flags: a V-cycle whose count of steps hardly grows with the grid.
//!
//! Cell-centred: a coarse cell is fluid if one of its 2ᵈ children is. Red-black Gauss-Seidel sweeps, ν before and ν
//! after the coarse grid, the latter with the colours in the opposite order, so that the cycle is symmetric and serves
//! conjugate gradients; linear interpolation P (weights 3/4 and 1/4 along each axis) and R = 4/2ᵈ·Pᵀ, 4 because the
//! stencil is not divided by h². The coarsest grid, of four cells or fewer along each axis, is swept forty times in
//! either order.
//!
//! [`Boundary::Fitted`] makes coarse grids see the boundary where it is: air stays at its place, half a fine cell
//! outside, in the coarse stencil and in the interpolation, and interpolation does not reach into walls or solids.
//! That takes a third to a half of the steps of [`Boundary::Plain`], the textbook rule.
//!
//! ## Memory
//! The two colours are stored apart. A sweep then reads one colour and writes the other: half the traffic, rows without
//! gaps for vector registers, and threads that share nothing they write. The residual that goes to the coarse grid is
//! zero on the colour swept last and is computed on the other alone; the correction is interpolated to that colour
//! alone as well, because the first sweep after it overwrites the other. Counted in passes over n numbers of the type T,
//! V(1,1) reads and writes 9 on the finest grid (V(2,2): 15) and a seventh of that below. With T = `f32` a cycle for
//! `f64` vectors moves half the memory, and conjugate gradients do not notice the rounding.
//!
//! Sources: A. McAdams, E. Sifakis, J. Teran, *A parallel multigrid Poisson solver for fluids simulation on large
//! grids*, SCA 2010; U. Trottenberg, C. Oosterlee, A. Schüller, *Multigrid*, 2001.

mod kernel;
mod level;
mod transfer;

use ansatz_core::{EvalError, HostState, Scalar, SearchDirection};

use crate::LinalgError;
use crate::error::within;
use crate::operator::Grid;
use level::Level;

/// Cells along an axis at which coarsening ends.
const COARSEST: usize = 4;

/// How coarse grids see the boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Boundary {
    /// Where it is.
    #[default]
    Fitted,
    /// As on the fine grid, with the coarse cells' size: the textbook rule.
    Plain,
}

/// How a cycle is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MultigridOptions {
    /// Sweeps before and after the coarse grid: ν.
    pub sweeps: usize,
    /// How coarse grids see the boundary.
    pub boundary: Boundary,
    /// Sweeps in either order on the coarsest grid.
    pub coarsest_sweeps: usize,
}

impl Default for MultigridOptions {
    /// V(1,1), fitted: the fastest by time.
    fn default() -> Self {
        Self {
            sweeps: 1,
            boundary: Boundary::Fitted,
            coarsest_sweeps: 40,
        }
    }
}

impl MultigridOptions {
    /// V(2,2) with textbook boundaries, as in published comparisons.
    pub fn textbook() -> Self {
        Self {
            sweeps: 2,
            boundary: Boundary::Plain,
            ..Self::default()
        }
    }
}

/// One V-cycle from zero as a preconditioner, in numbers of the type `T`.
///
/// ```
/// use ansatz_linalg::core::OnHost;
/// use ansatz_linalg::krylov::{Cg, System};
/// use ansatz_linalg::operator::{Face::Open, Grid, Poisson};
/// use ansatz_linalg::precondition::{Multigrid, MultigridOptions};
/// let grid = Grid::new(&[64, 64], &[[Open; 2]; 2])?;
/// let a = Poisson::<f64>::new(&grid)?;
/// let mut cycle = Multigrid::<f32>::new(&grid, &MultigridOptions::default())?;
/// let (b, mut x) = (vec![1.0; 64 * 64], vec![0.0; 64 * 64]);
/// let report = System::new(&OnHost::new(&a), &b)
///     .preconditioned(&mut cycle)
///     .solve(&Cg::default(), &mut x)?;
/// assert!(report.iterations <= 10);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Multigrid<T> {
    levels: Vec<Level<T>>,
    options: MultigridOptions,
    /// Power of two that keeps `f32` in its range.
    scale: f64,
}

impl<T: Scalar> Multigrid<T> {
    /// The levels of a grid. About 8 numbers a cell on the finest, a seventh more below.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`] for no sweeps, [`LinalgError::Singular`] for a grid without a fluid cell.
    pub fn new(grid: &Grid, options: &MultigridOptions) -> Result<Self, LinalgError> {
        within("sweeps", options.sweeps as f64, 1.0.., "at least 1")?;
        within(
            "coarsest_sweeps",
            options.coarsest_sweeps as f64,
            1.0..,
            "at least 1",
        )?;
        if grid.fluid_cells() == 0 {
            return Err(LinalgError::Singular {
                what: "Laplacian of a grid without a fluid cell",
                estimate: 0.0,
            });
        }
        let mut levels = vec![Level::new(grid, options.boundary, 0)];
        let mut coarse = grid.clone();
        // Axes shrink together: the stencil stays isotropic.
        while coarse.shape().iter().any(|n| *n > COARSEST)
            && coarse.shape()[..coarse.dimensions()].iter().all(|n| *n > 1)
        {
            coarse = transfer::coarsen(&coarse)?;
            levels.push(Level::new(&coarse, options.boundary, levels.len()));
        }
        Ok(Self {
            levels,
            options: *options,
            scale: 1.0,
        })
    }

    /// Number of grids.
    pub fn levels(&self) -> usize {
        self.levels.len()
    }

    /// One cycle from zero for the right-hand side of the finest level.
    fn cycle(&mut self) {
        let nu = self.options.sweeps;
        let deepest = self.levels.len() - 1;
        for l in 0..deepest {
            let (fine, coarse) = self.levels.split_at_mut(l + 1);
            let (fine, coarse) = (&mut fine[l], &mut coarse[0]);
            fine.sweep_from_zero();
            fine.sweep(level::BLACK);
            for _ in 1..nu {
                fine.sweep(level::RED);
                fine.sweep(level::BLACK);
            }
            fine.residual();
            transfer::restrict(fine, coarse);
        }
        self.solve_coarsest();
        for l in (0..deepest).rev() {
            let (fine, coarse) = self.levels.split_at_mut(l + 1);
            let (fine, coarse) = (&mut fine[l], &mut coarse[0]);
            transfer::prolong(coarse, fine);
            for _ in 0..nu {
                fine.sweep(level::BLACK);
                fine.sweep(level::RED);
            }
        }
    }

    fn solve_coarsest(&mut self) {
        let sweeps = self.options.coarsest_sweeps;
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        // A box with one short side ends early, on a long grid that needs more.
        let longest = level.shape().iter().copied().max().unwrap_or(1);
        let sweeps = sweeps * longest.div_ceil(COARSEST).pow(2).min(10);
        level.sweep_from_zero();
        level.sweep(level::BLACK);
        for _ in 1..sweeps {
            level.sweep(level::RED);
            level.sweep(level::BLACK);
        }
        for _ in 0..sweeps {
            level.sweep(level::BLACK);
            level.sweep(level::RED);
        }
    }
}

/// Largest elements that `f32` holds with room for the sums of a cycle and for their squares.
const RANGE: std::ops::Range<f64> = 1e-12..1e12;

impl<T: Scalar, S: HostState> SearchDirection<S> for Multigrid<T> {
    fn propose(&mut self, residual: &S, direction: &mut S) -> Result<(), EvalError> {
        let finest = &mut self.levels[0];
        super::same_length(finest.cells(), residual, direction)?;
        let largest = finest.split_right_hand_side(residual.as_slice(), self.scale);
        if largest > 0.0 && largest.is_finite() && !RANGE.contains(&(largest * self.scale)) {
            self.scale = (-largest.log2().round()).clamp(-1000.0, 1000.0).exp2();
            finest.split_right_hand_side(residual.as_slice(), self.scale);
        }
        self.cycle();
        self.levels[0].merge_solution(direction.as_mut_slice(), 1.0 / self.scale);
        Ok(())
    }
}
