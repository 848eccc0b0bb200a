//! Gradients through solves: published numbers, finite differences on the same steps, exact flows.

use ansatz_core::{EvalError, State, Tolerance, VectorField, VjpField};
use ansatz_diffeq::adjoint::{
    AdjointStepper, ErrorNorm, Gradient, Memory, Tape, backsolve, interpolated, reversible,
    schedule,
};
use ansatz_diffeq::heuristics::{Aggregate, Regulariser, Watched};
use ansatz_diffeq::{
    Control, Options, ReversibleHeun, RungeKutta, StepError, Stepper, Tableau, solve_dense, tableau,
};
use ansatz_testkit::measure;

use crate::problems::lotka_volterra;

/// f(y) = W₂ tanh(W₁ y + b₁) + b₂ with 22 parameters W₁ (4×2), b₁, W₂ (2×4), b₂.
#[derive(Clone)]
struct Network(Vec<f64>);

impl Network {
    fn new() -> Self {
        let mut p = Vec::new();
        for i in 0..4 {
            for j in 0..2 {
                p.push((1.0 + 2.0 * f64::from(i) + 3.0 * f64::from(j)).sin());
            }
        }
        p.extend((0..4).map(|i| 0.1 * f64::from(i).cos()));
        for i in 0..2 {
            for j in 0..4 {
                p.push(0.5 * (1.0 + f64::from(i) + 2.0 * f64::from(j)).cos());
            }
        }
        p.extend((0..2).map(|i| 0.05 * (f64::from(i) + 1.0)));
        Self(p)
    }

    fn hidden(&self, y: &[f64]) -> [f64; 4] {
        std::array::from_fn(|i| {
            (self.0[2 * i] * y[0] + self.0[2 * i + 1] * y[1] + self.0[8 + i]).tanh()
        })
    }
}

impl VectorField<Vec<f64>> for Network {
    fn eval(&self, _: f64, y: &Vec<f64>, dy: &mut Vec<f64>) -> Result<(), EvalError> {
        let a = self.hidden(y);
        for i in 0..2 {
            let row = &self.0[12 + 4 * i..16 + 4 * i];
            dy[i] = row.iter().zip(a).map(|(w, a)| w * a).sum::<f64>() + self.0[20 + i];
        }
        Ok(())
    }
}

impl VjpField<Vec<f64>> for Network {
    fn params(&self) -> usize {
        22
    }

    fn vjp(
        &self,
        _: f64,
        y: &Vec<f64>,
        w: &Vec<f64>,
        y_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let a = self.hidden(y);
        y_bar.fill(0.0);
        for i in 0..2 {
            p_bar[20 + i] += w[i];
            for j in 0..4 {
                p_bar[12 + 4 * i + j] += w[i] * a[j];
            }
        }
        for j in 0..4 {
            let up = w[0] * self.0[12 + j] + w[1] * self.0[16 + j];
            let bar = up * (1.0 - a[j] * a[j]);
            p_bar[8 + j] += bar;
            for k in 0..2 {
                p_bar[2 * j + k] += bar * y[k];
                y_bar[k] += bar * self.0[2 * j + k];
            }
        }
        Ok(())
    }
}

const SPAN: [f64; 2] = [0.0, 2.0];

fn start() -> Vec<f64> {
    vec![1.0, 0.5]
}

/// Cotangents of L = ½‖y(T) − (0.2, −0.3)‖².
fn loss(states: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut bars: Vec<Vec<f64>> = states.iter().map(State::zeros_like).collect();
    let (bar, y) = (bars.last_mut().unwrap(), states.last().unwrap());
    bar.copy_from_slice(&[y[0] - 0.2, y[1] + 0.3]);
    bars
}

fn tape_gradient(
    table: &Tableau,
    control: &Control,
    memory: Memory,
) -> (Gradient<Vec<f64>>, Tape<Vec<f64>>) {
    let network = Network::new();
    let mut method = RungeKutta::new(table, &network, &start());
    let tape = Tape::record(&mut method, &SPAN, &start(), control, memory).unwrap();
    let gradient = tape.pull(&mut method, &loss(tape.states())).unwrap();
    (gradient, tape)
}

fn picked(p: &[f64]) -> [f64; 4] {
    [p[0], p[9], p[15], p[21]]
}

