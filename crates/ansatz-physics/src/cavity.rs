//! Flow in a square cavity under a moving lid: (u·∇)u + ∇p = Δu/Re, u = (1, 0) at y = 1, 0 at the other walls.
//!
//! With u = ψ_y, v = −ψ_x and ω = −Δψ the pressure drops out: u·ω_x + v·ω_y = Δω/Re, ψ = 0 on all walls. Central differences; the
//! vorticity on a wall is Thom's, −2(ψ₁ ± hU)/h² from the first ψ inside, which is second-order accurate for the flow (E, Liu
//! 1996). ω being linear in ψ, the unknowns are ψ alone: 13 points per equation, Newton's method with a sparse
//! factorisation, started from coarser grids and smaller Reynolds numbers.
//!
//! Errors are series in h²: grids with 2/3 of the cells and with all are extrapolated (Richardson), those with 1/2 and 3/4 as
//! well, and the two results again in h⁴. The accuracy is what that last extrapolation changes along the two centre
//! lines; near the upper corners, where the velocity jumps, no such statement holds.
//!
//! Ghia's much used tables are off by up to 0.009 at Re = 100 and 0.018 at Re = 1000 beside converged solutions (Botella, Peyret),
//! and their v(0.9063, ½) = −0.23827 at Re = 400 is a misprint for −0.390.
//!
//! Cost: a few sparse factorisations of n² unknowns per grid.
//!
//! U. Ghia, K. N. Ghia, C. T. Shin, *High-Re solutions for incompressible flow using the Navier-Stokes equations and a multigrid
//! method*, J. Comput. Phys. 48, 1982; O. Botella, R. Peyret, *Benchmark spectral results on the lid-driven cavity flow*,
//! Comput. Fluids 27, 1998; W. E, J.-G. Liu, *Vorticity boundary condition and related issues*, J. Comput. Phys. 124, 1996.

use ansatz_linalg::LinalgError;
use faer::linalg::solvers::SolveCore;
use faer::sparse::{SparseColMat, Triplet};
use faer::{ColMut, Conj};

use crate::grid::Square;
use crate::reference::{check_length, inside, positive};
use crate::{PhysicsError, Reference};

/// How to solve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CavityOptions {
    /// Cells per side of the finest grid: a multiple of 12, 48 or more.
    pub cells: usize,
    /// Newton's steps per grid and Reynolds number at most.
    pub iterations: usize,
}

impl Default for CavityOptions {
    fn default() -> Self {
        Self {
            cells: 120,
            iterations: 12,
        }
    }
}

/// A steady flow.
#[derive(Debug, Clone)]
pub struct CavityFlow {
    reynolds: f64,
    /// Stream functions on 1/2, 2/3, 3/4 of the cells and on all.
    grids: [Square; 4],
    accuracy: f64,
}

/// Weights of the grids' values: with cells as 2 : 3, u₂ + (u₂ − u₁)/(9/4 − 1) leaves errors in h⁴; those of both pairs are as
/// 4⁴ : 3⁴.
const FIRST: [[f64; 4]; 2] = [[-0.8, 0.0, 1.8, 0.0], [0.0, -0.8, 0.0, 1.8]];
const SECOND: f64 = 81.0 / (256.0 - 81.0);

impl CavityFlow {
    /// The flow at a Reynolds number.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for a Reynolds number that is not positive, or cells that do not fit;
    /// [`PhysicsError::NotConverged`] when Newton's method does not settle: take more cells.
    pub fn new(reynolds: f64, options: &CavityOptions) -> Result<Self, PhysicsError> {
        positive("Reynolds number", reynolds)?;
        let n = options.cells;
        if n < 48 || !n.is_multiple_of(12) {
            return Err(PhysicsError::Parameter {
                name: "cells",
                value: n as f64,
                needed: "must be a multiple of 12, and 48 or more",
            });
        }
        // Up to the Reynolds number on a coarse grid, then up to the finest.
        let first = n / 2;
        let mut psi = Square::new(first, [0.0, 1.0], vec![0.0; (first + 1) * (first + 1)]);
        let mut now = reynolds.min(100.0);
        loop {
            newton(&mut psi, now, options.iterations)?;
            if now >= reynolds {
                break;
            }
            now = (2.0 * now).min(reynolds);
        }
        let mut grids = vec![psi];
        for cells in [2 * n / 3, 3 * n / 4, n] {
            let coarse = &grids[grids.len() - 1];
            let mut psi = Square::sample(cells, [0.0, 1.0], &|x, y| coarse.value(x, y))?;
            psi.zero_boundary();
            newton(&mut psi, reynolds, options.iterations)?;
            grids.push(psi);
        }
        let mut flow = Self {
            reynolds,
            grids: grids.try_into().map_err(|_| PhysicsError::Parameter {
                name: "grids",
                value: 0.0,
                needed: "must be four",
            })?,
            accuracy: 0.0,
        };
        for i in 1..200 {
            let s = f64::from(i) / 200.0;
            for (x, y) in [(0.5, s), (s, 0.5)] {
                let [coarse, fine] = flow.pairs(x, y);
                for k in 1..3 {
                    flow.accuracy = flow.accuracy.max(SECOND * (fine[k] - coarse[k]).abs());
                }
            }
        }
        Ok(flow)
    }

