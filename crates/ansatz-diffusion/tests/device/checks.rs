//! Every solver, and the samplers that work on any state, take the same steps on a device as in main memory and end in the
//! same bits. One list for the tests and for the report on a device.

use ansatz_core::{Denoiser, EvalError, Key, NoiseLevel, Prediction, State, stream};
use ansatz_cuda::{CudaState, Device, DeviceScalar};
use ansatz_diffusion::diffeq::tableau;
use ansatz_diffusion::{
    Bdia, Churn, Consistency, Ddim, Deis, DenoiseToZero, DpmAdaptive, DpmMultistep, DpmOt,
    DpmSinglestep, Edict, Edm, EvoDiff, Form, Heun, Known, MeanReverting, OBelm, OrderPair, Pndm,
    Predictor, PredictorCorrector, ProbabilityFlow, Rddm, ReverseSde, ReversibleHeun,
    RhoRungeKutta, Sampler, ScoreSde, SdeDpmMultistep, Solver, Spacing, TimeGrid, UniPc, Variable,
    VpLinear, dpm_ot,
};
use ansatz_testkit::device::Check;

/// The checks of this crate.
pub(crate) const CHECKS: &[Check<Device>] = &[
    ("samplers by plans, f32", plans::<f32>),
    ("samplers by plans, f64", plans::<f64>),
    ("probability flow, f64", flow),
    ("mean-reverting sampler, f32", reverting),
    ("runs that hand out requests, f32", requests),
    ("controlled steps, f32", adaptive::<f32>),
    ("controlled steps, f64", adaptive::<f64>),
    ("samples with scalars of their own, f32", evodiff::<f32>),
    ("samples with scalars of their own, f64", evodiff::<f64>),
    ("predictor and corrector, f32", corrected::<f32>),
    ("predictor and corrector, f64", corrected::<f64>),
    ("optimal transport, f32", transported::<f32>),
    ("optimal transport, f64", transported::<f64>),
];

/// A model that any state can be asked: data N(0, ¼·I), and a factor that every element has a part in, so that a bit that
/// differs in one shows in all.
struct Model;

impl<S: State> Denoiser<S> for Model {
    fn native(&self) -> Prediction {
        Prediction::Data
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        let size = x.dot(x) / x.len() as f64;
        let gain = 0.25 * at.alpha / (0.25 * at.alpha * at.alpha + at.sigma * at.sigma);
        out.lincomb(0.0, &[(gain * (1.0 + 0.1 / (1.0 + size)), x)]);
        Ok(())
    }
}

/// Every family of solvers.
fn solvers() -> Vec<(&'static str, Box<dyn Solver>)> {
    let churn = Churn {
        amount: 10.0,
        min: 0.05,
        max: 50.0,
        noise: 1.003,
    };
    let heun_churn = Heun {
        churn: Some(churn),
        ..Heun::default()
    };
    let singlestep = DpmSinglestep {
        order: 2,
        form: Form::Noise,
        ..DpmSinglestep::default()
    };
    let reverse = |predictor| ReverseSde {
        predictor,
        ..ReverseSde::default()
    };
    let ratio = Deis {
        variable: Variable::Ratio,
        degree: 2,
        ..Deis::default()
    };
    let rk5 = RhoRungeKutta {
        tableau: tableau::TSITOURAS,
    };
    vec![
        ("ddim", Box::new(Ddim::default())),
        ("ddpm", Box::new(Ddim { eta: 1.0 })),
        ("reverse sde", Box::new(reverse(Predictor::EulerMaruyama))),
        (
            "reverse diffusion",
            Box::new(reverse(Predictor::ReverseDiffusion)),
        ),
        ("ancestral", Box::new(reverse(Predictor::Ancestral))),
        ("++2m", Box::new(DpmMultistep::default())),
        ("++3s", Box::new(DpmSinglestep::default())),
        ("2s", Box::new(singlestep)),
        ("sde ++2m", Box::new(SdeDpmMultistep::default())),
        ("euler", Box::new(Heun::euler())),
        ("heun", Box::new(Heun::default())),
        ("heun churn", Box::new(heun_churn)),
        ("bdia", Box::new(Bdia::default())),
        ("o-belm", Box::new(OBelm)),
        ("reversible heun", Box::new(ReversibleHeun)),
        ("edict", Box::new(Edict::default())),
        ("tab3", Box::new(Deis::default())),
        ("rho-ab2", Box::new(ratio)),
        ("ipndm", Box::new(Pndm::ipndm())),
        ("f-pndm", Box::new(Pndm::f_pndm())),
        ("consistency", Box::new(Consistency)),
        ("rddm", Box::new(Rddm { eta: 1.0 })),
        ("rho-rk5", Box::new(rk5)),
        ("unipc", Box::new(UniPc::default())),
        (
            "++2m denoised",
            Box::new(DenoiseToZero(DpmMultistep::default())),
        ),
    ]
}

