//! The solution of an equation as an operation of array programs.

use std::sync::{Arc, Mutex, PoisonError};

use ansatz_autodiff::op::{Primitive, Rule};
use ansatz_autodiff::{Array, AutodiffError, Shape, gradient, jvp, vjp};
use ansatz_core::EvalError;
use ansatz_linalg::LinalgError;
use ansatz_linalg::implicit::{ImplicitOptions, ImplicitReport, ParametricMap, Point, Sensitivity};

use super::ProgramMap;
use crate::NetworkError;

/// Fills x* given θ.
type Solver = dyn Fn(&[&[f64]], &mut [f64]) -> Result<(), EvalError> + Send + Sync;

/// The function θ ↦ x* with F(x*, θ) = 0, for use inside of array programs: an equilibrium layer, an inner problem of a
/// bilevel one. It is differentiable to any order, forwards and backwards, and no derivative passes through the solver.
///
/// The value is computed by a solver of one's own, in double precision. Each tangent or cotangent costs one solve with ∂F/∂x,
/// for all arguments together, as [`ImplicitOptions`] say; the memory does not depend on the solver's iterations.
///
/// ```
/// use ansatz_nn::autodiff::{Graph, Options, Program, Signature, gradient};
/// use ansatz_nn::{ImplicitFunction, ProgramMap};
/// // x³ + θx = 1 by Newton's method.
/// let signature = Signature { state: &[], parameters: &[&[]], ..Signature::default() };
/// let map = ProgramMap::new(&signature, |x, theta| x.square() * x + theta[0] * x - 1.0)?;
/// let root = ImplicitFunction::new(map, Default::default(), |theta, x| {
///     x[0] = 1.0;
///     for _ in 0..50 {
///         x[0] -= (x[0].powi(3) + theta[0][0] * x[0] - 1.0) / (3.0 * x[0] * x[0] + theta[0][0]);
///     }
///     Ok(())
/// })?;
/// let g = Graph::new();
/// let theta = g.input(&[]);
/// let x = root.apply(&[theta]);
/// let slope = gradient(x, &[theta])[0];
/// let curvature = gradient(slope, &[theta])[0];
/// let program = Program::<f64>::compile(&g.finish(&[x, slope, curvature]), &Options::default())?;
/// let (mut x, mut dx, mut ddx) = ([0.0], [0.0], [0.0]);
/// program.run(&[&[0.0]], &mut [&mut x, &mut dx, &mut ddx])?;
/// // At θ = 0: x = 1, x′ = −x/(3x² + θ) = −1/3, and x″ = 0.
/// assert!((x[0] - 1.0).abs() < 1e-15 && (dx[0] + 1.0 / 3.0).abs() < 1e-15 && ddx[0].abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// An operation of a program has no way to report an error: when the solver or a linear solve fails, the result is NaN, which
/// objectives and solvers refuse, and [`ImplicitFunction::failure`] has the reason.
#[derive(Debug, Clone)]
pub struct ImplicitFunction(Arc<Shared>);

struct Shared {
    map: ProgramMap,
    solver: Box<Solver>,
    options: ImplicitOptions,
    seen: Mutex<Seen>,
}

