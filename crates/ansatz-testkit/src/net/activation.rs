//! Activations and their derivatives.

/// A function that is applied to every number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activation {
    /// x.
    #[default]
    Identity,
    /// tanh x.
    Tanh,
    /// max(x, 0), with derivative 0 at 0.
    Relu,
    /// 0.909·x/(1 + e⁻ˣ), whose derivative stays within ±1 (R. Chen, J. Behrmann, D. Duvenaud, J.-H. Jacobsen,
    /// *Residual flows for invertible generative modeling*, 2019).
    LipSwish,
    /// log(1 + eˣ).
    Softplus,
    /// sin x.
    Sin,
}

/// Factor of [`Activation::LipSwish`]: one over the largest derivative of x/(1 + e⁻ˣ), rounded down.
const LIPSWISH: f64 = 0.909;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Activation {
    /// `out ← φ(x)`, element by element.
    pub(crate) fn apply(self, x: &[f64], out: &mut [f64]) {
        let each = |f: fn(f64) -> f64, out: &mut [f64]| {
            for (o, x) in out.iter_mut().zip(x) {
                *o = f(*x);
            }
        };
        match self {
            Self::Identity => out.copy_from_slice(x),
            Self::Tanh => each(f64::tanh, out),
            Self::Relu => each(|x| x.max(0.0), out),
            Self::LipSwish => each(|x| LIPSWISH * x * sigmoid(x), out),
            Self::Softplus => each(|x| x.max(0.0) + (-x.abs()).exp().ln_1p(), out),
            Self::Sin => each(f64::sin, out),
        }
    }

    /// `bar ← φ'(x)·bar`, with y = φ(x).
    pub(crate) fn pull(self, x: &[f64], y: &[f64], bar: &mut [f64]) {
        let each = |f: fn(f64, f64) -> f64, bar: &mut [f64]| {
            for ((b, x), y) in bar.iter_mut().zip(x).zip(y) {
                *b *= f(*x, *y);
            }
        };
        match self {
            Self::Identity => {}
            Self::Tanh => each(|_, y| 1.0 - y * y, bar),
            Self::Relu => each(|x, _| f64::from(u8::from(x > 0.0)), bar),
            Self::LipSwish => each(
                |x, y| {
                    let s = sigmoid(x);
                    LIPSWISH * s + y * (1.0 - s)
                },
                bar,
            ),
            Self::Softplus => each(|x, _| sigmoid(x), bar),
            Self::Sin => each(|x, _| x.cos(), bar),
        }
    }
}