/// Noise that sampling starts from.
fn noise<T: DeviceScalar>(len: usize) -> Vec<T>
where
    Vec<T>: State,
{
    let mut x = vec![T::zero(); len];
    x.fill_normal(Key::new(3), stream::INITIAL);
    x
}

/// The sampler on both sides: the same report, the same bits.
fn agree<T: DeviceScalar>(
    what: &str,
    device: &Device,
    on_host: &dyn Sampler<Vec<T>>,
    on_device: &dyn Sampler<CudaState<T>>,
) {
    agree_from(what, device, noise(5003), on_host, on_device);
}

/// The same from these elements.
fn agree_from<T: DeviceScalar>(
    what: &str,
    device: &Device,
    mut x: Vec<T>,
    on_host: &dyn Sampler<Vec<T>>,
    on_device: &dyn Sampler<CudaState<T>>,
) {
    let mut y = CudaState::upload(device, &x).expect("a state");
    let a = on_host.sample(&Model, &mut x, Key::new(5), &mut ());
    let b = on_device.sample(&Model, &mut y, Key::new(5), &mut ());
    let (a, b) = (a.expect("a sample"), b.expect("a sample"));
    assert_eq!((a.nfe, a.steps), (b.nfe, b.steps), "{what}");
    assert!(
        y.to_vec().expect("elements") == x,
        "{what}: other bits on the device"
    );
}

fn plans<T: DeviceScalar>(device: &Device) {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 7).expect("a grid");
    for (name, solver) in solvers() {
        let plan = solver.plan(&schedule, &grid).expect("a plan");
        agree::<T>(name, device, &plan, &plan);
    }
    assert_eq!(device.synchronize(), Ok(()));
}

/// Steps are controlled: norms of errors are the same to the bit, and so are the steps.
fn flow(device: &Device) {
    let schedule = VpLinear::default();
    let flow = ProbabilityFlow::new(&schedule);
    agree::<f64>("probability flow", device, &flow, &flow);
}

fn reverting(device: &Device) {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 5).expect("a grid");
    let plan = Ddim { eta: 0.5 }.plan(&schedule, &grid).expect("a plan");
    let mut anchor = noise::<f32>(5003);
    anchor.lincomb(0.1, &[]);
    let far = CudaState::upload(device, &anchor).expect("a state");
    let on_host = MeanReverting {
        plan: &plan,
        anchor: &anchor,
    };
    let on_device = MeanReverting {
        plan: &plan,
        anchor: &far,
    };
    agree::<f32>("mean-reverting", device, &on_host, &on_device);
}

/// A model elsewhere answers with states of the device.
fn requests(device: &Device) {
    use ansatz_diffusion::Progress;
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 6).expect("a grid");
    let plan = DpmMultistep::default()
        .plan(&schedule, &grid)
        .expect("a plan");
    let mut x = noise::<f32>(5003);
    let start = CudaState::upload(device, &x).expect("a state");
    plan.sample(&Model, &mut x, Key::new(0), &mut ())
        .expect("a sample");
    let mut run = plan.start(start, Key::new(0)).expect("a run");
    loop {
        match run.advance().expect("progress") {
            Progress::Eval(request) => {
                let mut out = request.x().zeros_like();
                let level = request.level();
                Model
                    .eval(request.x(), &level, &mut out)
                    .expect("an answer");
                request.answer(Prediction::Data, &out).expect("it is taken");
            }
            Progress::Step(_) => {}
            Progress::Done => break,
        }
    }
    let (states, _) = run.finish().expect("the end");
    assert!(states[0].to_vec().expect("elements") == x);
}

