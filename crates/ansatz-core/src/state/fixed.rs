//! Arrays of a length known to the compiler: small systems in registers, without a heap.

use super::{HostState, State, Tolerance};
use crate::{Key, Scalar};

#[inline]
fn scaled<T: Scalar, const N: usize>(c: f64, x: &[T; N]) -> [f64; N] {
    let c = T::coefficient(c);
    x.map(|v| c * v.f64())
}

impl<T: Scalar, const N: usize> State for [T; N] {
    type Scalar = T;

    fn len(&self) -> usize {
        N
    }

    fn zeros_like(&self) -> Self {
        [T::zero(); N]
    }

    #[inline]
    fn lincomb(&mut self, beta: f64, terms: &[(f64, &Self)]) {
        // Overwriting must not read: what is there may be NaN.
        let (mut sum, rest) = match terms {
            [(c, x), rest @ ..] if beta == 0.0 => (scaled(*c, x), rest),
            _ if beta == 0.0 => ([0.0; N], terms),
            _ => (scaled(beta, self), terms),
        };
        for (c, x) in rest {
            for (s, v) in sum.iter_mut().zip(scaled(*c, x)) {
                *s += v;
            }
        }
        *self = sum.map(T::of);
    }

    #[inline]
    fn step_from(&mut self, y: Option<&Self>, h: f64, c: &[f64], k: &[Self]) {
        let mut sum = y.map_or([0.0; N], |y| y.map(T::f64));
        // The first term starts the sum in `lincomb`: −0 stays −0.
        let mut fresh = y.is_none();
        for (c, k) in c.iter().zip(k) {
            if *c == 0.0 {
                continue;
            }
            let c = T::coefficient(h * c);
            if fresh {
                sum = k.map(|v| c * v.f64());
                fresh = false;
                continue;
            }
            for (s, v) in sum.iter_mut().zip(k) {
                *s += c * v.f64();
            }
        }
        *self = sum.map(T::of);
    }

    #[inline]
    fn dot(&self, other: &Self) -> f64 {
        let products = self.iter().zip(other);
        products.map(|(x, y)| x.f64() * y.f64()).sum()
    }

    #[inline]
    fn error_norm(&self, a: &Self, b: &Self, tol: Tolerance) -> f64 {
        if N == 0 {
            return 0.0;
        }
        let mut sum = 0.0;
        for i in 0..N {
            let scale = tol.atol + tol.rtol * a[i].f64().abs().max(b[i].f64().abs());
            let x = self[i].f64() / scale;
            sum += x * x;
        }
        (sum / N as f64).sqrt()
    }

    fn fill_normal(&mut self, key: Key, stream: u64) {
        key.fill_normal(stream, self);
    }

    #[inline]
    fn is_finite(&self) -> bool {
        self.iter().all(|x| x.is_finite())
    }
}

impl<T: Scalar, const N: usize> HostState for [T; N] {
    fn as_slice(&self) -> &[T] {
        self
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }
}
