//! A solve allocates when it starts and never again: 40 steps allocate as often as 10.

use ansatz_core::{ControlField, EvalError, Key, NoiseKind, Sde, Tolerance, VectorField};
use ansatz_diffeq::brownian::{
    Brownian, BrownianInterval, Increment, IntervalOptions, LevyArea, VirtualBrownianTree,
};
use ansatz_diffeq::cde::{self, Cde, Stops};
use ansatz_diffeq::path::{Path, Series};
use ansatz_diffeq::{Adaptive, Control, Options, StepSize, Tableau, sde, solve, tableau};

#[expect(
    clippy::unnecessary_wraps,
    clippy::ptr_arg,
    reason = "the signature of a field"
)]
fn decay(_: f64, x: &Vec<f32>, dx: &mut Vec<f32>) -> Result<(), EvalError> {
    for (d, x) in dx.iter_mut().zip(x) {
        *d = -x;
    }
    Ok(())
}

#[expect(clippy::unwrap_used, reason = "a test")]
fn allocations(options: &Options) -> (u64, usize) {
    let mut x = vec![0.5_f32; 4096];
    let mut steps = 0;
    let info = allocation_counter::measure(|| {
        let report = solve(&decay, (0.0, 1.0), &mut x, options, &mut ()).unwrap();
        steps = report.steps;
    });
    (info.count_total, steps)
}

#[test]
fn a_step_allocates_nothing() {
    for method in tableau::ALL {
        let run = |steps| allocations(&Options::fixed(method, steps));
        let ((short, _), (long, _)) = (run(10), run(40));
        assert!(short > 0, "{}: the counter counts", method.name);
        assert_eq!(short, long, "{}", method.name);
    }
    for method in tableau::ALL.into_iter().filter(|t| !t.error.is_empty()) {
        let run = |method: &'static Tableau, longest| {
            allocations(&Options {
                tableau: method,
                step: StepSize::Adaptive(Adaptive {
                    tolerance: Tolerance::new(0.1, 0.1),
                    longest,
                    ..Adaptive::default()
                }),
                ..Options::default()
            })
        };
        let ((short, few), (long, many)) = (run(method, 0.1), run(method, 0.02));
        assert!(many > 3 * few, "{}: {few} and {many} steps", method.name);
        assert_eq!(short, long, "{}", method.name);
    }
}

/// dX = −X dt + ½ dW.
struct Relaxation(NoiseKind);

impl VectorField<Vec<f32>> for Relaxation {
    fn eval(&self, t: f64, x: &Vec<f32>, dx: &mut Vec<f32>) -> Result<(), EvalError> {
        decay(t, x, dx)
    }
}

impl ControlField<Vec<f32>> for Relaxation {
    fn apply(
        &self,
        _: f64,
        _: &Vec<f32>,
        w: &Vec<f32>,
        out: &mut Vec<f32>,
    ) -> Result<(), EvalError> {
        out.iter_mut().zip(w).for_each(|(o, w)| *o = 0.5 * w);
        Ok(())
    }
}

impl Sde<Vec<f32>> for Relaxation {
    fn noise(&self) -> NoiseKind {
        self.0
    }
}

type Tree = VirtualBrownianTree<Vec<f32>>;
type Any<'a> = &'a dyn sde::Method<Vec<f32>, Vec<f32>, Relaxation, Tree>;

#[test]
fn a_stochastic_step_allocates_nothing() {
    let (additive, diagonal) = (
        Relaxation(NoiseKind::Additive),
        Relaxation(NoiseKind::Diagonal),
    );
    let methods: [(&Relaxation, Any<'_>); 6] = [
        (&additive, &sde::EULER_MARUYAMA),
        (&additive, &sde::REVERSIBLE_HEUN),
        (&additive, &sde::SRA1),
        (&additive, &sde::SHARK),
        (&diagonal, &sde::SRID2),
        (&diagonal, &sde::MILSTEIN_STRATONOVICH),
    ];
    let levels = LevyArea::SpaceTime;
    let mut x = vec![0.5_f32; 512];
    let mut path = VirtualBrownianTree::new(Key::new(1), (0.0, 1.0), &x, levels, 1e-3).unwrap();
    for (equation, method) in methods {
        let mut run = |steps| {
            let control = Control::fixed(steps);
            let info = allocation_counter::measure(|| {
                let times = (0.0, 1.0);
                sde::solve(
                    equation,
                    &mut path,
                    times,
                    &mut x,
                    method,
                    &control,
                    &mut (),
                )
                .unwrap();
            });
            info.count_total
        };
        assert_eq!(run(7), run(30), "{}", method.name());
    }
}

/// Where it has been, a Brownian interval allocates no more.
#[test]
fn a_second_sweep_allocates_nothing() {
    let like = vec![0.0_f32; 64];
    let (key, options) = (Key::new(1), IntervalOptions::default());
    let levels = LevyArea::SpaceTimeTime;
    let mut path = BrownianInterval::new(key, (0.0, 1.0), &like, levels, options).unwrap();
    let mut out = Increment::new(&like, levels);
    let mut sweep = || {
        for i in 0..300 {
            let t = f64::from(i) / 300.0;
            path.query(t, t + 1.0 / 300.0, &mut out).unwrap();
        }
    };
    sweep();
    assert_eq!(allocation_counter::measure(sweep).count_total, 0);
}

#[test]
fn a_controlled_step_allocates_nothing() {
    let times: Vec<f64> = (0..20).map(f64::from).collect();
    let values = times.iter().map(|t| (0.7 * t).sin()).collect();
    let path = Path::hermite(&Series::new(times, values, 1, 1).unwrap()).unwrap();
    let field = |_: f64, z: &Vec<f32>, x: &Vec<f32>, out: &mut Vec<f32>| {
        out.iter_mut().zip(z).for_each(|(o, z)| *o = x[0] * z);
        Ok(())
    };
    let equation = Cde::new(&field, &path, &vec![0.0_f32]).unwrap();
    let run = |steps| {
        let mut z = vec![1.0_f32; 256];
        let info = allocation_counter::measure(|| {
            let options = Options::fixed(&tableau::RK4, steps);
            cde::solve(
                &equation,
                path.span(),
                &mut z,
                Stops::AtJumps,
                &options,
                &mut (),
            )
            .unwrap();
        });
        info.count_total
    };
    run(1);
    assert_eq!(run(10), run(40));
}