const EXACT_NORM: f64 = 5.5612878553207885;
const EXACT_ENTRIES: [f64; 4] = [
    0.4832792817291352,
    -1.2043423498787058,
    1.7093602316081997,
    -0.7937121531981423,
];

#[test]
fn rk4_agrees_with_published_numbers() {
    let (gradient, tape) = tape_gradient(&tableau::RK4, &Control::fixed(20), Memory::Every);
    let y = &tape.states()[1];
    let close = |got: &[f64], want: &[f64], tol: f64| {
        assert!(measure::max_abs_diff(got, want) < tol, "{got:?} {want:?}");
    };
    close(y, &[1.5170933260776354, -0.5912306479327425], 1e-13);
    let state = [2.027505283386104, -0.7072048828905788];
    close(&gradient.state, &state, 1e-12);
    close(&[gradient.params.norm()], &[5.561286243235968], 1e-12);
    close(
        &picked(&gradient.params),
        &[
            0.4832793714492268,
            -1.2043424362999695,
            1.709359431324426,
            -0.7937113958133911,
        ],
        1e-12,
    );
}

/// With 300 steps of order 8 the discrete gradient is that of the flow.
#[test]
fn fine_steps_give_the_gradient_of_the_flow() {
    let (gradient, tape) = tape_gradient(&tableau::DOP853, &Control::fixed(300), Memory::Every);
    let y = &tape.states()[1];
    assert!(measure::max_abs_diff(y, &[1.5170933697825688, -0.5912309005955193]) < 1e-13);
    assert!((gradient.params.norm() - EXACT_NORM).abs() < 1e-12);
    assert!(measure::max_abs_diff(&picked(&gradient.params), &EXACT_ENTRIES) < 1e-12);
    // The flow does not know where the time starts.
    assert!((gradient.times[0] + gradient.times[1]).abs() < 1e-12);
}

/// Same bits for any number of slots, with the number of repeated steps that the theory says, for
/// fields that depend on the time too.
#[test]
fn checkpoints_change_no_bit() {
    let swing = Swing(1.7);
    for (table, control) in [
        (&tableau::TSITOURAS, Control::default()),
        (&tableau::RK4, Control::fixed(100)),
        (&tableau::TSITOURAS, Control::fixed(100)),
    ] {
        let times = [0.3, 1.0, 2.5];
        let x = vec![1.0, 0.5];
        let run = |memory| {
            let mut method = RungeKutta::new(table, &swing, &x);
            let tape = Tape::record(&mut method, &times, &x, &control, memory).unwrap();
            let bars: Vec<Vec<f64>> = tape.states().iter().map(|y| vec![y[0], 2.0]).collect();
            let gradient = tape.pull(&mut method, &bars).unwrap();
            (gradient, tape.steps().len())
        };
        let (whole, n) = run(Memory::Slots(1000));
        let stages = table.stages() - usize::from(table.reuses_last());
        for slots in [1, 2, 3, 7, 12] {
            let (gradient, _) = run(Memory::Slots(slots));
            let same = |a: &[f64], b: &[f64]| {
                assert!(a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()));
            };
            same(&gradient.state, &whole.state);
            same(&gradient.params, &whole.params);
            // A step pulled back needs no last slope; one evaluation for each of the three times' rates.
            let repeated = schedule::repeated_steps(n, slots);
            let pulled = (stages - 1) * n;
            assert_eq!(gradient.report.nfe, pulled + stages * repeated + 3);
        }
        let (every, _) = run(Memory::Every);
        assert!(measure::max_abs_diff(&every.params, &whole.params) < 1e-12);
        assert_eq!(every.report.nfe, (stages - 1) * n + 3);
    }
}

/// A pendulum with a push that depends on the time: y'' = −p sin y + cos(p t).
struct Swing(f64);

impl VectorField<Vec<f64>> for Swing {
    fn eval(&self, t: f64, y: &Vec<f64>, dy: &mut Vec<f64>) -> Result<(), EvalError> {
        dy[0] = y[1];
        dy[1] = -self.0 * y[0].sin() + (self.0 * t).cos();
        Ok(())
    }
}

impl VjpField<Vec<f64>> for Swing {
    fn params(&self) -> usize {
        1
    }

