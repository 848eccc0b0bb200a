//! Generalised minimal residuals, restarted, and the flexible form.
//!
//! Arnoldi vectors of A·M⁻¹ by modified Gram-Schmidt, done twice; the Hessenberg matrix is made triangular by Givens
//! rotations, which also carry the residual. Preconditioned from the right, so the residual is that of the system
//! itself. After m steps the solution is updated and the basis starts anew. [`Fgmres`] keeps M⁻¹v for every vector, so
//! that the preconditioner may change: an inner solver, a network. Step j costs one product, one M⁻¹ and 4j
//! combinations or inner products.
//!
//! Sources: Y. Saad, M. Schultz, *GMRES: a generalized minimal residual algorithm*, SIAM J. Sci. Stat. Comput. 7 (1986);
//! Y. Saad, *A flexible inner-outer preconditioned GMRES algorithm*, SIAM J. Sci. Comput. 14 (1993).

use ansatz_core::State;

use super::session::{Method, Progress, Session, Workspace};
use crate::LinalgError;
use crate::error::within;

/// GMRES(m).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gmres {
    /// Steps between restarts: m.
    pub restart: usize,
}

impl Default for Gmres {
    fn default() -> Self {
        Self { restart: 30 }
    }
}

/// GMRES(m) for preconditioners that change from step to step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fgmres {
    /// Steps between restarts: m.
    pub restart: usize,
}

impl Default for Fgmres {
    fn default() -> Self {
        Self { restart: 30 }
    }
}

/// What is kept of M⁻¹v.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Nothing,
    All,
}

fn check(restart: usize) -> Result<(), LinalgError> {
    within("restart", restart as f64, 1.0.., "at least 1")
}

impl<S: State> Method<S> for Gmres {
    fn check(&self) -> Result<(), LinalgError> {
        check(self.restart)
    }

    fn run(
        &self,
        session: &mut Session<'_, S>,
        x: &mut S,
        workspace: &mut Workspace<S>,
    ) -> Result<f64, LinalgError> {
        solve(self.restart, Kept::Nothing, session, x, workspace)
    }
}

impl<S: State> Method<S> for Fgmres {
    fn check(&self) -> Result<(), LinalgError> {
        check(self.restart)
    }

    fn run(
        &self,
        session: &mut Session<'_, S>,
        x: &mut S,
        workspace: &mut Workspace<S>,
    ) -> Result<f64, LinalgError> {
        solve(self.restart, Kept::All, session, x, workspace)
    }
}

/// The triangular factor of the Hessenberg matrix, column by column, and its rotations.
struct Hessenberg {
    m: usize,
    columns: Vec<f64>,
    rotations: Vec<(f64, f64)>,
    /// The rotated right-hand side; its last entry is the residual, with a sign.
    g: Vec<f64>,
}

impl Hessenberg {
    fn new(m: usize) -> Self {
        Self {
            m,
            columns: vec![0.0; m * (m + 1)],
            rotations: vec![(1.0, 0.0); m],
            g: vec![0.0; m + 1],
        }
    }

    fn column(&mut self, j: usize) -> &mut [f64] {
        &mut self.columns[j * (self.m + 1)..][..j + 2]
    }

    /// Rotates column `j` and the right-hand side; returns the norm of the residual.
    fn rotate(&mut self, j: usize) -> f64 {
        let h = &mut self.columns[j * (self.m + 1)..][..j + 2];
        for (i, (c, s)) in self.rotations[..j].iter().enumerate() {
            (h[i], h[i + 1]) = (c * h[i] + s * h[i + 1], c * h[i + 1] - s * h[i]);
        }
        let length = h[j].hypot(h[j + 1]);
        let (c, s) = if length == 0.0 {
            (1.0, 0.0)
        } else {
            (h[j] / length, h[j + 1] / length)
        };
        self.rotations[j] = (c, s);
        (h[j], h[j + 1]) = (length, 0.0);
        (self.g[j], self.g[j + 1]) = (c * self.g[j], -s * self.g[j]);
        self.g[j + 1].abs()
    }

