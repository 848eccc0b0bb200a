//! A latent equation for damped oscillations seen at a few irregular times (R. Chen, Y. Rubanova, J. Bettencourt,
//! D. Duvenaud, *Neural ordinary differential equations*, 2018, section 5): observations, joined by straight lines, are encoded as a normal
//! distribution of z(0), an equation z' = f(z) carries it on, a read-out of z(t) is the value.

use ansatz_core::Key;
use ansatz_diffeq::adjoint::{Memory, Tape};
use ansatz_diffeq::latent::normal_divergence;
use ansatz_diffeq::{Control, RungeKutta, StepError, tableau};
use ansatz_testkit::net::{Activation, Adam, Net, NetField, Trace};

/// Times of the grid, of which a series shows some.
pub(crate) const TIMES: usize = 41;
/// Observations per series, all in the first half.
const SEEN: usize = 10;
/// Times that may be observed.
const HALF: usize = TIMES / 2 + 1;
/// Standard deviation of the noise.
pub(crate) const NOISE: f64 = 0.05;
const LATENT: usize = 4;
const HIDDEN: usize = 32;
type V = Vec<f64>;

pub(crate) fn times() -> V {
    (0..TIMES).map(|i| 0.15 * i as f64).collect()
}

/// One series: its curve on the grid, and which places were seen with what value.
pub(crate) struct Oscillation {
    pub(crate) curve: V,
    pub(crate) seen: Vec<(usize, f64)>,
}

/// a·exp(−0.15 t)·cos(1.5 t + φ) with a in (½, 3/2) and any φ: the equation is the same for all, and to be found.
pub(crate) fn oscillation(k: u64) -> Oscillation {
    let key = Key::new(17).fold_in(k);
    let [size, phase] = key.uniform(0, 0);
    let (size, phase) = (0.5 + size, std::f64::consts::TAU * phase);
    let curve: V = times()
        .iter()
        .map(|t| size * (-0.15 * t).exp() * (1.5 * t + phase).cos())
        .collect();
    let mut places: Vec<usize> = (0..HALF).collect();
    let draw = |i: usize| key.uniform(1, i as u64)[0];
    for i in 0..SEEN {
        let j = i + (draw(i) * (places.len() - i) as f64) as usize;
        places.swap(i, j);
    }
    let seen = places[..SEEN].iter();
    let seen = seen.map(|i| (*i, curve[*i] + NOISE * key.normal(2, *i as u64)[0]));
    Oscillation {
        seen: seen.collect(),
        curve,
    }
}

/// Networks: the encoder, the equation, the read-out.
pub(crate) struct Model {
    encoder: Net,
    field: Net,
    head: Net,
    params: V,
}

impl Model {
    pub(crate) fn new(key: Key) -> Self {
        let encoder = Net::new(HALF)
            .layer(HIDDEN, Activation::Tanh)
            .layer(2 * LATENT, Activation::Identity);
        let field = Net::new(LATENT)
            .layer(HIDDEN, Activation::Tanh)
            .layer(LATENT, Activation::Identity);
        let head = Net::new(LATENT).layer(1, Activation::Identity);
        let nets = [&encoder, &field, &head];
        let params = (0..).zip(nets).flat_map(|(i, n)| n.init(key.fold_in(i)));
        let mut model = Self {
            params: params.collect(),
            encoder,
            field,
            head,
        };
        // Standard deviations begin small, so that the first steps see the data through little noise.
        let end = model.cuts()[0];
        model.params[end - LATENT..end].fill(-3.0);
        model
    }

    fn cuts(&self) -> [usize; 2] {
        let a = self.encoder.params();
        [a, a + self.field.params()]
    }

    /// Means and logarithms of standard deviations of z(0), `[samples, 2·LATENT]`.
    fn encode(&self, series: &[Oscillation], trace: &mut Trace) -> V {
        let lines = straight_lines(series);
        let rows = (0..series.len()).flat_map(|k| lines[..HALF].iter().map(move |row| row[k]));
        let x: V = rows.collect();
        let params = &self.params[..self.cuts()[0]];
        self.encoder.forward(params, 0.0, &x, trace).to_vec()
    }

    fn equation(&self) -> Result<NetField, StepError> {
        let [b, c] = self.cuts();
        NetField::new(self.field.clone(), self.params[b..c].to_vec())
            .map_err(|source| StepError::Eval { t: 0.0, source })
    }

    /// The most likely curve of each series, `[TIMES][samples]`.
    pub(crate) fn curves(&self, series: &[Oscillation]) -> Result<Vec<V>, StepError> {
        let code = self.encode(series, &mut Trace::default());
        let z0: V = code
            .chunks(2 * LATENT)
            .flat_map(|c| &c[..LATENT])
            .copied()
            .collect();
        let field = self.equation()?;
        let mut method = RungeKutta::new(&tableau::RK4, &field, &z0);
        let control = Control::fixed(1);
        let tape = Tape::record(&mut method, &times(), &z0, &control, Memory::Slots(1))?;
        let (params, mut trace) = (&self.params[self.cuts()[1]..], Trace::default());
        let read = |z: &V| self.head.forward(params, 0.0, z, &mut trace).to_vec();
        Ok(tape.states().iter().map(read).collect())
    }

