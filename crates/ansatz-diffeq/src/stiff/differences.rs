//! Jacobian products from differences.

use ansatz_core::{EvalError, JvpField, VectorField};

/// A field whose Jacobian products are forward differences, J·v ≈ (f(x + εv) − f(x))/ε with
/// ε = 1.5·10⁻⁸·max(1, |x|): two evaluations each, good to about half the digits. That is enough
/// for Newton's method, which then may take a few more iterations; give exact products where rates
/// differ by more than about 10⁸.
///
/// ```
/// use ansatz_diffeq::core::JvpField;
/// use ansatz_diffeq::stiff::Differences;
/// let square = Differences(|_: f64, x: &Vec<f64>, dx: &mut Vec<f64>| {
///     dx[0] = x[0] * x[0];
///     Ok(())
/// });
/// let mut jv = vec![0.0];
/// square.jvp(0.0, &vec![3.0], &vec![1.0], &mut jv)?;
/// assert!((jv[0] - 6.0).abs() < 1e-6);
/// # Ok::<(), ansatz_diffeq::core::EvalError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Differences<F>(
    /// The field.
    pub F,
);

impl<F: VectorField<Vec<f64>>> VectorField<Vec<f64>> for Differences<F> {
    fn eval(&self, t: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Result<(), EvalError> {
        self.0.eval(t, x, dx)
    }
}

impl<F: VectorField<Vec<f64>>> JvpField<Vec<f64>> for Differences<F> {
    fn jvp(&self, t: f64, x: &Vec<f64>, v: &Vec<f64>, out: &mut Vec<f64>) -> Result<(), EvalError> {
        // A NaN in x or v reaches only the rates that depend on it: patterns can be found with it.
        let largest = x.iter().fold(1.0_f64, |m, x| m.max(x.abs()));
        let h = f64::EPSILON.sqrt() * largest;
        let moved: Vec<f64> = x.iter().zip(v).map(|(x, v)| x + h * v).collect();
        let mut here = out.clone();
        self.0.eval(t, x, &mut here)?;
        self.0.eval(t, &moved, out)?;
        for (o, f) in out.iter_mut().zip(here) {
            *o = (*o - f) / h;
        }
        Ok(())
    }
}
