//! Controlled equations driven by rows: the solution is a function of the path, and so are the gradients.

use ansatz_core::{ControlField, EvalError, VjpControlField};
use ansatz_diffeq::adjoint::{Memory, Tape};
use ansatz_diffeq::{Control, Increments, RungeKutta, StepError, tableau};

/// dz = z dX: z(t₁) = z(t₀)·exp(X(t₁) − X(t₀)).
#[derive(Debug)]
struct Exponential;

type V = Vec<f64>;

impl ControlField<V> for Exponential {
    fn apply(&self, _: f64, z: &V, u: &V, out: &mut V) -> Result<(), EvalError> {
        out[0] = z[0] * u[0];
        Ok(())
    }
}

impl VjpControlField<V> for Exponential {
    fn control_params(&self) -> usize {
        0
    }

    fn control_vjp(
        &self,
        _: f64,
        z: &V,
        u: &V,
        w: &V,
        z_bar: &mut V,
        u_bar: &mut V,
        _: &mut [f64],
    ) -> Result<(), EvalError> {
        z_bar[0] = u[0] * w[0];
        u_bar[0] = z[0] * w[0];
        Ok(())
    }
}

/// Steps that end at knots, that pass them, and that run backwards.
#[test]
fn gradients_reach_the_rows() {
    let (times, rows) = ([0.0, 0.4, 2.0], [vec![0.3], vec![1.0], vec![-0.5]]);
    let z = vec![2.0];
    for (span, steps) in [
        (&[0.0, 0.4, 2.0][..], 8),
        (&[0.0, 2.0], 7),
        (&[2.0, 0.0], 7),
        (&[0.2, 1.2], 5),
    ] {
        let at = |t: f64| match t {
            t if t < 0.4 => 0.3 + 0.7 * t / 0.4,
            t => 1.0 - 1.5 * (t - 0.4) / 1.6,
        };
        let drive = Increments::new(&Exponential, &times, &rows).unwrap();
        let mut method = RungeKutta::new(&tableau::DOP853, drive, &z);
        let control = Control::fixed(steps);
        let tape = Tape::record(&mut method, span, &z, &control, Memory::Every).unwrap();
        let (start, end) = (span[0], span[span.len() - 1]);
        let exact = 2.0 * (at(end) - at(start)).exp();
        let got = tape.states()[span.len() - 1][0];
        assert!((got - exact).abs() < 1e-9, "{span:?}: {got} {exact}");
        let mut bars = vec![vec![0.0]; span.len()];
        bars[span.len() - 1][0] = 1.0;
        let gradient = tape.pull(&mut method, &bars).unwrap();
        // X(t) is a mean of the rows around it.
        let share = |t: f64| match t {
            t if t < 0.4 => [1.0 - t / 0.4, t / 0.4, 0.0],
            t => [0.0, 1.0 - (t - 0.4) / 1.6, (t - 0.4) / 1.6],
        };
        let (last, first) = (share(end), share(start));
        for i in 0..3 {
            let want = exact * (last[i] - first[i]);
            let got = gradient.params[i];
            assert!((got - want).abs() < 1e-8, "{span:?} {i}: {got} {want}");
        }
        assert!((gradient.state[0] - exact / 2.0).abs() < 1e-8);
    }
}

#[test]
fn bad_rows() {
    let row = || vec![0.0];
    let refused =
        |times: &[f64], rows: &[V]| Increments::new(&Exponential, times, rows).unwrap_err();
    let error = refused(&[0.0], &[row()]);
    assert!(matches!(error, StepError::Count { got: 1, .. }));
    let error = refused(&[0.0, 1.0], &[row()]);
    assert!(matches!(
        error,
        StepError::Count {
            expected: 2,
            got: 1,
            ..
        }
    ));
    let error = refused(&[0.0, 1.0], &[row(), vec![0.0; 2]]);
    assert!(matches!(error, StepError::Count { got: 2, .. }));
    for bad in [0.0, -1.0, f64::NAN] {
        let error = refused(&[0.0, bad], &[row(), row()]);
        assert!(matches!(error, StepError::Times { index: 1, .. }));
    }
}
