//! Strong methods for diagonal and scalar noise, with iterated integrals.
//!
//! Rößler's form, component by component:
//! - H⁰ᵢ = X + h Σⱼ A⁰ᵢⱼ f(H⁰ⱼ) + (I₁₀/h) Σⱼ B⁰ᵢⱼ g(H¹ⱼ),
//! - H¹ᵢ = X + h Σⱼ A¹ᵢⱼ f(H⁰ⱼ) + √h Σⱼ B¹ᵢⱼ g(H¹ⱼ),
//! - X' = X + h Σᵢ αᵢ f(H⁰ᵢ) + Σᵢ g(H¹ᵢ)(β₁ᵢ W + β₂ᵢ I₁₁/√h + β₃ᵢ I₁₀/h + β₄ᵢ I₁₁₁/h),
//!
//! with I₁₁ = (W² − h)/2, I₁₀ = h(W/2 + H), I₁₁₁ = (W³ − 3hW)/6 (Itô), W²/2 and W³/6 (Stratonovich).
//!
//! Source: A. Rößler, *Runge-Kutta methods for the strong approximation of solutions of stochastic
//! differential equations*, 2010.

use ansatz_core::{HostState, Scalar, Sde, State, Tolerance};

use super::noisy::Step;
use super::{Calculus, check_diagonal, check_levels};
use crate::brownian::{Brownian, LevyArea};
use crate::{StepError, Stepper};

/// A method as data. Row i of a matrix has entries for the stages before i.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiagonalTableau {
    /// Its name.
    pub name: &'static str,
    /// In which calculus it reads the equation.
    pub calculus: Calculus,
    /// What it needs of the path.
    pub levels: LevyArea,
    /// Order in the step-size rule: strong order + ½.
    pub error_order: f64,
    /// Times of f.
    pub c0: &'static [f64],
    /// Times of g.
    pub c1: &'static [f64],
    /// A⁰.
    pub a0: &'static [&'static [f64]],
    /// A¹.
    pub a1: &'static [&'static [f64]],
    /// B⁰.
    pub b0: &'static [&'static [f64]],
    /// B¹.
    pub b1: &'static [&'static [f64]],
    /// α.
    pub alpha: &'static [f64],
    /// β₁ to β₄.
    pub beta: [&'static [f64]; 4],
    /// α of the error estimate.
    pub error_alpha: &'static [f64],
    /// Which of the four sums with β are part of the error estimate.
    pub error_beta: [f64; 4],
}

/// Milstein's method without derivatives: g' g ≈ (g(X + g√h) − g(X))/√h. The estimate is the
/// difference to Euler's method.
pub const MILSTEIN_ITO: DiagonalTableau = DiagonalTableau {
    name: "Milstein without derivatives (Itô)",
    calculus: Calculus::Ito,
    levels: LevyArea::None,
    error_order: 1.5,
    c0: &[0.0, 0.0],
    c1: &[0.0, 0.0],
    a0: &[&[], &[]],
    a1: &[&[], &[]],
    b0: &[&[], &[]],
    b1: &[&[], &[1.0]],
    alpha: &[1.0, 0.0],
    beta: [&[1.0, 0.0], &[-1.0, 1.0], &[], &[]],
    error_alpha: &[],
    error_beta: [0.0, 1.0, 0.0, 0.0],
};

/// The same for Stratonovich's calculus. Its W² has a mean, which keeps the error of a one-sided difference
/// from averaging out: here g' g ≈ (g(X + g√h) − g(X − g√h))/(2√h).
pub const MILSTEIN_STRATONOVICH: DiagonalTableau = DiagonalTableau {
    name: "Milstein without derivatives (Stratonovich)",
    calculus: Calculus::Stratonovich,
    levels: LevyArea::None,
    error_order: 1.5,
    c0: &[0.0, 0.0, 0.0],
    c1: &[0.0, 0.0, 0.0],
    a0: &[&[], &[], &[]],
    a1: &[&[], &[], &[]],
    b0: &[&[], &[], &[]],
    b1: &[&[], &[1.0], &[-1.0]],
    alpha: &[1.0, 0.0, 0.0],
    beta: [&[1.0], &[0.0, 0.5, -0.5], &[], &[]],
    error_alpha: &[],
    error_beta: [0.0, 1.0, 0.0, 0.0],
};