    fn vjp(
        &self,
        t: f64,
        y: &Vec<f64>,
        w: &Vec<f64>,
        y_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        y_bar[0] = -self.0 * y[0].cos() * w[1];
        y_bar[1] = w[0];
        p_bar[0] += w[1] * (-y[0].sin() - t * (self.0 * t).sin());
        Ok(())
    }
}

/// Every table's gradient against finite differences on the same steps, with outputs on the way.
#[test]
fn every_table_against_finite_differences() {
    let times = [0.3, 1.0, 2.5];
    let x = vec![1.0, 0.5];
    // L = Σ yᵢ·cᵢ over the outputs.
    let weights = [[0.3, -1.0], [2.0, 0.7], [-0.4, 1.1]];
    let bars: Vec<Vec<f64>> = weights.iter().map(|w| w.to_vec()).collect();
    for table in tableau::ALL {
        let value = |p: f64, x: &Vec<f64>| {
            let swing = Swing(p);
            let mut method = RungeKutta::new(table, &swing, x);
            let control = Control::fixed(6);
            let tape = Tape::record(&mut method, &times, x, &control, Memory::Every).unwrap();
            let states = tape.states().iter().zip(&bars);
            states.map(|(y, w)| y.dot(w)).sum::<f64>()
        };
        let swing = Swing(1.7);
        let mut method = RungeKutta::new(table, &swing, &x);
        let tape = Tape::record(
            &mut method,
            &times,
            &x,
            &Control::fixed(6),
            Memory::Slots(3),
        )
        .unwrap();
        let gradient = tape.pull(&mut method, &bars).unwrap();
        let d = 1e-5;
        let check = |got: f64, up: f64, down: f64| {
            let difference = (up - down) / (2.0 * d);
            assert!(
                (got - difference).abs() < 1e-8,
                "{}: {got} {difference}",
                table.name
            );
        };
        check(gradient.params[0], value(1.7 + d, &x), value(1.7 - d, &x));
        for i in 0..2 {
            let (mut up, mut down) = (x.clone(), x.clone());
            up[i] += d;
            down[i] -= d;
            check(gradient.state[i], value(1.7, &up), value(1.7, &down));
        }
    }
}

/// ∂L/∂t at fine steps against finite differences of the flow.
#[test]
fn gradients_with_respect_to_the_times() {
    let x = vec![1.0, 0.5];
    let swing = Swing(1.7);
    let bars = vec![vec![0.1, 0.2], vec![2.0, 0.7], vec![-0.4, 1.1]];
    let tight = Options::tolerance(1e-12, 1e-12).control();
    let run = |times: &[f64; 3]| {
        let mut method = RungeKutta::new(&tableau::DOP853, &swing, &x);
        Tape::record(&mut method, times, &x, &tight, Memory::Every).unwrap()
    };
    let times = [0.3, 1.0, 2.5];
    let value = |times: &[f64; 3]| {
        let tape = run(times);
        let states = tape.states().iter().zip(&bars);
        states.map(|(y, w)| y.dot(w)).sum::<f64>()
    };
    let mut method = RungeKutta::new(&tableau::DOP853, &swing, &x);
    let direct = run(&times).pull(&mut method, &bars).unwrap();
    let options = Options {
        tableau: &tableau::DOP853,
        ..Options::tolerance(1e-12, 1e-12)
    };
    let loss = |_: &[Vec<f64>]| bars.clone();
    let norm = ErrorNorm::Full;
    let (back, _) = backsolve(&swing, &times, &x, &options, norm, loss).unwrap();
    let dense = solve_dense(&swing, (0.3, 2.5), &x, &options).unwrap();
    let (inter, _) = interpolated(&swing, &times, &dense, &options, norm, loss).unwrap();
    let (rev, _) = reversible(&swing, &times, &x, &Control::fixed(20_000), loss).unwrap();
    for i in 0..3 {
        let (mut up, mut down) = (times, times);
        up[i] += 1e-5;
        down[i] -= 1e-5;
        let difference = (value(&up) - value(&down)) / 2e-5;
        for (gradient, tol) in [(&direct, 1e-8), (&back, 1e-8), (&inter, 1e-8), (&rev, 1e-6)] {
            assert!(
                (gradient.times[i] - difference).abs() < tol,
                "{i} {gradient:?} {difference}"
            );
        }
    }
    for (other, tol) in [(&back, 1e-9), (&inter, 1e-9), (&rev, 1e-6)] {
        assert!(measure::max_abs_diff(&other.params, &direct.params) < tol);
        assert!(measure::max_abs_diff(&other.state, &direct.state) < tol);
    }
}

