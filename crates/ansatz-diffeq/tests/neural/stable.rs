//! Stochastic equations that stay stable under training, as classifiers of series: Langevin's, the one with
//! linear noise, the geometric one (Y. Oh, D. Lim, S. Kim, *Stable neural stochastic differential equations in
//! analyzing irregular time series data*, 2024, eq. 8 to 10), driven by data through their drift.

use std::sync::Mutex;

use ansatz_core::{
    ControlField, EvalError, Key, NoiseKind, Sde, VectorField, VjpControlField, VjpField,
};
use ansatz_diffeq::adjoint::{Memory, Tape};
use ansatz_diffeq::brownian::{BrownianInterval, IntervalOptions, LevyArea};
use ansatz_diffeq::path::Path;
use ansatz_diffeq::sde::NoisyField;
use ansatz_diffeq::{Control, RungeKutta, tableau};
use ansatz_testkit::net::{Activation, Adam, Net, Trace, accuracy, cross_entropy};

use super::series;

pub(crate) const WIDTH: usize = 16;
const CHANNELS: usize = 3;
const BATCH: usize = 64;
const STEPS: usize = 40;
type V = Vec<f64>;

/// Which equation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// dz = γ(z, X) dt + σ(t) dW.
    Langevin,
    /// dz = γ(t, z, X) dt + σ(t)·z dW.
    LinearNoise,
    /// dz = z·γ(t, z, X) dt + z·σ(t) dW.
    Geometric,
}

/// Whether the drift sees the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sees {
    Data,
    Nothing,
}

/// One of the equations for a batch of series.
struct Equation<'a> {
    model: &'a Model,
    path: &'a Path,
    work: Mutex<Work>,
}

#[derive(Default)]
struct Work {
    trace: Trace,
    control: V,
    joined: V,
    bars: [V; 2],
}

/// An equation with its networks: drift, noise, start and read-out share one vector of parameters.
pub(crate) struct Model {
    kind: Kind,
    sees: Sees,
    drift: Net,
    noise: Net,
    start: Net,
    head: Net,
    params: V,
}

impl Model {
    pub(crate) fn new(kind: Kind, sees: Sees, seed: u64) -> Self {
        let inputs = WIDTH + CHANNELS;
        let timed = match kind {
            Kind::Langevin => Net::new(inputs),
            Kind::LinearNoise | Kind::Geometric => Net::with_time(inputs),
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
            kind,
            sees,
            drift,
            noise,
            start,
            head,
            params,
        };
        if kind == Kind::Geometric {
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
        let [_, b, c] = self.cuts();
        let [mut start, mut head] = [Trace::default(), Trace::default()];
        let z0 = self.start.forward(&self.params[b..c], 0.0, &x0, &mut start);
        let z0 = z0.to_vec();
        let equation = Equation {
            model: self,
            path: &path,
            work: Mutex::default(),
        };
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

impl Equation<'_> {
    /// γ for every row, in the trace.
    fn drift(&self, t: f64, z: &[f64], work: &mut Work) {
        work.control.resize(self.path.width(), 0.0);
        match self.model.sees {
            Sees::Data => self.path.value(t, &mut work.control),
            Sees::Nothing => work.control.fill(0.0),
        }
        work.joined.clear();
        for (z, x) in z.chunks(WIDTH).zip(work.control.chunks(CHANNELS)) {
            work.joined.extend_from_slice(z);
            work.joined.extend_from_slice(x);
        }
        let params = &self.model.params[..self.model.cuts()[0]];
        let net = &self.model.drift;
        net.forward(params, t, &work.joined, &mut work.trace);
    }

    /// σ(t), in the trace.
    fn noise(&self, t: f64, work: &mut Work) {
        let [a, b, _] = self.model.cuts();
        let params = &self.model.params[a..b];
        let clock = [t.sin(), t.cos()];
        self.model.noise.forward(params, t, &clock, &mut work.trace);
    }
}

impl VectorField<V> for Equation<'_> {
    fn eval(&self, t: f64, z: &V, dz: &mut V) -> Result<(), EvalError> {
        let work = &mut *self.work.lock().unwrap();
        self.drift(t, z, work);
        dz.copy_from_slice(work.trace.output());
        if self.model.kind == Kind::Geometric {
            dz.iter_mut().zip(z).for_each(|(d, z)| *d *= z);
        }
        Ok(())
    }
}

impl VjpField<V> for Equation<'_> {
    fn params(&self) -> usize {
        self.model.cuts()[1]
    }

