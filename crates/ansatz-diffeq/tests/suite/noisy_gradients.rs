//! Gradients through stochastic equations on a fixed Brownian path.

use ansatz_core::{
    ControlField, EvalError, Key, NoiseKind, Sde, State, VectorField, VjpControlField, VjpField,
};
use ansatz_diffeq::adjoint::{ErrorNorm, Memory, Tape, backsolve, reversible};
use ansatz_diffeq::brownian::{LevyArea, VirtualBrownianTree};
use ansatz_diffeq::sde::NoisyField;
use ansatz_diffeq::{Control, Options, RungeKutta, StepSize, Tableau, tableau};
use ansatz_testkit::measure;

/// dX = (sin X + a) dt + G dW with two states, three noises, G_ij = b cos(xᵢ + j); parameters a, b.
struct Wavy([f64; 2]);

type V = Vec<f64>;
type Made = Result<(), EvalError>;

impl VectorField<V> for Wavy {
    fn eval(&self, t: f64, x: &V, dx: &mut V) -> Made {
        for (d, x) in dx.iter_mut().zip(x) {
            *d = x.sin() + self.0[0] * t;
        }
        Ok(())
    }
}

impl VjpField<V> for Wavy {
    fn params(&self) -> usize {
        2
    }

    fn vjp(&self, t: f64, x: &V, w: &V, x_bar: &mut V, p_bar: &mut [f64]) -> Made {
        for i in 0..2 {
            x_bar[i] = x[i].cos() * w[i];
            p_bar[0] += t * w[i];
        }
        Ok(())
    }
}

impl ControlField<V> for Wavy {
    fn apply(&self, _: f64, x: &V, u: &V, out: &mut V) -> Made {
        for i in 0..2 {
            let row = (0..3).map(|j| (x[i] + j as f64).cos() * u[j]);
            out[i] = self.0[1] * row.sum::<f64>();
        }
        Ok(())
    }
}

impl VjpControlField<V> for Wavy {
    fn control_params(&self) -> usize {
        2
    }

    fn control_vjp(
        &self,
        _: f64,
        x: &V,
        u: &V,
        w: &V,
        x_bar: &mut V,
        u_bar: &mut V,
        p_bar: &mut [f64],
    ) -> Made {
        x_bar.fill(0.0);
        u_bar.fill(0.0);
        for i in 0..2 {
            for j in 0..3 {
                let (s, c) = (x[i] + j as f64).sin_cos();
                x_bar[i] -= self.0[1] * s * u[j] * w[i];
                u_bar[j] += self.0[1] * c * w[i];
                p_bar[1] += c * u[j] * w[i];
            }
        }
        Ok(())
    }
}

impl Sde<V> for Wavy {
    fn noise(&self) -> NoiseKind {
        NoiseKind::General
    }
}

const TIMES: [f64; 3] = [0.2, 0.7, 1.2];
const STEPS: usize = 16;

fn path() -> VirtualBrownianTree<V> {
    let like = vec![0.0; 3];
    VirtualBrownianTree::new(Key::new(4), (0.2, 1.2), &like, LevyArea::None, 1e-4).unwrap()
}

fn bars() -> Vec<V> {
    vec![vec![0.3, -1.0], vec![2.0, 0.7], vec![-0.4, 1.1]]
}

fn loss(states: &[V]) -> f64 {
    states.iter().zip(bars()).map(|(y, w)| y.dot(&w)).sum()
}

const P: [f64; 2] = [0.7, 0.4];

fn start() -> V {
    vec![0.5, -0.2]
}

/// Central differences of `value` in both parameters and both components of the state.
fn differences(value: impl Fn([f64; 2], &V) -> f64) -> [f64; 4] {
    let d = 1e-5;
    std::array::from_fn(|i| {
        let shifted = |d: f64| {
            let (mut p, mut x) = (P, start());
            if i < 2 {
                p[i] += d;
            } else {
                x[i - 2] += d;
            }
            value(p, &x)
        };
        (shifted(d) - shifted(-d)) / (2.0 * d)
    })
}

/// Tables on noisy slopes, every way to store, against finite differences on the same path.
#[test]
fn tables_on_a_path() {
    let tables: [&Tableau; 4] = [
        &tableau::EULER,
        &tableau::HEUN2,
        &tableau::MIDPOINT,
        &tableau::BOGACKI_SHAMPINE,
    ];
    for table in tables {
        let record = |p: [f64; 2], x: &V, memory: Memory| {
            let (wavy, mut path) = (Wavy(p), path());
            let drive = NoisyField::new(&wavy, &mut path, x);
            let mut method = RungeKutta::new(table, drive, x);
            let control = Control::fixed(STEPS / 2);
            let tape = Tape::record(&mut method, &TIMES, x, &control, memory).unwrap();
            let gradient = tape.pull(&mut method, &bars()).unwrap();
            (loss(tape.states()), gradient)
        };
        let (_, gradient) = record(P, &start(), Memory::Every);
        let got = [gradient.params.clone(), gradient.state.clone()].concat();
        let expected = differences(|p, x| record(p, x, Memory::Every).0);
        assert!(
            measure::max_abs_diff(&got, &expected) < 1e-9,
            "{}: {got:?} {expected:?}",
            table.name
        );
        // Noise has no derivative in time.
        assert!(gradient.times.is_empty());
        let (_, slots) = record(P, &start(), Memory::Slots(3));
        assert_eq!(
            (slots.params, slots.state),
            (gradient.params, gradient.state)
        );
    }
}

#[test]
fn reversible_heun_on_a_path() {
    let run = |p: [f64; 2], x: &V| {
        let (wavy, mut path) = (Wavy(p), path());
        let drive = NoisyField::new(&wavy, &mut path, x);
        let control = Control::fixed(STEPS / 2);
        reversible(drive, &TIMES, x, &control, |_| bars()).unwrap()
    };
    let (gradient, _) = run(P, &start());
    let got = [gradient.params.clone(), gradient.state.clone()].concat();
    let expected = differences(|p, x| loss(&run(p, x).1));
    assert!(
        measure::max_abs_diff(&got, &expected) < 1e-9,
        "{got:?} {expected:?}"
    );
    assert!(gradient.times.is_empty());
}

/// The continuous adjoint in Stratonovich's calculus converges to the discrete one with the steps.
#[test]
fn backsolve_converges() {
    let errors = [100, 400, 1600].map(|n| {
        let wavy = Wavy(P);
        let (mut there, mut back) = (path(), path());
        let x = start();
        let drive = NoisyField::new(&wavy, &mut there, &x);
        let mut method = RungeKutta::new(&tableau::HEUN2, drive, &x);
        let control = Control::fixed(n);
        let tape = Tape::record(&mut method, &TIMES, &x, &control, Memory::Every).unwrap();
        let direct = tape.pull(&mut method, &bars()).unwrap();
        let options = Options {
            step: StepSize::Fixed(n),
            ..Options::fixed(&tableau::HEUN2, n)
        };
        let drive = NoisyField::new(&wavy, &mut back, &x);
        let (gradient, _) =
            backsolve(drive, &TIMES, &x, &options, ErrorNorm::Full, |_| bars()).unwrap();
        let a = [direct.params, direct.state].concat();
        let b = [gradient.params, gradient.state].concat();
        measure::max_abs_diff(&a, &b)
    });
    assert!(
        errors[2] < 0.02 && errors[2] < 0.5 * errors[0],
        "{errors:?}"
    );
}