/// Reversible Heun: published norms, exact reconstruction, and the gradient of the discrete solve.
#[test]
fn reversible_heun_without_memory() {
    let network = Network::new();
    for (n, y, norm) in [
        (
            40,
            [1.517046059300129, -0.5909749163120049],
            5.559938680278269,
        ),
        (80, [f64::NAN; 2], 5.560950358202198),
    ] {
        let control = Control::fixed(n);
        let (gradient, states) = reversible(&network, &SPAN, &start(), &control, loss).unwrap();
        if n == 40 {
            assert!(measure::max_abs_diff(&states[1], &y) < 1e-13);
        }
        assert!((gradient.params.norm() - norm).abs() < 1e-12);
        // One evaluation a step on the way back, and the rates at both times.
        assert_eq!(gradient.report.nfe, n + 2);
        let pair = (start(), start());
        let mut method = ReversibleHeun::new(&network, &start());
        let tape = Tape::record(&mut method, &SPAN, &pair, &control, Memory::Slots(5)).unwrap();
        let bars = loss(&states).into_iter().map(|bar| {
            let zeros = bar.zeros_like();
            (bar, zeros)
        });
        let direct = tape.pull(&mut method, &bars.collect::<Vec<_>>()).unwrap();
        assert!(measure::max_abs_diff(&direct.params, &gradient.params) < 1e-13);
        let (a, b) = &direct.state;
        let state: Vec<f64> = a.iter().zip(b).map(|(a, b)| a + b).collect();
        assert!(measure::max_abs_diff(&state, &gradient.state) < 1e-13);
        let mut back = tape.states()[1].clone();
        method.restart();
        for (t, h) in tape.steps().iter().rev() {
            method.step_back(*t, *h, &mut back).unwrap();
        }
        assert!(measure::max_abs_diff(&back.0, &start()) < 1e-14);
    }
}

/// Tsitouras at 1e-5: relative errors of the discrete gradient 1.1e-5 and of the continuous one 1.4e-5,
/// both within a factor of 3.
#[test]
fn discrete_and_continuous_gradients() {
    let fine = tape_gradient(&tableau::DOP853, &Control::fixed(300), Memory::Every).0;
    let relative = |gradient: &Gradient<Vec<f64>>| {
        let mut difference = gradient.params.clone();
        difference.lincomb(1.0, &[(-1.0, &fine.params)]);
        difference.norm() / fine.params.norm()
    };
    let options = Options::tolerance(1e-5, 1e-5);
    let control = options.control();
    let (direct, _) = tape_gradient(&tableau::TSITOURAS, &control, Memory::Every);
    let within = |got: f64, want: f64| assert!(got < 3.0 * want && got > want / 3.0, "{got:e}");
    within(relative(&direct), 1.1e-5);
    let network = Network::new();
    let (back, _) = backsolve(&network, &SPAN, &start(), &options, ErrorNorm::Full, loss).unwrap();
    within(relative(&back), 1.4e-5);
    let dense = solve_dense(&network, (0.0, 2.0), &start(), &options).unwrap();
    let (inter, states) =
        interpolated(&network, &SPAN, &dense, &options, ErrorNorm::Full, loss).unwrap();
    assert!(relative(&inter) < 3e-5);
    assert_eq!(states[1], dense.states()[dense.states().len() - 1]);
}

/// y' = −λ(y − sin t), λ = 60.
struct Relax;

impl VectorField<Vec<f64>> for Relax {
    fn eval(&self, t: f64, y: &Vec<f64>, dy: &mut Vec<f64>) -> Result<(), EvalError> {
        dy[0] = -60.0 * (y[0] - t.sin());
        Ok(())
    }
}

impl VjpField<Vec<f64>> for Relax {
    fn params(&self) -> usize {
        1
    }

