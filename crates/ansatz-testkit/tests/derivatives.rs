//! Derivatives of the analytic models, in every kind of prediction.

use ansatz_core::{
    Denoiser, DivergenceDenoiser, EvalError, NoiseLevel, Prediction, VectorField, VjpDenoiser,
    VjpField,
};
use ansatz_testkit::{Empirical, Gaussian, Mixture, laws, tb1};

fn level(alpha: f64, sigma: f64) -> NoiseLevel {
    NoiseLevel {
        alpha_rate: -0.9,
        sigma_rate: 1.3,
        ..NoiseLevel::new(0.5, alpha, sigma)
    }
}

/// A model at one level as a field, to meet the law of fields.
struct AtLevel<'a, M>(&'a M, NoiseLevel);

impl<M: Denoiser<Vec<f64>>> VectorField<Vec<f64>> for AtLevel<'_, M> {
    fn eval(&self, _: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Result<(), EvalError> {
        self.0.eval(x, &self.1, dx)
    }
}

impl<M: VjpDenoiser<Vec<f64>>> VjpField<Vec<f64>> for AtLevel<'_, M> {
    fn params(&self) -> usize {
        self.0.params()
    }

    fn vjp(
        &self,
        _: f64,
        x: &Vec<f64>,
        w: &Vec<f64>,
        x_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        self.0.vjp(x, &self.1, w, x_bar, p_bar)
    }
}

fn check<M>(model: &M)
where
    M: VjpDenoiser<Vec<f64>> + DivergenceDenoiser<Vec<f64>>,
{
    let x = tb1::points(4);
    for at in [level(0.8, 0.6), level(0.3, 0.95)] {
        laws::vjp_field(&AtLevel(model, at), 0.0, &x);
        // Differences of order 4 with step 1e-3: truncation 1e-12 times the fifth derivative
        // (below 10⁴ at these levels), rounding 1e-13.
        laws::divergence(model, &x, &at, 4, 1e-8);
    }
}

#[test]
fn products_and_traces() {
    for kind in Prediction::ALL {
        check(&Mixture::tb1().predicting(kind));
        let gaussian = Gaussian::new(&[0.3, -1.0], &[0.4, 2.0]).expect("valid parameters");
        check(&gaussian.predicting(kind));
        let points = Empirical::new(&[0.0, 1.0, 1.5, -0.5, -1.0, -1.0], 2).expect("three points");
        check(&points.predicting(kind));
    }
}

#[test]
fn a_wrong_number_of_samples_is_an_error() {
    let model = Mixture::tb1();
    let x = tb1::points(4);
    let error = model.divergence(&x, &level(0.8, 0.6), &mut [0.0; 3]);
    assert!(matches!(error, Err(EvalError::Length { .. })));
}

/// A model whose divergence is off by a hundredth.
struct Off(Mixture);

impl Denoiser<Vec<f64>> for Off {
    fn native(&self) -> Prediction {
        Prediction::Data
    }

    fn eval(&self, x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>) -> Result<(), EvalError> {
        self.0.eval(x, at, out)
    }
}

impl DivergenceDenoiser<Vec<f64>> for Off {
    fn divergence(
        &self,
        x: &Vec<f64>,
        at: &NoiseLevel,
        divergence: &mut [f64],
    ) -> Result<(), EvalError> {
        self.0.divergence(x, at, divergence)?;
        divergence[2] += 0.01;
        Ok(())
    }
}

#[test]
#[should_panic(expected = "divergence of sample 2")]
fn the_law_sees_a_wrong_divergence() {
    let x = tb1::points(4);
    laws::divergence(&Off(Mixture::tb1()), &x, &level(0.8, 0.6), 4, 1e-8);
}
