//! Conjugate gradients with known slow directions taken out.
//!
//! With W of k columns, E = WᵀAW: the starting guess gets x + W·E⁻¹·Wᵀr, and every direction loses its component
//! along W in the inner product of A,
//!
//! ```text
//! p ← z + βp − W·E⁻¹·WᵀA·z
//! ```
//!
//! which leaves the eigenvalues outside of span W to converge: good where few small ones are isolated and their vectors
//! are known, from earlier solves for instance. A step costs 2k inner products and combinations more; making W ready
//! costs k products and memory for 2k vectors.
//!
//! Source: Y. Saad, M. Yeung, J. Erhel, F. Guyomarc'h, *A deflated version of the conjugate gradient algorithm*, SIAM
//! J. Sci. Comput. 21 (2000).

use ansatz_core::{LinearMap, State};
use faer::linalg::cholesky::llt::factor::LltError;
use faer::linalg::solvers::Llt;
use faer::{Mat, Side};

use super::cg::{Cg, Deflate};
use super::session::{Method, Progress, Session, Workspace, finite_state};
use crate::LinalgError;

/// Conjugate gradients deflated by a subspace.
#[derive(Debug, Clone)]
pub struct DeflatedCg<S> {
    /// The method for the rest.
    pub cg: Cg,
    w: Vec<S>,
    aw: Vec<S>,
    /// Rows of the Cholesky factor of E, packed.
    factor: Vec<Vec<f64>>,
}

impl<S: State> DeflatedCg<S> {
    /// For the operator `a` and linearly independent vectors `w`.
    ///
    /// # Errors
    /// [`LinalgError::NotFinite`]; [`LinalgError::NotPositiveDefinite`] where WᵀAW is not, which dependent vectors
    /// cause as well; what the operator reports.
    pub fn new(a: &dyn LinearMap<S>, w: Vec<S>) -> Result<Self, LinalgError> {
        let mut aw = Vec::with_capacity(w.len());
        for v in &w {
            finite_state("deflation vector", v)?;
            let mut product = v.zeros_like();
            a.apply(v, &mut product)?;
            finite_state("product with a deflation vector", &product)?;
            aw.push(product);
        }
        let e = Mat::from_fn(w.len(), w.len(), |i, j| w[i].dot(&aw[j]));
        let dependent = |at: usize, value: f64| LinalgError::NotPositiveDefinite {
            what: "WᵀAW of the deflation vectors",
            at,
            value,
        };
        let llt = Llt::new(e.as_ref(), Side::Lower)
            .map_err(|LltError::NonPositivePivot { index }| dependent(index, 0.0))?;
        for i in 0..w.len() {
            // What rounding leaves of a vector that lies in the space of the others.
            let pivot = llt.L()[(i, i)].powi(2);
            if pivot.is_nan() || pivot <= 10.0 * w.len() as f64 * f64::EPSILON * e[(i, i)] {
                return Err(dependent(i, pivot));
            }
        }
        let factor = (0..w.len())
            .map(|i| (0..=i).map(|j| llt.L()[(i, j)]).collect())
            .collect();
        Ok(Self {
            cg: Cg::default(),
            w,
            aw,
            factor,
        })
    }

    /// `c ← E⁻¹·c`.
    fn solve(&self, c: &mut [f64]) {
        let l = &self.factor;
        for i in 0..c.len() {
            let known: f64 = (0..i).map(|j| l[i][j] * c[j]).sum();
            c[i] = (c[i] - known) / l[i][i];
        }
        for i in (0..c.len()).rev() {
            let known: f64 = (i + 1..c.len()).map(|j| l[j][i] * c[j]).sum();
            c[i] = (c[i] - known) / l[i][i];
        }
    }
}

/// The subspace and memory for coefficients.
struct Subspace<'a, S> {
    of: &'a DeflatedCg<S>,
    c: Vec<f64>,
}

impl<S: State> Subspace<'_, S> {
    /// `x ← x + sign·W·E⁻¹·Vᵀr`.
    fn add(&mut self, sign: f64, v: &[S], r: &S, x: &mut S) {
        for (c, v) in self.c.iter_mut().zip(v) {
            *c = v.dot(r);
        }
        self.of.solve(&mut self.c);
        for (c, w) in self.c.iter().zip(&self.of.w) {
            x.lincomb(1.0, &[(sign * c, w)]);
        }
    }
}

impl<S: State> Deflate<S> for Subspace<'_, S> {
    fn deflate(&mut self, z: &S, p: &mut S) {
        self.add(-1.0, &self.of.aw, z, p);
    }
}

impl<S: State> Method<S> for DeflatedCg<S> {
    fn check(&self) -> Result<(), LinalgError> {
        Method::<S>::check(&self.cg)
    }

    fn run(
        &self,
        session: &mut Session<'_, S>,
        x: &mut S,
        workspace: &mut Workspace<S>,
    ) -> Result<f64, LinalgError> {
        if let Some(w) = self.w.iter().find(|w| !w.same_shape(x)) {
            return Err(LinalgError::Shape {
                what: "deflation vector",
                expected: x.len(),
                got: w.len(),
            });
        }
        let mut subspace = Subspace {
            of: self,
            c: vec![0.0; self.w.len()],
        };
        let [r, ..] = workspace.vectors::<4>(x);
        session.residual(x, r)?;
        subspace.add(1.0, &self.w, r, x);
        let norm = session.residual(x, r)?;
        if session.start(x, norm) != Progress::Continue {
            return Ok(norm);
        }
        self.cg.iterate(session, &mut subspace, x, norm, workspace)
    }
}