    fn vjp(
        &self,
        t: f64,
        y: &Vec<f64>,
        w: &Vec<f64>,
        y_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        y_bar[0] = -60.0 * w[0];
        p_bar[0] += -(y[0] - t.sin()) * w[0];
        Ok(())
    }
}

/// On a dissipative field the way back is unstable: the backsolve loses what the tape and the
/// interpolated adjoint keep.
#[test]
fn a_dissipative_field() {
    let exact = 1.57746033e-4;
    let y = vec![1.0];
    let end = |_: &[Vec<f64>]| vec![vec![0.0], vec![1.0]];
    for (tol, discrete, continuous) in [(1e-4, 7.8e-2, 5.2e-1), (1e-6, 1.6e-4, 2.7e-3)] {
        let options = Options::tolerance(tol, tol);
        let mut method = RungeKutta::new(&tableau::TSITOURAS, &Relax, &y);
        let control = options.control();
        let times = [0.0, 1.0];
        let tape = Tape::record(&mut method, &times, &y, &control, Memory::Every).unwrap();
        let direct = tape.pull(&mut method, &end(&[])).unwrap();
        let error = |g: &Gradient<Vec<f64>>| (g.params[0] / exact - 1.0).abs();
        assert!(error(&direct) < 3.0 * discrete, "{:e}", error(&direct));
        let (back, _) = backsolve(&Relax, &times, &y, &options, ErrorNorm::Full, end).unwrap();
        let got = error(&back);
        assert!(got > continuous / 10.0, "{got:e}");
        let dense = solve_dense(&Relax, (0.0, 1.0), &y, &options).unwrap();
        let (inter, _) =
            interpolated(&Relax, &times, &dense, &options, ErrorNorm::Full, end).unwrap();
        assert!(error(&inter) < got, "{:e} {got:e}", error(&inter));
    }
}

/// Lotka-Volterra with α as its parameter.
struct Prey;

impl VectorField<Vec<f64>> for Prey {
    fn eval(&self, t: f64, y: &Vec<f64>, dy: &mut Vec<f64>) -> Result<(), EvalError> {
        lotka_volterra(t, y, dy)
    }
}

impl VjpField<Vec<f64>> for Prey {
    fn params(&self) -> usize {
        1
    }

    fn vjp(
        &self,
        _: f64,
        y: &Vec<f64>,
        w: &Vec<f64>,
        y_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        y_bar[0] = (1.5 - y[1]) * w[0] + y[1] * w[1];
        y_bar[1] = -y[0] * w[0] + (-3.0 + y[0]) * w[1];
        p_bar[0] += y[0] * w[0];
        Ok(())
    }
}

/// Solver heuristics over 100 steps of Tsitouras on Lotka-Volterra, their sums and derivatives with
/// respect to α, computed with another program's automatic differentiation.
#[test]
fn heuristics_and_their_gradients() {
    let y = vec![1.0, 1.0];
    let times = [0.0, 10.0];
    let zeros = vec![vec![0.0; 2]; 2];
    let sum = Regulariser {
        over_errors: Aggregate::Sum,
        over_stiffness: Aggregate::Sum,
        ..Regulariser::default()
    };
    let squares = Regulariser { power: 2, ..sum };
    let stiffness = Regulariser {
        error: 0.0,
        stiffness: 1.0,
        ..sum
    };
    let tolerance = Tolerance::new(1e-5, 1e-5);
    let absolute = Tolerance::new(1.0, 0.0);
    for (tolerance, regulariser, scale, value, slope) in [
        (tolerance, sum, 1.0, 0.5020683996956014, 0.7050077620861),
        (
            tolerance,
            squares,
            1.0,
            0.08484881493746804,
            0.2199904078165,
        ),
        (
            tolerance,
            stiffness,
            1.0,
            251.80268192219404,
            -238.3276322661620,
        ),
        // The error itself in the Euclidean norm.
        (
            absolute,
            sum,
            2.0_f64.sqrt(),
            3.299748596160592e-5,
            4.397269477954e-5,
        ),
    ] {
        let mut method = RungeKutta::new(&tableau::TSITOURAS, &Prey, &y);
        let control = Control::fixed(100);
        let memory = Memory::Slots(8);
        let watched =
            Watched::record(&mut method, &times, &y, &control, tolerance, memory).unwrap();
        let got = scale * regulariser.value(watched.steps());
        assert!((got / value - 1.0).abs() < 1e-10, "{got} {value}");
        let gradient = watched.pull(&mut method, &zeros, &regulariser).unwrap();
        let got = scale * gradient.params[0];
        assert!((got / slope - 1.0).abs() < 1e-10, "{got} {slope}");
    }
}

