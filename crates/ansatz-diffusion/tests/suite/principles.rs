//! Section 2: conversions, schedules, and the flow map of Gaussians.

use ansatz_core::{Denoiser, EvalError, NoiseLevel, NoiseSchedule, Prediction};
use ansatz_diffusion::{
    Betas, Discrete, Edm, FlowLinear, SubVp, VarianceExploding, VpCosine, VpLinear,
};
use ansatz_testkit::laws::{self, Variance};
use ansatz_testkit::model::{Gaussian, Mixture};
use ansatz_testkit::{measure, tb1};

/// Schedules with the range of times of the section's round trip.
fn schedules() -> Vec<(Box<dyn NoiseSchedule>, Variance)> {
    vec![
        (
            Box::new(VpLinear {
                t_min: 1e-5,
                ..VpLinear::default()
            }),
            Variance::Preserving,
        ),
        (
            Box::new(VpCosine {
                t_min: 1e-5,
                ..VpCosine::default()
            }),
            Variance::Preserving,
        ),
        (
            Box::new(SubVp(VpLinear {
                t_min: 1e-5,
                ..VpLinear::default()
            })),
            Variance::Free,
        ),
        (Box::new(VarianceExploding::default()), Variance::Free),
        (Box::new(Edm::default()), Variance::Free),
        (Box::new(FlowLinear::default()), Variance::Free),
        (
            Box::new(FlowLinear {
                t_min: 0.0,
                t_max: 1.0,
            }),
            Variance::Free,
        ),
    ]
}

/// Every schedule keeps the law of schedules.
#[test]
fn schedules_keep_their_law() {
    for (schedule, variance) in schedules() {
        laws::schedule(&*schedule, variance);
    }
    // A table is smooth between two labels only.
    let table = Discrete::new(Betas::Linear(1e-4, 0.02), 1000).unwrap();
    for i in [0, 1, 499, 998] {
        laws::schedule(&Segment(&table, i), Variance::Preserving);
    }
}

/// One segment of a table.
struct Segment<'a>(&'a Discrete, usize);

impl NoiseSchedule for Segment<'_> {
    fn t_min(&self) -> f64 {
        self.1 as f64
    }

    fn t_max(&self) -> f64 {
        (self.1 + 1) as f64
    }

    fn log_alpha(&self, t: f64) -> f64 {
        self.0.log_alpha(t)
    }

    fn sigma(&self, t: f64) -> f64 {
        self.0.sigma(t)
    }

    fn log_alpha_rate(&self, t: f64) -> f64 {
        self.0.log_alpha_rate(t)
    }

    fn sigma_rate(&self, t: f64) -> f64 {
        self.0.sigma_rate(t)
    }

    fn t_of_lambda(&self, lambda: f64) -> f64 {
        self.0.t_of_lambda(lambda)
    }
}

/// t(λ(t)) = t to 1e-12 on [1e-5, 1] under VP-linear.
#[test]
fn times_of_log_snr() {
    let schedule = VpLinear::default();
    for i in 0..=200 {
        let t = 1e-5_f64.powf(1.0 - f64::from(i) / 200.0);
        let back = schedule.t_of_lambda(schedule.lambda(t));
        assert!((back - t).abs() < 1e-12, "{t}: {back}");
    }
}

/// All 20 ordered conversions on TB1: there and back, and against the model of the other kind.
#[test]
fn conversions() {
    let schedule = VpLinear::default();
    let x = [&tb1::SPOT[..], &tb1::points(4)].concat();
    for spot in &tb1::SPOTS {
        let at = schedule.level(spot.t);
        let limit = 1e-12 * (1.0 / at.alpha).max(1.0 / at.sigma);
        let mut pairs = 0;
        for from in Prediction::ALL {
            let model = Mixture::tb1().predicting(from);
            let mut native = vec![0.0; x.len()];
            model.eval(&x, &at, &mut native).unwrap();
            for want in Prediction::ALL.into_iter().filter(|w| *w != from) {
                let mut there = vec![0.0; x.len()];
                model.eval_as(want, &x, &at, &mut there).unwrap();
                let mut direct = vec![0.0; x.len()];
                let other = Mixture::tb1().predicting(want);
                other.eval(&x, &at, &mut direct).unwrap();
                // The size of the kinds themselves: a flow or a score may be large.
                let size = there
                    .iter()
                    .chain(&native)
                    .fold(1.0, |m: f64, v| m.max(v.abs()));
                let error = measure::max_abs_diff(&there, &direct);
                assert!(error < limit * size, "{from:?} to {want:?}: {error:e}");
                let (c_x, c_y) = at.convert(want, from).unwrap();
                for ((y, x), native) in there.iter().zip(&x).zip(&native) {
                    let error = (c_x * x + c_y * y - native).abs();
                    assert!(error < limit * size, "{from:?} by {want:?}: {error:e}");
                }
                pairs += 1;
            }
        }
        assert_eq!(pairs, 20);
    }
    let at = NoiseLevel::new(1.0, 0.0, 1.0);
    let error = at.convert(Prediction::Noise, Prediction::Data);
    assert!(matches!(error, Err(EvalError::Conversion { .. })));
}

/// The closed-form flow map of N(0, s²) is the formula, a semigroup, and the identity at rest.
#[test]
fn gaussian_flow_maps() {
    let s2 = 0.25;
    let model = Gaussian::isotropic(2, 0.0, s2).unwrap();
    let schedule = VpLinear::default();
    let level = |t| schedule.level(t);
    let map = |x: &[f64], from: f64, to: f64| {
        let mut out = vec![0.0; x.len()];
        model
            .probability_flow(x, &level(from), &level(to), &mut out)
            .unwrap();
        out
    };
    let x = tb1::points(16);
    for (t, u, s) in [(1.0, 0.5, 1e-3), (0.7, 0.2, 0.1), (0.05, 0.3, 0.9)] {
        let variance = |t| level(t).alpha.powi(2) * s2 + level(t).sigma.powi(2);
        let factor = (variance(s) / variance(t)).sqrt();
        let formula: Vec<f64> = x.iter().map(|x| x * factor).collect();
        let once = map(&x, t, s);
        assert!(measure::max_abs_diff(&once, &formula) < 1e-14);
        let twice = map(&map(&x, t, u), u, s);
        assert!(measure::max_abs_diff(&once, &twice) < 1e-14);
        assert!(measure::max_abs_diff(&map(&x, t, t), &x) < 1e-15);
    }
}
