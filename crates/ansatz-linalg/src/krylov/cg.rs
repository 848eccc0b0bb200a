//! Conjugate gradients.
//!
//! ```text
//! α = rᵀz/pᵀAp,   x ← x + αp,   r ← r − αAp,   z = M⁻¹r,   p ← z + βp
//! β = r₊ᵀz₊/rᵀz            (Fletcher-Reeves)
//! β = z₊ᵀ(r₊ − r)/rᵀz      (Polak-Ribière, for preconditioners that change from step to step)
//! ```
//!
//! The error falls in the energy norm by 2((√κ − 1)/(√κ + 1))ᵏ at least, κ the condition number of M⁻¹A. The last iterate
//! is the best in that norm, whatever the residual does. A step costs one product, one M⁻¹, two inner products and
//! three combinations; the flexible variant costs no vector more, because r₊ − r = −αAp.
//!
//! Sources: M. Hestenes, E. Stiefel, *Methods of conjugate gradients for solving linear systems*, 1952; Y. Notay,
//! *Flexible conjugate gradients*, SIAM J. Sci. Comput. 22 (2000).

use ansatz_core::State;

use super::session::{Method, Progress, Session, Workspace};
use crate::LinalgError;
use crate::error::within;

/// How the next direction remembers the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Beta {
    /// r₊ᵀz₊/rᵀz: for a fixed preconditioner.
    #[default]
    FletcherReeves,
    /// z₊ᵀ(r₊ − r)/rᵀz: for a preconditioner that changes from step to step or is not quite symmetric. One inner
    /// product more.
    PolakRibiere,
}

/// Conjugate gradients, preconditioned or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cg {
    /// How directions are combined.
    pub beta: Beta,
    /// Steps after which the residual is computed from its definition.
    pub refresh: usize,
}

impl Default for Cg {
    /// Fletcher-Reeves, a fresh residual every 50 steps.
    fn default() -> Self {
        Self {
            beta: Beta::FletcherReeves,
            refresh: 50,
        }
    }
}

impl Cg {
    /// For preconditioners that change from step to step.
    pub fn flexible() -> Self {
        Self {
            beta: Beta::PolakRibiere,
            ..Self::default()
        }
    }
}

/// What deflation does to a direction; nothing for plain conjugate gradients.
pub(crate) trait Deflate<S: State> {
    /// Takes out of `p ← z + βp` what lies in the deflated space, where `z` is a preconditioned residual.
    fn deflate(&mut self, z: &S, p: &mut S);
}

impl<S: State> Deflate<S> for () {
    fn deflate(&mut self, _: &S, _: &mut S) {}
}

impl<S: State> Method<S> for Cg {
    fn check(&self) -> Result<(), LinalgError> {
        within("refresh", self.refresh as f64, 1.0.., "at least 1")
    }

    fn run(
        &self,
        session: &mut Session<'_, S>,
        x: &mut S,
        workspace: &mut Workspace<S>,
    ) -> Result<f64, LinalgError> {
        let [r, ..] = workspace.vectors::<4>(x);
        let norm = session.residual(x, r)?;
        if session.start(x, norm) != Progress::Continue {
            return Ok(norm);
        }
        self.iterate(session, &mut (), x, norm, workspace)
    }
}

impl Cg {
    /// The loop, from the residual in the first vector of the workspace.
    pub(crate) fn iterate<S: State>(
        &self,
        session: &mut Session<'_, S>,
        deflation: &mut impl Deflate<S>,
        x: &mut S,
        norm: f64,
        workspace: &mut Workspace<S>,
    ) -> Result<f64, LinalgError> {
        let [r, own_z, p, q] = workspace.vectors::<4>(x);
        let preconditioned = session.is_preconditioned();
        let (mut rz, mut alpha) = (norm * norm, 0.0);
        let mut first = true;
        loop {
            let z: &S = if preconditioned {
                session.precondition(r, own_z)?;
                own_z
            } else {
                r
            };
            let new = z.dot(r);
            let new = positive(
                session,
                new,
                "rᵀM⁻¹r (the preconditioner must be positive definite)",
            )?;
            let beta = match self.beta {
                _ if first => 0.0,
                Beta::FletcherReeves => new / rz,
                // r₊ − r = −αq.
                Beta::PolakRibiere => -alpha * q.dot(z) / rz,
            };
            (rz, first) = (new, false);
            p.lincomb(beta, &[(1.0, z)]);
            deflation.deflate(z, p);
            // The step along p.
            session.apply(p, q)?;
            let curvature = session.finite("pᵀA·p", p.dot(q))?;
            if curvature <= 0.0 {
                return Err(LinalgError::Indefinite {
                    iteration: session.iterations() + 1,
                    curvature,
                });
            }
            alpha = rz / curvature;
            r.lincomb(1.0, &[(-alpha, q)]);
            let norm = session.finite("the norm of the residual", r.norm())?;
            x.lincomb(1.0, &[(alpha, p)]);
            let mut progress = session.step(Some(x), norm);
            let mut exact = norm;
            if progress != Progress::Continue || session.iterations().is_multiple_of(self.refresh) {
                exact = session.residual(x, r)?;
                progress = session.correct(exact);
            }
            if progress != Progress::Continue {
                return Ok(exact);
            }
        }
    }
}

fn positive<S: State>(
    session: &Session<'_, S>,
    value: f64,
    what: &'static str,
) -> Result<f64, LinalgError> {
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(LinalgError::Breakdown {
        iteration: session.iterations() + 1,
        what,
        value,
    })
}