/// What evaluations left behind.
#[derive(Debug, Default)]
struct Seen {
    report: Option<ImplicitReport>,
    failure: Option<LinalgError>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("map", &self.map)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl ImplicitFunction {
    /// The root of `map` that `solver(arguments, x)` writes to `x`, which is zero before. Errors of a solver of one's own
    /// pass by [`EvalError::model`].
    ///
    /// # Errors
    /// [`NetworkError::Size`] when the map does not have as many results as unknowns, or has no argument: what never
    /// changes is a constant.
    pub fn new<S>(
        map: ProgramMap,
        options: ImplicitOptions,
        solver: S,
    ) -> Result<Self, NetworkError>
    where
        S: Fn(&[&[f64]], &mut [f64]) -> Result<(), EvalError> + Send + Sync + 'static,
    {
        let (unknowns, outputs) = (map.unknowns(), map.outputs());
        if unknowns != outputs {
            return Err(NetworkError::Size {
                what: "results of an equation",
                expected: unknowns,
                got: outputs,
            });
        }
        if map.shapes().is_empty() {
            return Err(NetworkError::Size {
                what: "arguments of an equation",
                expected: 1,
                got: 0,
            });
        }
        Ok(Self(Arc::new(Shared {
            map,
            solver: Box::new(solver),
            options,
            seen: Mutex::default(),
        })))
    }

    /// The solution for these arguments, with the shape of the unknowns.
    ///
    /// # Panics
    /// When the arguments have other shapes than the map's; [`ImplicitFunction::try_apply`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn apply<'g>(&self, args: &[Array<'g>]) -> Array<'g> {
        match self.try_apply(args) {
            Ok(x) => x,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`ImplicitFunction::apply`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_apply<'g>(&self, args: &[Array<'g>]) -> Result<Array<'g>, AutodiffError> {
        let shapes: Vec<Shape> = args.iter().map(Array::shape).collect();
        if shapes != self.0.map.shapes() {
            return Err(AutodiffError::Operation {
                name: "root",
                problem: format!(
                    "arguments of the shapes {:?} are needed",
                    self.0.map.shapes()
                ),
                shapes,
            });
        }
        // One array, so that one product gives the cotangents of all.
        let flat: Vec<Array<'g>> = args.iter().map(|a| a.reshape(&[a.shape().len()])).collect();
        let theta = Array::concatenate(&flat, 0);
        let root = Operation {
            shared: self.0.clone(),
            part: Part::Root,
        };
        theta.graph().try_apply(root, &[theta])
    }

    /// What the last linear solve saw: how far x is from a solution, and how well the system was solved. `None` before the
    /// first derivative.
    #[must_use]
    pub fn report(&self) -> Option<ImplicitReport> {
        self.0.seen().report
    }

    /// Why a result is NaN: the first failure since the last call.
    #[must_use]
    pub fn failure(&self) -> Option<LinalgError> {
        self.0.seen().failure.take()
    }

    /// The equation.
    #[must_use]
    pub fn map(&self) -> &ProgramMap {
        &self.0.map
    }
}

impl Shared {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The arguments in their shapes.
    fn unpack<'g>(&self, theta: Array<'g>) -> Vec<Array<'g>> {
        let mut start = 0;
        let part = |shape: &Shape| {
            start += shape.len();
            theta.narrow(0, start - shape.len(), start).reshape(shape)
        };
        self.map.shapes().iter().map(part).collect()
    }

    /// F at variables of their own for x and θ, which are returned before it: derivatives in these see nothing that x
    /// and θ depend on.
    fn written<'g>(&self, x: Array<'g>, theta: Array<'g>) -> [Array<'g>; 3] {
        let (x, theta) = (x.variable(), theta.variable());
        [x, theta, self.map.apply(x, &self.unpack(theta))]
    }
}

/// What an operation computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// x* of θ.
    Root,
    /// M⁻¹b of x, θ and b.
    Plain,
    /// M⁻ᵀb of x, θ and b.
    Transposed,
}

#[derive(Debug, Clone)]
struct Operation {
    shared: Arc<Shared>,
    part: Part,
}

impl Operation {
    fn solve<'g>(&self, part: Part, [x, theta, b]: [Array<'g>; 3]) -> Array<'g> {
        let shared = self.shared.clone();
        x.graph().apply(Self { shared, part }, &[x, theta, b])
    }

    fn compute(&self, inputs: &[(&[f64], &Shape)], out: &mut [f64]) -> Result<(), LinalgError> {
        let shared = &self.shared;
        let theta = inputs[usize::from(self.part != Part::Root)].0;
        let mut start = 0;
        let part = |shape: &Shape| {
            start += shape.len();
            &theta[start - shape.len()..start]
        };
        let args: Vec<&[f64]> = shared.map.shapes().iter().map(part).collect();
        if self.part == Part::Root {
            out.fill(0.0);
            return Ok((shared.solver)(&args, out)?);
        }
        let at = Point {
            x: inputs[0].0,
            args: &args,
        };
        let sensitivity = Sensitivity::new(&shared.map, at, &shared.options)?;
        let (x, report) = match self.part {
            Part::Transposed => sensitivity.solve_transposed(inputs[2].0)?,
            Part::Root | Part::Plain => sensitivity.solve(inputs[2].0)?,
        };
        shared.seen().report = Some(report);
        out.copy_from_slice(&x);
        Ok(())
    }
}

