//! Stochastic equations that stay stable under training, as classifiers of series: Langevin's, the one with
//! linear noise, the geometric one (Y. Oh, D. Lim, S. Kim, *Stable neural stochastic differential equations in
//! analyzing irregular time series data*, 2024), driven by data through their drift.

use std::sync::Mutex;

use ansatz_core::{EvalError, Key, VectorField, VjpField};
use ansatz_diffeq::adjoint::{Memory, Tape};
use ansatz_diffeq::brownian::{BrownianInterval, IntervalOptions, LevyArea};
use ansatz_diffeq::path::Path;
use ansatz_diffeq::sde::{Form, NoisyField, Stable, VjpVolatility, Volatility};
use ansatz_diffeq::{Control, RungeKutta, tableau};
use ansatz_testkit::net::{Activation, Adam, Net, Trace, accuracy, cross_entropy};

use super::series;

const WIDTH: usize = 16;
const CHANNELS: usize = 3;
const BATCH: usize = 64;
const STEPS: usize = 40;
type V = Vec<f64>;

/// Whether the drift sees the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sees {
    Data,
    Nothing,
}

/// An equation with its networks: drift, noise, start and read-out share one vector of parameters.
pub(crate) struct Model {
    form: Form,
    sees: Sees,
    drift: Net,
    noise: Net,
    start: Net,
    head: Net,
    params: V,
}

impl Model {
    pub(crate) fn new(form: Form, sees: Sees, seed: u64) -> Self {
        let inputs = WIDTH + CHANNELS;
        let timed = match form {
            Form::Langevin => Net::new(inputs),
            _ => Net::with_time(inputs),
        };
        let drift = timed
            .layer(WIDTH, Activation::Relu)
            .layer(WIDTH, Activation::Tanh)
            .scaled(5.0);
        let noise = Net::new(2)
            .layer(WIDTH, Activation::Relu)
            .layer(WIDTH, Activation::Tanh)
            .scaled(0.5);
        let start = Net::new(CHANNELS).layer(WIDTH, Activation::Identity);
        let head = Net::new(WIDTH).layer(2, Activation::Identity);
        let nets = [&drift, &noise, &start, &head];
        let params = (0..)
            .zip(nets)
            .flat_map(|(i, net)| net.init(Key::new(seed).fold_in(i)))
            .collect();
        let mut model = Self {
            form,
            sees,
            drift,
            noise,
            start,
            head,
            params,
        };
        if form == Form::Geometric {
            // Nothing leaves 0: start away from it.
            let end = model.cuts()[2];
            model.params[end - WIDTH..end].fill(1.0);
        }
        model
    }

    /// Where drift, noise, start and read-out begin.
    fn cuts(&self) -> [usize; 3] {
        let a = self.drift.params();
        let b = a + self.noise.params();
        [a, b, b + self.start.params()]
    }

    /// Runs series through the equation on a path drawn from `key`. With labels, gives the gradient of the mean
    /// cross-entropy too.
    fn run(
        &self,
        numbers: &[usize],
        missing: f64,
        key: Key,
        gradient: Option<&mut V>,
    ) -> Result<V, Box<dyn std::error::Error>> {
        let path = series::path(numbers, missing)?;
        let mut x0 = vec![0.0; path.width()];
        path.value(0.0, &mut x0);
        let [a, b, c] = self.cuts();
        let [mut start, mut head] = [Trace::default(), Trace::default()];
        let z0 = self.start.forward(&self.params[b..c], 0.0, &x0, &mut start);
        let z0 = z0.to_vec();
        let (drift, volatility) = self.params[..b].split_at(a);
        let drift = Drift {
            net: &self.drift,
            params: drift,
            path: &path,
            sees: self.sees,
            work: Mutex::default(),
        };
        let volatility = Noise {
            net: &self.noise,
            params: volatility,
        };
        let equation = Stable::new(self.form, drift, volatility);
        let options = IntervalOptions::default();
        let mut noise = BrownianInterval::new(key, (0.0, 1.0), &z0, LevyArea::None, options)?;
        let drive = NoisyField::new(&equation, &mut noise, &z0);
        let mut method = RungeKutta::new(&tableau::EULER, drive, &z0);
        let memory = match gradient {
            Some(_) => Memory::Every,
            None => Memory::Slots(1),
        };
        let control = Control::fixed(STEPS);
        let tape = Tape::record(&mut method, &[0.0, 1.0], &z0, &control, memory)?;
        let logits = self
            .head
            .forward(&self.params[c..], 0.0, &tape.states()[1], &mut head)
            .to_vec();
        if let Some(out) = gradient {
            let labels: Vec<usize> = numbers.iter().map(|k| series::label(*k)).collect();
            let mut bar = vec![0.0; logits.len()];
            cross_entropy(&logits, &labels, &mut bar);
            out.clear();
            out.resize(self.params.len(), 0.0);
            let mut bars = [vec![0.0; z0.len()], vec![0.0; z0.len()]];
            let net = &self.head;
            net.backward(
                &self.params[c..],
                0.0,
                &bar,
                &mut head,
                &mut bars[1],
                &mut out[c..],
            );
            let solve = tape.pull(&mut method, &bars)?;
            out[..b].copy_from_slice(&solve.params);
            let (net, params) = (&self.start, &self.params[b..c]);
            net.backward(
                params,
                0.0,
                &solve.state,
                &mut start,
                &mut x0,
                &mut out[b..c],
            );
        }
        Ok(logits)
    }