    /// The negative evidence bound per sample on a draw of z(0), and its gradient.
    fn bound(&self, series: &[Oscillation], key: Key) -> Result<(f64, V), StepError> {
        let n = series.len() as f64;
        let [b, c] = self.cuts();
        let mut encoder = Trace::default();
        let code = self.encode(series, &mut encoder);
        let mut draw = vec![0.0; series.len() * LATENT];
        key.fill_normal(0, &mut draw);
        let mut z0 = Vec::with_capacity(draw.len());
        let mut code_bar = vec![0.0; code.len()];
        let mut value = 0.0;
        let rows = code.chunks(2 * LATENT).zip(code_bar.chunks_mut(2 * LATENT));
        for ((code, bar), draw) in rows.zip(draw.chunks(LATENT)) {
            for i in 0..LATENT {
                let (mean, std) = (code[i], code[LATENT + i].exp());
                z0.push(mean + std * draw[i]);
                let failed = |source| StepError::Eval { t: 0.0, source };
                let (kl, slopes) = normal_divergence([mean, std], [0.0, 1.0]).map_err(failed)?;
                value += kl / n;
                bar[i] = slopes[0] / n;
                bar[LATENT + i] = slopes[1] * std / n;
            }
        }
        let field = self.equation()?;
        let mut method = RungeKutta::new(&tableau::RK4, &field, &z0);
        let control = Control::fixed(1);
        let tape = Tape::record(&mut method, &times(), &z0, &control, Memory::Every)?;
        let mut gradient = vec![0.0; self.params.len()];
        let mut bars = Vec::with_capacity(TIMES);
        let mut trace = Trace::default();
        for (i, z) in tape.states().iter().enumerate() {
            let x = self.head.forward(&self.params[c..], 0.0, z, &mut trace);
            let mut x_bar = vec![0.0; x.len()];
            for ((x, bar), series) in x.iter().zip(&mut x_bar).zip(series) {
                for (_, seen) in series.seen.iter().filter(|(j, _)| *j == i) {
                    let d = (x - seen) / NOISE;
                    value += 0.5 * d * d / n;
                    *bar += d / NOISE / n;
                }
            }
            let mut z_bar = vec![0.0; z.len()];
            let (net, params) = (&self.head, &self.params[c..]);
            net.backward(
                params,
                0.0,
                &x_bar,
                &mut trace,
                &mut z_bar,
                &mut gradient[c..],
            );
            bars.push(z_bar);
        }
        let solve = tape.pull(&mut method, &bars)?;
        gradient[b..c].copy_from_slice(&solve.params);
        let starts = solve.state.chunks(LATENT).zip(draw.chunks(LATENT));
        let rows = code.chunks(2 * LATENT).zip(code_bar.chunks_mut(2 * LATENT));
        for ((code, bar), (z_bar, draw)) in rows.zip(starts) {
            for i in 0..LATENT {
                bar[i] += z_bar[i];
                bar[LATENT + i] += z_bar[i] * draw[i] * code[LATENT + i].exp();
            }
        }
        let mut x_bar = vec![0.0; series.len() * HALF];
        let (net, params) = (&self.encoder, &self.params[..b]);
        net.backward(
            params,
            0.0,
            &code_bar,
            &mut encoder,
            &mut x_bar,
            &mut gradient[..b],
        );
        Ok((value, gradient))
    }

    /// Steps of Adam on fresh batches of 64.
    pub(crate) fn train(&mut self, steps: u64) -> Result<(), StepError> {
        let mut adam = Adam::new(self.params.len(), 0.0);
        for step in 0..steps {
            // The rate falls to a tenth.
            adam.rate = 1e-2 * 0.1_f64.powf(step as f64 / steps as f64);
            let batch: Vec<Oscillation> = (0..64).map(|i| oscillation(64 * step + i)).collect();
            let (_, gradient) = self.bound(&batch, Key::new(step))?;
            adam.step(&mut self.params, &gradient);
        }
        Ok(())
    }

    /// Largest difference between the gradient of the bound and central differences over some parameters.
    pub(crate) fn gradient_error(&mut self) -> Result<f64, StepError> {
        let series: Vec<Oscillation> = (0..3).map(oscillation).collect();
        let (_, gradient) = self.bound(&series, Key::new(1))?;
        let (mut worst, h) = (0.0_f64, 1e-5);
        for i in (0..self.params.len()).step_by(97) {
            let kept = self.params[i];
            self.params[i] = kept + h;
            let up = self.bound(&series, Key::new(1))?.0;
            self.params[i] = kept - h;
            let down = self.bound(&series, Key::new(1))?.0;
            self.params[i] = kept;
            let difference = (up - down) / (2.0 * h);
            worst = worst.max((gradient[i] - difference).abs() / (1.0 + gradient[i].abs()));
        }
        Ok(worst)
    }
}

/// Root mean square errors of curves on the half of the grid with observations, and on the half after it.
pub(crate) fn errors(series: &[Oscillation], curves: &[V]) -> [f64; 2] {
    let part = |range: std::ops::Range<usize>| {
        let mut sum = 0.0;
        for i in range.clone() {
            for (s, x) in series.iter().zip(&curves[i]) {
                sum += (s.curve[i] - x).powi(2);
            }
        }
        (sum / (range.len() * series.len()) as f64).sqrt()
    };
    [part(0..HALF), part(HALF..TIMES)]
}

/// Straight lines through the observations, on the grid.
pub(crate) fn straight_lines(series: &[Oscillation]) -> Vec<V> {
    let mut curves = vec![vec![0.0; series.len()]; TIMES];
    for (k, s) in series.iter().enumerate() {
        let mut seen = s.seen.clone();
        seen.sort_by_key(|(i, _)| *i);
        for (i, curve) in curves.iter_mut().enumerate() {
            let after = seen.iter().position(|(j, _)| *j >= i);
            curve[k] = match after {
                Some(0) => seen[0].1,
                None => seen[SEEN - 1].1,
                Some(j) => {
                    let ((a, x), (b, y)) = (seen[j - 1], seen[j]);
                    x + (y - x) * (i - a) as f64 / (b - a) as f64
                }
            };
        }
    }
    curves
}