/// Rößler's SRI method of strong order 1.5 whose drift part has order 3. The estimate is the difference to a
/// method of order 1.
pub const SRID2: DiagonalTableau = DiagonalTableau {
    name: "SRID2",
    calculus: Calculus::Ito,
    levels: LevyArea::SpaceTime,
    error_order: 2.0,
    c0: &[0.0, 1.0, 0.5, 0.0],
    c1: &[0.0, 0.25, 1.0, 0.25],
    a0: &[&[], &[1.0], &[0.25, 0.25], &[0.0, 0.0, 0.0]],
    a1: &[&[], &[0.25], &[1.0, 0.0], &[0.0, 0.0, 0.25]],
    b0: &[&[], &[0.0], &[1.0, 0.5], &[0.0, 0.0, 0.0]],
    b1: &[&[], &[-0.5], &[1.0, 0.0], &[2.0, -1.0, 0.5]],
    alpha: &[1.0 / 6.0, 1.0 / 6.0, 2.0 / 3.0, 0.0],
    beta: [
        &[-1.0, 4.0 / 3.0, 2.0 / 3.0, 0.0],
        &[1.0, -4.0 / 3.0, 1.0 / 3.0, 0.0],
        &[2.0, -4.0 / 3.0, -2.0 / 3.0, 0.0],
        &[-2.0, 5.0 / 3.0, -2.0 / 3.0, 1.0],
    ],
    error_alpha: &[-5.0 / 6.0, 1.0 / 6.0, 2.0 / 3.0, 0.0],
    error_beta: [0.0, 0.0, 1.0, 1.0],
};

/// Most stages of a table.
const MAX_STAGES: usize = 4;

impl DiagonalTableau {
    /// Number of stages.
    #[must_use]
    pub fn stages(&self) -> usize {
        self.c0.len()
    }

    /// Checks that rows fit together.
    ///
    /// # Errors
    /// [`StepError::Tableau`].
    pub fn validate(&self) -> Result<(), StepError> {
        let n = self.stages();
        let wrong = |what, stage: usize, got: usize, expected: usize| {
            Err(StepError::Tableau {
                name: self.name,
                what,
                stage,
                got: got as f64,
                expected: expected as f64,
            })
        };
        if n == 0 || n > MAX_STAGES {
            return wrong("number of stages", 0, n, MAX_STAGES);
        }
        for (what, got) in [
            ("length of c1", self.c1.len()),
            ("length of alpha", self.alpha.len()),
            ("rows of a0", self.a0.len()),
            ("rows of a1", self.a1.len()),
            ("rows of b0", self.b0.len()),
            ("rows of b1", self.b1.len()),
        ] {
            if got != n {
                return wrong(what, 0, got, n);
            }
        }
        for matrix in [self.a0, self.a1, self.b0, self.b1] {
            for (i, row) in matrix.iter().enumerate() {
                if row.len() > i {
                    return wrong("length of a row", i, row.len(), i);
                }
            }
        }
        Ok(())
    }

    /// Whether f at stage i enters anything.
    fn uses_drift(&self, i: usize) -> bool {
        let column = |m: &[&[f64]]| m.iter().any(|row| row.get(i).is_some_and(|a| *a != 0.0));
        self.alpha[i] != 0.0 || column(self.a0) || column(self.a1)
    }

    /// Factors of g at the stages for one component: row `q` holds those of integral q.
    fn factors(&self, keep: [f64; 4]) -> [[f64; MAX_STAGES]; 4] {
        let mut factors = [[0.0; MAX_STAGES]; 4];
        for ((row, beta), keep) in factors.iter_mut().zip(self.beta).zip(keep) {
            for (f, b) in row.iter_mut().zip(beta) {
                *f = keep * b;
            }
        }
        factors
    }
}

