//! A stochastic equation as the generator of paths, a controlled one as their judge (P. Kidger, J. Foster, X. Li,
//! H. Oberhauser, T. Lyons, *Neural SDEs as infinite-dimensional GANs*, 2021), with exact gradients through both.

use ansatz_core::{ControlField, EvalError, Key, NoiseKind, Sde, VectorField};
use ansatz_diffeq::adjoint::{Gradient, Memory, Tape, VjpDrive, reversible};
use ansatz_diffeq::brownian::{BrownianInterval, IntervalOptions, LevyArea, VirtualBrownianTree};
use ansatz_diffeq::sde::{self, NoisyField};
use ansatz_diffeq::{Control, Increments, ReversibleHeun, StepError};
use ansatz_testkit::net::{Activation, Net, NetControl, NetField, NetSde, Trace};

const WIDTH: usize = 16;
const NOISES: usize = 3;
const INITIAL: usize = 5;
type V = Vec<f64>;

/// How gradients are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Steps undone, nothing stored.
    Reversible,
    /// Steps stored.
    Stored,
}

/// dz = μ dt + σ∘dW from z(t₀) = ζ(v), v normal; the path is a linear read-out of z.
pub(crate) struct Generator {
    pub(crate) equation: NetSde,
    pub(crate) start: (Net, V),
    pub(crate) head: (Net, V),
}

/// dh = g(t, h)∘d(t, y) from h(t₀) = ξ(t₀, y(t₀)); the score is a linear read-out of h(t₁).
pub(crate) struct Judge {
    pub(crate) field: NetControl,
    pub(crate) start: (Net, V),
    pub(crate) head: (Net, V),
}

/// Gradients in the order of the parts.
pub(crate) struct Gradients {
    /// Mean score.
    pub(crate) score: f64,
    /// Field, start, read-out.
    pub(crate) judge: [V; 3],
    /// Drift, diffusion, start, read-out.
    pub(crate) generator: [V; 4],
}

fn vector_field(outputs: usize) -> Net {
    Net::with_time(WIDTH)
        .layer(WIDTH, Activation::LipSwish)
        .layer(outputs, Activation::Tanh)
}

fn start(inputs: usize) -> Net {
    Net::new(inputs)
        .layer(WIDTH, Activation::LipSwish)
        .layer(WIDTH, Activation::Identity)
}

/// A network with its first parameters, times `factor`.
fn with_params(net: Net, key: Key, factor: f64) -> (Net, V) {
    let params = net.init(key).iter().map(|p| factor * p).collect();
    (net, params)
}

impl Generator {
    pub(crate) fn new(key: Key) -> Result<Self, EvalError> {
        let key = |i| key.fold_in(i);
        let (drift, mu) = with_params(vector_field(WIDTH), key(0), 0.5);
        let (diffusion, sigma) = with_params(vector_field(WIDTH * NOISES), key(1), 0.5);
        let equation = NetSde {
            drift: NetField::new(drift, mu)?,
            diffusion: NetControl::new(diffusion, sigma, NOISES)?,
        };
        Ok(Self {
            equation,
            start: with_params(start(INITIAL), key(2), 1.0),
            head: with_params(Net::new(WIDTH).layer(1, Activation::Identity), key(3), 1.0),
        })
    }

    /// Parameters in the order of the gradients.
    pub(crate) fn parts(&mut self) -> [&mut V; 4] {
        let NetSde { drift, diffusion } = &mut self.equation;
        [
            &mut drift.params,
            &mut diffusion.params,
            &mut self.start.1,
            &mut self.head.1,
        ]
    }

    fn noise(&self, samples: usize, trace: &mut Trace, key: Key) -> V {
        let mut v = vec![0.0; samples * INITIAL];
        key.fill_normal(0, &mut v);
        self.start.0.forward(&self.start.1, 0.0, &v, trace).to_vec()
    }

    /// Paths at `times`, `[times][samples]`, a step each.
    pub(crate) fn sample(
        &self,
        times: &[f64],
        samples: usize,
        key: Key,
    ) -> Result<Vec<V>, StepError> {
        let mut z = self.noise(samples, &mut Trace::default(), key);
        let mut path = path(times, samples, key)?;
        let mut trace = Trace::default();
        let mut read = |z: &V| {
            self.head
                .0
                .forward(&self.head.1, 0.0, z, &mut trace)
                .to_vec()
        };
        let mut rows = vec![read(&z)];
        let drive = NoisyField::new(&self.equation, &mut path, &z);
        let mut method = ReversibleHeun::new(drive, &z);
        let pair = (z.clone(), z.clone());
        let tape = Tape::record(
            &mut method,
            times,
            &pair,
            &Control::fixed(1),
            Memory::Slots(1),
        )?;
        for (state, _) in &tape.states()[1..] {
            z.copy_from_slice(state);
            rows.push(read(&z));
        }
        Ok(rows)
    }

