//! Diffusion models.

use ansatz_core::denoiser::Scratch;
use ansatz_core::{
    Denoiser, DivergenceDenoiser, EvalError, HostState, NoiseLevel, Prediction, VjpDenoiser,
};

use super::Signature;
use super::map::{Inputs, Map, fit, inputs};
use crate::{Array, AutodiffError, Element, Graph, Program, jvp};

/// A noise level in a program: numbers, of the shape [].
#[derive(Debug, Clone, Copy)]
pub struct Level<'g> {
    /// The time.
    pub t: Array<'g>,
    /// Signal factor.
    pub alpha: Array<'g>,
    /// Noise factor.
    pub sigma: Array<'g>,
}

impl<'g> Level<'g> {
    fn of(numbers: &[Array<'g>]) -> Self {
        Self {
            t: numbers[0],
            alpha: numbers[1],
            sigma: numbers[2],
        }
    }
}

fn numbers<T: Element>(at: &NoiseLevel) -> [T; 3] {
    [at.t, at.alpha, at.sigma].map(T::of)
}

/// A diffusion model y(x, level; p), traced and compiled with the products that gradients through sampling need.
///
/// ```
/// use ansatz_autodiff::{ProgramDenoiser, Signature};
/// use ansatz_autodiff::core::{Denoiser, NoiseLevel, Prediction};
/// // Data N(0, p): the posterior mean is α·p·x/(α²·p + σ²).
/// let signature = Signature { state: &[3], parameters: &[&[]], ..Signature::default() };
/// let model = ProgramDenoiser::<f64>::new(Prediction::Data, &signature, vec![4.0], |x, at, p| {
///     let signal = at.alpha * p[0];
///     x * signal / (at.alpha * signal + at.sigma.square())
/// })?;
/// let mut mean = vec![0.0; 3];
/// model.eval(&vec![1.0, 2.0, 3.0], &NoiseLevel::new(0.5, 0.8, 0.6), &mut mean)?;
/// assert!((mean[1] - 2.0 * 3.2 / 2.92).abs() < 1e-14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ProgramDenoiser<T> {
    native: Prediction,
    map: Map<T>,
}

impl<T: Element> ProgramDenoiser<T> {
    /// Traces y(x, level, parameters), which predicts `native`, with `values` for the parameters, one after the other.
    ///
    /// # Errors
    /// [`AutodiffError::Length`] when `values` do not fit the shapes, [`AutodiffError::Shape`] when y has another shape than
    /// x, and those of [`Program::compile`].
    ///
    /// # Panics
    /// Where `f` combines shapes that do not fit.
    pub fn new<F>(
        native: Prediction,
        signature: &Signature<'_>,
        values: Vec<T>,
        f: F,
    ) -> Result<Self, AutodiffError>
    where
        F: for<'g> Fn(Array<'g>, Level<'g>, &[Array<'g>]) -> Array<'g>,
    {
        let map = Map::new(signature, 3, Some(signature.state), values, &|n, x, p| {
            f(x, Level::of(n), p)
        })?;
        Ok(Self { native, map })
    }

    /// The parameters, one after the other.
    #[must_use]
    pub fn parameters(&self) -> &[T] {
        &self.map.parameters
    }

    /// The parameters, to be changed.
    pub fn parameters_mut(&mut self) -> &mut [T] {
        &mut self.map.parameters
    }
}

impl<T: Element, S: HostState<Scalar = T>> Denoiser<S> for ProgramDenoiser<T> {
    fn native(&self) -> Prediction {
        self.native
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        let out = out.as_mut_slice();
        self.map.eval(&numbers::<T>(at), x.as_slice(), out)
    }
}

impl<T: Element, S: HostState<Scalar = T>> VjpDenoiser<S> for ProgramDenoiser<T> {
    fn params(&self) -> usize {
        self.map.parameters.len()
    }

    fn vjp(
        &self,
        x: &S,
        at: &NoiseLevel,
        w: &S,
        x_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let (given, x_bar) = ((x.as_slice(), w.as_slice()), x_bar.as_mut_slice());
        self.map.vjp_into(&numbers::<T>(at), given, x_bar, p_bar)
    }
}

