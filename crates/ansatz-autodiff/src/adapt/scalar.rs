//! Scalar fields in space.

use ansatz_core::denoiser::Scratch;
use ansatz_core::{DifferentiableField, ScalarField};

use super::Signature;
use super::map::{fits, inputs, shaped};
use crate::{Array, AutodiffError, Element, Graph, Program, vjp};

/// A scalar field f(x; p) on ℝ³ with its gradient, traced and compiled for a batch of points.
///
/// Any number of points is worked on in batches; the last one is filled up with its first point.
///
/// ```
/// use ansatz_autodiff::{ProgramScalarField, Signature};
/// use ansatz_autodiff::core::DifferentiableField;
/// // The signed distance from a sphere of radius p.
/// let signature = Signature { state: &[256, 3], parameters: &[&[]], ..Signature::default() };
/// let sphere = ProgramScalarField::<f64>::new(&signature, vec![1.0], |x, p| {
///     x.square().sum_axes(&[1]).sqrt() - p[0]
/// })?;
/// let (mut value, mut gradient) = ([0.0], [[0.0; 3]]);
/// sphere.eval_gradient(&[[0.0, 2.0, 0.0]], &mut value, &mut gradient);
/// assert_eq!((value, gradient), ([1.0], [[0.0, 1.0, 0.0]]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ProgramScalarField<T> {
    value: Program<T>,
    gradient: Program<T>,
    batch: usize,
    lengths: Vec<usize>,
    parameters: Vec<T>,
    /// Points, gradients and values of a batch that is not full.
    rest: Scratch<Vec<T>>,
    /// What such a room is like.
    room: Vec<T>,
}

impl<T: Element> ProgramScalarField<T> {
    /// Traces f(points, parameters), where points have the shape `[b, 3]` of [`Signature::state`] and f the shape `[b]`
    /// or `[b, 1]`, each value depending on its own point alone. Evaluations take b points at a time: some hundred or thousand.
    ///
    /// # Errors
    /// [`AutodiffError::Length`] when `values` do not fit the shapes, [`AutodiffError::Shape`] when the state is not [b, 3] with
    /// b > 0 or f not a value for each point, and those of [`Program::compile`].
    ///
    /// # Panics
    /// Where `f` combines shapes that do not fit.
    pub fn new<F>(signature: &Signature<'_>, values: Vec<T>, f: F) -> Result<Self, AutodiffError>
    where
        F: for<'g> Fn(Array<'g>, &[Array<'g>]) -> Array<'g>,
    {
        fits(signature.parameters, values.len())?;
        let batch = match signature.state {
            [batch, 3] if *batch > 0 => *batch,
            other => {
                return Err(AutodiffError::Shape {
                    what: "the points",
                    expected: "[b, 3]".into(),
                    got: format!("{other:?}"),
                });
            }
        };
        let g = Graph::new();
        let given = inputs(&g, signature, 0);
        let y = f(given.x, &given.parameters);
        if y.shape()[..] != [batch, 1] {
            shaped("the function's result", y, &[batch])?;
        }
        let slope = vjp(&[(y, y.ones())], &[given.x])[0];
        Ok(Self {
            value: Program::compile(&g.finish(&[y]), &signature.options)?,
            gradient: Program::compile(&g.finish(&[y, slope]), &signature.options)?,
            batch,
            lengths: given.parameters.iter().map(|p| p.shape().len()).collect(),
            parameters: values,
            rest: Scratch::default(),
            room: vec![T::zero(); 7 * batch],
        })
    }

    /// The parameters, one after the other.
    #[must_use]
    pub fn parameters(&self) -> &[T] {
        &self.parameters
    }

    /// The parameters, to be changed.
    pub fn parameters_mut(&mut self) -> &mut [T] {
        &mut self.parameters
    }

    fn run(&self, points: &[T], values: &mut [T], slopes: Option<&mut [T]>) {
        let mut inputs: Vec<&[T]> = vec![points];
        let mut rest = self.parameters.as_slice();
        for n in &self.lengths {
            let (part, after) = rest.split_at(*n);
            inputs.push(part);
            rest = after;
        }
        match slopes {
            Some(slopes) => self.gradient.compute(&inputs, &mut [values, slopes]),
            None => self.value.compute(&inputs, &mut [values]),
        }
    }

    /// All batches, and what is left over in a full one.
    fn all(&self, points: &[[T; 3]], values: &mut [T], mut slopes: Option<&mut [[T; 3]]>) {
        assert_eq!(points.len(), values.len(), "one value per point");
        let b = self.batch;
        let batches = points.chunks(b).zip(values.chunks_mut(b));
        for (i, (points, values)) in batches.enumerate() {
            let n = points.len();
            let slopes = slopes.as_mut().map(|s| &mut s[i * b..i * b + n]);
            if n == b {
                let slopes = slopes.map(<[[T; 3]]>::as_flattened_mut);
                self.run(points.as_flattened(), values, slopes);
                continue;
            }
            self.rest.with(&self.room, |room| {
                let (full, room) = room.split_at_mut(3 * b);
                let (full_slopes, full_values) = room.split_at_mut(3 * b);
                for (at, i) in full.chunks_mut(3).zip(0..b) {
                    at.copy_from_slice(&points[if i < n { i } else { 0 }]);
                }
                match slopes {
                    Some(slopes) => {
                        self.run(full, full_values, Some(full_slopes));
                        slopes
                            .as_flattened_mut()
                            .copy_from_slice(&full_slopes[..3 * n]);
                    }
                    None => self.run(full, full_values, None),
                }
                values.copy_from_slice(&full_values[..n]);
            });
        }
    }
}

impl<T: Element> ScalarField<T> for ProgramScalarField<T> {
    fn eval(&self, points: &[[T; 3]], values: &mut [T]) {
        self.all(points, values, None);
    }
}

impl<T: Element> DifferentiableField<T> for ProgramScalarField<T> {
    fn eval_gradient(&self, points: &[[T; 3]], values: &mut [T], gradients: &mut [[T; 3]]) {
        assert_eq!(points.len(), gradients.len(), "one gradient per point");
        self.all(points, values, Some(gradients));
    }
}
