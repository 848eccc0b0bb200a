//! Plans that no solver would write: random programs against an interpreter that keeps every value.

use std::ops::ControlFlow;

use ansatz_core::denoiser::from_fn;
use ansatz_core::{
    Denoiser, EvalError, Event, Key, NoiseLevel, Prediction, State, VjpDenoiser, stream,
};
use ansatz_diffusion::plan::Operation;
use ansatz_diffusion::{
    Checkpoints, Ddim, Heun, Known, Langevin, Linear, Plan, PlanBuilder, PlanError,
    PredictorCorrector, ProbabilityFlow, Progress, SampleError, Sampler, ScoreSde, Solver, Spacing,
    TimeGrid, Value, VpLinear,
};
use ansatz_testkit::measure;
use proptest::prelude::*;

/// ε = p·sin(x), elementwise.
struct Sine {
    p: f64,
}

impl Denoiser<Vec<f64>> for Sine {
    fn native(&self) -> Prediction {
        Prediction::Noise
    }

    fn eval(&self, x: &Vec<f64>, _: &NoiseLevel, out: &mut Vec<f64>) -> Result<(), EvalError> {
        out.iter_mut()
            .zip(x)
            .for_each(|(o, x)| *o = self.p * x.sin());
        Ok(())
    }
}

impl VjpDenoiser<Vec<f64>> for Sine {
    fn params(&self) -> usize {
        1
    }

    fn vjp(
        &self,
        x: &Vec<f64>,
        _: &NoiseLevel,
        w: &Vec<f64>,
        x_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        for ((b, x), w) in x_bar.iter_mut().zip(x).zip(w) {
            *b = self.p * x.cos() * w;
            p_bar[0] += x.sin() * w;
        }
        Ok(())
    }
}

/// Levels at which data is x − σ·ε: a conversion that magnifies little.
fn level(i: usize) -> NoiseLevel {
    NoiseLevel::new(1.0 - 0.01 * i as f64, 1.0, 0.2 / (1.0 + i as f64))
}

/// One line of a random program; numbers are reduced to the values that exist when it is read.
#[derive(Debug, Clone)]
enum Line {
    Input,
    Eval(usize, bool),
    Combine(Vec<(f64, usize)>),
    Normal,
    Step(Vec<usize>),
}

fn line() -> impl Strategy<Value = Line> {
    let term = || (-1.0..1.0_f64, any::<usize>());
    prop_oneof![
        1 => Just(Line::Input),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(x, d)| Line::Eval(x, d)),
        6 => prop::collection::vec(term(), 0..6).prop_map(Line::Combine),
        1 => prop::collection::vec(term(), 15..40).prop_map(Line::Combine),
        1 => Just(Line::Normal),
        2 => prop::collection::vec(any::<usize>(), 1..4).prop_map(Line::Step),
    ]
}

/// A plan, and what an observer should see: the state and the estimate of the data after each step.
struct Program {
    plan: Plan,
    steps: Vec<(Value, Option<Value>)>,
}

fn build(lines: &[Line], outputs: &[usize]) -> Program {
    let mut p = Plan::builder();
    let mut values = vec![p.input()];
    let (mut steps, mut denoised) = (Vec::new(), None);
    for (i, line) in lines.iter().enumerate() {
        // Late values are likelier, as in programs that get somewhere.
        let pick =
            |k: &usize| values[values.len() - 1 - (k % values.len()).min(k / 7 % values.len())];
        let new = match line {
            Line::Input => p.input(),
            Line::Eval(x, false) => p.eval(pick(x), &level(i), Prediction::Noise),
            Line::Eval(x, true) => {
                let y = p.eval(pick(x), &level(i), Prediction::Data);
                denoised = Some(y);
                y
            }
            Line::Combine(terms) => {
                // |c| sum to at most 1: nothing grows.
                let share = 1.0 / terms.len().max(1) as f64;
                let sum = terms
                    .iter()
                    .fold(Linear::default(), |sum, (c, v)| sum + share * *c * pick(v));
                p.combine(sum)
            }
            Line::Normal => p.normal(stream::step(i as u64)),
            Line::Step(states) => {
                let states: Vec<_> = states.iter().map(pick).collect();
                p.step(&level(i), &states);
                steps.push((states[0], denoised));
                continue;
            }
        };
        values.push(new);
    }
    let outputs: Vec<_> = outputs.iter().map(|k| values[k % values.len()]).collect();
    Program {
        plan: p.finish(&outputs).unwrap(),
        steps,
    }
}

