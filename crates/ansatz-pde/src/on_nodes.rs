//! Problems whose unknowns are values at nodes, with derivatives from stencils.
//!
//! The equations are those of the problem, as they were written once: where a network's derivatives come from Taylor series,
//! these come from linear maps of the values ([`Stencils`]). The values may be anything that can be traced: the outputs of a
//! convolutional network or of an operator for a batch of inputs, or the unknowns themselves ([`OnNodes::solve`]).
//!
//! Conditions hold at the nodes of their places, equations at all nodes where none does; a form is applied to the values
//! first. Fits are by least squares, so there may be more equations than values.

mod solve;

use std::sync::Arc;

use ansatz_autodiff::{Array, Element, Graph, Options, Program};
use ansatz_nn::{Layout, Mode, Parameter, Pass};

pub use solve::NodeSolution;

use crate::error::expect;
use crate::problem::{Lowered, Part};
use crate::stencil::Stencils;
use crate::{PdeError, Points, Problem};

/// A problem on nodes.
///
/// ```
/// use ansatz_pde::stencil::{Axis, Stencil, Stencils};
/// use ansatz_pde::{OnNodes, Problem};
/// let problem = Problem::new()
///     .coordinate("x", [0.0, 1.0])
///     .unknown("u")
///     .equation("u_xx = 2")
///     .condition("x = 0", "u = 0")
///     .condition("x = 1", "u_n = 3")
///     .build()?;
/// let axis = Axis::even([0.0, 1.0], 11, Stencil::Differences { accuracy: 2 })?;
/// let on_nodes = OnNodes::new(&problem, Stencils::grid(vec![axis])?)?;
/// let solution = on_nodes.solve(&[0.0; 11], 10)?;
/// // x² + x, which second-order differences have exactly.
/// assert!((solution.values[5] - 0.75).abs() < 1e-8);
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct OnNodes {
    problem: Problem,
    stencils: Stencils,
    parts: Vec<Rows>,
    /// Factor of the residuals of the equations; those of conditions have 1.
    pub equations: f64,
}

/// Equations or a condition with its nodes.
#[derive(Debug, Clone)]
struct Rows {
    name: String,
    lowered: Arc<Lowered>,
    nodes: Vec<usize>,
    /// What the residual takes: coordinates, a normal, a measured value.
    data: Vec<f64>,
}