    fn vjp(&self, t: f64, z: &V, w: &V, z_bar: &mut V, p_bar: &mut [f64]) -> Result<(), EvalError> {
        let work = &mut *self.work.lock().unwrap();
        self.drift(t, z, work);
        let geometric = self.model.kind == Kind::Geometric;
        let Work {
            trace,
            bars,
            joined,
            ..
        } = work;
        let [bar, joined_bar] = bars;
        bar.clear();
        bar.extend(
            w.iter()
                .zip(z)
                .map(|(w, z)| if geometric { w * z } else { *w }),
        );
        z_bar.fill(0.0);
        if geometric {
            for ((b, w), y) in z_bar.iter_mut().zip(w).zip(trace.output()) {
                *b = w * y;
            }
        }
        joined_bar.resize(joined.len(), 0.0);
        let a = self.model.cuts()[0];
        let params = &self.model.params[..a];
        let net = &self.model.drift;
        net.backward(params, t, bar, trace, joined_bar, &mut p_bar[..a]);
        for (b, j) in z_bar
            .chunks_mut(WIDTH)
            .zip(joined_bar.chunks(WIDTH + CHANNELS))
        {
            b.iter_mut().zip(j).for_each(|(b, j)| *b += j);
        }
        Ok(())
    }
}

impl ControlField<V> for Equation<'_> {
    fn apply(&self, t: f64, z: &V, u: &V, out: &mut V) -> Result<(), EvalError> {
        let work = &mut *self.work.lock().unwrap();
        self.noise(t, work);
        for (out, u) in out.chunks_mut(WIDTH).zip(u.chunks(WIDTH)) {
            for ((o, u), s) in out.iter_mut().zip(u).zip(work.trace.output()) {
                *o = s * u;
            }
        }
        if self.model.kind != Kind::Langevin {
            out.iter_mut().zip(z).for_each(|(o, z)| *o *= z);
        }
        Ok(())
    }
}

impl VjpControlField<V> for Equation<'_> {
    fn control_params(&self) -> usize {
        self.model.cuts()[1]
    }

    fn control_vjp(
        &self,
        t: f64,
        z: &V,
        u: &V,
        w: &V,
        z_bar: &mut V,
        u_bar: &mut V,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let work = &mut *self.work.lock().unwrap();
        self.noise(t, work);
        let additive = self.model.kind == Kind::Langevin;
        let Work { trace, bars, .. } = work;
        let [sigma_bar, clock_bar] = bars;
        sigma_bar.clear();
        sigma_bar.resize(WIDTH, 0.0);
        let sigma = trace.output();
        for (i, (w, z)) in w.iter().zip(z).enumerate() {
            let (s, factor) = (sigma[i % WIDTH], if additive { 1.0 } else { *z });
            sigma_bar[i % WIDTH] += w * u[i] * factor;
            u_bar[i] = w * s * factor;
            z_bar[i] = if additive { 0.0 } else { w * u[i] * s };
        }
        clock_bar.resize(2, 0.0);
        let [a, b, _] = self.model.cuts();
        let params = &self.model.params[a..b];
        let net = &self.model.noise;
        net.backward(params, t, sigma_bar, trace, clock_bar, &mut p_bar[a..b]);
        Ok(())
    }
}

impl Sde<V> for Equation<'_> {
    fn noise(&self) -> NoiseKind {
        match self.model.kind {
            Kind::Langevin => NoiseKind::Additive,
            Kind::LinearNoise | Kind::Geometric => NoiseKind::Diagonal,
        }
    }
}