fn number(v: Value) -> usize {
    v.to_string()[1..].parse().unwrap()
}

fn inputs(plan: &Plan) -> Vec<Vec<f64>> {
    (0..plan.inputs())
        .map(|i| {
            let mut x = vec![0.0; 3];
            x.fill_normal(Key::new(i as u64), stream::INITIAL);
            x
        })
        .collect()
}

/// Every value of the plan, in memory of its own.
fn interpret(plan: &Plan, model: &Sine, inputs: &[Vec<f64>], key: Key) -> Vec<Vec<f64>> {
    let mut values: Vec<Vec<f64>> = Vec::new();
    for operation in plan.operations() {
        let mut new = vec![0.0; 3];
        match operation {
            Operation::Input { index } => new.clone_from(&inputs[*index]),
            Operation::Eval { x, level, want } => {
                let at = &plan.levels()[*level];
                model
                    .eval_as(*want, &values[number(*x)], at, &mut new)
                    .unwrap();
            }
            Operation::Combine { terms } => {
                for (c, v) in terms {
                    new.iter_mut()
                        .zip(&values[number(*v)])
                        .for_each(|(n, v)| *n += c * v);
                }
            }
            Operation::Normal { stream, .. } => new.fill_normal(key, *stream),
            _ => unreachable!("only plans of gradients have products"),
        }
        values.push(new);
    }
    values
}