/// A [`ProgramDenoiser`] that knows its exact divergence, which likelihoods need.
///
/// The divergence of a sample of n elements is n tangents, all in one program: for small samples. A state of one axis is
/// one sample; else the first axis numbers them.
#[derive(Debug)]
pub struct ProgramDivergence<T> {
    model: ProgramDenoiser<T>,
    divergence: Program<T>,
    /// A number for each sample.
    values: Vec<T>,
    rooms: Scratch<Vec<T>>,
}

impl<T: Element> ProgramDivergence<T> {
    /// As [`ProgramDenoiser::new`].
    ///
    /// # Errors
    /// Those of [`ProgramDenoiser::new`].
    ///
    /// # Panics
    /// Where `f` combines shapes that do not fit.
    pub fn new<F>(
        native: Prediction,
        signature: &Signature<'_>,
        values: Vec<T>,
        f: F,
    ) -> Result<Self, AutodiffError>
    where
        F: for<'g> Fn(Array<'g>, Level<'g>, &[Array<'g>]) -> Array<'g>,
    {
        let model = ProgramDenoiser::new(native, signature, values, &f)?;
        let g = Graph::new();
        let Inputs {
            numbers,
            x,
            parameters,
        } = inputs(&g, signature, 3);
        let y = f(x, Level::of(&numbers), &parameters);
        let (samples, sample) = match signature.state {
            [samples, sample @ ..] if !sample.is_empty() => (*samples, sample),
            whole => (1, whole),
        };
        let size: usize = sample.iter().product();
        let mut total = x.zeros();
        for i in 0..size {
            let mut e = vec![0.0; size];
            e[i] = 1.0;
            let e = g.constant(sample, e).broadcast(signature.state);
            total = total + jvp(&[y], &[(x, e)])[0] * e;
        }
        let first = signature.state.len() - sample.len();
        let axes: Vec<usize> = (first..signature.state.len()).collect();
        let trace = g.finish(&[total.sum_axes(&axes)]);
        Ok(Self {
            model,
            divergence: Program::compile(&trace, &signature.options)?,
            values: vec![T::zero(); samples],
            rooms: Scratch::default(),
        })
    }

    /// The parameters, one after the other.
    #[must_use]
    pub fn parameters(&self) -> &[T] {
        self.model.parameters()
    }

    /// The parameters, to be changed.
    pub fn parameters_mut(&mut self) -> &mut [T] {
        self.model.parameters_mut()
    }
}

impl<T: Element, S: HostState<Scalar = T>> Denoiser<S> for ProgramDivergence<T> {
    fn native(&self) -> Prediction {
        self.model.native
    }

    fn eval(&self, x: &S, at: &NoiseLevel, out: &mut S) -> Result<(), EvalError> {
        self.model.eval(x, at, out)
    }
}

impl<T: Element, S: HostState<Scalar = T>> VjpDenoiser<S> for ProgramDivergence<T> {
    fn params(&self) -> usize {
        self.model.map.parameters.len()
    }

    fn vjp(
        &self,
        x: &S,
        at: &NoiseLevel,
        w: &S,
        x_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        self.model.vjp(x, at, w, x_bar, p_bar)
    }
}

impl<T: Element, S: HostState<Scalar = T>> DivergenceDenoiser<S> for ProgramDivergence<T> {
    fn divergence(&self, x: &S, at: &NoiseLevel, divergence: &mut [f64]) -> Result<(), EvalError> {
        let map = &self.model.map;
        fit("divergence", self.values.len(), divergence.len())?;
        fit("state", map.from, x.len())?;
        self.rooms.with(&self.values, |values| {
            let (level, x) = (numbers::<T>(at), x.as_slice());
            map.run(&self.divergence, &level, x, None, &mut [&mut *values])?;
            for (d, v) in divergence.iter_mut().zip(values) {
                *d = v.f64();
            }
            Ok(())
        })
    }
}
