//! A traced function as a map with exact derivatives.

use std::sync::Arc;

use ansatz_autodiff::{Array, AutodiffError, Graph, Program, Shape, Signature, gradient, jvp, vjp};
use ansatz_core::EvalError;
use ansatz_linalg::LinalgError;
use ansatz_linalg::implicit::{Derivative, ParametricMap, Point, check};

/// A function of x and θ, written on arrays.
type Function = dyn for<'g> Fn(Array<'g>, &[Array<'g>]) -> Array<'g> + Send + Sync;

/// A map F(x, θ) from one traced function: five programs in double precision, for the value and the products with
/// ∂F/∂x, ∂F/∂θ and their transposes.
///
/// x has the shape [`Signature::state`], θ the shapes [`Signature::parameters`]; values pass through
/// [`Point`] as flat arrays.
///
/// ```
/// use ansatz_linalg::implicit::{ImplicitOptions, Point, root_vjp};
/// use ansatz_nn::ProgramMap;
/// use ansatz_nn::autodiff::Signature;
/// // Ridge regression with one point (2, 3): the optimum of ½(2w − 3)² + ½θw² is w = 6/(4 + θ).
/// let signature = Signature { state: &[], parameters: &[&[]], ..Signature::default() };
/// let map = ProgramMap::stationary(&signature, |w, theta| {
///     ((w * 2.0 - 3.0).square() + theta[0] * w.square()) * 0.5
/// })?;
/// let at = Point { x: &[1.0], args: &[&[2.0]] };
/// let (slope, _) = root_vjp(&map, at, &[1.0], &ImplicitOptions::default())?;
/// assert!((slope[0][0] + 6.0 / 36.0).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ProgramMap {
    function: Arc<Function>,
    state: Shape,
    result: usize,
    arguments: Vec<Shape>,
    value: Program<f64>,
    jvp_x: Program<f64>,
    vjp_x: Program<f64>,
    jvp_args: Program<f64>,
    vjp_args: Program<f64>,
}

impl std::fmt::Debug for ProgramMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProgramMap")
            .field("state", &self.state)
            .field("arguments", &self.arguments)
            .field("result", &self.result)
            .finish_non_exhaustive()
    }
}

/// The arrays that a function is written on.
fn inputs<'g>(g: &'g Graph, signature: &Signature<'_>) -> (Array<'g>, Vec<Array<'g>>) {
    let x = match signature.state {
        [_, _, ..] => g.batch(signature.state),
        _ => g.input(signature.state),
    };
    (x, signature.parameters.iter().map(|s| g.input(s)).collect())
}

