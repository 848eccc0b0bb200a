//! A neural controlled equation as a classifier of series (P. Kidger, J. Morrill, J. Foster, T. Lyons, *Neural
//! controlled differential equations for irregular time series*, 2020).

use ansatz_core::Key;
use ansatz_diffeq::adjoint::{Memory, Tape};
use ansatz_diffeq::cde::Cde;
use ansatz_diffeq::path::Path;
use ansatz_diffeq::{Control, RungeKutta, StepError, tableau};
use ansatz_testkit::net::{Activation, Net, NetControl, Trace, cross_entropy};

const WIDTH: usize = 16;
type V = Vec<f64>;

/// dz = G(z) dX from z(t₀) = ζ(X(t₀)), classes by a linear read-out of z(t₁).
pub(crate) struct Classifier {
    start: Net,
    field: Net,
    head: Net,
    channels: usize,
    /// Of start, field and read-out.
    pub(crate) params: V,
}

impl Classifier {
    pub(crate) fn new(channels: usize, classes: usize, key: Key) -> Self {
        let start = Net::new(channels).layer(WIDTH, Activation::Identity);
        let field = Net::new(WIDTH)
            .layer(32, Activation::Relu)
            .layer(WIDTH * channels, Activation::Tanh);
        let head = Net::new(WIDTH).layer(classes, Activation::Identity);
        let nets = [&start, &field, &head];
        let params = (0..).zip(nets).flat_map(|(i, n)| n.init(key.fold_in(i)));
        Self {
            params: params.collect(),
            start,
            field,
            head,
            channels,
        }
    }

    /// Logits for the samples of a path over its whole length, in `steps` equal steps.
    pub(crate) fn logits(&self, path: &Path, steps: usize) -> Result<V, StepError> {
        Ok(self.run(path, steps, None)?.0)
    }

    /// The mean cross-entropy and its gradient.
    pub(crate) fn loss(
        &self,
        path: &Path,
        steps: usize,
        labels: &[usize],
    ) -> Result<(f64, V), StepError> {
        let (_, loss, gradient) = self.run(path, steps, Some(labels))?;
        Ok((loss, gradient))
    }

    fn run(
        &self,
        path: &Path,
        steps: usize,
        labels: Option<&[usize]>,
    ) -> Result<(V, f64, V), StepError> {
        let a = self.start.params();
        let b = a + self.field.params();
        let [mut start, mut head] = [Trace::default(), Trace::default()];
        let mut x0 = vec![0.0; path.width()];
        let span = path.span();
        path.value(span.0, &mut x0);
        let z0 = self.start.forward(&self.params[..a], 0.0, &x0, &mut start);
        let z0 = z0.to_vec();
        let failed = |source| StepError::Eval { t: span.0, source };
        let field = NetControl::new(
            self.field.clone(),
            self.params[a..b].to_vec(),
            self.channels,
        );
        let field = field.map_err(failed)?;
        let equation = Cde::new(&field, path, &x0)?;
        let mut method = RungeKutta::new(&tableau::HEUN2, &equation, &z0);
        let memory = labels.map_or(Memory::Slots(1), |_| Memory::Every);
        let times = [span.0, span.1];
        let control = Control::fixed(steps);
        let tape = Tape::record(&mut method, &times, &z0, &control, memory)?;
        let end = &tape.states()[1];
        let logits = self.head.forward(&self.params[b..], 0.0, end, &mut head);
        let logits = logits.to_vec();
        let Some(labels) = labels else {
            return Ok((logits, 0.0, Vec::new()));
        };
        let mut gradient = vec![0.0; self.params.len()];
        let (mut bar, mut bars) = (vec![0.0; logits.len()], vec![vec![0.0; z0.len()]; 2]);
        let loss = cross_entropy(&logits, labels, &mut bar);
        let (net, params) = (&self.head, &self.params[b..]);
        net.backward(
            params,
            0.0,
            &bar,
            &mut head,
            &mut bars[1],
            &mut gradient[b..],
        );
        let solve = tape.pull(&mut method, &bars)?;
        gradient[a..b].copy_from_slice(&solve.params);
        let (net, params) = (&self.start, &self.params[..a]);
        net.backward(
            params,
            0.0,
            &solve.state,
            &mut start,
            &mut x0,
            &mut gradient[..a],
        );
        Ok((logits, loss, gradient))
    }
}