/// Rounding of at most 100 operations on numbers of order 1, each data estimate magnifying by 1.2.
const ROUNDING: f64 = 1e-12;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Slots are shared by liveness, and nobody can tell.
    #[test]
    fn memory_is_planned_right(
        lines in prop::collection::vec(line(), 0..60),
        outputs in prop::collection::vec(any::<usize>(), 1..5),
    ) {
        let Program { plan, steps } = build(&lines, &outputs);
        let (model, key) = (Sine { p: 0.9 }, Key::new(77));
        let values = interpret(&plan, &model, &inputs(&plan), key);
        let mut seen = 0;
        let mut observer = |e: &Event<'_, Vec<f64>>| {
            let (state, denoised) = steps[seen];
            assert!(measure::max_abs_diff(e.state, &values[number(state)]) < ROUNDING);
            assert_eq!(e.denoised.is_some(), denoised.is_some());
            if let (Some(got), Some(v)) = (e.denoised, denoised) {
                assert!(measure::max_abs_diff(got, &values[number(v)]) < ROUNDING);
            }
            seen += 1;
            ControlFlow::Continue(())
        };
        let (out, report) = plan.sample_all(&model, inputs(&plan), key, &mut observer).unwrap();
        prop_assert_eq!((seen, report.nfe), (steps.len(), plan.nfe()));
        let text = plan.to_string();
        let named = text.lines().filter_map(|l| l.strip_prefix("output v"));
        for (got, name) in out.iter().zip(named) {
            let k: usize = name.parse().unwrap();
            prop_assert!(measure::max_abs_diff(got, &values[k]) < ROUNDING);
        }
        // Written for a model of one kind, the plan is the same function.
        let direct = plan.for_model(Prediction::Noise).unwrap();
        let (same, _) = direct.sample_all(&model, inputs(&plan), key, &mut ()).unwrap();
        for (a, b) in out.iter().zip(&same) {
            prop_assert!(measure::max_abs_diff(a, b) < ROUNDING);
        }
        prop_assert!(plan.slots() <= plan.operations().len().max(1));
    }

    /// The gradient of ⟨weights, outputs⟩ along a random direction, by central differences.
    #[test]
    fn gradients_of_any_program(
        lines in prop::collection::vec(line(), 0..30),
        outputs in prop::collection::vec(any::<usize>(), 1..4),
        every in 1..5_usize,
    ) {
        let Program { plan, .. } = build(&lines, &outputs);
        let key = Key::new(78);
        let value = |d: f64| {
            let mut x = inputs(&plan);
            for (k, x) in x.iter_mut().enumerate() {
                x[k % 3] += d;
            }
            let model = Sine { p: 0.9 + d };
            let (out, _) = plan.sample_all(&model, x, key, &mut ()).unwrap();
            out.iter()
                .enumerate()
                .map(|(k, y)| (k + 1) as f64 * y.iter().sum::<f64>())
                .sum::<f64>()
        };
        let h = 1e-4;
        let expected = (value(h) - value(-h)) / (2.0 * h);
        for checkpoints in [Checkpoints::All, Checkpoints::Sqrt, Checkpoints::Every(every)] {
            let gradient = plan.gradient(Prediction::Noise, checkpoints).unwrap();
            let mut loss = |k: usize, _: &Vec<f64>, w: &mut Vec<f64>| {
                w.fill((k + 1) as f64);
                Ok(())
            };
            let g = gradient
                .run(&Sine { p: 0.9 }, inputs(&plan), key, &mut loss, &mut ())
                .unwrap();
            let along: f64 = g.inputs.iter().enumerate().map(|(k, x)| x[k % 3]).sum();
            let error = (along + g.params[0] - expected).abs();
            // h² = 1e-8 times a third derivative, which each of some ten sines on one another may
            // multiply; rounding 1e-12/h.
            prop_assert!(error < 1e-6 * expected.abs().max(1.0), "{:?} {:e}", checkpoints, error);
        }
    }

    /// Programs of lines that each replace one of several states by an affine function of it.
    #[test]
    fn inverses_of_affine_programs(
        count in 2..5_usize,
        lines in prop::collection::vec(
            (any::<usize>(), 0.6..1.0_f64, any::<bool>(), prop::collection::vec(-0.2..0.2_f64, 4), any::<usize>()),
            1..14,
        ),
        turn in 0..5_usize,
    ) {
        let mut p = PlanBuilder::default();
        let mut states: Vec<Value> = (0..count).map(|_| p.input()).collect();
        for (i, (which, keep, negative, others, x)) in lines.iter().enumerate() {
            let which = which % count;
            let mut sum = if *negative { -*keep } else { *keep } * states[which];
            for (j, c) in others.iter().enumerate().take(count) {
                if j != which {
                    sum = sum + *c * states[j];
                }
            }
            // The model on a sum of the other states; now and then on one of them.
            let at = states[(which + 1) % count];
            let at = if x % 3 == 0 { p.combine(0.5 * at + 0.1 * states[(which + count - 1) % count]) } else { at };
            sum = sum + 0.3 * p.eval(at, &level(i), Prediction::Noise);
            if x % 4 == 0 {
                let z = p.normal(stream::step(i as u64));
                sum = sum + 0.1 * z;
            }
            states[which] = p.combine(sum);
            p.step(&level(i), &states);
        }
        states.rotate_left(turn % count);
        let plan = p.finish(&states).unwrap();
        let (model, key) = (Sine { p: 0.9 }, Key::new(79));
        let start = inputs(&plan);
        let (there, _) = plan.sample_all(&model, start.clone(), key, &mut ()).unwrap();
        let inverse = plan.inverse().unwrap();
        let (back, _) = inverse.sample_all(&model, there, key, &mut ()).unwrap();
        for (x, y) in start.iter().zip(&back) {
            // Each of 13 lines undone multiplies an error by at most (1 + 3·0.2 + 0.3)/0.6.
            prop_assert!(measure::max_abs_diff(x, y) < 3.2_f64.powi(13) * 1e-15);
        }
    }
}

fn sample(plan: &Plan, x: f64) -> Result<f64, SampleError> {
    let mut x = vec![x];
    plan.sample(&Sine { p: 0.9 }, &mut x, Key::new(0), &mut ())?;
    Ok(x[0])
}

/// Two inputs that become one value: their terms are one.
#[test]
fn one_value_for_two_inputs() {
    let mut p = Plan::builder();
    let (a, b) = (p.input(), p.input());
    let sum = p.combine(0.5 * a + 0.25 * b);
    let pair = p.finish(&[sum]).unwrap();
    let mut p = Plan::builder();
    let x = p.input();
    let sum = p.append(&pair, &[x, x]).unwrap();
    assert_eq!(sample(&p.finish(&sum).unwrap(), 4.0).unwrap(), 3.0);
}

