//! Exact gradients without stored states, by running the reversible Heun method backwards.
//!
//! Memory: two states and their cotangents, and 16 bytes a step. Cost: one evaluation and one
//! product a step for ordinary equations, two for stochastic ones.
//!
//! Reference: P. Kidger, J. Foster, X. Li, T. Lyons, *Efficient and accurate gradients for neural
//! SDEs*, 2021, algorithm 2.

use ansatz_core::{Report, State};

use super::{AdjointStepper, Gradient, Memory, Tape, VjpDrive, check, finish, product, rate};
use crate::{Control, ReversibleHeun, StepError, Stepper};

/// Solves with the reversible Heun method from `x` through `times`, asks `loss` for the cotangents
/// of the states there (one for each, in order), and gives the gradient. The second value is the
/// states.
///
/// # Errors
/// [`StepError`]; [`StepError::Count`] when the cotangents do not fit.
pub fn reversible<S, D>(
    drive: D,
    times: &[f64],
    x: &S,
    control: &Control,
    loss: impl FnOnce(&[S]) -> Vec<S>,
) -> Result<(Gradient<S>, Vec<S>), StepError>
where
    S: State,
    D: VjpDrive<S>,
{
    let mut method = ReversibleHeun::new(drive, x);
    // One slot is the initial state: nothing but the list of steps is kept.
    let start = (x.clone(), x.clone());
    let tape = Tape::record(&mut method, times, &start, control, Memory::Slots(1))?;
    let states: Vec<S> = tape.states().iter().map(|(x, _)| x.clone()).collect();
    let cotangents = loss(&states);
    check(&states, &cotangents)?;
    let nfe = method.nfe();
    let zeros = || x.zeros_like();
    let mut params = vec![0.0; AdjointStepper::params(&method)];
    let mut time_bars = vec![0.0; times.len()];
    let mut slope = zeros();
    for (i, (y, bar)) in states.iter().zip(&cotangents).enumerate().skip(1) {
        method.nfe += usize::from(D::STEADY);
        if rate(&mut method.drive, times[i], y, &mut slope)? {
            time_bars[i] = bar.dot(&slope);
        }
    }
    let mut bars = (zeros(), zeros());
    let mut leg = times.len();
    let mut back = Backward {
        method: &mut method,
        params: &mut params,
        pending: zeros(),
        waits: false,
        work: [zeros(), zeros()],
    };
    let mut y = tape.states()[times.len().saturating_sub(1)].clone();
    let mut add = |i: usize, bar: &mut S| {
        while leg > 0 && tape.ends()[leg - 1] == i {
            leg -= 1;
            bar.lincomb(1.0, &[(1.0, &cotangents[leg])]);
        }
    };
    add(tape.steps().len(), &mut bars.0);
    for (i, (t, h)) in tape.steps().iter().enumerate().rev() {
        back.step(*t, *h, &mut y, &mut bars)?;
        add(i, &mut bars.0);
    }
    let first = times.first().copied().unwrap_or_default();
    back.finish(first, &y, &mut bars)?;
    // x̂ starts as x.
    bars.0.lincomb(1.0, &[(1.0, &bars.1)]);
    method.nfe += usize::from(D::STEADY);
    if rate(&mut method.drive, first, x, &mut slope)? {
        let direct = cotangents.first().map_or(0.0, |bar| bar.dot(&slope));
        if let Some(bar) = time_bars.first_mut() {
            *bar = direct - bars.0.dot(&slope);
        }
    } else {
        time_bars.clear();
    }
    let report = Report {
        nfe: method.nfe() - nfe,
        ..Report::default()
    };
    let gradient = Gradient {
        state: bars.0,
        params,
        times: time_bars,
        report,
    };
    Ok((finish(gradient, first)?, states))
}

/// The backward walk. The slope at x̂ belongs to two steps; a steady one gets the cotangents of both
/// in one product.
struct Backward<'a, S, D> {
    method: &'a mut ReversibleHeun<S, D>,
    params: &'a mut [f64],
    /// Cotangent of the slope at the present x̂ from the step after it.
    pending: S,
    waits: bool,
    work: [S; 2],
}