impl OnNodes {
    /// A problem on the nodes of `stencils`.
    ///
    /// # Errors
    /// [`PdeError::Width`] for another number of coordinates, [`PdeError::Misplaced`] for nodes outside of the domain,
    /// [`PdeError::Unsuited`] where periods of problem and axes differ or measurements are away from nodes,
    /// [`PdeError::NoPoints`] for a condition without nodes.
    pub fn new(problem: &Problem, stencils: Stencils) -> Result<Self, PdeError> {
        let points = stencils.points();
        let domain = problem.domain();
        expect("coordinates of nodes", domain.dims(), points.dims())?;
        for (axis, (name, period)) in problem
            .coordinates()
            .iter()
            .zip(problem.periods())
            .enumerate()
        {
            let own = stencils.axes().and_then(|axes| axes[axis].period());
            let same = match (own, period) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * b,
                (a, b) => a.is_none() && b.is_none(),
            };
            if !same {
                return Err(PdeError::Unsuited {
                    term: format!("period of {name}"),
                    method: "a problem on nodes",
                    needed: "an axis of a grid with the same period, and none where the problem has none",
                });
            }
        }
        let tolerance = domain.tolerance();
        let outside = points.rows().map(|x| domain.distance(x)).enumerate();
        if let Some((node, distance)) = outside.into_iter().find(|(_, d)| *d > tolerance) {
            return Err(PdeError::Misplaced { node, distance });
        }
        let mut taken = vec![false; points.len()];
        let mut parts = Vec::new();
        for condition in problem.conditions() {
            let (nodes, measured) = match &condition.part {
                Part::Boundary { part, .. } => {
                    let on = part.contains(points)?;
                    for (taken, on) in taken.iter_mut().zip(&on) {
                        *taken |= *on;
                    }
                    ((0..on.len()).filter(|i| on[*i]).collect(), None)
                }
                Part::Points(places) => (
                    find(points, places, tolerance, &condition.text)?,
                    condition.values(),
                ),
            };
            let mut data = Vec::new();
            for (k, node) in nodes.iter().enumerate() {
                let x = points.row(*node);
                data.extend_from_slice(x);
                if condition.lowered.has_normal {
                    let mut normal = vec![0.0; x.len()];
                    domain.normal(x, &mut normal);
                    data.extend(normal);
                }
                data.extend(measured.map(|values| values[k]));
            }
            parts.push(Rows {
                name: format!("{} at {}", condition.text, condition.place),
                lowered: condition.lowered.clone(),
                nodes,
                data,
            });
        }
        let free: Vec<usize> = (0..points.len()).filter(|i| !taken[*i]).collect();
        let data = free.iter().flat_map(|i| points.row(*i).to_vec()).collect();
        let inside = Rows {
            name: problem.equations().join("; "),
            lowered: problem.residual().clone(),
            nodes: free,
            data,
        };
        parts.insert(0, inside);
        if let Some(empty) = parts.iter().find(|p| p.nodes.is_empty()) {
            let term = empty.name.clone();
            return Err(PdeError::NoPoints { term });
        }
        Ok(Self {
            problem: problem.clone(),
            stencils,
            parts,
            equations: 1.0,
        })
    }

    /// The problem.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The nodes and their derivatives.
    #[must_use]
    pub fn stencils(&self) -> &Stencils {
        &self.stencils
    }

    /// What the arrays of [`OnNodes::residuals`] belong to, with the numbers of their nodes: the equations first, then each
    /// condition.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = (&str, &[usize])> {
        self.parts.iter().map(|p| (&p.name[..], &p.nodes[..]))
    }

    /// Residuals of the equations and of each condition for `values` `[b·n, unknowns]` of n nodes, b sets one after the
    /// other: arrays `[b·k, equations]` of the k nodes of a part. `coefficients` are the parameters of those that are to be
    /// found, as [`Assembly`](crate::Assembly) has them.
    ///
    /// # Errors
    /// [`PdeError::Width`] for other numbers of unknowns or coefficients, and as [`Stencils::derivatives`].
    pub fn residuals<'g>(
        &self,
        pass: &Pass<'g>,
        values: Array<'g>,
        coefficients: &[Parameter],
    ) -> Result<Vec<Array<'g>>, PdeError> {
        let found = self.problem.coefficients().len();
        expect("coefficients", found, coefficients.len())?;
        let u = self.formed(values)?;
        let (n, width) = (self.stencils.points().len(), u.shape()[1]);
        let batch = u.shape()[0] / n;
        let one = |part: &Rows| {
            let (k, columns) = (part.nodes.len(), part.lowered.columns());
            let rows = u.graph().constant(&[k, columns], part.data.clone());
            let rows = repeat(rows, batch);
            let pick = |a: Array<'g>| {
                if k == n {
                    return a;
                }
                let apart = a.reshape(&[batch, n, width]).take(1, &part.nodes);
                apart.reshape(&[batch * k, width])
            };
            part.lowered.trace_of(pass, rows, coefficients, |orders| {
                let all = self.stencils.derivatives(u, orders)?;
                Ok(all.into_iter().map(pick).collect())
            })
        };
        self.parts.iter().map(one).collect()
    }

    /// Values at the nodes in the problem's form.
    fn formed<'g>(&self, values: Array<'g>) -> Result<Array<'g>, PdeError> {
        let (points, shape) = (self.stencils.points(), values.shape());
        let unknowns = self.problem.unknowns().len();
        expect("axes of values: nodes and unknowns", 2, shape.rank())?;
        expect("unknowns", unknowns, shape[1])?;
        let n = points.len();
        expect(
            "values, a multiple of the nodes",
            shape[0].next_multiple_of(n),
            shape[0],
        )?;
        let x = values
            .graph()
            .constant(&[n, points.dims()], points.as_slice().to_vec());
        Ok(self.problem.shaped(repeat(x, shape[0] / n), values))
    }

    /// All residuals in one row, the equations times their factor.
    fn all<'g>(&self, values: Array<'g>) -> Result<Array<'g>, PdeError> {
        let layout = Layout::new();
        let pass = Pass::new(values.graph(), &layout, (Mode::Evaluate, None));
        let parts = self.residuals(&pass, values, &[])?;
        let flat = parts.iter().enumerate().map(|(i, r)| {
            let factor = if i == 0 { self.equations } else { 1.0 };
            r.reshape(&[r.shape().len()]) * factor
        });
        Ok(Array::concatenate(&flat.collect::<Vec<_>>(), 0))
    }

    /// Values at the nodes in the problem's form, as numbers.
    ///
    /// # Errors
    /// [`PdeError::Width`] for another number of values.
    pub fn shape_values<T: Element>(&self, values: &[T]) -> Result<Vec<T>, PdeError> {
        let graph = Graph::new();
        let (n, unknowns) = (self.stencils.points().len(), self.problem.unknowns().len());
        expect("values", n * unknowns, values.len())?;
        let formed = self.formed(graph.input(&[n, unknowns]))?;
        let trace = graph.finish(&[formed]);
        let program = Program::<T>::compile(&trace, &Options::default())?;
        let mut out = vec![T::zero(); values.len()];
        program.run(&[values], &mut [&mut out])?;
        Ok(out)
    }
}

/// `rows` so many times, one after the other.
fn repeat(rows: Array<'_>, times: usize) -> Array<'_> {
    let shape = rows.shape();
    if times == 1 {
        return rows;
    }
    let all = rows.broadcast(&[times, shape[0], shape[1]]);
    all.reshape(&[times * shape[0], shape[1]])
}

/// The nodes at these places.
fn find(
    points: &Points,
    places: &Points,
    tolerance: f64,
    term: &str,
) -> Result<Vec<usize>, PdeError> {
    let near = |x: &[f64], y: &[f64]| x.iter().zip(y).all(|(a, b)| (a - b).abs() <= tolerance);
    let node = |x: &[f64]| {
        points
            .rows()
            .position(|y| near(x, y))
            .ok_or_else(|| PdeError::Unsuited {
                term: term.to_owned(),
                method: "a problem on nodes",
                needed: "measurements at nodes",
            })
    };
    places.rows().map(node).collect()
}