    /// Re.
    pub fn reynolds(&self) -> f64 {
        self.reynolds
    }

    /// The velocity (u, v) at a point of the unit square.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    pub fn velocity(&self, x: f64, y: f64) -> Result<[f64; 2], PhysicsError> {
        check(x, y)?;
        let [_, u, v] = self.state(x, y);
        Ok([u, v])
    }

    /// The stream function, negative in the main vortex.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    pub fn stream(&self, x: f64, y: f64) -> Result<f64, PhysicsError> {
        check(x, y)?;
        Ok(self.state(x, y)[0])
    }

    /// ψ, u and v, extrapolated; on the walls as they are given.
    fn state(&self, x: f64, y: f64) -> [f64; 3] {
        if y >= 1.0 {
            return [0.0, 1.0, 0.0];
        }
        if y <= 0.0 || x <= 0.0 || x >= 1.0 {
            return [0.0; 3];
        }
        let [coarse, fine] = self.pairs(x, y);
        std::array::from_fn(|k| fine[k] + SECOND * (fine[k] - coarse[k]))
    }

    /// ψ, u and v extrapolated from the first and third, and from the second and fourth grid.
    fn pairs(&self, x: f64, y: f64) -> [[f64; 3]; 2] {
        let jets = self.grids.each_ref().map(|g| {
            let [psi, dx, dy] = g.jet(x, y);
            [psi, dy, -dx]
        });
        FIRST.map(|w| std::array::from_fn(|k| (0..4).map(|g| w[g] * jets[g][k]).sum()))
    }
}

fn check(x: f64, y: f64) -> Result<(), PhysicsError> {
    inside("x", x, 0.0, 1.0)?;
    inside("y", y, 0.0, 1.0)
}

impl Reference for CavityFlow {
    fn inputs(&self) -> usize {
        2
    }

    fn outputs(&self) -> usize {
        2
    }

    fn evaluate(&self, point: &[f64], out: &mut [f64]) -> Result<(), PhysicsError> {
        check_length("point", point.len(), 2)?;
        check_length("outputs", out.len(), 2)?;
        out.copy_from_slice(&self.velocity(point[0], point[1])?);
        Ok(())
    }

    fn accuracy(&self) -> f64 {
        self.accuracy
    }
}

/// Newton's method on ψ, whose boundary is 0 and stays so.
fn newton(psi: &mut Square, reynolds: f64, iterations: usize) -> Result<(), PhysicsError> {
    let n = psi.cells();
    let tolerance = 1e-11;
    let mut change = f64::INFINITY;
    for _ in 0..iterations {
        let (mut residual, jacobian) = linearise(psi, reynolds)?;
        let singular = |_| LinalgError::Breakdown {
            iteration: 0,
            what: "factorisation of the cavity's Jacobian",
            value: f64::NAN,
        };
        let factor = jacobian.sp_lu().map_err(singular)?;
        factor
            .solve_in_place_with_conj(Conj::No, ColMut::from_slice_mut(&mut residual).as_mat_mut());
        change = residual.iter().fold(0.0, |m: f64, d| m.max(d.abs()));
        if !change.is_finite() || change > 10.0 {
            break;
        }
        for (k, d) in residual.iter().enumerate() {
            let (i, j) = (k / (n - 1) + 1, k % (n - 1) + 1);
            psi.values_mut()[i * (n + 1) + j] -= d;
        }
        if change < tolerance {
            return Ok(());
        }
    }
    Err(PhysicsError::NotConverged {
        what: "Newton's method for the cavity: take more cells",
        size: iterations,
        change,
        tolerance,
    })
}

