//! Networks as what the solvers of other crates ask for.

use ansatz_autodiff::{
    Array, AutodiffError, Element, Level, Options, ProgramDenoiser, ProgramField,
    ProgramScalarField, Signature,
};
use ansatz_core::{EvalError, Prediction, Scalar, SearchDirection, VectorField};

use crate::{Mode, Parameters, Pass};

impl<T: Element> Parameters<T> {
    /// The network y(x, level) on states of this shape, the first axis a batch if there are more, as a diffusion model
    /// that predicts `native`; layers are in [`Mode::Evaluate`].
    ///
    /// # Errors
    /// Those of [`ProgramDenoiser::new`].
    ///
    /// # Panics
    /// Where `f` combines shapes that do not fit.
    pub fn denoiser<F>(
        &self,
        native: Prediction,
        state: &[usize],
        f: F,
    ) -> Result<ProgramDenoiser<T>, AutodiffError>
    where
        F: for<'g> Fn(&Pass<'g>, Array<'g>, Level<'g>) -> Array<'g>,
    {
        self.with_signature(state, |signature| {
            ProgramDenoiser::new(native, signature, self.values().to_vec(), |x, level, p| {
                f(&pass(x, state, p), x, level)
            })
        })
    }

    /// The network f(t, x) on states of this shape as the right side of a differential equation.
    ///
    /// # Errors
    /// Those of [`ProgramField::new`].
    ///
    /// # Panics
    /// Where `f` combines shapes that do not fit.
    pub fn field<F>(&self, state: &[usize], f: F) -> Result<ProgramField<T>, AutodiffError>
    where
        F: for<'g> Fn(&Pass<'g>, Array<'g>, Array<'g>) -> Array<'g>,
    {
        self.with_signature(state, |signature| {
            ProgramField::new(signature, self.values().to_vec(), |t, x, p| {
                f(&pass(x, state, p), t, x)
            })
        })
    }

    /// The network f(points) on `batch` points of space at a time, as a scalar field to be meshed.
    ///
    /// # Errors
    /// Those of [`ProgramScalarField::new`].
    ///
    /// # Panics
    /// Where `f` combines shapes that do not fit.
    pub fn scalar_field<F>(
        &self,
        batch: usize,
        f: F,
    ) -> Result<ProgramScalarField<T>, AutodiffError>
    where
        F: for<'g> Fn(&Pass<'g>, Array<'g>) -> Array<'g>,
    {
        let state = [batch, 3];
        self.with_signature(&state, |signature| {
            ProgramScalarField::new(signature, self.values().to_vec(), |x, p| {
                f(&pass(x, &state, p), x)
            })
        })
    }

    /// The network f(r) on grids of these lengths, the residual as `[1, 1, lengths…]` with the last axis the fastest, as
    /// what proposes directions to a conjugate direction method.
    ///
    /// # Errors
    /// Those of [`ProgramField::new`].
    ///
    /// # Panics
    /// Where `f` combines shapes that do not fit.
    pub fn direction<F>(
        &self,
        lengths: &[usize],
        f: F,
    ) -> Result<ProgramDirection<T>, AutodiffError>
    where
        F: for<'g> Fn(&Pass<'g>, Array<'g>) -> Array<'g>,
    {
        let mut state = vec![1, 1];
        state.extend(lengths);
        let n = lengths.iter().product();
        Ok(ProgramDirection {
            field: self.field(&state, |pass, _, x| f(pass, x))?,
            residual: vec![T::zero(); n],
            direction: vec![T::zero(); n],
        })
    }

    fn with_signature<R>(&self, state: &[usize], f: impl FnOnce(&Signature<'_>) -> R) -> R {
        let shapes: Vec<&[usize]> = self
            .layout()
            .entries()
            .iter()
            .map(|e| &e.shape[..])
            .collect();
        f(&Signature {
            state,
            parameters: &shapes,
            options: Options::default(),
        })
    }
}

/// A network that proposes search directions, in precision `T` for residuals of any.
#[derive(Debug)]
pub struct ProgramDirection<T> {
    field: ProgramField<T>,
    residual: Vec<T>,
    direction: Vec<T>,
}

impl<T: Element, X: Scalar> SearchDirection<Vec<X>> for ProgramDirection<T> {
    fn propose(&mut self, residual: &Vec<X>, direction: &mut Vec<X>) -> Result<(), EvalError> {
        for (what, got) in [("residual", residual.len()), ("direction", direction.len())] {
            if got != self.residual.len() {
                return Err(EvalError::Length {
                    what,
                    expected: self.residual.len(),
                    got,
                });
            }
        }
        for (own, r) in self.residual.iter_mut().zip(residual) {
            *own = T::of(r.f64());
        }
        self.field.eval(0.0, &self.residual, &mut self.direction)?;
        for (d, own) in direction.iter_mut().zip(&self.direction) {
            *d = X::of(own.f64());
        }
        Ok(())
    }
}

fn pass<'g>(x: Array<'g>, state: &[usize], arrays: &[Array<'g>]) -> Pass<'g> {
    let batch = (state.len() > 1).then(|| state[0]);
    Pass::of_arrays(x.graph(), arrays.to_vec(), (Mode::Evaluate, batch))
}