#[test]
fn a_plan_without_input_is_refused() {
    let mut p = Plan::builder();
    let z = p.normal(0);
    assert!(matches!(p.finish(&[z]), Err(PlanError::NoInput)));
}

#[test]
#[should_panic(expected = "another plan")]
fn values_of_another_plan_are_refused() {
    let mut p = Plan::builder();
    let (_, second) = (p.input(), p.input());
    let mut q = Plan::builder();
    let x = q.input();
    q.combine(x + second);
}

/// Sums of sums of draws: paths through them are more than 2⁶⁰, values are 64.
#[test]
fn inverses_look_at_each_value_once() {
    let mut p = Plan::builder();
    let x = p.input();
    let mut values: Vec<Value> = (0..4).map(|i| p.normal(i)).collect();
    for _ in 0..12 {
        let sum = values
            .iter()
            .fold(Linear::default(), |sum, v| sum + 0.1 * *v);
        values.push(p.combine(sum));
    }
    let y = p.combine(0.5 * x + values[15]);
    let plan = p.finish(&[y]).unwrap();
    let there = sample(&plan, 0.3).unwrap();
    let back = sample(&plan.inverse().unwrap(), there).unwrap();
    assert!((back - 0.3).abs() < 1e-14);
}

/// An input that every step reads does not make the gradient keep every step.
#[test]
fn cotangents_of_a_condition_are_summed_on_the_way() {
    let slots = |steps: usize| {
        let mut p = Plan::builder();
        let (mut x, condition) = (p.input(), p.input());
        for _ in 0..steps {
            let e = p.eval(x, &level(0), Prediction::Noise);
            x = p.combine(0.9 * x + 0.1 * e + 0.01 * condition);
            p.step(&level(0), &[x]);
        }
        let plan = p.finish(&[x]).unwrap();
        let gradient = plan.gradient(Prediction::Noise, Checkpoints::Sqrt);
        gradient.unwrap().slots()
    };
    // About 2√N.
    assert!(slots(2500) < 120, "{}", slots(2500));
}

fn grid() -> TimeGrid {
    TimeGrid::new(&VpLinear::default(), Spacing::LogSnr, 6).unwrap()
}

/// Noise of another length, and noise that is none, even where nothing is computed from it.
#[test]
fn noise_is_checked() {
    let model = Sine { p: 0.9 };
    let plan = Ddim { eta: 1.0 }
        .plan(&VpLinear::default(), &grid())
        .unwrap();
    let longer = |_: usize, z: &mut Vec<f64>| z.push(1.0);
    let nan = |_: usize, z: &mut Vec<f64>| z.fill(f64::NAN);
    let mut x = vec![0.5];
    let result = plan.sample_with(&model, &mut x, longer, &mut ());
    assert!(matches!(
        result,
        Err(SampleError::Length { what: "noise", .. })
    ));
    let result = plan.sample_with(&model, &mut x, nan, &mut ());
    assert!(matches!(result, Err(SampleError::NonFinite { .. })));
    let mut p = Plan::builder();
    p.input();
    let z = p.normal(0);
    let plan = p.finish(&[z]).unwrap();
    let result = plan.sample_with(&model, &mut x, nan, &mut ());
    assert!(matches!(
        result,
        Err(SampleError::NonFinite { what: "noise", .. })
    ));
    assert_eq!(x, [0.5]);
}

/// Samplers that are no plans check the same: empty states, noise, and the last state of all.
#[test]
fn samplers_check_what_plans_check() {
    let model = Sine { p: 0.9 };
    let schedule = VpLinear::default();
    let mut x: Vec<f64> = Vec::new();
    let empty = ProbabilityFlow::new(&schedule).sample(&model, &mut x, Key::new(0), &mut ());
    assert!(matches!(empty, Err(SampleError::Length { .. })));
    let transitions = ScoreSde::preserving(30).transitions().unwrap();
    let sampler = PredictorCorrector::new(transitions, 1);
    let mut x = vec![0.5];
    let longer = |_: usize, z: &mut Vec<f64>| z.push(1.0);
    let result = sampler.sample_with(&model, &mut x, longer, &mut ());
    assert!(matches!(
        result,
        Err(SampleError::Length { what: "noise", .. })
    ));
    // No model sees the state after the last step.
    let (known, last) = (vec![f64::NAN], sampler.transitions.len());
    let sampler = PredictorCorrector {
        transitions: sampler.transitions[last - 1..].to_vec(),
        langevin: Langevin {
            steps: 0,
            ..Langevin::default()
        },
        known: Some(Known {
            mask: vec![1.0],
            data: known,
        }),
        ..sampler
    };
    let result = sampler.sample(&model, &mut x, Key::new(0), &mut ());
    assert!(matches!(
        result,
        Err(SampleError::NonFinite { what: "sample", .. })
    ));
    assert_eq!(x, [0.5]);
}

