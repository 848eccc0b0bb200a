//! What a state must keep, and that samplers give the numbers they give on vectors.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_candle::candle::{Device, Tensor};
use ansatz_candle::{CandleState, Element, from_fn};
use ansatz_core::{Denoiser, EvalError, Key, NoiseLevel, Prediction, State};
use ansatz_diffusion::{
    Bdia, Ddim, DpmMultistep, SampleError, Solver, Spacing, TimeGrid, UniPc, VpLinear,
};
use ansatz_testkit::{Mixture, laws, tb1};

fn make<T: Element>(x: &[f64]) -> CandleState<T> {
    CandleState::new(&Tensor::from_slice(x, x.len(), &Device::Cpu).unwrap()).unwrap()
}

fn read<T: Element>(state: &CandleState<T>) -> Vec<f64> {
    let flat = state.tensor().flatten_all().unwrap();
    flat.to_vec1::<T>()
        .unwrap()
        .iter()
        .map(|v| v.f64())
        .collect()
}

#[test]
fn laws_of_states() {
    laws::state(make::<f32>, read);
    laws::state(make::<f64>, read);
    laws::flat_noise(make::<f32>, read);
    laws::flat_noise(make::<f64>, read);
}

/// The exact model of TB1 on rows of tensors.
fn tb1_model<T: Element>() -> impl Denoiser<CandleState<T>> {
    from_fn(Prediction::Noise, |x: &Tensor, at: &NoiseLevel| {
        let rows: Vec<T> = x.flatten_all()?.to_vec1()?;
        let mut noise = vec![T::zero(); rows.len()];
        Mixture::tb1()
            .eval_as(Prediction::Noise, &rows, at, &mut noise)
            .map_err(ansatz_candle::candle::Error::wrap)?;
        Tensor::from_vec(noise, x.shape(), x.device())
    })
}

/// Largest difference between samples on tensors and on vectors, over four solvers, one of them stochastic.
fn difference<T: Element>() -> f64 {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 20).unwrap();
    let solvers: [&dyn Solver; 4] = [
        &Ddim { eta: 1.0 },
        &DpmMultistep::default(),
        &UniPc::default(),
        &Bdia::default(),
    ];
    let start = tb1::points(64);
    let mut worst = 0.0_f64;
    for solver in solvers {
        let plan = solver.plan(&schedule, &grid).unwrap();
        let mut on_vector: Vec<T> = start.iter().map(|v| T::of(*v)).collect();
        plan.sample(
            &Mixture::tb1().predicting(Prediction::Noise),
            &mut on_vector,
            Key::new(5),
            &mut (),
        )
        .unwrap();
        let tensor = Tensor::from_slice(&start, (64, 2), &Device::Cpu).unwrap();
        let mut on_tensor = CandleState::<T>::new(&tensor).unwrap();
        plan.sample(&tb1_model(), &mut on_tensor, Key::new(5), &mut ())
            .unwrap();
        assert_eq!(on_tensor.tensor().dims(), [64, 2]);
        for (a, b) in read(&on_tensor).iter().zip(&on_vector) {
            worst = worst.max((a - b.f64()).abs());
        }
    }
    worst
}

/// Twenty steps of a few roundings each, on numbers of size 4 that the flow enlarges less than tenfold.
#[test]
fn samplers_give_the_numbers_they_give_on_vectors() {
    let roundings = 20.0 * 4.0 * 4.0 * 10.0;
    let wide = difference::<f64>();
    assert!(wide < roundings * f64::EPSILON, "{wide:e}");
    let narrow = difference::<f32>();
    assert!(narrow < roundings * f64::from(f32::EPSILON), "{narrow:e}");
}

#[test]
fn faults_of_a_network_are_errors() {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 4).unwrap();
    let plan = Ddim::default().plan(&schedule, &grid).unwrap();
    let start = make::<f32>(&[0.5, -1.0]);
    let mut x = start.clone();
    let mut fails = |f: fn(&Tensor) -> ansatz_candle::candle::Result<Tensor>| {
        let model = from_fn(Prediction::Data, move |x: &Tensor, _: &NoiseLevel| f(x));
        plan.sample(&model, &mut x, Key::new(0), &mut ())
            .unwrap_err()
    };
    let error = fails(|x| x.narrow(0, 0, 1));
    assert!(
        matches!(
            &error,
            SampleError::Eval {
                source: EvalError::Length {
                    expected: 2,
                    got: 1,
                    ..
                },
                ..
            }
        ),
        "{error}"
    );
    let error = fails(|x| x.reshape((3, 3)));
    assert!(
        matches!(
            &error,
            SampleError::Eval {
                source: EvalError::Model(_),
                ..
            }
        ),
        "{error}"
    );
    let error = fails(|x| x.affine(f64::NAN, 0.0));
    assert!(matches!(&error, SampleError::NonFinite { .. }), "{error}");
    assert_eq!(read(&x), read(&start));
}

/// As many elements in another shape are another state: an error of the caller's, not a panic inside.
#[test]
fn shapes_are_told_apart() {
    let state = |shape: &[usize]| {
        let tensor = Tensor::from_vec(vec![0.0_f32; 6], shape, &Device::Cpu).unwrap();
        CandleState::<f32>::new(&tensor).unwrap()
    };
    assert!(state(&[2, 3]).same_shape(&state(&[2, 3])));
    assert!(!state(&[2, 3]).same_shape(&state(&[3, 2])));
}