    /// Samples paths, has them judged, and gives the gradients of the mean score.
    pub(crate) fn judged(
        &self,
        judge: &Judge,
        times: &[f64],
        samples: usize,
        key: Key,
        way: Way,
    ) -> Result<Gradients, StepError> {
        let mut start = Trace::default();
        let z0 = self.noise(samples, &mut start, key);
        let mut path = path(times, samples, key)?;
        let drive = NoisyField::new(&self.equation, &mut path, &z0);
        let (net, params) = &self.head;
        let mut head_bar = vec![0.0; params.len()];
        let mut verdict = None;
        let loss = |states: &[V]| {
            let mut traces = vec![Trace::default(); states.len()];
            let read = states.iter().zip(&mut traces);
            let rows: Vec<V> = read
                .map(|(z, trace)| net.forward(params, 0.0, z, trace).to_vec())
                .collect();
            let judged = judge.score(times, &rows, way);
            let bars = match &judged {
                Ok((_, _, bars)) => bars.clone(),
                Err(_) => rows.iter().map(|row| vec![0.0; row.len()]).collect(),
            };
            verdict = Some(judged);
            let pulled = bars.iter().zip(states).zip(&mut traces);
            pulled
                .map(|((bar, z), trace)| {
                    let mut z_bar = vec![0.0; z.len()];
                    net.backward(params, 0.0, bar, trace, &mut z_bar, &mut head_bar);
                    z_bar
                })
                .collect()
        };
        let gradient = gradient(drive, times, &z0, way, loss)?;
        let (score, judge, _) = verdict.expect("the loss was asked")?;
        let (net, params) = &self.start;
        let mut start_bar = vec![0.0; params.len()];
        let mut v_bar = vec![0.0; samples * INITIAL];
        net.backward(
            params,
            0.0,
            &gradient.state,
            &mut start,
            &mut v_bar,
            &mut start_bar,
        );
        let mut drift_bar = gradient.params;
        let diffusion_bar = drift_bar.split_off(self.equation.drift.params.len());
        Ok(Gradients {
            score,
            judge,
            generator: [drift_bar, diffusion_bar, start_bar, head_bar],
        })
    }
}

fn path(times: &[f64], samples: usize, key: Key) -> Result<BrownianInterval<V>, StepError> {
    let span = (times[0], times[times.len() - 1]);
    let like = vec![0.0; samples * NOISES];
    let options = IntervalOptions::default();
    let key = key.fold_in(1);
    Ok(BrownianInterval::new(
        key,
        span,
        &like,
        LevyArea::None,
        options,
    )?)
}

/// The gradient of a solve of one step between each two times.
fn gradient<D: VjpDrive<V>>(
    drive: D,
    times: &[f64],
    x: &V,
    way: Way,
    loss: impl FnOnce(&[V]) -> Vec<V>,
) -> Result<Gradient<V>, StepError> {
    let control = Control::fixed(1);
    if way == Way::Reversible {
        return Ok(reversible(drive, times, x, &control, loss)?.0);
    }
    let mut method = ReversibleHeun::new(drive, x);
    let pair = (x.clone(), x.clone());
    let tape = Tape::record(&mut method, times, &pair, &control, Memory::Every)?;
    let states: Vec<V> = tape.states().iter().map(|(z, _)| z.clone()).collect();
    let bars: Vec<(V, V)> = loss(&states)
        .into_iter()
        .map(|bar| {
            let zeros = vec![0.0; bar.len()];
            (bar, zeros)
        })
        .collect();
    let pulled = tape.pull(&mut method, &bars)?;
    let (mut state, mirror) = pulled.state;
    state.iter_mut().zip(mirror).for_each(|(a, b)| *a += b);
    Ok(Gradient {
        state,
        params: pulled.params,
        times: pulled.times,
        report: pulled.report,
    })
}

impl Judge {
    /// Parameters in the order of the gradients.
    pub(crate) fn parts(&mut self) -> [&mut V; 3] {
        [&mut self.field.params, &mut self.start.1, &mut self.head.1]
    }

    pub(crate) fn new(key: Key) -> Result<Self, EvalError> {
        let key = |i| key.fold_in(i);
        let (field, params) = with_params(vector_field(WIDTH * 2), key(0), 0.5);
        Ok(Self {
            field: NetControl::new(field, params, 2)?,
            start: with_params(start(2), key(1), 1.0),
            head: with_params(Net::new(WIDTH).layer(1, Activation::Identity), key(2), 1.0),
        })
    }