impl<S: State, D: VjpDrive<S>> Backward<'_, S, D> {
    /// Undoes a step and pulls `bars`, the cotangents of (x', x̂'), back over it.
    fn step(
        &mut self,
        t: f64,
        h: f64,
        y: &mut (S, S),
        (x_bar, mirror_bar): &mut (S, S),
    ) -> Result<(), StepError> {
        let [slope_bar, work] = &mut self.work;
        self.method.drive.begin(t, h)?;
        // k̄' = ½h x̄' and what waits; x̂̄' += (∂k'/∂x̂')ᵀ k̄'.
        slope_bar.lincomb(0.0, &[(0.5 * h, x_bar)]);
        if self.waits {
            slope_bar.lincomb(1.0, &[(1.0, &self.pending)]);
        }
        let drive = &mut self.method.drive;
        product(drive, t + h, &y.1, slope_bar, work, self.params)?;
        mirror_bar.lincomb(1.0, &[(1.0, work)]);
        self.method.step_back(t, h, y)?;
        // k̄ = ½h x̄' + h x̂̄', x̄ = x̄' + 2x̂̄', x̂̄ = −x̂̄' + (∂k/∂x̂)ᵀ k̄.
        self.pending
            .lincomb(0.0, &[(0.5 * h, x_bar), (h, mirror_bar)]);
        x_bar.lincomb(1.0, &[(2.0, mirror_bar)]);
        mirror_bar.lincomb(-1.0, &[]);
        self.waits = D::STEADY;
        if !D::STEADY {
            let drive = &mut self.method.drive;
            product(drive, t, &y.1, &self.pending, work, self.params)?;
            mirror_bar.lincomb(1.0, &[(1.0, work)]);
        }
        Ok(())
    }

    /// The product that still waits at the start.
    fn finish(&mut self, t: f64, y: &(S, S), bars: &mut (S, S)) -> Result<(), StepError> {
        if self.waits {
            let work = &mut self.work[1];
            let drive = &mut self.method.drive;
            product(drive, t, &y.1, &self.pending, work, self.params)?;
            bars.1.lincomb(1.0, &[(1.0, work)]);
        }
        Ok(())
    }
}

impl<S: State, D: VjpDrive<S>> AdjointStepper<(S, S)> for ReversibleHeun<S, D> {
    fn params(&self) -> usize {
        self.drive.params()
    }

    fn pull(
        &mut self,
        t: f64,
        h: f64,
        y: &(S, S),
        y_bar: &mut (S, S),
        p_bar: &mut [f64],
    ) -> Result<(), StepError> {
        self.restart();
        self.attempt(t, h, y)?;
        let zeros = || y.0.zeros_like();
        let [slope_bar, work] = self.pull_memory.get_or_insert_with(|| [zeros(), zeros()]);
        let (x_bar, mirror_bar) = y_bar;
        slope_bar.lincomb(0.0, &[(0.5 * h, x_bar)]);
        let after = &self.next.1;
        product(&mut self.drive, t + h, after, slope_bar, work, p_bar)?;
        mirror_bar.lincomb(1.0, &[(1.0, work)]);
        slope_bar.lincomb(1.0, &[(h, mirror_bar)]);
        x_bar.lincomb(1.0, &[(2.0, mirror_bar)]);
        product(&mut self.drive, t, &y.1, slope_bar, work, p_bar)?;
        mirror_bar.lincomb(-1.0, &[(1.0, work)]);
        Ok(())
    }

    fn rate(&mut self, t: f64, y: &(S, S), out: &mut (S, S)) -> Result<bool, StepError> {
        self.nfe += usize::from(D::STEADY);
        let steady = rate(&mut self.drive, t, &y.0, &mut out.0)?;
        out.1.assign(&out.0);
        Ok(steady)
    }
}