    /// Steps of Adam on batches of the first 512 series.
    pub(crate) fn train(
        &mut self,
        steps: u64,
        missing: f64,
        key: Key,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut adam = Adam::new(self.params.len(), 3e-3);
        let mut gradient = Vec::new();
        for step in 0..steps {
            let draw = key.fold_in(step);
            let pick = |i: usize| (512.0 * draw.uniform(0, i as u64)[0]) as usize;
            let numbers: Vec<usize> = (0..BATCH).map(pick).collect();
            self.run(&numbers, missing, draw, Some(&mut gradient))?;
            adam.step(&mut self.params, &gradient);
        }
        Ok(())
    }

    /// Accuracy on 512 other series.
    pub(crate) fn test(&self, missing: f64, key: Key) -> Result<f64, Box<dyn std::error::Error>> {
        let numbers: Vec<usize> = (10_000..10_512).collect();
        let logits = self.run(&numbers, missing, key, None)?;
        let labels: Vec<usize> = numbers.iter().map(|k| series::label(*k)).collect();
        Ok(accuracy(&logits, &labels))
    }
}

/// γ(t, z, X(t)): a network of the state and the data, row by row.
struct Drift<'a> {
    net: &'a Net,
    params: &'a [f64],
    path: &'a Path,
    sees: Sees,
    work: Mutex<Work>,
}

#[derive(Default)]
struct Work {
    trace: Trace,
    control: V,
    joined: V,
    bars: V,
}

impl Drift<'_> {
    /// γ for every row, in the trace.
    fn forward(&self, t: f64, z: &[f64], work: &mut Work) {
        work.control.resize(self.path.width(), 0.0);
        match self.sees {
            Sees::Data => self.path.value(t, &mut work.control),
            Sees::Nothing => work.control.fill(0.0),
        }
        work.joined.clear();
        for (z, x) in z.chunks(WIDTH).zip(work.control.chunks(CHANNELS)) {
            work.joined.extend_from_slice(z);
            work.joined.extend_from_slice(x);
        }
        self.net
            .forward(self.params, t, &work.joined, &mut work.trace);
    }
}

impl VectorField<V> for Drift<'_> {
    fn eval(&self, t: f64, z: &V, dz: &mut V) -> Result<(), EvalError> {
        let work = &mut *self.work.lock().expect("no call has panicked");
        self.forward(t, z, work);
        dz.copy_from_slice(work.trace.output());
        Ok(())
    }
}

impl VjpField<V> for Drift<'_> {
    fn params(&self) -> usize {
        self.params.len()
    }

    fn vjp(&self, t: f64, z: &V, w: &V, z_bar: &mut V, p_bar: &mut [f64]) -> Result<(), EvalError> {
        let work = &mut *self.work.lock().expect("no call has panicked");
        self.forward(t, z, work);
        let Work {
            trace,
            joined,
            bars,
            ..
        } = work;
        bars.resize(joined.len(), 0.0);
        self.net.backward(self.params, t, w, trace, bars, p_bar);
        let rows = z_bar.chunks_mut(WIDTH).zip(bars.chunks(WIDTH + CHANNELS));
        rows.for_each(|(z, joined)| z.copy_from_slice(&joined[..WIDTH]));
        Ok(())
    }
}

/// σ(t): a network of sine and cosine of the time, the same for every row.
struct Noise<'a> {
    net: &'a Net,
    params: &'a [f64],
}

impl Volatility<V> for Noise<'_> {
    fn eval(&self, t: f64, out: &mut V) -> Result<(), EvalError> {
        let mut trace = Trace::default();
        let sigma = self
            .net
            .forward(self.params, t, &[t.sin(), t.cos()], &mut trace);
        out.chunks_mut(WIDTH)
            .for_each(|row| row.copy_from_slice(sigma));
        Ok(())
    }
}

impl VjpVolatility<V> for Noise<'_> {
    fn params(&self) -> usize {
        self.params.len()
    }

    fn vjp(&self, t: f64, w: &V, p_bar: &mut [f64]) -> Result<(), EvalError> {
        let (mut trace, mut sum) = (Trace::default(), vec![0.0; WIDTH]);
        for row in w.chunks(WIDTH) {
            sum.iter_mut().zip(row).for_each(|(s, w)| *s += w);
        }
        self.net
            .forward(self.params, t, &[t.sin(), t.cos()], &mut trace);
        self.net
            .backward(self.params, t, &sum, &mut trace, &mut [0.0; 2], p_bar);
        Ok(())
    }
}
