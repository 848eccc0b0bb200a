//! Splitting methods: a sum of right sides, each followed for a while with the others at rest.
//!
//! For dx/dt = A(x) + B(x) whose parts have flows e^{hA}, e^{hB} that are easier than that of the sum, a step is a product of such
//! flows: e^{hB}·e^{hA} (Lie and Trotter, order 1), e^{hB/2}·e^{hA}·e^{hB/2} (Strang, order 2), and Strang's steps of
//! several lengths for higher orders. A [`Splitting`] is the list of these factors, which flow for which part of the step;
//! flows are functions of the caller: closed forms, solvers, fast transforms, or networks.
//!
//! The order holds for exact flows, and for flows of that order at least: with a single Euler step for each
//! factor any splitting is of order 1, however symmetric it is. (A Transformer's layer is Lie and Trotter's step of
//! attention and feed-forward parts with Euler steps, the Macaron layer Strang's.) Negative parts, which every method
//! above order 2 has, need flows that can go back in time: not diffusion.
//!
//! Cost: the flows. Use it when they keep what the equation keeps (energies, masses, positivity), or when one part is
//! stiff and linear; else a Runge-Kutta method is cheaper.
//!
//! References: H. F. Trotter, *On the product of semi-groups of operators*, 1959; G. Strang, *On the construction and
//! comparison of difference schemes*, 1968; H. Yoshida, *Construction of higher order symplectic integrators*, 1990;
//! Y. Lu et al., *Understanding and improving Transformer from a multi-particle dynamic system point of view*, 2019.

use ansatz_core::{EvalError, State};

use crate::{Composition, StepError};

/// The flow of one part: replaces the state by the one h later.
pub type Flow<'a, S> = dyn FnMut(f64, &mut S) -> Result<(), EvalError> + 'a;

/// A product of flows.
///
/// ```
/// use ansatz_diffeq::Splitting;
/// // An oscillator with friction: turning and slowing down, each exactly.
/// let mut turn = |h: f64, x: &mut [f64; 2]| {
///     let (s, c) = h.sin_cos();
///     *x = [c * x[0] + s * x[1], c * x[1] - s * x[0]];
///     Ok(())
/// };
/// let mut slow = |h: f64, x: &mut [f64; 2]| {
///     x[1] *= (-0.2 * h).exp();
///     Ok(())
/// };
/// let mut x = [1.0, 0.0];
/// Splitting::strang(2).solve(&mut [&mut turn, &mut slow], (0.0, 10.0), 1000, &mut x)?;
/// // x'' + 0.2·x' + x = 0.
/// let w = 0.99_f64.sqrt();
/// let exact = (-1.0_f64).exp() * ((10.0 * w).cos() + 0.1 / w * (10.0 * w).sin());
/// assert!((x[0] - exact).abs() < 1e-5);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Splitting {
    /// Name for messages.
    pub name: &'static str,
    /// Order with exact flows.
    pub order: u32,
    /// The first factor first: which flow, and for which part of the step. The parts of each flow sum to 1.
    pub factors: Vec<(usize, f64)>,
}

impl Splitting {
    /// Lie and Trotter's product of `flows` flows: each for the whole step, in their order. Order 1.
    #[must_use]
    pub fn lie_trotter(flows: usize) -> Self {
        Self {
            name: "Lie-Trotter",
            order: 1,
            factors: (0..flows).map(|i| (i, 1.0)).collect(),
        }
    }

    /// Strang's product: half a step of each flow but the first, from the last on, a whole one of the first, and the
    /// halves again in the other order. Order 2.
    #[must_use]
    pub fn strang(flows: usize) -> Self {
        let halves = (1..flows).map(|i| (i, 0.5));
        let whole = (flows > 0).then_some((0, 1.0));
        Self {
            name: "Strang",
            order: 2,
            factors: halves.clone().rev().chain(whole).chain(halves).collect(),
        }
    }

    /// Steps of this method, which is symmetric and of order 2, of the lengths of a composition:
    /// [`YOSHIDA4`](crate::YOSHIDA4) and [`YOSHIDA6`](crate::YOSHIDA6) raise the order to 4 and 6. Neighbours of one flow
    /// become one factor.
    #[must_use]
    pub fn composed(&self, by: &Composition) -> Self {
        let mut factors: Vec<(usize, f64)> = Vec::new();
        for w in by.weights {
            for (i, part) in &self.factors {
                match factors.last_mut() {
                    Some((last, sum)) if last == i => *sum += w * part,
                    _ => factors.push((*i, w * part)),
                }
            }
        }
        Self {
            name: by.name,
            order: by.order,
            factors,
        }
    }

    /// Number of flows.
    #[must_use]
    pub fn flows(&self) -> usize {
        self.factors.iter().map(|f| f.0 + 1).max().unwrap_or(0)
    }

    /// One step of length h.
    ///
    /// # Errors
    /// As [`Splitting::solve`].
    pub fn step<S: State>(
        &self,
        flows: &mut [&mut Flow<'_, S>],
        h: f64,
        x: &mut S,
    ) -> Result<(), StepError> {
        self.solve(flows, (0.0, h), 1, x)
    }

    /// Replaces `x`, the state at `times.0`, by the state at `times.1`, in so many equal steps.
    ///
    /// # Errors
    /// [`StepError::Count`] for another number of flows than [`Splitting::flows`], [`StepError::Tableau`] when the parts of a
    /// flow do not sum to 1, [`StepError::Option`] without a step or for times that are not finite, [`StepError::Eval`] where a
    /// flow fails, with the time at which the step began, [`StepError::NonFinite`] when the state is not finite after a
    /// step. `x` is then unchanged.
    pub fn solve<S: State>(
        &self,
        flows: &mut [&mut Flow<'_, S>],
        times: (f64, f64),
        steps: usize,
        x: &mut S,
    ) -> Result<(), StepError> {
        self.validate(flows.len())?;
        let span = times.1 - times.0;
        let option = |name, value, allowed| StepError::Option {
            name,
            value,
            allowed,
        };
        if steps == 0 {
            return Err(option("steps", 0.0, "at least 1"));
        }
        if !span.is_finite() {
            return Err(option("times.1 - times.0", span, "a finite number"));
        }
        let mut state = x.clone();
        let h = span / steps as f64;
        for i in 0..steps {
            let t = times.0 + h * i as f64;
            for (flow, part) in &self.factors {
                let moved = flows[*flow](part * h, &mut state);
                moved.map_err(|source| StepError::Eval { t, source })?;
            }
            if !state.is_finite() {
                return Err(StepError::NonFinite {
                    what: "the state after the flows of a step",
                    t: t + h,
                });
            }
        }
        *x = state;
        Ok(())
    }

    fn validate(&self, given: usize) -> Result<(), StepError> {
        let expected = self.flows();
        if given != expected {
            return Err(StepError::Count {
                what: "flows of a splitting",
                expected,
                got: given,
            });
        }
        for flow in 0..expected {
            let parts = self.factors.iter().filter(|f| f.0 == flow);
            let sum: f64 = parts.map(|f| f.1).sum();
            // Rounding of a few printed weights.
            if sum.is_nan() || (sum - 1.0).abs() > 1e-12 {
                return Err(StepError::Tableau {
                    name: self.name,
                    what: "the sum of the parts",
                    stage: flow,
                    got: sum,
                    expected: 1.0,
                });
            }
        }
        Ok(())
    }
}
