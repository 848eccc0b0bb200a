//! Derivatives of values at nodes, as linear maps of the values.
//!
//! Where unknowns are values on a grid or at scattered points (images of a convolutional network, a Fourier operator's output,
//! the values themselves), their derivatives need no network that is differentiated: each is a weighted sum of values
//! nearby. All families come down to weights for each node, or a factor for each frequency:
//!
//! | family | nodes | weights from | error of order |
//! |---|---|---|---|
//! | [`Stencil::Differences`] | rising along each axis | the polynomial through the nearest nodes | its accuracy |
//! | [`Stencil::Fourier`] | equal spacing of a period | trigonometric polynomials, by fast transforms | any |
//! | [`Stencil::Polynomial`] | crowded at the ends | the polynomial through all nodes | any |
//! | [`Basis::LeastSquares`] | any | polynomials, least squares over neighbours | degree + 1 − m |
//! | [`Basis::Polyharmonic`] | any | splines \|x\|^power with polynomials | degree + 1 − m |
//!
//! Maps are part of a graph: losses of derivatives are differentiated through them, with the transposed maps.
//! [`OnNodes`](crate::OnNodes) puts an equation's text on them.
//!
//! Cost: width·n operations for a derivative of n values, n·log n for [`Stencil::Fourier`], n² along an axis for
//! [`Stencil::Polynomial`]. Weights of scattered nodes: n² distances once, and a system of neighbours + polynomials
//! equations for each node.
//!
//! References: B. Fornberg, *Generation of finite difference formulas on arbitrarily spaced grids*, 1988; L. N. Trefethen,
//! *Spectral methods in MATLAB*, 2000; N. Flyer, B. Fornberg, V. Bayona, G. Barnett, *On the role of polynomials in RBF-FD
//! approximations: I. Interpolation and accuracy*, 2016; T. Liszka, J. Orkisz, *The finite difference method at arbitrary
//! irregular grids and its application in applied mechanics*, 1980.

mod axis;
mod cloud;
mod rows;
mod weights;

use ansatz_autodiff::Array;

pub use axis::{Axis, Stencil};
use cloud::Cloud;
pub use cloud::{Basis, Scattered};
pub use weights::weights;

use crate::derivatives::MOST;
use crate::error::expect;
use crate::{PdeError, Points};

/// xⁿ.
fn power(x: f64, n: usize) -> f64 {
    (0..n).fold(1.0, |product, _| product * x)
}

/// Nodes, and derivatives of values there.
///
/// ```
/// use ansatz_pde::autodiff::{Graph, Options, Program};
/// use ansatz_pde::stencil::{Axis, Stencil, Stencils};
/// let axis = Axis::even([0.0, 1.0], 6, Stencil::Differences { accuracy: 4 })?;
/// let stencils = Stencils::grid(vec![axis])?;
/// let g = Graph::new();
/// let values = g.input(&[6, 1]);
/// let second = stencils.derivatives(values, &[vec![2]])?[0];
/// let program = Program::<f64>::compile(&g.finish(&[second]), &Options::default())?;
/// let cubes: Vec<f64> = stencils.points().rows().map(|x| x[0].powi(3)).collect();
/// let mut out = [0.0; 6];
/// program.run(&[&cubes], &mut [&mut out])?;
/// assert!(out.iter().zip(stencils.points().rows()).all(|(s, x)| (s - 6.0 * x[0]).abs() < 1e-12));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Stencils {
    points: Points,
    nodes: Nodes,
}

#[derive(Debug, Clone)]
enum Nodes {
    Grid(Vec<Axis>),
    Cloud(Cloud),
}

impl Stencils {
    /// The grid of all combinations of nodes of the axes, the last axis running fastest.
    ///
    /// # Errors
    /// [`PdeError::Width`] without an axis.
    pub fn grid(axes: Vec<Axis>) -> Result<Self, PdeError> {
        expect("axes, at least", 1, axes.len().min(1))?;
        let total: usize = axes.iter().map(|a| a.nodes().len()).product();
        let mut data = vec![0.0; total * axes.len()];
        for (number, row) in data.chunks_exact_mut(axes.len()).enumerate() {
            let mut rest = number;
            for (x, axis) in row.iter_mut().zip(&axes).rev() {
                let nodes = axis.nodes();
                *x = nodes[rest % nodes.len()];
                rest /= nodes.len();
            }
        }
        Ok(Self {
            points: Points::new(axes.len(), data)?,
            nodes: Nodes::Grid(axes),
        })
    }

    /// Scattered nodes.
    ///
    /// # Errors
    /// [`PdeError::Option`] for fewer neighbours than polynomials, more than nodes, or an even power.
    pub fn scattered(points: Points, how: Scattered) -> Result<Self, PdeError> {
        let nodes = Nodes::Cloud(Cloud::new(&points, how)?);
        Ok(Self { points, nodes })
    }

    /// The nodes, in the order of values.
    #[must_use]
    pub fn points(&self) -> &Points {
        &self.points
    }

    /// The axes of a grid.
    #[must_use]
    pub fn axes(&self) -> Option<&[Axis]> {
        match &self.nodes {
            Nodes::Grid(axes) => Some(axes),
            Nodes::Cloud(_) => None,
        }
    }

    /// Derivatives of `values` `[b·n, m]` of n nodes, for each multi-index of `orders` an array like it. Several sets of values
    /// stand one after the other.
    ///
    /// # Errors
    /// [`PdeError::Width`] for values that are no multiple of n, for a multi-index of another length, and where there are too
    /// few nodes along an axis; [`PdeError::Order`] above [`MOST`]; of scattered nodes
    /// [`PdeError::Option`] for a degree or power that is too low, and [`PdeError::Undetermined`] for neighbours in a line, say.
    pub fn derivatives<'g>(
        &self,
        values: Array<'g>,
        orders: &[Vec<usize>],
    ) -> Result<Vec<Array<'g>>, PdeError> {
        let (n, shape) = (self.points.len(), values.shape());
        expect("axes of values: nodes and unknowns", 2, shape.rank())?;
        expect(
            "values, a multiple of the nodes",
            shape[0].next_multiple_of(n),
            shape[0],
        )?;
        for index in orders {
            expect(
                "orders, one for each coordinate",
                self.points.dims(),
                index.len(),
            )?;
            let order = index.iter().sum();
            if order > MOST {
                return Err(PdeError::Order { order, most: MOST });
            }
        }
        let batch = shape[0] / n;
        match &self.nodes {
            Nodes::Cloud(cloud) => {
                let rows = cloud.rows(&self.points, orders)?;
                let values = values.reshape(&[batch, n, shape[1]]);
                let each = rows.iter().map(|r| r.apply(values).reshape(&shape));
                Ok(each.collect())
            }
            Nodes::Grid(axes) => {
                let one = |index: &Vec<usize>| {
                    let (mut found, mut before) = (values, batch);
                    let mut behind = n * shape[1];
                    for (axis, order) in axes.iter().zip(index) {
                        let count = axis.nodes().len();
                        behind /= count;
                        if *order > 0 {
                            let apart = found.reshape(&[before, count, behind]);
                            found = axis.derivative(apart, *order)?;
                        }
                        before *= count;
                    }
                    Ok(found.reshape(&shape))
                };
                orders.iter().map(one).collect()
            }
        }
    }
}
