//! Stochastic equations whose solutions are functions of the path, and paths to solve them on.

use ansatz_core::{
    ControlField, EvalError, HostState, Key, NoiseKind, Sde, State, VectorField, VjpControlField,
};
use ansatz_diffeq::brownian::{
    Brownian, BrownianInterval, Increment, IntervalOptions, LevyArea, VirtualBrownianTree,
};
use ansatz_diffeq::sde::{self, Method};
use ansatz_diffeq::{Adaptive, Control, Gains};

pub(crate) const PATHS: usize = 20_000;

/// A scalar equation dX = f dt + g dW, on every component of a state.
#[derive(Clone, Copy)]
pub(crate) struct Each {
    pub(crate) drift: fn(f64, f64) -> f64,
    pub(crate) diffusion: fn(f64, f64) -> f64,
    /// ∂g/∂x.
    pub(crate) slope: fn(f64, f64) -> f64,
    pub(crate) kind: NoiseKind,
}

impl<S: HostState<Scalar = f64>> VectorField<S> for Each {
    fn eval(&self, t: f64, x: &S, dx: &mut S) -> Result<(), EvalError> {
        for (d, x) in dx.as_mut_slice().iter_mut().zip(x.as_slice()) {
            *d = (self.drift)(t, *x);
        }
        Ok(())
    }
}

impl<S: HostState<Scalar = f64>> ControlField<S> for Each {
    fn apply(&self, t: f64, x: &S, w: &S, out: &mut S) -> Result<(), EvalError> {
        let terms = x.as_slice().iter().zip(w.as_slice());
        for (o, (x, w)) in out.as_mut_slice().iter_mut().zip(terms) {
            *o = (self.diffusion)(t, *x) * w;
        }
        Ok(())
    }
}

impl<S: HostState<Scalar = f64>> VjpControlField<S> for Each {
    fn control_params(&self) -> usize {
        0
    }

    fn control_vjp(
        &self,
        t: f64,
        x: &S,
        u: &S,
        w: &S,
        x_bar: &mut S,
        u_bar: &mut S,
        _: &mut [f64],
    ) -> Result<(), EvalError> {
        for (i, x) in x.as_slice().iter().enumerate() {
            let w = w.as_slice()[i];
            x_bar.as_mut_slice()[i] = (self.slope)(t, *x) * u.as_slice()[i] * w;
            u_bar.as_mut_slice()[i] = (self.diffusion)(t, *x) * w;
        }
        Ok(())
    }
}

impl<S: HostState<Scalar = f64>> Sde<S> for Each {
    fn noise(&self) -> NoiseKind {
        self.kind
    }
}

/// dX = −a²X(1 − X²) dt + a(1 − X²) dW with a = ½ (Itô): X = tanh(aW + artanh X₀).
pub(crate) const TANH: Each = Each {
    drift: |_, x| -0.25 * x * (1.0 - x * x),
    diffusion: |_, x| 0.5 * (1.0 - x * x),
    slope: |_, x| -x,
    kind: NoiseKind::Diagonal,
};

/// The same for Stratonovich's calculus.
pub(crate) const TANH_STRATONOVICH: Each = Each {
    drift: |_, _| 0.0,
    ..TANH
};

pub(crate) const START: f64 = 0.3;

pub(crate) fn tanh_of(w: f64) -> f64 {
    (0.5 * w + START.atanh()).tanh()
}

pub(crate) fn tree<S: State>(like: &S, end: f64, seed: u64) -> VirtualBrownianTree<S> {
    VirtualBrownianTree::new(Key::new(seed), (0.0, end), like, LevyArea::SpaceTime, 1e-4).unwrap()
}

pub(crate) fn increment<S: State>(path: &mut dyn Brownian<S>) -> S {
    let mut out = Increment::new(path.like(), path.levels());
    let (start, end) = path.span();
    path.query(start, end, &mut out).unwrap();
    out.w().clone()
}

pub(crate) type Paths = BrownianInterval<Vec<f64>>;

pub(crate) type One = VirtualBrownianTree<[f64; 1]>;

pub(crate) fn sheet(components: usize, seed: u64, levels: LevyArea) -> Paths {
    let like = vec![0.0; components];
    let options = IntervalOptions::default();
    BrownianInterval::new(Key::new(seed), (0.0, 1.0), &like, levels, options).unwrap()
}

pub(crate) type Any<'a> = &'a dyn Method<Vec<f64>, Vec<f64>, Each, Paths>;

pub(crate) fn run(
    problem: &Each,
    method: Any<'_>,
    steps: usize,
    path: &mut Paths,
    start: f64,
) -> Vec<f64> {
    let mut x = vec![start; PATHS];
    let control = Control::fixed(steps);
    let times = path.span();
    sde::solve(problem, path, times, &mut x, method, &control, &mut ()).unwrap();
    x
}

/// dX = −(X + sin X) dt + ½ dW.
pub(crate) const ADDITIVE: Each = Each {
    drift: |_, x| -(x + x.sin()),
    diffusion: |_, _| 0.5,
    slope: |_, _| 0.0,
    kind: NoiseKind::Additive,
};

/// dX = X dW₁ + JX dW₂ (Stratonovich, the matrices commute): X = e^{W₁}·(rotation by W₂)·X₀.
pub(crate) struct Spiral;

impl VectorField<[f64; 2]> for Spiral {
    fn eval(&self, _: f64, _: &[f64; 2], dx: &mut [f64; 2]) -> Result<(), EvalError> {
        *dx = [0.0; 2];
        Ok(())
    }
}

impl ControlField<[f64; 2], [f64; 2]> for Spiral {
    fn apply(
        &self,
        _: f64,
        x: &[f64; 2],
        w: &[f64; 2],
        out: &mut [f64; 2],
    ) -> Result<(), EvalError> {
        *out = [
            0.4 * (x[0] * w[0] - x[1] * w[1]),
            0.4 * (x[1] * w[0] + x[0] * w[1]),
        ];
        Ok(())
    }
}

impl Sde<[f64; 2], [f64; 2]> for Spiral {
    fn noise(&self) -> NoiseKind {
        NoiseKind::Commutative
    }
}

pub(crate) fn spiral_error(
    method: &dyn Method<[f64; 2], [f64; 2], Spiral, VirtualBrownianTree<[f64; 2]>>,
    control: &Control,
) -> (f64, usize, usize) {
    let (mut sum, mut steps, mut rejected) = (0.0, 0, 0);
    let paths = 500;
    for seed in 0..paths {
        let mut path =
            VirtualBrownianTree::new(Key::new(seed), (0.0, 1.0), &[0.0; 2], LevyArea::None, 1e-6)
                .unwrap();
        let w: [f64; 2] = increment(&mut path);
        let r = (0.4 * w[0]).exp();
        let exact = [r * (0.4 * w[1]).cos(), r * (0.4 * w[1]).sin()];
        let mut x = [1.0, 0.0];
        let report = sde::solve(
            &Spiral,
            &mut path,
            (0.0, 1.0),
            &mut x,
            method,
            control,
            &mut (),
        )
        .unwrap();
        sum += (x[0] - exact[0]).powi(2) + (x[1] - exact[1]).powi(2);
        steps += report.steps;
        rejected += report.rejected;
    }
    ((sum / paths as f64).sqrt(), steps, rejected)
}

pub(crate) fn controlled(tolerance: f64) -> Control {
    Control::adaptive(Adaptive {
        gains: Gains::NOISY,
        first: Some(0.01),
        ..Adaptive::new(tolerance, tolerance)
    })
}
