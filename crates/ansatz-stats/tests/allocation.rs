//! A run allocates when it starts and never again; resampling allocates nothing.

use ansatz_core::{EvalError, Key, State};
use ansatz_stats::transport::{
    BrenierMap, Cost, Descent, Draws, Heights, Sinkhorn, Source, Spread,
};
use ansatz_stats::{Criterion, Hmc, Mass, Nuts, Particles, Resampler, Ula};

#[expect(clippy::unnecessary_wraps, reason = "the signature of a target")]
fn normal(x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>) -> Result<(), EvalError> {
    for ((l, s), x) in log.iter_mut().zip(score).zip(x) {
        (*l, *s) = (-0.5 * x * x, -x);
    }
    Ok(())
}

#[test]
fn a_step_allocates_nothing() {
    let hmc = |steps| {
        let mut x = vec![0.1; 1000];
        let hmc = Hmc {
            step: 0.5,
            leaps: 3,
            steps,
            ..Hmc::default()
        };
        allocation_counter::measure(|| {
            hmc.run(&normal, &mut x, 1000, Key::new(1), &mut ())
                .unwrap();
        })
        .count_total
    };
    assert!(hmc(10) > 0, "the counter counts");
    assert_eq!(hmc(10), hmc(40));

    let nuts = |steps| {
        let mut x = vec![0.1; 400];
        let nuts = Nuts {
            step: 0.2,
            steps,
            mass: Mass::Diagonal(vec![0.5, 2.0]),
            ..Nuts::default()
        };
        let pairs =
            |x: &Vec<f64>, log: &mut [f64], score: &mut Vec<f64>| -> Result<(), EvalError> {
                for ((l, s), x) in log.iter_mut().zip(score.chunks_mut(2)).zip(x.chunks(2)) {
                    (s[0], s[1]) = (-x[0], -x[1]);
                    *l = -0.5 * (x[0] * x[0] + x[1] * x[1]);
                }
                Ok(())
            };
        allocation_counter::measure(|| {
            nuts.run(&pairs, &mut x, 200, Key::new(1), &mut ()).unwrap();
        })
        .count_total
    };
    assert!(nuts(10) > 0, "the counter counts");
    assert_eq!(nuts(10), nuts(40));

    let score = |x: &Vec<f64>, out: &mut Vec<f64>| -> Result<(), EvalError> {
        out.lincomb(0.0, &[(-1.0, x)]);
        Ok(())
    };
    let ula = |steps| {
        let mut x = vec![0.1; 1000];
        let ula = Ula { step: 0.5, steps };
        allocation_counter::measure(|| {
            ula.run(&score, &mut x, Key::new(1), &mut ()).unwrap();
        })
        .count_total
    };
    assert_eq!(ula(10), ula(40));
}

#[test]
fn populations_allocate_nothing() {
    let mut increments = vec![0.0; 500];
    increments.fill_normal(Key::new(1), 0);
    let mut particles = Particles::new(vec![1.0_f32; 1500], 500).unwrap();
    for how in Resampler::ALL {
        let info = allocation_counter::measure(|| {
            particles.reweight(&increments).unwrap();
            assert!(particles.resample_below(1.0, how, Key::new(2), 0).unwrap());
            particles.log_normaliser().unwrap();
            let next = particles.next_temperature(&increments, 0.0, 0.9, Criterion::Conditional);
            assert!(next.unwrap() < 1.0);
        });
        assert_eq!(info.count_total, 0, "{how:?}");
    }
}

#[test]
fn an_iteration_of_transport_allocates_nothing() {
    let points: Vec<f64> = Source::Normal.points(2, 500, Spread::Even);
    let targets: Vec<f64> = Source::Uniform.points(2, 20, Spread::Even);
    let nu = [0.05; 20];
    let fit = |iterations| {
        let descent = Descent::Decay {
            first: 0.02,
            last: 1e-3,
            iterations,
        };
        allocation_counter::measure(|| {
            let draws = Draws::Fixed(&points);
            Heights { descent }.fit(&targets, 2, &nu, draws).unwrap();
        })
        .count_total
    };
    assert!(fit(10) > 0, "the counter counts");
    assert_eq!(fit(10), fit(40));

    let sinkhorn = |tolerance| {
        let solver = Sinkhorn {
            epsilon: 0.1,
            tolerance,
            ..Sinkhorn::default()
        };
        let mut iterations = 0;
        let cost = Cost::SquaredDistance {
            x: &targets,
            y: &points[..40],
            dim: 2,
        };
        let count = allocation_counter::measure(|| {
            iterations = solver.solve(&nu, &nu, cost).unwrap().iterations();
        });
        (count.count_total, iterations)
    };
    let (short, long) = (sinkhorn(1e-2), sinkhorn(1e-10));
    assert!(long.1 > short.1);
    assert_eq!(short.0, long.0);

    let map = BrenierMap::new(&targets, 2, &nu).unwrap();
    let (mut cells, mut values) = (vec![0; 500], vec![0.0; 500]);
    let count = allocation_counter::measure(|| {
        map.assign(&points, &mut cells, &mut values).unwrap();
    });
    assert_eq!(count.count_total, 0);
}
