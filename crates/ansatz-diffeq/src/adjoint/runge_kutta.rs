//! A Runge-Kutta step, pulled back.
//!
//! With xᵢ the arguments of the stages, k̄ᵢ = h bᵢ ȳ₁ + h Σ_{j>i} aⱼᵢ x̄ⱼ, x̄ᵢ = (∂k/∂x)ᵀk̄ᵢ and
//! ȳ₀ = ȳ₁ + Σ x̄ᵢ.

use ansatz_core::State;

use super::{AdjointStepper, VjpDrive, product, rate};
use crate::stepper::evaluate;
use crate::tableau::MAX_STAGES;
use crate::{RungeKutta, StepError};

/// A computed step: what quantities beside its result may depend on.
pub(crate) struct Stages<'a, S> {
    pub(crate) h: f64,
    pub(crate) start: &'a S,
    pub(crate) slopes: &'a [S],
    pub(crate) next: &'a S,
}

/// The cotangents of a step: those of the slopes and of both ends, to be added to.
pub(crate) struct Bars<'a, S> {
    pub(crate) slopes: &'a mut [S],
    pub(crate) start: &'a mut S,
    pub(crate) next: &'a mut S,
    pub(crate) work: &'a mut [S; 2],
}

/// Memory of the backward pass.
pub(crate) struct PullMemory<S> {
    /// Arguments of the stages; then their cotangents.
    arguments: Vec<S>,
    /// Cotangents of the slopes.
    slopes: Vec<S>,
    start: S,
    work: [S; 2],
}

impl<S: State> PullMemory<S> {
    fn new(stages: usize, like: &S) -> Self {
        let zeros = || like.zeros_like();
        Self {
            arguments: (0..stages).map(|_| zeros()).collect(),
            slopes: (0..stages).map(|_| zeros()).collect(),
            start: zeros(),
            work: [zeros(), zeros()],
        }
    }
}

/// Adds the cotangents of further quantities of the step.
pub(crate) type Seed<'a, S> = &'a mut dyn FnMut(&Stages<'_, S>, &mut Bars<'_, S>);

impl<S: State, D: VjpDrive<S>> RungeKutta<'_, S, D> {
    /// [`AdjointStepper::pull`]; with a seed, the reused last stage is part of the step.
    pub(crate) fn pull_with(
        &mut self,
        (t, h): (f64, f64),
        y: &S,
        y_bar: &mut S,
        p_bar: &mut [f64],
        seed: Option<Seed<'_, S>>,
    ) -> Result<(), StepError> {
        let tableau = self.tableau;
        let all = tableau.stages();
        let stages = all - usize::from(seed.is_none() && tableau.reuses_last());
        self.forget();
        self.drive.begin(t, h)?;
        let memory = self
            .pull_memory
            .get_or_insert_with(|| PullMemory::new(all, y));
        let PullMemory {
            arguments,
            slopes: slope_bars,
            start,
            work,
        } = memory;
        for i in 0..stages {
            let row = tableau.coefficients[i];
            arguments[i].step_from(Some(y), h, row, &self.slopes);
            if seed.is_none() && i + 1 == stages {
                // No argument is made of the last slope.
                break;
            }
            let at = t + tableau.nodes[i] * h;
            evaluate(&mut self.drive, at, &arguments[i], &mut self.slopes[i])?;
            self.nfe += 1;
        }
        start.lincomb(0.0, &[]);
        for bar in slope_bars.iter_mut() {
            bar.lincomb(0.0, &[]);
        }
        if let Some(seed) = seed {
            self.next
                .step_from(Some(y), h, tableau.weights, &self.slopes);
            let step = Stages {
                h,
                start: y,
                slopes: &self.slopes,
                next: &self.next,
            };
            let mut bars = Bars {
                slopes: slope_bars,
                start,
                next: y_bar,
                work,
            };
            seed(&step, &mut bars);
        }
        for i in (0..stages).rev() {
            let mut terms = [(h * tableau.weights[i], &*y_bar); MAX_STAGES];
            let mut count = usize::from(tableau.weights[i] != 0.0);
            for j in i + 1..stages {
                let a = tableau.coefficients[j][i];
                if a != 0.0 {
                    terms[count] = (h * a, &arguments[j]);
                    count += 1;
                }
            }
            let bar = &mut slope_bars[i];
            bar.lincomb(1.0, &terms[..count]);
            let at = t + tableau.nodes[i] * h;
            let [x_bar, _] = &mut *work;
            product(&mut self.drive, at, &arguments[i], bar, x_bar, p_bar)?;
            std::mem::swap(&mut arguments[i], x_bar);
        }
        let mut terms = [(1.0, &*start); MAX_STAGES + 1];
        for (term, x_bar) in terms[1..].iter_mut().zip(&arguments[..stages]) {
            *term = (1.0, x_bar);
        }
        y_bar.lincomb(1.0, &terms[..=stages]);
        Ok(())
    }
}

impl<S: State, D: VjpDrive<S>> AdjointStepper<S> for RungeKutta<'_, S, D> {
    fn params(&self) -> usize {
        self.drive.params()
    }

    fn pull(
        &mut self,
        t: f64,
        h: f64,
        y: &S,
        y_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), StepError> {
        self.pull_with((t, h), y, y_bar, p_bar, None)
    }

    fn rate(&mut self, t: f64, y: &S, out: &mut S) -> Result<bool, StepError> {
        self.nfe += usize::from(D::STEADY);
        rate(&mut self.drive, t, y, out)
    }
}
