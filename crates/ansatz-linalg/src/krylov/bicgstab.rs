//! Stabilised biconjugate gradients, for operators without symmetry, in constant memory.
//!
//! ```text
//! p ← r + β(p − ωv),   v = A·M⁻¹p,   α = ρ/r̂ᵀv,   s = r − αv,   t = A·M⁻¹s,   ω = tᵀs/tᵀt
//! x ← x + αM⁻¹p + ωM⁻¹s,   r ← s − ωt
//! ```
//!
//! Preconditioned from the right. The residual jumps; the best iterate is kept and given back where the method does
//! not converge. A vanishing inner product starts the method anew from the iterate, once per vector; the second time it
//! is [`LinalgError::Breakdown`].
//!
//! Source: H. van der Vorst, *Bi-CGSTAB: a fast and smoothly converging variant of Bi-CG*, SIAM J. Sci. Stat. Comput. 13
//! (1992).

use ansatz_core::State;

use super::session::{Method, Progress, Session, Workspace};
use crate::LinalgError;

/// BiCGStab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BiCgStab;

impl<S: State> Method<S> for BiCgStab {
    fn run(
        &self,
        session: &mut Session<'_, S>,
        x: &mut S,
        workspace: &mut Workspace<S>,
    ) -> Result<f64, LinalgError> {
        let [r, ..] = workspace.vectors::<9>(x);
        let norm = session.residual(x, r)?;
        if session.start(x, norm) != Progress::Continue {
            return Ok(norm);
        }
        let mut smallest = norm;
        let result = iterate(session, x, norm, &mut smallest, workspace);
        let [r, best, ..] = workspace.vectors::<9>(x);
        match result {
            Ok(exact) if exact <= smallest => Ok(exact),
            Ok(_) if smallest < norm => {
                x.assign(best);
                session.residual(x, r)
            }
            Ok(exact) => Ok(exact),
            Err(error) => {
                if smallest < norm {
                    x.assign(best);
                }
                Err(error)
            }
        }
    }
}

/// Inner products below this part of the norms are rounding.
const VANISHING: f64 = 1e-30;

fn iterate<S: State>(
    session: &mut Session<'_, S>,
    x: &mut S,
    mut norm: f64,
    smallest: &mut f64,
    workspace: &mut Workspace<S>,
) -> Result<f64, LinalgError> {
    let [r, best, shadow, p, v, t, p_hat, s_hat, _] = workspace.vectors::<9>(x);
    let start = norm;
    let preconditioned = session.is_preconditioned();
    let (mut rho, mut alpha, mut omega) = (1.0, 1.0, 1.0);
    let mut fresh = true;
    loop {
        if fresh {
            shadow.assign(r);
            p.lincomb(0.0, &[]);
            v.lincomb(0.0, &[]);
            (rho, alpha, omega) = (1.0, 1.0, 1.0);
        }
        let rho_next = shadow.dot(r);
        let vanished = |a: f64, scale: f64| !a.is_finite() || a.abs() <= VANISHING * scale;
        if vanished(rho_next, shadow.norm() * norm) {
            breakdown(
                session,
                fresh,
                "the inner product with the shadow residual",
                rho_next,
            )?;
            fresh = true;
            continue;
        }
        let beta = rho_next / rho * (alpha / omega);
        rho = rho_next;
        p.lincomb(beta, &[(1.0, r), (-beta * omega, v)]);
        let p_hat: &S = if preconditioned {
            session.precondition(p, p_hat)?;
            p_hat
        } else {
            p
        };
        session.apply(p_hat, v)?;
        let along = shadow.dot(v);
        if vanished(along, shadow.norm() * v.norm()) {
            breakdown(
                session,
                fresh,
                "the inner product of the shadow residual and A·p",
                along,
            )?;
            fresh = true;
            continue;
        }
        fresh = false;
        alpha = rho / along;
        r.lincomb(1.0, &[(-alpha, v)]);
        let s_hat: &S = if preconditioned {
            session.precondition(r, s_hat)?;
            s_hat
        } else {
            r
        };
        session.apply(s_hat, t)?;
        let tt = session.finite("‖A·s‖²", t.dot(t))?;
        omega = if tt > 0.0 { t.dot(r) / tt } else { 0.0 };
        x.lincomb(1.0, &[(alpha, p_hat), (omega, s_hat)]);
        r.lincomb(1.0, &[(-omega, t)]);
        norm = session.finite("the norm of the residual", r.norm())?;
        let mut progress = session.step(Some(x), norm);
        if norm < *smallest && progress == Progress::Continue {
            // A copy only for a gain that matters: the bookkeeping stays cheap.
            if norm < 0.9 * *smallest || *smallest >= start {
                best.assign(x);
                *smallest = norm;
            }
        }
        let mut exact = norm;
        if progress != Progress::Continue {
            exact = session.residual(x, r)?;
            progress = session.correct(exact);
            fresh = true;
        }
        if progress != Progress::Continue {
            return Ok(exact);
        }
        norm = exact;
        if omega == 0.0 {
            session.note_safeguard();
            fresh = true;
        }
    }
}

fn breakdown<S: State>(
    session: &mut Session<'_, S>,
    fresh: bool,
    what: &'static str,
    value: f64,
) -> Result<(), LinalgError> {
    if fresh || !value.is_finite() {
        return Err(LinalgError::Breakdown {
            iteration: session.iterations() + 1,
            what,
            value,
        });
    }
    session.note_safeguard();
    Ok(())
}
