//! A run allocates when it starts and never again; resampling allocates nothing.

use ansatz_core::{EvalError, Key, State};
use ansatz_stats::{Hmc, Particles, Resampler, Ula};

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
        });
        assert_eq!(info.count_total, 0, "{how:?}");
    }
}
