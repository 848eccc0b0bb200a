//! Operators, residuals and fields that are wrong in one place each.

use ansatz_core::{
    AdjointOp, DifferentiableField, EvalError, LinearOp, Residual, Scalar, ScalarField, SpdOp,
    VectorField, VjpField,
};

/// A small dense matrix with switchable faults.
#[derive(Clone, Copy)]
pub(crate) struct Matrix {
    pub(crate) a: [[f64; 3]; 3],
    pub(crate) wrong: Wrong,
}

/// What is wrong with a [`Matrix`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    Affine,
    ReadsScratch,
    Adds,
    Adjoint,
}

pub(crate) const SPD: [[f64; 3]; 3] = [[4.0, 1.0, -1.0], [1.0, 3.0, 0.5], [-1.0, 0.5, 2.0]];
pub(crate) const GENERAL: [[f64; 3]; 3] = [[1.0, 2.0, 3.0], [0.0, -1.0, 4.0], [5.0, 1.0, 1.0]];
pub(crate) const INDEFINITE: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]];

impl<T: Scalar> LinearOp<T> for Matrix {
    fn rows(&self) -> usize {
        3
    }

    fn cols(&self) -> usize {
        3
    }

    fn scratch_len(&self) -> usize {
        2
    }

    fn apply(&self, x: &[T], y: &mut [T], scratch: &mut [T]) {
        assert_eq!(scratch.len(), 2, "scratch of exactly scratch_len");
        for i in 0..3 {
            let mut sum = if self.wrong == Wrong::Adds {
                y[i]
            } else {
                T::zero()
            };
            for j in 0..3 {
                sum += T::of(self.a[i][j]) * x[j];
            }
            // NaN in the scratch hides the second fault, a number shows it.
            if self.wrong == Wrong::Affine
                || self.wrong == Wrong::ReadsScratch && scratch[0] > T::zero()
            {
                sum += T::one();
            }
            y[i] = sum;
        }
        scratch.fill(T::nan());
    }
}

impl<T: Scalar> AdjointOp<T> for Matrix {
    fn apply_adjoint(&self, y: &[T], x: &mut [T], scratch: &mut [T]) {
        let mut t = *self;
        for i in 0..3 {
            for j in 0..3 {
                t.a[i][j] = if self.wrong == Wrong::Adjoint {
                    self.a[i][j]
                } else {
                    self.a[j][i]
                };
            }
        }
        t.apply(y, x, scratch);
    }
}

impl<T: Scalar> SpdOp<T> for Matrix {}

/// r(u) = (u₀² + sin u₁, u₀·u₁, 3u₁) with factors on its derivatives.
pub(crate) struct Curve {
    pub(crate) jvp: f64,
    pub(crate) vjp: f64,
}

impl<T: Scalar> Residual<T> for Curve {
    fn unknowns(&self) -> usize {
        2
    }

    fn residuals(&self) -> usize {
        3
    }

    fn eval(&self, u: &[T], r: &mut [T]) -> Result<(), EvalError> {
        r.copy_from_slice(&[u[0] * u[0] + u[1].sin(), u[0] * u[1], u[1] * T::of(3.0)]);
        Ok(())
    }

    fn jvp(&self, u: &[T], v: &[T], jv: &mut [T]) -> Result<(), EvalError> {
        let first = T::of(2.0) * u[0] * v[0] + u[1].cos() * v[1];
        let second = u[1] * v[0] + u[0] * v[1];
        jv.copy_from_slice(&[T::of(self.jvp) * first, second, T::of(3.0) * v[1]]);
        Ok(())
    }

    fn vjp(&self, u: &[T], w: &[T], jtw: &mut [T]) -> Result<(), EvalError> {
        jtw[0] = T::of(self.vjp) * (T::of(2.0) * u[0] * w[0] + u[1] * w[1]);
        jtw[1] = u[1].cos() * w[0] + u[0] * w[1] + T::of(3.0) * w[2];
        Ok(())
    }
}

/// dx/dt = a·sin(x) + b·t with parameters (a, b).
pub(crate) struct Wave {
    pub(crate) p: [f64; 2],
    pub(crate) x_factor: f64,
    pub(crate) p_factor: f64,
    pub(crate) overwrites: bool,
}

impl Wave {
    pub(crate) const RIGHT: Self = Self {
        p: [1.5, -0.3],
        x_factor: 1.0,
        p_factor: 1.0,
        overwrites: false,
    };
}

impl<T: Scalar> VectorField<Vec<T>> for Wave {
    fn eval(&self, t: f64, x: &Vec<T>, dx: &mut Vec<T>) -> Result<(), EvalError> {
        for (d, x) in dx.iter_mut().zip(x) {
            *d = T::of(self.p[0] * x.f64().sin() + self.p[1] * t);
        }
        Ok(())
    }
}

impl<T: Scalar> VjpField<Vec<T>> for Wave {
    fn params(&self) -> usize {
        2
    }

    fn vjp(
        &self,
        t: f64,
        x: &Vec<T>,
        w: &Vec<T>,
        x_bar: &mut Vec<T>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        if self.overwrites {
            p_bar.fill(0.0);
        }
        for ((x, w), x_bar) in x.iter().zip(w).zip(x_bar) {
            let (x, w) = (x.f64(), w.f64());
            *x_bar = T::of(self.x_factor * self.p[0] * x.cos() * w);
            p_bar[0] += self.p_factor * x.sin() * w;
            p_bar[1] += t * w;
        }
        Ok(())
    }
}

/// exp(x)·y + z² with faults.
pub(crate) struct Surface {
    pub(crate) value: f64,
    pub(crate) slope: f64,
}

impl<T: Scalar> ScalarField<T> for Surface {
    fn eval(&self, points: &[[T; 3]], values: &mut [T]) {
        for (v, [x, y, z]) in values.iter_mut().zip(points) {
            *v = x.exp() * *y + *z * *z;
        }
    }
}

impl<T: Scalar> DifferentiableField<T> for Surface {
    fn eval_gradient(&self, points: &[[T; 3]], values: &mut [T], gradients: &mut [[T; 3]]) {
        self.eval(points, values);
        for ((v, g), [x, y, z]) in values.iter_mut().zip(gradients).zip(points) {
            *v *= T::of(self.value);
            *g = [x.exp() * *y, x.exp(), T::of(2.0 * self.slope) * *z];
        }
    }
}