impl Primitive for Operation {
    fn name(&self) -> &'static str {
        match self.part {
            Part::Root => "root",
            Part::Plain => "solve",
            Part::Transposed => "solve transposed",
        }
    }

    fn parameters(&self) -> Option<Vec<u64>> {
        Some(vec![
            Arc::as_ptr(&self.shared).cast::<()>() as usize as u64,
            self.part as u64,
        ])
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let count = if self.part == Part::Root { 1 } else { 3 };
        if inputs.len() == count {
            Ok(self.shared.map.state().clone())
        } else {
            Err(format!("{count} inputs are needed"))
        }
    }

    fn rule(&self) -> Rule {
        Rule::General
    }

    fn tangent<'g>(
        &self,
        inputs: &[Array<'g>],
        out: Array<'g>,
        tangents: &[Option<Array<'g>>],
    ) -> Option<Array<'g>> {
        let state = self.shared.map.state();
        let (x, theta) = match self.part {
            Part::Root => (out, inputs[0]),
            Part::Plain | Part::Transposed => (inputs[0], inputs[1]),
        };
        let [x_, theta_, f] = self.shared.written(x, theta);
        let (part, rhs) = match self.part {
            Part::Root => {
                let moved = jvp(&[f], &[(theta_, tangents[0]?)])[0];
                (Part::Plain, -moved.reshape(state))
            }
            Part::Plain | Part::Transposed => {
                let along: Vec<_> = [x_, theta_]
                    .into_iter()
                    .zip(tangents)
                    .filter_map(|(v, t)| t.map(|t| (v, t)))
                    .collect();
                let moved = (!along.is_empty()).then(|| {
                    let product = match self.part {
                        Part::Transposed => vjp(&[(f, out.reshape(&f.shape()))], &[x_])[0],
                        Part::Root | Part::Plain => jvp(&[f], &[(x_, out)])[0].reshape(state),
                    };
                    -jvp(&[product], &along)[0]
                });
                let rhs = match (tangents[2], moved) {
                    (Some(b), Some(m)) => b + m,
                    (b, m) => b.or(m)?,
                };
                (self.part, rhs)
            }
        };
        Some(self.solve(part, [x, theta, rhs]))
    }

    fn cotangent<'g>(
        &self,
        i: usize,
        bar: Array<'g>,
        inputs: &[Array<'g>],
        out: Array<'g>,
    ) -> Array<'g> {
        let &[x, theta, _] = inputs else {
            let theta = inputs[0];
            let u = self.solve(Part::Transposed, [out, theta, bar]);
            let [_, theta_, f] = self.shared.written(out, theta);
            return -vjp(&[(f, u.reshape(&f.shape()))], &[theta_])[0];
        };
        let (other, transposed) = match self.part {
            Part::Transposed => (Part::Plain, true),
            Part::Root | Part::Plain => (Part::Transposed, false),
        };
        let q = self.solve(other, [x, theta, bar]);
        if i == 2 {
            return q;
        }
        // −∂(lᵀM(x, θ)r).
        let (l, r) = if transposed { (out, q) } else { (q, out) };
        let [x_, theta_, f] = self.shared.written(x, theta);
        let form = (jvp(&[f], &[(x_, r)])[0] * l.reshape(&f.shape())).sum();
        -gradient(form, &[[x_, theta_][i]])[0]
    }

    fn evaluate(&self, inputs: &[(&[f64], &Shape)], (out, _): (&mut [f64], &Shape)) {
        if let Err(error) = self.compute(inputs, out) {
            out.fill(f64::NAN);
            self.shared.seen().failure.get_or_insert(error);
        }
    }
}
