//! Penalties that tie two networks together where their domains meet.

use std::sync::Arc;

use ansatz_autodiff::Array;
use ansatz_nn::Pass;

use crate::error::expect;
use crate::{Model, PdeError, Term, partials};

/// A function of the unknown `[n, 1]` at points `[n, 2]`, `[n, 1]`: a residual or a flux.
pub type Operator =
    Arc<dyn for<'g> Fn(Array<'g>, Array<'g>) -> Result<Array<'g>, PdeError> + Send + Sync>;

/// One penalty, a mean over points of the interface; u₁ and u₂ are the two networks there, (x, y) the coordinates, the second
/// being the time in equations that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterfaceTerm {
    /// (u₁ − u₂)².
    Value,
    /// (u₁ − ū)² + (u₂ − ū)² with ū = (u₁ + u₂)/2: half of the one before, and kept because the published set has it.
    Average,
    /// r₁² + r₂², residuals of the equation.
    Residual,
    /// (r₁ − r₂)².
    ResidualContinuity,
    /// Squared jump of the flux.
    Flux,
    /// Squared jump of ∂²u/∂y².
    SecondY,
    /// ‖∇r₁‖² + ‖∇r₂‖².
    ResidualGradient,
    /// Squared jump of ∂u/∂x.
    FirstX,
    /// Squared jump of ∂²u/∂x².
    SecondX,
}

impl InterfaceTerm {
    /// All of them, in the order of the switches of an action.
    pub const ALL: [Self; 9] = [
        Self::Value,
        Self::Average,
        Self::Residual,
        Self::ResidualContinuity,
        Self::Flux,
        Self::SecondY,
        Self::ResidualGradient,
        Self::FirstX,
        Self::SecondX,
    ];

    /// The action that switches these on.
    #[must_use]
    pub fn action(terms: &[Self]) -> Vec<bool> {
        Self::ALL.iter().map(|t| terms.contains(t)).collect()
    }
}

/// Two networks and what an equation asks of them.
#[derive(Clone)]
pub struct Interface {
    /// The unknown on either side.
    pub models: [Model; 2],
    /// Residual of the equation.
    pub residual: Operator,
    /// What flows through the interface.
    pub flux: Operator,
}

impl std::fmt::Debug for Interface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interface").finish_non_exhaustive()
    }
}

impl Interface {
    /// Columns whose squares are the penalty.
    ///
    /// # Errors
    /// As [`partials`].
    pub fn columns<'g>(
        &self,
        term: InterfaceTerm,
        pass: &Pass<'g>,
        x: Array<'g>,
    ) -> Result<Vec<Array<'g>>, PdeError> {
        let [u1, u2] = [0, 1].map(|i| self.models[i].apply(pass, x));
        let derivative = |order: [usize; 2]| {
            let one = |u| Ok::<_, PdeError>(partials(u, x, &[order.to_vec()])?[0]);
            Ok::<_, PdeError>(vec![one(u1)? - one(u2)?])
        };
        let residuals = || Ok::<_, PdeError>([(self.residual)(u1, x)?, (self.residual)(u2, x)?]);
        Ok(match term {
            InterfaceTerm::Value => vec![u1 - u2],
            InterfaceTerm::Average => {
                let mean = (u1 + u2) * 0.5;
                vec![u1 - mean, u2 - mean]
            }
            InterfaceTerm::Residual => residuals()?.to_vec(),
            InterfaceTerm::ResidualContinuity => {
                let [r1, r2] = residuals()?;
                vec![r1 - r2]
            }
            InterfaceTerm::Flux => vec![(self.flux)(u1, x)? - (self.flux)(u2, x)?],
            InterfaceTerm::ResidualGradient => {
                let gradient = [vec![1, 0], vec![0, 1]];
                let mut all = Vec::new();
                for r in residuals()? {
                    all.extend(partials(r, x, &gradient)?);
                }
                all
            }
            InterfaceTerm::SecondY => derivative([0, 2])?,
            InterfaceTerm::FirstX => derivative([1, 0])?,
            InterfaceTerm::SecondX => derivative([2, 0])?,
        })
    }

    /// The penalties of an action as one term at points of the interface, with one weight; none for an action without any.
    ///
    /// # Errors
    /// [`PdeError::Width`] for an action of another length than nine.
    pub fn term(
        &self,
        action: &[bool],
        points: Vec<f64>,
        weight: f64,
    ) -> Result<Option<Term>, PdeError> {
        expect(
            "switches of an action",
            InterfaceTerm::ALL.len(),
            action.len(),
        )?;
        let on = InterfaceTerm::ALL.iter().zip(action);
        let on: Vec<InterfaceTerm> = on.filter(|(_, a)| **a).map(|(t, _)| *t).collect();
        if on.is_empty() {
            return Ok(None);
        }
        let this = self.clone();
        let term = Term::new("interface", 2, points, move |pass, x| {
            let mut columns = Vec::new();
            for term in &on {
                columns.extend(this.columns(*term, pass, x)?);
            }
            Ok(Array::concatenate(&columns, 1))
        });
        Ok(Some(term.weighted(weight)))
    }
}