    /// Makes every network 1-Lipschitz.
    pub(crate) fn clip(&mut self) {
        let field = vector_field(WIDTH * 2);
        field.clip_to_lipschitz(&mut self.field.params);
        self.start.0.clip_to_lipschitz(&mut self.start.1);
        self.head.0.clip_to_lipschitz(&mut self.head.1);
    }

    /// The largest Lipschitz constant of all layers.
    pub(crate) fn lipschitz(&self) -> f64 {
        let field = vector_field(WIDTH * 2).lipschitz(&self.field.params);
        let start = self.start.0.lipschitz(&self.start.1);
        let head = self.head.0.lipschitz(&self.head.1);
        let all = field.into_iter().chain(start).chain(head);
        all.fold(0.0, f64::max)
    }

    /// The mean score of paths `[times][samples]`, its gradients, and those with respect to the paths.
    pub(crate) fn score(
        &self,
        times: &[f64],
        rows: &[V],
        way: Way,
    ) -> Result<(f64, [V; 3], Vec<V>), StepError> {
        let samples = rows[0].len();
        let timed: Vec<V> = rows
            .iter()
            .zip(times)
            .map(|(row, t)| row.iter().flat_map(|y| [*t, *y]).collect())
            .collect();
        let (net, params) = &self.start;
        let mut start = Trace::default();
        let h0 = net.forward(params, 0.0, &timed[0], &mut start).to_vec();
        let drive = Increments::new(&self.field, times, &timed)?;
        let (head, head_params) = &self.head;
        let mut head_bar = vec![0.0; head_params.len()];
        let mut score = 0.0;
        let loss = |states: &[V]| {
            let mut bars = vec![vec![0.0; h0.len()]; states.len()];
            let mut trace = Trace::default();
            let last = states.len() - 1;
            let scores = head.forward(head_params, 0.0, &states[last], &mut trace);
            score = scores.iter().sum::<f64>() / samples as f64;
            let bar = vec![1.0 / samples as f64; samples];
            head.backward(
                head_params,
                0.0,
                &bar,
                &mut trace,
                &mut bars[last],
                &mut head_bar,
            );
            bars
        };
        let mut gradient = gradient(drive, times, &h0, way, loss)?;
        let mut row_bars = gradient.params.split_off(self.field.params.len());
        let mut start_bar = vec![0.0; params.len()];
        let mut x_bar = vec![0.0; 2 * samples];
        net.backward(
            params,
            0.0,
            &gradient.state,
            &mut start,
            &mut x_bar,
            &mut start_bar,
        );
        row_bars.iter_mut().zip(&x_bar).for_each(|(r, x)| *r += x);
        let path_bars = row_bars
            .chunks(2 * samples)
            .map(|row| row.iter().skip(1).step_by(2).copied().collect())
            .collect();
        Ok((score, [gradient.params, start_bar, head_bar], path_bars))
    }
}

/// dY = (0.02 t − 0.1 Y) dt + 0.4 (2t/64) dW: the data.
struct Target;

impl VectorField<V> for Target {
    fn eval(&self, t: f64, y: &V, dy: &mut V) -> Result<(), EvalError> {
        dy.iter_mut()
            .zip(y)
            .for_each(|(d, y)| *d = 0.02 * t - 0.1 * y);
        Ok(())
    }
}

impl ControlField<V> for Target {
    fn apply(&self, t: f64, _: &V, w: &V, out: &mut V) -> Result<(), EvalError> {
        out.iter_mut()
            .zip(w)
            .for_each(|(o, w)| *o = 0.4 * 2.0 * t / 64.0 * w);
        Ok(())
    }
}

impl Sde<V> for Target {
    fn noise(&self) -> NoiseKind {
        NoiseKind::Additive
    }
}

/// Paths of the data at `times`, `[times][samples]`, starting evenly in (−1, 1).
pub(crate) fn data(times: &[f64], samples: usize, key: Key) -> Result<Vec<V>, StepError> {
    let place = |i: usize| (2.0 * i as f64 + 1.0) / samples as f64 - 1.0;
    let mut y: V = (0..samples).map(place).collect();
    let span = (times[0], times[times.len() - 1]);
    let mut path = VirtualBrownianTree::new(key, span, &y, LevyArea::SpaceTime, 0.1)?;
    let mut rows = vec![y.clone()];
    for pair in times.windows(2) {
        let control = Control::constant(0.5);
        let span = (pair[0], pair[1]);
        sde::solve(
            &Target,
            &mut path,
            span,
            &mut y,
            &sde::SHARK,
            &control,
            &mut (),
        )?;
        rows.push(y.clone());
    }
    Ok(rows)
}
