//! The divergence of latent equations against closed forms, and its gradients.

use ansatz_core::{
    ControlField, EvalError, Key, NoiseKind, VectorField, VjpControlField, VjpField,
};
use ansatz_diffeq::adjoint::{Memory, Tape};
use ansatz_diffeq::brownian::{LevyArea, VirtualBrownianTree};
use ansatz_diffeq::latent::{Latent, normal_divergence};
use ansatz_diffeq::sde::{self, NoisyField};
use ansatz_diffeq::{Control, RungeKutta, StepError, tableau};
use ansatz_testkit::laws;
use ansatz_testkit::net::{Activation, Net, NetField};

type V = Vec<f64>;

/// Runs n samples from `z` over [0, t] and gives their divergences.
fn divergences(
    posterior: &impl VectorField<V>,
    prior: &impl VectorField<V>,
    g: f64,
    n: usize,
    steps: usize,
) -> V {
    let diffusion = |_: f64, _: &V, out: &mut V| {
        out.fill(g);
        Ok(())
    };
    let equation = Latent::new(posterior, prior, &diffusion, NoiseKind::Additive);
    let mut state = (vec![0.8; n], vec![0.0; n]);
    let (key, span) = (Key::new(3), (0.0, 1.0));
    let mut path =
        VirtualBrownianTree::new(key, span, &state.0, LevyArea::SpaceTime, 1e-4).unwrap();
    let control = Control::fixed(steps);
    sde::solve(
        &equation,
        &mut path,
        span,
        &mut state,
        &sde::SHARK,
        &control,
        &mut (),
    )
    .unwrap();
    state.1
}

fn decay(rate: f64) -> impl Fn(f64, &V, &mut V) -> Result<(), EvalError> + Sync {
    move |_: f64, z: &V, dz: &mut V| {
        dz.iter_mut().zip(z).for_each(|(d, z)| *d = -rate * z);
        Ok(())
    }
}

#[test]
fn divergence_of_linear_equations() {
    // A constant push of 1 against g = ½ over unit time: ½·2² = 2 whatever the path.
    let pushed = |_: f64, z: &V, dz: &mut V| {
        dz.iter_mut().zip(z).for_each(|(d, z)| *d = 1.0 - z);
        Ok(())
    };
    for l in divergences(&pushed, &decay(1.0), 0.5, 8, 16) {
        assert!((l - 2.0).abs() < 1e-14, "{l}");
    }
    // A push of cos t: ∫½cos²t/g² dt = (1 + sin(2)/2)/(4g²).
    let pushed = |t: f64, z: &V, dz: &mut V| {
        dz.iter_mut().zip(z).for_each(|(d, z)| *d = t.cos() - z);
        Ok(())
    };
    let exact = (1.0 + 0.5 * 2.0_f64.sin()) / (4.0 * 0.09);
    for l in divergences(&pushed, &decay(1.0), 0.3, 2, 64) {
        assert!((l / exact - 1.0).abs() < 1e-4, "{l} {exact}");
    }
    // dz = −2z dt + g dW against dz = −z dt + g dW: ½E∫z²/g² dt with
    // E z² = z₀²e^{−4t} + g²(1 − e^{−4t})/4.
    let (n, g, z) = (20_000, 0.5_f64, 0.8_f64);
    let sample = divergences(&decay(2.0), &decay(1.0), g, n, 16);
    let mean = sample.iter().sum::<f64>() / n as f64;
    let part = (1.0 - (-4.0_f64).exp()) / 4.0;
    let exact = 0.5 * (z * z * part / (g * g) + 0.25 * (1.0 - part));
    let spread = sample.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / n as f64;
    let sigma = (spread / n as f64).sqrt();
    // The discretisation adds less than 1 %.
    assert!(
        (mean - exact).abs() < 4.0 * sigma + 0.01 * exact,
        "{mean} {exact}"
    );
}

/// g = softplus of a network: positive and dependent on the state.
fn nets() -> [NetField; 3] {
    let net = |last, key| {
        let net = Net::with_time(2).layer(5, Activation::Tanh).layer(2, last);
        let params = net.init(Key::new(key));
        NetField::new(net, params).unwrap()
    };
    [
        net(Activation::Identity, 0),
        net(Activation::Identity, 1),
        net(Activation::Softplus, 2),
    ]
}

fn state(samples: usize) -> (V, V) {
    let mut z = vec![0.0; 2 * samples];
    Key::new(9).fill_normal(0, &mut z);
    (z, vec![0.0; samples])
}

/// The equation of a set of parameters, which owns its networks.
struct Owned([NetField; 3]);

impl Owned {
    fn with<R>(&self, f: impl FnOnce(&Latent<'_, V, NetField, NetField, NetField>) -> R) -> R {
        let [q, p, g] = &self.0;
        f(&Latent::new(q, p, g, NoiseKind::General))
    }
}

impl VectorField<(V, V)> for Owned {
    fn eval(&self, t: f64, x: &(V, V), dx: &mut (V, V)) -> Result<(), EvalError> {
        self.with(|l| l.eval(t, x, dx))
    }
}

impl VjpField<(V, V)> for Owned {
    fn params(&self) -> usize {
        self.with(|l| VjpField::params(l))
    }