/// A [`DiagonalTableau`] bound to an equation and a path.
pub struct DiagonalRungeKutta<'a, S, W, E: ?Sized, B: ?Sized> {
    tableau: DiagonalTableau,
    equation: &'a E,
    path: &'a mut B,
    step: Step<W>,
    ones: W,
    drifts: Vec<S>,
    diffusions: Vec<S>,
    next: S,
    scratch: S,
    nfe: usize,
}

/// A state of ones like `like`.
pub(super) fn ones<W: HostState>(like: &W) -> W {
    let mut ones = like.zeros_like();
    ones.as_mut_slice().fill(W::Scalar::of(1.0));
    ones
}

/// `out += c·x∘u`, where u may be one number for all.
pub(super) fn add_product<S: HostState>(out: &mut S, x: &S, u: impl Fn(usize) -> f64) {
    for (i, (o, x)) in out.as_mut_slice().iter_mut().zip(x.as_slice()).enumerate() {
        *o = S::Scalar::of(o.f64() + x.f64() * u(i));
    }
}

impl<'a, S, W, E, B> DiagonalRungeKutta<'a, S, W, E, B>
where
    S: HostState,
    W: HostState,
    E: Sde<S, W> + ?Sized,
    B: Brownian<W> + ?Sized,
{
    /// Allocates for states like `like`.
    ///
    /// # Errors
    /// [`StepError::Tableau`], [`StepError::Noise`], [`StepError::Levels`], [`StepError::Count`].
    pub fn new(
        tableau: DiagonalTableau,
        equation: &'a E,
        path: &'a mut B,
        like: &S,
    ) -> Result<Self, StepError> {
        tableau.validate()?;
        let noise = path.like().len();
        check_diagonal(tableau.name, equation.noise(), like.len(), noise)?;
        check_levels(tableau.name, tableau.levels, path.levels())?;
        let zeros = like.zeros_like();
        Ok(Self {
            equation,
            step: Step::new(path),
            ones: ones(path.like()),
            path,
            drifts: vec![zeros.clone(); tableau.stages()],
            diffusions: vec![zeros.clone(); tableau.stages()],
            next: zeros.clone(),
            scratch: zeros,
            nfe: 0,
            tableau,
        })
    }

    /// `next ← h Σ α f + Σ g·(…)`, with `y` in front if given.
    fn sum(&mut self, h: f64, y: Option<&S>, alpha: &[f64], keep: [f64; 4]) {
        let out = if y.is_some() {
            &mut self.next
        } else {
            &mut self.scratch
        };
        linear(out, y, h, alpha, &self.drifts);
        let tableau = self.tableau;
        let factors = tableau.factors(keep);
        let root = h.sqrt();
        let w = self.step.increment.w().as_slice();
        let area = self.step.increment.h().map(HostState::as_slice);
        let mut g: [&[S::Scalar]; MAX_STAGES] = [&[]; MAX_STAGES];
        for (slot, state) in g.iter_mut().zip(&self.diffusions) {
            *slot = state.as_slice();
        }
        let weights = |k: usize| {
            let w = w[k].f64();
            let [double, triple] = tableau.calculus.iterated(w, h);
            let mixed = 0.5 * w + area.map_or(0.0, |area| area[k].f64());
            let integrals = [w, double / root, mixed, triple / h];
            let mut weights = [0.0; MAX_STAGES];
            for (i, weight) in weights.iter_mut().enumerate() {
                *weight = (0..4).map(|q| factors[q][i] * integrals[q]).sum();
            }
            weights
        };
        // One Brownian motion for all components has one set of weights.
        let shared = (w.len() == 1).then(|| weights(0));
        for (k, o) in out.as_mut_slice().iter_mut().enumerate() {
            let weights = shared.unwrap_or_else(|| weights(k));
            let mut sum = o.f64();
            for (g, weight) in g[..tableau.stages()].iter().zip(weights) {
                sum += g[k].f64() * weight;
            }
            *o = S::Scalar::of(sum);
        }
    }
}