/// Samples of a batch, and elements of each.
const BATCH: [usize; 2] = [12, 37];

/// As [`agree`] on a batch.
fn agree_on_batch<T: DeviceScalar>(
    what: &str,
    device: &Device,
    on_host: &dyn Sampler<Vec<T>>,
    on_device: &dyn Sampler<CudaState<T>>,
) {
    agree_from(what, device, noise(BATCH[0] * BATCH[1]), on_host, on_device);
}

/// Errors are the largest over rows; so are the steps.
fn adaptive<T: DeviceScalar>(device: &Device) {
    let schedule = VpLinear::default();
    for (pair, batch) in [(OrderPair::OneTwo, 1), (OrderPair::TwoThree, BATCH[0])] {
        let options = DpmAdaptive {
            pair,
            batch,
            ..DpmAdaptive::default()
        };
        let sampler = options.on(&schedule).expect("a sampler");
        agree_on_batch::<T>("controlled steps", device, &sampler, &sampler);
    }
}

fn evodiff<T: DeviceScalar>(device: &Device) {
    let schedule = Edm::default();
    // More steps than twenty take another form.
    for (steps, batch) in [(6, 1), (23, BATCH[0])] {
        let grid = TimeGrid::new(&schedule, Spacing::LogSnr, steps).expect("a grid");
        let sampler = EvoDiff { batch }.on(&grid).expect("a sampler");
        agree_on_batch::<T>("scalars of samples", device, &sampler, &sampler);
    }
}

/// With elements that are known: a third of them, the others NaN.
fn corrected<T: DeviceScalar>(device: &Device) {
    let x = noise::<T>(BATCH[0] * BATCH[1]);
    let mask: Vec<T> = (0..x.len())
        .map(|i| if i % 3 == 0 { T::one() } else { T::zero() })
        .collect();
    let data: Vec<T> = x
        .iter()
        .zip(&mask)
        .map(|(x, m)| if *m == T::zero() { T::nan() } else { *x })
        .collect();
    let far = Known {
        mask: CudaState::upload(device, &mask).expect("a state"),
        data: CudaState::upload(device, &data).expect("a state"),
    };
    for (samples, known) in [(1, None), (BATCH[0], Some((Known { mask, data }, far)))] {
        let transitions = ScoreSde::preserving(25).transitions().expect("a table");
        let mut on_host = PredictorCorrector::new(transitions.clone(), samples);
        let mut on_device = PredictorCorrector::new(transitions, samples);
        (on_host.known, on_device.known) = known.unzip();
        agree_on_batch::<T>("predictor and corrector", device, &on_host, &on_device);
    }
}

/// The map's cells are found in main memory, its steps are taken on the device.
fn transported<T: DeviceScalar>(device: &Device) {
    use ansatz_diffusion::stats::transport::{Draws, Heights, Source, Spread};
    let schedule = Edm::default();
    let grid = TimeGrid::between(&schedule, Spacing::LogSnr, 4, 0.3, 0.02).expect("a grid");
    let data: Vec<f64> = (0..8).map(f64::from).collect();
    let targets = dpm_ot::latents(&data, &grid.start(), Key::new(1));
    let points: Vec<f64> = Source::Normal.points(1, 200, Spread::Even);
    let fit = Heights::default()
        .fit(&targets, 1, &[0.125; 8], Draws::Fixed(&points))
        .expect("a map");
    let sampler = DpmOt::new(fit.map, &grid);
    agree_on_batch::<T>("optimal transport", device, &sampler, &sampler);
}