    fn vjp(
        &self,
        t: f64,
        x: &(V, V),
        w: &(V, V),
        x_bar: &mut (V, V),
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        self.with(|l| l.vjp(t, x, w, x_bar, p_bar))
    }
}

/// The diffusion part with the noise held still.
struct Held(Owned, V);

impl VectorField<(V, V)> for Held {
    fn eval(&self, t: f64, x: &(V, V), dx: &mut (V, V)) -> Result<(), EvalError> {
        self.0.with(|l| l.apply(t, x, &self.1, dx))
    }
}

impl VjpField<(V, V)> for Held {
    fn params(&self) -> usize {
        VjpField::params(&self.0)
    }

    fn vjp(
        &self,
        t: f64,
        x: &(V, V),
        w: &(V, V),
        x_bar: &mut (V, V),
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let mut u_bar = vec![f64::NAN; self.1.len()];
        let Self(owned, u) = self;
        owned.with(|l| l.control_vjp(t, x, u, w, x_bar, &mut u_bar, p_bar))
    }
}

#[test]
fn products_keep_the_laws() {
    let x = state(3);
    let params: V = nets().iter().flat_map(|n| n.params.clone()).collect();
    let make = |p: &[f64]| {
        let mut nets = nets();
        let n = nets[0].params.len();
        for (net, p) in nets.iter_mut().zip(p.chunks(n)) {
            net.params.copy_from_slice(p);
        }
        Owned(nets)
    };
    laws::vjp_field(&make(&params), 0.2, &x);
    laws::vjp_parameters(make, &params, 0.2, &x);
    let noise = state(3).0;
    let held = |p: &[f64]| Held(make(p), noise.clone());
    laws::vjp_field(&held(&params), 0.2, &x);
    laws::vjp_parameters(held, &params, 0.2, &x);
}

/// A whole bound through a solve: the gradient on a path against differences on the same path.
#[test]
fn gradient_of_the_divergence() {
    let value = |nets: &[NetField; 3]| {
        let [q, p, g] = nets;
        let equation = Latent::new(q, p, g, NoiseKind::General);
        let x = state(4);
        let (key, span) = (Key::new(5), (0.0, 1.0));
        let mut path = VirtualBrownianTree::new(key, span, &x.0, LevyArea::None, 1e-3).unwrap();
        let drive = NoisyField::new(&equation, &mut path, &x);
        let mut method = RungeKutta::new(&tableau::HEUN2, drive, &x);
        let control = Control::fixed(8);
        let tape = Tape::record(&mut method, &[0.0, 1.0], &x, &control, Memory::Every).unwrap();
        let end = &tape.states()[1];
        let loss = end.1.iter().sum::<f64>() + end.0[3];
        let mut bars = vec![(vec![0.0; 8], vec![0.0; 4]); 2];
        bars[1].1.fill(1.0);
        bars[1].0[3] = 1.0;
        (loss, tape.pull(&mut method, &bars).unwrap().params)
    };
    let mut nets = nets();
    let n = nets[0].params.len();
    let (_, gradient) = value(&nets);
    for i in [0, 7, n - 1, n + 3, 2 * n + 1, 3 * n - 1] {
        let h = 1e-5;
        let (net, k) = (i / n, i % n);
        let kept = nets[net].params[k];
        let mut at = |p: f64| {
            nets[net].params[k] = p;
            value(&nets).0
        };
        let difference = (at(kept + h) - at(kept - h)) / (2.0 * h);
        at(kept);
        let got = gradient[i];
        assert!(
            (got - difference).abs() < 1e-7 * (1.0 + got.abs()),
            "{i}: {got} {difference}"
        );
    }
}

#[test]
fn no_divergence_without_noise() {
    let [q, p, _] = nets();
    for g in [0.0, -0.1, f64::NAN] {
        let diffusion = |_: f64, _: &V, out: &mut V| {
            out.fill(g);
            Ok(())
        };
        let equation = Latent::new(&q, &p, &diffusion, NoiseKind::Additive);
        let mut x = state(1);
        let mut path =
            VirtualBrownianTree::new(Key::new(5), (0.0, 1.0), &x.0, LevyArea::None, 1e-3).unwrap();
        let before = x.clone();
        let control = Control::fixed(4);
        let span = (0.0, 1.0);
        let solved = sde::solve(
            &equation,
            &mut path,
            span,
            &mut x,
            &sde::HEUN,
            &control,
            &mut (),
        );
        assert!(matches!(
            solved,
            Err(StepError::Eval {
                source: EvalError::OutOfRange { .. },
                ..
            })
        ));
        assert_eq!(x, before);
    }
    let (q, p) = ([0.3, 0.7], [-0.2, 1.3]);
    let (_, slopes) = normal_divergence(q, p).unwrap();
    let value = |x: [f64; 4]| normal_divergence([x[0], x[1]], [x[2], x[3]]).unwrap().0;
    for i in 0..4 {
        let (mut up, mut down) = ([0.3, 0.7, -0.2, 1.3], [0.3, 0.7, -0.2, 1.3]);
        up[i] += 1e-6;
        down[i] -= 1e-6;
        let difference = (value(up) - value(down)) / 2e-6;
        assert!((slopes[i] - difference).abs() < 1e-9);
    }
    assert!(
        normal_divergence([0.0, 0.0], p).is_err() && normal_divergence(q, [0.0, -1.0]).is_err()
    );
}