/// `out ← y + factor Σ c·x`.
fn linear<S: State>(out: &mut S, y: Option<&S>, factor: f64, c: &[f64], x: &[S]) {
    let Some(first) = y.or(x.first()) else {
        return;
    };
    let mut terms = [(1.0, first); MAX_STAGES + 1];
    let mut count = usize::from(y.is_some());
    for (c, x) in c.iter().zip(x) {
        if *c != 0.0 {
            terms[count] = (factor * c, x);
            count += 1;
        }
    }
    out.lincomb(0.0, &terms[..count]);
}

impl<S, W, E, B> Stepper<S> for DiagonalRungeKutta<'_, S, W, E, B>
where
    S: HostState,
    W: HostState,
    E: Sde<S, W> + ?Sized,
    B: Brownian<W> + ?Sized,
{
    fn error_order(&self) -> Option<f64> {
        Some(self.tableau.error_order)
    }

    fn attempt(&mut self, t: f64, h: f64, y: &S) -> Result<(), StepError> {
        self.step.query(self.path, t, h)?;
        let tableau = self.tableau;
        let root = h.sqrt();
        for i in 0..tableau.stages() {
            if tableau.uses_drift(i) {
                let time = t + tableau.c0[i] * h;
                linear(&mut self.next, Some(y), h, tableau.a0[i], &self.drifts);
                if tableau.b0[i].iter().any(|b| *b != 0.0) {
                    linear(
                        &mut self.scratch,
                        None,
                        1.0,
                        tableau.b0[i],
                        &self.diffusions,
                    );
                    let w = self.step.increment.w().as_slice();
                    let area = self.step.increment.h().map(HostState::as_slice);
                    let one = w.len() == 1;
                    add_product(&mut self.next, &self.scratch, |k| {
                        let k = if one { 0 } else { k };
                        0.5 * w[k].f64() + area.map_or(0.0, |area| area[k].f64())
                    });
                }
                self.equation
                    .eval(time, &self.next, &mut self.drifts[i])
                    .map_err(|source| StepError::Eval { t: time, source })?;
                crate::stepper::same_length(time, y, &self.drifts[i])?;
                self.nfe += 1;
            }
            let time = t + tableau.c1[i] * h;
            let mut terms = [(1.0, y); 2 * MAX_STAGES];
            let drifts = tableau.a1[i].iter().map(|a| h * a).zip(&self.drifts);
            let diffusions = tableau.b1[i].iter().map(|b| root * b).zip(&self.diffusions);
            let mut count = 1;
            for term in drifts.chain(diffusions).filter(|(c, _)| *c != 0.0) {
                terms[count] = term;
                count += 1;
            }
            self.next.lincomb(0.0, &terms[..count]);
            self.equation
                .apply(time, &self.next, &self.ones, &mut self.diffusions[i])
                .map_err(|source| StepError::Eval { t: time, source })?;
            crate::stepper::same_length(time, y, &self.diffusions[i])?;
            self.nfe += 1;
        }
        self.sum(h, Some(y), tableau.alpha, [1.0; 4]);
        Ok(())
    }

    fn next(&self) -> &S {
        &self.next
    }

    fn error(&mut self, _: f64, h: f64, y: &S, tolerance: Tolerance) -> Result<f64, StepError> {
        if !self.next.is_finite() {
            return Ok(f64::NAN);
        }
        let tableau = self.tableau;
        self.sum(h, None, tableau.error_alpha, tableau.error_beta);
        Ok(self.scratch.error_norm(y, &self.next, tolerance))
    }

    fn accept(&mut self, y: &mut S) {
        std::mem::swap(y, &mut self.next);
    }

    fn restart(&mut self) {}

    fn nfe(&self) -> usize {
        self.nfe
    }
}