impl ProgramMap {
    /// Traces F(x, θ), differentiates and compiles it.
    ///
    /// # Errors
    /// Those of [`Program::compile`].
    ///
    /// # Panics
    /// Where `f` combines shapes that do not fit.
    pub fn new<F>(signature: &Signature<'_>, f: F) -> Result<Self, AutodiffError>
    where
        F: for<'g> Fn(Array<'g>, &[Array<'g>]) -> Array<'g> + Send + Sync + 'static,
    {
        let compile =
            |g: &Graph, of: &[Array<'_>]| Program::compile(&g.finish(of), &signature.options);
        let g = Graph::new();
        let (x, args) = inputs(&g, signature);
        let y = f(x, &args);
        let value = compile(&g, &[y])?;
        // Inputs that come later are no inputs of what was finished before.
        let bar = g.input(&y.shape());
        let vjp_x = compile(&g, &vjp(&[(y, bar)], &[x]))?;
        let vjp_args = compile(&g, &vjp(&[(y, bar)], &args))?;
        let (state, result) = (x.shape(), y.shape().len());
        let arguments = args.iter().map(Array::shape).collect();

        let g = Graph::new();
        let (x, args) = inputs(&g, signature);
        let y = f(x, &args);
        let dx = g.input(&state);
        let jvp_x = compile(&g, &jvp(&[y], &[(x, dx)]))?;

        let g = Graph::new();
        let (x, args) = inputs(&g, signature);
        let y = f(x, &args);
        let along: Vec<_> = args.iter().map(|a| (*a, g.input(&a.shape()))).collect();
        let jvp_args = compile(&g, &jvp(&[y], &along))?;
        Ok(Self {
            function: Arc::new(f),
            state,
            result,
            arguments,
            value,
            jvp_x,
            vjp_x,
            jvp_args,
            vjp_args,
        })
    }

    /// The gradient in x of an objective f(x, θ), which is zero where f is smallest: [`ProgramMap::new`] of ∇f.
    ///
    /// # Errors
    /// [`AutodiffError::Shape`] when `f` does not give one number, and those of [`Program::compile`].
    ///
    /// # Panics
    /// Where `f` combines shapes that do not fit.
    pub fn stationary<F>(signature: &Signature<'_>, f: F) -> Result<Self, AutodiffError>
    where
        F: for<'g> Fn(Array<'g>, &[Array<'g>]) -> Array<'g> + Send + Sync + 'static,
    {
        let g = Graph::new();
        let (x, args) = inputs(&g, signature);
        let got = f(x, &args).shape();
        if got.rank() != 0 {
            return Err(AutodiffError::Shape {
                what: "an objective",
                expected: "[]".into(),
                got: got.to_string(),
            });
        }
        Self::new(signature, move |x, args| gradient(f(x, args), &[x])[0])
    }

    /// Shape of x.
    #[must_use]
    pub fn state(&self) -> &Shape {
        &self.state
    }

    /// Shapes of the arguments.
    #[must_use]
    pub fn shapes(&self) -> &[Shape] {
        &self.arguments
    }

    /// F, written into the graph of `x` and `args`.
    ///
    /// # Panics
    /// When these have other shapes than the map was traced with.
    #[must_use]
    #[track_caller]
    pub fn apply<'g>(&self, x: Array<'g>, args: &[Array<'g>]) -> Array<'g> {
        assert_eq!(x.shape(), self.state, "shape of the unknowns");
        let shapes: Vec<Shape> = args.iter().map(Array::shape).collect();
        assert_eq!(shapes, self.arguments, "shapes of the arguments");
        (self.function)(x, args)
    }
}

impl ParametricMap for ProgramMap {
    fn unknowns(&self) -> usize {
        self.state.len()
    }

    fn outputs(&self) -> usize {
        self.result
    }

    fn arguments(&self) -> Vec<usize> {
        self.arguments.iter().map(Shape::len).collect()
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        self.value(at, out)?;
        Ok(Box::new(AtPoint {
            map: self,
            x: at.x.to_vec(),
            args: at.args.iter().map(|a| a.to_vec()).collect(),
        }))
    }

    fn value(&self, at: Point<'_>, out: &mut [f64]) -> Result<(), LinalgError> {
        check(self, at, out)?;
        let inputs: Vec<&[f64]> = std::iter::once(at.x).chain(at.args.to_vec()).collect();
        self.value
            .run(&inputs, &mut [&mut *out])
            .map_err(EvalError::model)?;
        match out.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(index) => Err(LinalgError::NotFinite {
                what: "value of a map",
                index,
                value: out[index],
            }),
        }
    }
}

struct AtPoint<'a> {
    map: &'a ProgramMap,
    x: Vec<f64>,
    args: Vec<Vec<f64>>,
}

impl AtPoint<'_> {
    /// Runs a program on the point and `more`.
    fn run(
        &self,
        program: &Program<f64>,
        more: &[&[f64]],
        out: &mut [&mut [f64]],
    ) -> Result<(), EvalError> {
        let args = self.args.iter().map(Vec::as_slice);
        let inputs: Vec<&[f64]> = std::iter::once(self.x.as_slice())
            .chain(args)
            .chain(more.iter().copied())
            .collect();
        program.run(&inputs, out).map_err(EvalError::model)
    }
}

impl Derivative for AtPoint<'_> {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.run(&self.map.jvp_x, &[w], &mut [out])
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        self.run(&self.map.vjp_x, &[v], &mut [out])
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        self.run(&self.map.jvp_args, w, &mut [out])
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        self.run(&self.map.vjp_args, &[v], out)
    }
}
