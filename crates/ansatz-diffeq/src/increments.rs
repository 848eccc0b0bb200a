//! Controlled equations whose path is made of states that gradients reach.
//!
//! A path that another model drew (the samples of a generator before a discriminator) is a list of rows
//! Xᵢ at times tᵢ, joined by straight lines. [`Increments`] drives dz = G(t, z) dX with the slope
//! G·(X(t+h) − X(t))/h over each step, so Runge-Kutta and reversible methods run on it, and its gradient has the
//! rows after the parameters of G: what the path should have been.
//!
//! Steps may end anywhere; with the knots among the times of the solve, and a step each, it is what data of
//! this resolution can say. Cost: one application of G per slope.
//!
//! Reference: P. Kidger, J. Foster, X. Li, H. Oberhauser, T. Lyons, *Neural SDEs as infinite-dimensional GANs*, 2021,
//! section 3 (a discriminator that is a controlled equation).

use ansatz_core::{ControlField, EvalError, HostState, Scalar, State, VjpControlField};

use crate::StepError;
use crate::adjoint::VjpDrive;
use crate::stepper::Drive;

/// The slope G·ΔX/h of dz = G(t, z) dX(t), X joining rows by straight lines.
///
/// Gradients have the parameters of G, then the rows, one after another.
///
/// ```
/// use ansatz_diffeq::{Control, Increments, RungeKutta, Stepper, integrate, tableau};
/// // dz = z dX has the solution exp(X(t) − X(0))·z(0).
/// let field = |_: f64, z: &[f64; 1], dx: &Vec<f64>, out: &mut [f64; 1]| {
///     out[0] = z[0] * dx[0];
///     Ok(())
/// };
/// let (times, rows) = ([0.0, 0.4, 2.0], [vec![1.0], vec![3.0], vec![0.5]]);
/// let drive = Increments::new(&field, &times, &rows)?;
/// let mut z = [1.0];
/// let mut method = RungeKutta::new(&tableau::RK4, drive, &z);
/// integrate(&mut method, &times, &mut z, &Control::fixed(40), &mut ())?;
/// assert!((z[0] - (-0.5_f64).exp()).abs() < 1e-6);
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
#[derive(Debug)]
pub struct Increments<'a, U, G: ?Sized> {
    field: &'a G,
    times: &'a [f64],
    rows: &'a [U],
    /// ΔX/h of the step at hand.
    slope: U,
    bar: U,
    step: (f64, f64),
}

impl<'a, U: HostState, G: ?Sized> Increments<'a, U, G> {
    /// The path through `rows` at `times`, which increase.
    ///
    /// # Errors
    /// [`StepError::Count`] for fewer than two times, or not a row of the same shape for each; [`StepError::Times`].
    pub fn new(field: &'a G, times: &'a [f64], rows: &'a [U]) -> Result<Self, StepError> {
        let count = |what, expected, got| StepError::Count {
            what,
            expected,
            got,
        };
        if times.len() < 2 {
            return Err(count("times of a path", 2, times.len()));
        }
        if rows.len() != times.len() {
            return Err(count("rows of a path", times.len(), rows.len()));
        }
        if let Some(row) = rows.iter().find(|row| !row.same_shape(&rows[0])) {
            return Err(count("elements of a row", rows[0].len(), row.len()));
        }
        let ordered = |i: &usize| times[*i] > times[*i - 1];
        // NaN is out of order.
        if let Some(i) = (1..times.len()).find(|i| !ordered(i)) {
            return Err(StepError::Times {
                index: i,
                value: times[i],
                before: times[i - 1],
            });
        }
        Ok(Self {
            field,
            times,
            rows,
            slope: rows[0].zeros_like(),
            bar: rows[0].zeros_like(),
            step: (0.0, 0.0),
        })
    }

    /// The row after which `t` lies, and how far on the way to the next; outside, the first and last lines go on.
    fn place(&self, t: f64) -> (usize, f64) {
        let after = self.times.partition_point(|knot| *knot <= t);
        let i = after.saturating_sub(1).min(self.times.len() - 2);
        let (start, end) = (self.times[i], self.times[i + 1]);
        (i, (t - start) / (end - start))
    }

    /// Rows that the slope of the step at hand is made of, and their shares.
    fn shares(&self) -> [(usize, f64); 4] {
        let (t, h) = self.step;
        let ((i, a), (j, b)) = (self.place(t), self.place(t + h));
        let share = |x: f64| x / h;
        [
            (i, share(a - 1.0)),
            (i + 1, share(-a)),
            (j, share(1.0 - b)),
            (j + 1, share(b)),
        ]
    }
}

impl<S: State, U: HostState, G: ControlField<S, U> + ?Sized> Drive<S> for Increments<'_, U, G> {
    const STEADY: bool = false;

    fn begin(&mut self, t: f64, h: f64) -> Result<(), StepError> {
        self.step = (t, h);
        let terms = self.shares().map(|(i, share)| (share, &self.rows[i]));
        self.slope.lincomb(0.0, &terms);
        Ok(())
    }

    fn slope(&mut self, t: f64, z: &S, out: &mut S) -> Result<(), EvalError> {
        self.field.apply(t, z, &self.slope, out)
    }
}

impl<S, U, G> VjpDrive<S> for Increments<'_, U, G>
where
    S: State,
    U: HostState,
    G: VjpControlField<S, U> + ?Sized,
{
    fn params(&self) -> usize {
        self.field.control_params() + self.rows.len() * self.slope.len()
    }

    fn vjp(
        &mut self,
        t: f64,
        z: &S,
        w: &S,
        z_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let (params, rows) = p_bar.split_at_mut(self.field.control_params());
        self.field
            .control_vjp(t, z, &self.slope, w, z_bar, &mut self.bar, params)?;
        for (i, share) in self.shares() {
            let row = &mut rows[i * self.bar.len()..];
            for (row, bar) in row.iter_mut().zip(self.bar.as_slice()) {
                *row += share * bar.f64();
            }
        }
        Ok(())
    }
}
