//! Operators, residuals and fields that are wrong in one place each.

use ansatz_core::{
    AdjointOp, DifferentiableField, EvalError, LinearOp, Residual, ScalarField, SpdOp, VectorField,
    VjpField,
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

impl LinearOp<f64> for Matrix {
    fn rows(&self) -> usize {
        3
    }

    fn cols(&self) -> usize {
        3
    }

    fn scratch_len(&self) -> usize {
        2
    }

    fn apply(&self, x: &[f64], y: &mut [f64], scratch: &mut [f64]) {
        assert_eq!(scratch.len(), 2, "scratch of exactly scratch_len");
        for i in 0..3 {
            let mut sum = if self.wrong == Wrong::Adds { y[i] } else { 0.0 };
            for j in 0..3 {
                sum += self.a[i][j] * x[j];
            }
            if self.wrong == Wrong::Affine {
                sum += 1.0;
            }
            if self.wrong == Wrong::ReadsScratch && scratch[0] > 0.0 {
                sum += 1.0; // NaN hides this fault, a number shows it
            }
            y[i] = sum;
        }
        scratch.fill(f64::NAN);
    }
}

impl AdjointOp<f64> for Matrix {
    fn apply_adjoint(&self, y: &[f64], x: &mut [f64], scratch: &mut [f64]) {
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

impl SpdOp<f64> for Matrix {}

/// r(u) = (u₀² + sin u₁, u₀·u₁, 3u₁) with factors on its derivatives.
pub(crate) struct Curve {
    pub(crate) jvp: f64,
    pub(crate) vjp: f64,
}

impl Residual<f64> for Curve {
    fn unknowns(&self) -> usize {
        2
    }

    fn residuals(&self) -> usize {
        3
    }

    fn eval(&self, u: &[f64], r: &mut [f64]) -> Result<(), EvalError> {
        r.copy_from_slice(&[u[0] * u[0] + u[1].sin(), u[0] * u[1], 3.0 * u[1]]);
        Ok(())
    }

    fn jvp(&self, u: &[f64], v: &[f64], jv: &mut [f64]) -> Result<(), EvalError> {
        let first = 2.0 * u[0] * v[0] + u[1].cos() * v[1];
        jv.copy_from_slice(&[self.jvp * first, u[1] * v[0] + u[0] * v[1], 3.0 * v[1]]);
        Ok(())
    }

    fn vjp(&self, u: &[f64], w: &[f64], jtw: &mut [f64]) -> Result<(), EvalError> {
        jtw[0] = self.vjp * (2.0 * u[0] * w[0] + u[1] * w[1]);
        jtw[1] = u[1].cos() * w[0] + u[0] * w[1] + 3.0 * w[2];
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

impl VectorField<Vec<f64>> for Wave {
    fn eval(&self, t: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Result<(), EvalError> {
        for (d, x) in dx.iter_mut().zip(x) {
            *d = self.p[0] * x.sin() + self.p[1] * t;
        }
        Ok(())
    }
}

impl VjpField<Vec<f64>> for Wave {
    fn params(&self) -> usize {
        2
    }

    fn vjp(
        &self,
        t: f64,
        x: &Vec<f64>,
        w: &Vec<f64>,
        x_bar: &mut Vec<f64>,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        if self.overwrites {
            p_bar.fill(0.0);
        }
        for i in 0..x.len() {
            x_bar[i] = self.x_factor * self.p[0] * x[i].cos() * w[i];
            p_bar[0] += self.p_factor * x[i].sin() * w[i];
            p_bar[1] += t * w[i];
        }
        Ok(())
    }
}

/// exp(x)·y + z² with faults.
pub(crate) struct Surface {
    pub(crate) value: f64,
    pub(crate) slope: f64,
}

impl ScalarField<f64> for Surface {
    fn eval(&self, points: &[[f64; 3]], values: &mut [f64]) {
        for (v, [x, y, z]) in values.iter_mut().zip(points) {
            *v = x.exp() * y + z * z;
        }
    }
}

impl DifferentiableField<f64> for Surface {
    fn eval_gradient(&self, points: &[[f64; 3]], values: &mut [f64], gradients: &mut [[f64; 3]]) {
        self.eval(points, values);
        for ((v, g), [x, y, z]) in values.iter_mut().zip(gradients).zip(points) {
            *v *= self.value;
            *g = [x.exp() * y, x.exp(), 2.0 * z * self.slope];
        }
    }
}
