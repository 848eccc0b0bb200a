//! Laws of samplers that are no plans, of the combinators and schedules beside them, and the
//! distributions that few evaluations reach.

use crate::common::run;
use ansatz_core::{Key, NoiseLevel, NoiseSchedule, Prediction, Scalar, State, stream};
use ansatz_diffusion::{
    Betas, ConsistencyModel, Ddim, Deis, Discrete, DpmAdaptive, DpmMultistep, Edm, EvoDiff,
    MeanReverting, Pndm, ResidualPair, Sampler, ScaledNoise, Shifted, Solver, Spacing,
    StationaryVelocity, TimeGrid, UniPc, UnitTime, VpLinear,
};
use ansatz_testkit::laws::{self, Variance};
use ansatz_testkit::model::Mixture;
use ansatz_testkit::{Analytic, measure, tb1};

fn noise<T: Scalar>(len: usize, scale: f64) -> Vec<T> {
    let mut x = vec![0.0; len];
    x.fill_normal(Key::new(3), stream::INITIAL);
    x.iter().map(|v: &f64| T::of(scale * v)).collect()
}

/// End points of the three samplers for a state of `len` elements.
fn samples<T: Scalar>(len: usize) -> [Vec<T>; 3]
where
    Vec<T>: ansatz_core::HostState<Scalar = T>,
{
    let sample = |sampler: &dyn Sampler<Vec<T>>, mut x: Vec<T>| {
        sampler
            .sample(&Mixture::tb1(), &mut x, Key::new(5), &mut ())
            .unwrap();
        x
    };
    let schedule = VpLinear::default();
    let adaptive = DpmAdaptive {
        batch: len / 2,
        ..DpmAdaptive::default()
    };
    let karras = TimeGrid::new(&Edm::default(), Spacing::LogSnr, 5).unwrap();
    let evodiff = EvoDiff { batch: len / 2 };
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 5).unwrap();
    let plan = Ddim { eta: 0.5 }.plan(&schedule, &grid).unwrap();
    let anchor = noise(len, 0.1);
    let reverting = MeanReverting {
        plan: &plan,
        anchor: &anchor,
    };
    [
        sample(&adaptive.on(&schedule).unwrap(), noise(len, 1.0)),
        sample(&evodiff.on(&karras).unwrap(), noise(len, 80.0)),
        sample(&reverting, noise(len, 1.0)),
    ]
}

/// The same bits in pools of one, two and three threads.
#[test]
fn threads() {
    for which in 0..3 {
        laws::same_for_threads(|| samples::<f64>(40_002)[which].clone());
    }
}

/// States in f32 follow states in f64.
#[test]
fn single_precision() {
    let wide = samples::<f64>(32);
    let narrow = samples::<f32>(32);
    // The first step of the adaptive sampler is so short that rounding is part of its error estimate:
    // it takes other steps, and agrees to its own tolerance (a fifth of rtol). The others start at
    // sizes up to 200, where rounding is 1e-5, and contract.
    let tolerances = [1e-2, 1e-4, 1e-4];
    for (which, (x, y)) in wide.iter().zip(&narrow).enumerate() {
        let y: Vec<f64> = y.iter().map(|v| f64::from(*v)).collect();
        let difference = measure::max_abs_diff(x, &y);
        assert!(
            difference < tolerances[which],
            "sampler {which}: {difference:e}"
        );
    }
}

#[test]
fn combinators_are_models() {
    let at = NoiseLevel {
        t: 0.4,
        alpha: 0.6,
        sigma: 0.7,
        alpha_rate: -1.1,
        sigma_rate: 0.9,
    };
    let x = tb1::points(8);
    for kind in Prediction::ALL {
        let model = || Mixture::tb1().predicting(kind);
        laws::denoiser(&Shifted::new(model(), noise(16, 0.3)), &x, &at);
        laws::denoiser(&ConsistencyModel::new(model()), &x, &at);
    }
    let velocity = Mixture::tb1().predicting(Prediction::Velocity);
    laws::denoiser(&StationaryVelocity::new(velocity, 0.8).unwrap(), &x, &at);
    // A pair whose two networks agree.
    let mixture = Mixture::tb1();
    let residual = |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
        mixture.posterior_mean(x, at, out)?;
        out.lincomb(-1.0, &[]);
        Ok(())
    };
    let noise = |x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>| {
        mixture.score(x, at, out)?;
        out.lincomb(-at.sigma, &[]);
        Ok(())
    };
    laws::denoiser(&ResidualPair::new(residual, noise), &x, &at);
}

#[test]
fn schedules_are_schedules() {
    laws::schedule(
        &ScaledNoise::new(VpLinear::default(), 0.2).unwrap(),
        Variance::Free,
    );
    laws::schedule(
        &ScaledNoise::new(Edm::default(), 3.0).unwrap(),
        Variance::Free,
    );
    // Tables have corners, where differences of high order see no rate: values only.
    let schedule = UnitTime(Discrete::new(Betas::Cosine, 1000).unwrap());
    for i in 1..=2000 {
        let t = 0.001 + 0.99 * f64::from(i) / 2000.0;
        let at = schedule.level(t);
        assert!((at.alpha.hypot(at.sigma) - 1.0).abs() < 1e-14);
        assert!((schedule.t_of_lambda(schedule.lambda(t)) - t).abs() < 1e-11);
    }
}

/// Squared maximum mean discrepancies of 512 samples on the √t grid at NFE 5, 10, 20 (four digits).
#[test]
fn distributions_at_small_budgets() {
    let schedule = VpLinear::default();
    let rows: [(&str, &dyn Solver, [f64; 3]); 5] = [
        ("DDIM", &Ddim::default(), [2.484e-2, 5.827e-3, 1.406e-3]),
        (
            "++2M",
            &DpmMultistep::default(),
            [1.719e-3, 2.352e-4, 2.863e-5],
        ),
        ("UniPC-2", &UniPc::default(), [1.860e-3, 3.261e-4, 1.508e-5]),
        ("tAB3", &Deis::default(), [1.985e-3, 4.237e-5, 7.518e-6]),
        ("iPNDM", &Pndm::ipndm(), [1.875e-4, 5.049e-5, 1.121e-5]),
    ];
    let mut bad = Vec::new();
    for (name, solver, table) in rows {
        for (nfe, e) in [5, 10, 20].into_iter().zip(table) {
            let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, nfe).unwrap();
            let plan = solver.plan(&schedule, &grid).unwrap();
            let y = run(&plan, &Mixture::tb1(), &tb1::points(512));
            let got = Mixture::tb1()
                .mmd_squared(&y, &grid.end(), tb1::LENGTHSCALE)
                .unwrap();
            let half = 0.5 * 10_f64.powf(f64::log10(e).floor() - 3.0);
            if (got - e).abs() > 1.01 * half {
                bad.push(format!("{name} NFE={nfe}: {got:e}, table {e:e}"));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
