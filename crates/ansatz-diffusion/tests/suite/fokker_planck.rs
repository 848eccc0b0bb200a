//! Section 19: residuals of exact and of wrong densities, and what they do to the two samplers.

use ansatz_core::{
    Denoiser, DensityDenoiser, DivergenceDenoiser, EvalError, NoiseLevel, NoiseSchedule, Prediction,
};
use ansatz_diffusion::diffeq::{Options, solve};
use ansatz_diffusion::{Edm, FokkerPlanck, SubVp, VarianceExploding, VpLinear};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::tb1;

/// The exact density of TB1 solves the equation of every schedule.
#[test]
fn exact_densities_have_no_residual() {
    let x = tb1::points(16);
    let schedules: [(&dyn NoiseSchedule, [f64; 3]); 4] = [
        (&VpLinear::default(), [0.1, 0.4, 0.9]),
        (&SubVp::default(), [0.2, 0.4, 0.9]),
        (&VarianceExploding::default(), [0.5, 0.6, 0.9]),
        (&Edm::default(), [0.3, 1.0, 20.0]),
    ];
    for (schedule, times) in schedules {
        for t in times {
            let check = FokkerPlanck {
                time_step: 0.003,
                ..FokkerPlanck::new(schedule)
            };
            let mut r = [f64::NAN; 16];
            check.residual(&Mixture::tb1(), &x, t, &mut r).unwrap();
            let worst = r.iter().fold(0.0, |m: f64, r| m.max(r.abs()));
            assert!(worst < 1e-8, "t = {t}: {worst:e}");
            let mut gradient = vec![f64::NAN; 32];
            check
                .score_residual(&Mixture::tb1(), &x, t, 16, &mut gradient)
                .unwrap();
            let worst = gradient.iter().fold(0.0, |m: f64, r| m.max(r.abs()));
            assert!(worst < 1e-6, "score at t = {t}: {worst:e}");
        }
    }
}

/// Variance-preserving with β = 2 up to t = 3.
fn constant() -> VpLinear {
    VpLinear {
        beta_min: 2.0,
        beta_max: 2.0,
        t_min: 0.0,
        t_max: 3.0,
    }
}

/// A normal density of (1 + δ) times the variance that data N(0, 0.25) has.
struct Wrong(f64);

impl Wrong {
    fn variance(&self, at: &NoiseLevel) -> f64 {
        (1.0 + self.0) * (0.25 * at.alpha.powi(2) + at.sigma.powi(2))
    }
}

impl Denoiser<Vec<f64>> for Wrong {
    fn native(&self) -> Prediction {
        Prediction::Score
    }

    fn eval(&self, x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>) -> Result<(), EvalError> {
        for (o, x) in out.iter_mut().zip(x) {
            *o = -x / self.variance(at);
        }
        Ok(())
    }
}

impl DivergenceDenoiser<Vec<f64>> for Wrong {
    fn divergence(&self, _: &Vec<f64>, at: &NoiseLevel, out: &mut [f64]) -> Result<(), EvalError> {
        out.fill(-1.0 / self.variance(at));
        Ok(())
    }
}

impl DensityDenoiser<Vec<f64>> for Wrong {
    fn log_density(&self, x: &Vec<f64>, at: &NoiseLevel, out: &mut [f64]) -> Result<(), EvalError> {
        let v = self.variance(at);
        for (o, x) in out.iter_mut().zip(x) {
            *o = -0.5 * (x * x / v + (std::f64::consts::TAU * v).ln());
        }
        Ok(())
    }
}

/// δ, variances of the two samplers, W2 between them, mean R².
const TABLE: [(f64, f64, f64, f64, f64); 6] = [
    (-0.2, 0.0394625660, 0.1666679558, 0.2095979979, 0.3447338041),
    (-0.1, 0.1100536858, 0.2045509233, 0.1205296592, 0.0530126703),
    (0.0, 0.25, 0.25, 0.0, 0.0),
    (0.1, 0.4892008104, 0.3054234859, 0.1467775933, 0.0237563097),
    (0.2, 0.8559396280, 0.3740903014, 0.3135408347, 0.0680955662),
    (0.3, 1.3741092359, 0.4602665388, 0.4937945905, 0.1139643577),
];