    /// The coefficients of the solution in the first `k` vectors, in place of the right-hand side.
    fn coefficients(&mut self, k: usize) -> Result<&[f64], LinalgError> {
        for j in (0..k).rev() {
            let known: f64 = (j + 1..k)
                .map(|l| self.columns[l * (self.m + 1) + j] * self.g[l])
                .sum();
            let pivot = self.columns[j * (self.m + 1) + j];
            if pivot == 0.0 {
                return Err(LinalgError::Singular {
                    what: "operator on its Krylov space",
                    estimate: 0.0,
                });
            }
            self.g[j] = (self.g[j] - known) / pivot;
        }
        Ok(&self.g[..k])
    }
}

fn solve<S: State>(
    m: usize,
    kept: Kept,
    session: &mut Session<'_, S>,
    x: &mut S,
    workspace: &mut Workspace<S>,
) -> Result<f64, LinalgError> {
    let m = m.min(session.max_iterations()).min(x.len()).max(1);
    let preconditioned = session.is_preconditioned();
    let flexible = kept == Kept::All && preconditioned;
    let count = m + 1 + if flexible { m } else { 1 };
    let (basis, z) = workspace.first(count, x).split_at_mut(m + 1);
    let mut norm = session.residual(x, &mut basis[0])?;
    let mut progress = session.start(x, norm);
    let mut h = Hessenberg::new(m);
    while progress == Progress::Continue {
        basis[0].lincomb(1.0 / norm, &[]);
        h.g.fill(0.0);
        h.g[0] = norm;
        let mut used = 0;
        let mut invariant = false;
        while used < m && progress == Progress::Continue && !invariant {
            let (known, rest) = basis.split_at_mut(used + 1);
            let (v, next) = (&known[used], &mut rest[0]);
            if preconditioned {
                let z = &mut z[if flexible { used } else { 0 }];
                session.precondition(v, z)?;
                session.apply(z, next)?;
            } else {
                session.apply(v, next)?;
            }
            let before = session.finite("the norm of a Krylov vector", next.norm())?;
            let column = h.column(used);
            column.fill(0.0);
            for _ in 0..2 {
                for (i, v) in known.iter().enumerate() {
                    let c = v.dot(next);
                    column[i] += c;
                    next.lincomb(1.0, &[(-c, v)]);
                }
            }
            let length = next.norm();
            // What rounding leaves of a vector that lies in the space.
            invariant = length <= before * 1e2 * f64::EPSILON;
            column[used + 1] = if invariant { 0.0 } else { length };
            if !invariant {
                next.lincomb(1.0 / length, &[]);
            }
            let residual = h.rotate(used);
            let residual = session.finite("the norm of the residual", residual)?;
            used += 1;
            progress = session.step(None, residual);
        }
        // x ← x + M⁻¹·V·c, or x + Z·c.
        let c = h.coefficients(used)?;
        if flexible || !preconditioned {
            let from: &[S] = if flexible { z } else { basis };
            for (c, v) in c.iter().zip(from) {
                x.lincomb(1.0, &[(*c, v)]);
            }
        } else {
            let (sum, rest) = basis.split_at_mut(1);
            let (sum, out) = (&mut sum[0], &mut z[0]);
            sum.lincomb(c[0], &[]);
            for (c, v) in c[1..].iter().zip(&*rest) {
                sum.lincomb(1.0, &[(*c, v)]);
            }
            session.precondition(sum, out)?;
            x.lincomb(1.0, &[(1.0, out)]);
        }
        let ended = progress == Progress::Ended;
        let last = norm;
        norm = session.residual(x, &mut basis[0])?;
        progress = session.correct(norm);
        if ended && progress == Progress::Continue {
            progress = Progress::Ended;
        }
        // Rounding: a whole cycle that gains nothing will gain nothing again.
        if invariant && norm >= last && progress == Progress::Continue {
            progress = Progress::Ended;
        }
    }
    Ok(norm)
}
