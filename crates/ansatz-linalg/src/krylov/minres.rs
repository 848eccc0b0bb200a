//! The minimal residual method for symmetric operators, definite or not.
//!
//! Lanczos vectors of M⁻¹A, a QR factorisation of their tridiagonal matrix by reflections, one column at a time, and
//! short recurrences for the solution: the residual is the smallest in the Krylov space (in the norm of M⁻¹). A step
//! costs one product, one M⁻¹, two inner products and five combinations. The operator may be indefinite, the
//! preconditioner not.
//!
//! Source: C. Paige, M. Saunders, *Solution of sparse indefinite systems of linear equations*, SIAM J. Numer. Anal. 12
//! (1975).

use ansatz_core::State;

use super::session::{Method, Progress, Session, Workspace};
use crate::LinalgError;

/// MINRES.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Minres;

impl<S: State> Method<S> for Minres {
    fn run(
        &self,
        session: &mut Session<'_, S>,
        x: &mut S,
        workspace: &mut Workspace<S>,
    ) -> Result<f64, LinalgError> {
        let [r, mut v_old, mut v, mut next, mut w_old, mut w, z, y] = workspace.vectors::<8>(x);
        let norm = session.residual(x, r)?;
        if session.start(x, norm) != Progress::Continue {
            return Ok(norm);
        }
        let preconditioned = session.is_preconditioned();
        // Unnormalised Lanczos vectors v, preconditioned ones z; β² = vᵀz.
        v.assign(r);
        v_old.lincomb(0.0, &[]);
        w_old.lincomb(0.0, &[]);
        w.lincomb(0.0, &[]);
        let mut beta = scale(session, v, z, preconditioned)?;
        let mut beta_old = 1.0;
        let (mut phi, mut cs, mut sn) = (beta, -1.0, 0.0);
        let (mut d_bar, mut epsilon) = (0.0, 0.0);
        loop {
            // y = M⁻¹v/β, the normalised vector; next = A·y − (α/β)·v − (β/β_old)·v_old.
            y.lincomb(0.0, &[(1.0 / beta, if preconditioned { z } else { v })]);
            session.apply(y, next)?;
            next.lincomb(1.0, &[(-beta / beta_old, v_old)]);
            let alpha = session.finite("the diagonal of the Lanczos matrix", next.dot(y))?;
            next.lincomb(1.0, &[(-alpha / beta, v)]);
            (v_old, v, next) = (v, next, v_old);
            let beta_next = scale(session, v, z, preconditioned)?;
            // The last reflection on the new column, then a new one.
            let epsilon_old = epsilon;
            let delta = cs * d_bar + sn * alpha;
            let g_bar = sn * d_bar - cs * alpha;
            epsilon = sn * beta_next;
            d_bar = -cs * beta_next;
            let gamma = g_bar.hypot(beta_next);
            if gamma <= f64::MIN_POSITIVE {
                return Err(LinalgError::Singular {
                    what: "operator on the space of the right-hand side",
                    estimate: 0.0,
                });
            }
            (cs, sn) = (g_bar / gamma, beta_next / gamma);
            let step = cs * phi;
            phi *= sn;
            (w_old, w) = (w, w_old);
            w.lincomb(
                -epsilon_old / gamma,
                &[(1.0 / gamma, y), (-delta / gamma, w_old)],
            );
            x.lincomb(1.0, &[(step, w)]);
            (beta_old, beta) = (beta, beta_next);
            let residual = if preconditioned {
                // The recurrence gives ‖r‖ in the norm of M⁻¹; the vector gives the one asked for.
                if beta_next > 0.0 {
                    r.lincomb(sn * sn, &[(-phi * cs / beta_next, v)]);
                } else {
                    r.lincomb(0.0, &[]);
                }
                r.norm()
            } else {
                phi.abs()
            };
            let residual = session.finite("the norm of the residual", residual)?;
            let progress = session.step(Some(x), residual);
            let exhausted = beta_next <= f64::EPSILON * gamma * f64::EPSILON;
            if progress != Progress::Continue || exhausted {
                let exact = session.residual(x, next)?;
                let progress = session.correct(exact);
                if progress != Progress::Continue || exhausted {
                    return Ok(exact);
                }
            }
        }
    }
}

/// √(vᵀM⁻¹v), leaving M⁻¹v in `z`.
fn scale<S: State>(
    session: &mut Session<'_, S>,
    v: &S,
    z: &mut S,
    preconditioned: bool,
) -> Result<f64, LinalgError> {
    if !preconditioned {
        return session.finite("the norm of a Lanczos vector", v.norm());
    }
    session.precondition(v, z)?;
    let square = v.dot(z);
    if square < 0.0 || !square.is_finite() {
        return Err(LinalgError::Breakdown {
            iteration: session.iterations() + 1,
            what: "vᵀM⁻¹v (the preconditioner must be positive definite)",
            value: square,
        });
    }
    Ok(square.sqrt())
}