/// Mean of R² over p_t and uniform t, from residuals that the library computes.
fn mean_square(delta: f64) -> f64 {
    let schedule = constant();
    let check = FokkerPlanck::new(&schedule);
    // Gauss-Legendre with three nodes on 60 panels in time; the trapezoidal rule, which is
    // spectrally accurate for a normal weight, in space.
    let offset = 0.6_f64.sqrt();
    let nodes = [
        (-offset, 5.0 / 18.0),
        (0.0, 8.0 / 18.0),
        (offset, 5.0 / 18.0),
    ];
    let mut sum = 0.0;
    for panel in 0..60 {
        for (u, weight) in nodes {
            let t = 3.0 / 60.0 * (f64::from(panel) + 0.5 * (1.0 + u));
            let at = schedule.level(t);
            let std = (0.25 * at.alpha.powi(2) + at.sigma.powi(2)).sqrt();
            let x: Vec<f64> = (-40..=40).map(|i| 0.25 * f64::from(i) * std).collect();
            let mut r = vec![0.0; x.len()];
            check.residual(&Wrong(delta), &x, t, &mut r).unwrap();
            let mean: f64 = x
                .iter()
                .zip(&r)
                .map(|(x, r)| 0.25 * (-0.5 * (x / std).powi(2)).exp() * r * r)
                .sum::<f64>()
                / std::f64::consts::TAU.sqrt();
            sum += weight * mean / 60.0;
        }
    }
    sum
}

#[test]
fn the_gap_between_the_samplers() {
    let schedule = constant();
    for (delta, ode, sde, w2, mean) in TABLE {
        let model = Wrong(delta);
        // R = ½δβ(x²/v̂² − 1/v̂) at a point.
        let (t, x) = (0.8, 0.7);
        let v = model.variance(&schedule.level(t));
        let mut r = [f64::NAN];
        FokkerPlanck::new(&schedule)
            .residual(&model, &vec![x], t, &mut r)
            .unwrap();
        let expected = delta * (x * x / (v * v) - 1.0 / v);
        assert!(
            (r[0] - expected).abs() < 1e-9,
            "{delta}: {} {expected}",
            r[0]
        );
        // Variances of both samplers from v(T) down to t = 0, with the model's variance.
        let moments = |t: f64, v: &Vec<f64>, dv: &mut Vec<f64>| {
            let model = model.variance(&schedule.level(t));
            let (f, g2) = (schedule.drift(t), 2.0);
            dv[0] = 2.0 * (f + 0.5 * g2 / model) * v[0];
            dv[1] = 2.0 * (f + g2 / model) * v[1] - g2;
            Ok(())
        };
        let end = schedule.level(3.0);
        let start = 0.25 * end.alpha.powi(2) + end.sigma.powi(2);
        let mut v = vec![start; 2];
        let options = Options::tolerance(1e-13, 1e-13);
        solve(&moments, (3.0, 0.0), &mut v, &options, &mut ()).unwrap();
        assert!((v[0] - ode).abs() < 1e-9, "{delta}: {v:?}");
        assert!((v[1] - sde).abs() < 1e-9, "{delta}: {v:?}");
        let distance = (v[0].sqrt() - v[1].sqrt()).abs();
        assert!((distance - w2).abs() < 1e-8, "{delta}: {distance}");
        let got = mean_square(delta);
        assert!(
            (got - mean).abs() < 1e-7,
            "{delta}: mean R² {got}, table {mean}"
        );
    }
}

#[test]
fn errors() {
    let schedule = VpLinear::default();
    let (model, x) = (Mixture::tb1(), tb1::points(2));
    let good = FokkerPlanck::new(&schedule);
    for t in [0.0, -0.1, 1.5, f64::NAN] {
        let error = good.residual(&model, &x, t, &mut [0.0; 2]);
        assert!(matches!(
            error,
            Err(EvalError::OutOfRange { what: "t", .. })
        ));
    }
    let wide = FokkerPlanck {
        time_step: 0.4,
        ..good
    };
    assert!(wide.residual(&model, &x, 0.5, &mut [0.0; 2]).is_err());
    assert!(matches!(
        good.residual(&model, &x, 0.5, &mut [0.0; 3]),
        Err(EvalError::Length { .. })
    ));
}