/// The gradient with respect to the state, against finite differences on the same steps.
#[test]
fn heuristics_depend_on_the_state() {
    let times = [0.0, 1.0];
    let tolerance = Tolerance::new(1e-6, 1e-3);
    let regulariser = Regulariser {
        stiffness: 0.3,
        over_stiffness: Aggregate::Mean,
        ..Regulariser::default()
    };
    let run = |y: &Vec<f64>| {
        let mut method = RungeKutta::new(&tableau::DORMAND_PRINCE, &Prey, y);
        let control = Control::fixed(5);
        let memory = Memory::Every;
        let watched = Watched::record(&mut method, &times, y, &control, tolerance, memory);
        let watched = watched.unwrap();
        let zeros = vec![vec![0.0; 2]; 2];
        let gradient = watched.pull(&mut method, &zeros, &regulariser).unwrap();
        (regulariser.value(watched.steps()), gradient)
    };
    let y = vec![1.1, 0.7];
    let (_, gradient) = run(&y);
    for i in 0..2 {
        let (mut up, mut down) = (y.clone(), y.clone());
        up[i] += 1e-6;
        down[i] -= 1e-6;
        let difference = (run(&up).0 - run(&down).0) / 2e-6;
        let got = gradient.state[i];
        assert!(
            (got - difference).abs() < 1e-6 * difference.abs().max(1.0),
            "{got} {difference}"
        );
    }
}

#[test]
fn bad_input() {
    let network = Network::new();
    let mut method = RungeKutta::new(&tableau::RK4, &network, &start());
    let control = Control::fixed(4);
    let record = |method: &mut RungeKutta<'_, Vec<f64>, &Network>, memory| {
        Tape::record(method, &SPAN, &start(), &control, memory)
    };
    let error = record(&mut method, Memory::Slots(0)).unwrap_err();
    assert!(matches!(error, StepError::Option { name: "slots", .. }));
    let tape = record(&mut method, Memory::Every).unwrap();
    let error = tape.pull(&mut method, &[vec![0.0; 2]]).unwrap_err();
    assert!(matches!(
        error,
        StepError::Count {
            expected: 2,
            got: 1,
            ..
        }
    ));
    let error = tape
        .pull(&mut method, &[vec![0.0; 2], vec![0.0]])
        .unwrap_err();
    assert!(matches!(
        error,
        StepError::Count {
            expected: 2,
            got: 1,
            ..
        }
    ));
    let nan = [vec![0.0; 2], vec![f64::NAN, 0.0]];
    let error = tape.pull(&mut method, &nan).unwrap_err();
    assert!(matches!(
        error,
        StepError::NonFinite {
            what: "the gradient",
            ..
        }
    ));
    let tolerance = Tolerance::new(1e-3, 1e-3);
    let memory = Memory::Every;
    let error = Watched::record(&mut method, &SPAN, &start(), &control, tolerance, memory);
    assert!(matches!(error.unwrap_err(), StepError::Option { .. }));
    let mut method = RungeKutta::new(&tableau::HEUN2, &network, &start());
    let error = Watched::record(&mut method, &SPAN, &start(), &control, tolerance, memory);
    assert!(matches!(
        error.unwrap_err(),
        StepError::Option {
            name: "tableau.nodes",
            ..
        }
    ));
    // A solve of length zero: the loss sees the initial state twice.
    let mut method = RungeKutta::new(&tableau::RK4, &network, &start());
    let tape = Tape::record(&mut method, &[1.0, 1.0], &start(), &control, memory).unwrap();
    let bars = [vec![1.0, 0.0], vec![0.0, 2.0]];
    let gradient = tape.pull(&mut method, &bars).unwrap();
    assert_eq!(gradient.state, [1.0, 2.0]);
    assert_eq!(AdjointStepper::params(&method), 22);
}