/// ω at a point, as weights of at most five ψ and a constant. Indices run over all (n + 1)² points.
fn vorticity(n: usize, i: usize, j: usize) -> ([(usize, f64); 5], f64) {
    let at = |i: usize, j: usize| i * (n + 1) + j;
    let square = (n * n) as f64;
    let wall = |k: usize| [(k, -2.0 * square), (k, 0.0), (k, 0.0), (k, 0.0), (k, 0.0)];
    // u = ψ_y = 1 on the lid.
    if j == n {
        return (wall(at(i, n - 1)), -2.0 * n as f64);
    }
    if j == 0 {
        return (wall(at(i, 1)), 0.0);
    }
    if i == 0 {
        return (wall(at(1, j)), 0.0);
    }
    if i == n {
        return (wall(at(n - 1, j)), 0.0);
    }
    let five = [
        (at(i, j), 4.0 * square),
        (at(i - 1, j), -square),
        (at(i + 1, j), -square),
        (at(i, j - 1), -square),
        (at(i, j + 1), -square),
    ];
    (five, 0.0)
}

/// Residual of the vorticity equation at inner points, times h²·Re, and its derivatives.
fn linearise(
    psi: &Square,
    reynolds: f64,
) -> Result<(Vec<f64>, SparseColMat<usize, f64>), PhysicsError> {
    let n = psi.cells();
    let p = psi.values();
    let at = |i: usize, j: usize| i * (n + 1) + j;
    let inner = |k: usize| {
        let (i, j) = (k / (n + 1), k % (n + 1));
        let is_inner = i > 0 && i < n && j > 0 && j < n;
        is_inner.then(|| (i - 1) * (n - 1) + j - 1)
    };
    let omega = |i: usize, j: usize| {
        let (terms, constant) = vorticity(n, i, j);
        terms.iter().map(|(k, c)| c * p[*k]).sum::<f64>() + constant
    };
    let corner = |i: usize, j: usize| (i == 0 || i == n) && (j == 0 || j == n);
    let omegas: Vec<f64> = (0..(n + 1) * (n + 1))
        .map(|k| (k / (n + 1), k % (n + 1)))
        .map(|(i, j)| if corner(i, j) { 0.0 } else { omega(i, j) })
        .collect();
    // ψ differences times Re/4 are velocities times the cell's Reynolds number over 2.
    let factor = 0.25 * reynolds;
    let size = (n - 1) * (n - 1);
    let mut residual = vec![0.0; size];
    let mut triplets = Vec::with_capacity(29 * size);
    for i in 1..n {
        for j in 1..n {
            let row = (i - 1) * (n - 1) + j - 1;
            let [east, west, north, south] =
                [at(i + 1, j), at(i - 1, j), at(i, j + 1), at(i, j - 1)];
            let along = factor * (p[north] - p[south]);
            let across = -factor * (p[east] - p[west]);
            let slope_x = omegas[east] - omegas[west];
            let slope_y = omegas[north] - omegas[south];
            let parts = [
                ((i + 1, j), along - 1.0),
                ((i - 1, j), -along - 1.0),
                ((i, j + 1), across - 1.0),
                ((i, j - 1), -across - 1.0),
                ((i, j), 4.0),
            ];
            let mut add = |k: usize, value: f64| {
                if let Some(column) = inner(k)
                    && value != 0.0
                {
                    triplets.push(Triplet::new(row, column, value));
                }
            };
            for ((a, b), c) in parts {
                residual[row] += c * omegas[at(a, b)];
                for (k, w) in vorticity(n, a, b).0 {
                    add(k, c * w);
                }
            }
            add(north, factor * slope_x);
            add(south, -factor * slope_x);
            add(east, -factor * slope_y);
            add(west, factor * slope_y);
        }
    }
    let jacobian = SparseColMat::try_new_from_triplets(size, size, &triplets);
    let jacobian = jacobian.map_err(|_| LinalgError::TooLarge {
        what: "Jacobian of the cavity",
        needed: triplets.len(),
        limit: usize::MAX,
    })?;
    Ok((residual, jacobian))
}