/// A step under way has no state to hand out, and a failed run stays failed.
#[test]
fn runs_end_at_steps() {
    let plan = Heun::default().plan(&VpLinear::default(), &grid()).unwrap();
    let mut run = plan.start(vec![0.5], Key::new(0)).unwrap();
    // An evaluation comes first; unanswered, it changes nothing.
    assert!(matches!(run.advance(), Ok(Progress::Eval(_))));
    assert_eq!(run.clone().finish().unwrap().0, [[0.5]]);
    let Ok(Progress::Eval(request)) = run.advance() else {
        panic!("the same evaluation again")
    };
    request.answer(Prediction::Noise, &vec![0.3]).unwrap();
    let early = run.clone().finish();
    assert!(matches!(early, Err(SampleError::Unfinished { step: 0 })));
    let Ok(Progress::Eval(request)) = run.advance() else {
        panic!("the second evaluation")
    };
    request
        .fill(|_, _, _, out| {
            out.fill(f64::NAN);
            Ok(())
        })
        .unwrap();
    for _ in 0..2 {
        assert!(matches!(run.advance(), Err(SampleError::NonFinite { .. })));
    }
    assert!(run.finish().is_err());
}

/// A model that resizes its output before it fails leaves the run as it was.
#[test]
fn a_failed_answer_can_be_given_again() {
    let plan = Ddim::default().plan(&VpLinear::default(), &grid()).unwrap();
    let mut run = plan.start(vec![0.5], Key::new(0)).unwrap();
    let Ok(Progress::Eval(request)) = run.advance() else {
        panic!("an evaluation comes first")
    };
    let failed = request.fill(|_, _, _, out| {
        out.clear();
        Err(EvalError::model(std::fmt::Error))
    });
    assert!(matches!(failed, Err(SampleError::Eval { .. })));
    let Ok(Progress::Eval(request)) = run.advance() else {
        panic!("the same evaluation again")
    };
    request.answer(Prediction::Data, &vec![0.1]).unwrap();
    assert!(matches!(run.advance(), Ok(Progress::Step(_))));
}

/// Pairs of the same length that are split elsewhere.
#[test]
fn shapes_are_compared() {
    type Pair = (Vec<f64>, Vec<f64>);
    let plan = Ddim::default().plan(&VpLinear::default(), &grid()).unwrap();
    for kind in [Prediction::Data, Prediction::Noise] {
        let model = from_fn(kind, |_: &Pair, _: &NoiseLevel, out: &mut Pair| {
            *out = (vec![0.0], vec![0.0; 3]);
            Ok(())
        });
        let mut x = (vec![0.0; 2], vec![0.0; 2]);
        let result = plan.sample(&model, &mut x, Key::new(0), &mut ());
        let Err(SampleError::Eval { source, .. }) = result else {
            panic!("{result:?}")
        };
        assert!(matches!(source, EvalError::Shape { .. }), "{source}");
    }
    let mut p = Plan::builder();
    let (a, b) = (p.input(), p.input());
    let sum = p.combine(a + b);
    let plan = p.finish(&[sum]).unwrap();
    let model = from_fn(
        Prediction::Data,
        |_: &Pair, _: &NoiseLevel, _: &mut Pair| Ok(()),
    );
    let inputs = vec![(vec![0.0; 2], vec![0.0; 2]), (vec![0.0], vec![0.0; 3])];
    let result = plan.sample_all(&model, inputs, Key::new(0), &mut ());
    assert!(matches!(result, Err(SampleError::Shape { .. })));
}
