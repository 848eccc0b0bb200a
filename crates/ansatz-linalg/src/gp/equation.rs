//! Equations, and the data of a problem on a box.

use crate::LinalgError;
use crate::error::{finite, shape, within};

/// Orders of differentiation, one for each coordinate: `[2, 0]` is u_xx, `[1, 1]` is u_xy, `[0, 0]` is u.
pub type Derivative = Vec<usize>;

/// A differential operator N, pointwise in derivatives of u of order at most 2 in each coordinate: N(x, u, u_x, …) = f(x).
///
/// Residuals of one's own implement it; [`Equation`] holds the usual ones.
pub trait Residual: Sync {
    /// The derivatives that it is a function of.
    fn derivatives(&self) -> Vec<Derivative>;

    /// N at a point from the values of the derivatives there; `slopes` ← ∂N/∂(each of them).
    fn evaluate(&self, x: &[f64], fields: &[f64], slopes: &mut [f64]) -> f64;
}

/// A term of u alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reaction {
    /// 0.
    #[default]
    None,
    /// u(u² − 1), of Allen and Cahn.
    DoubleWell,
}

/// Σ c·∂ᵏu + r(u) with constant coefficients.
///
/// ```
/// use ansatz_linalg::gp::{Equation, Residual};
/// let mut slopes = [0.0; 2];
/// // u_xx + u_yy.
/// assert_eq!(Equation::poisson(2).evaluate(&[0.0; 2], &[3.0, 4.0], &mut slopes), 7.0);
/// assert_eq!(slopes, [1.0, 1.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Equation {
    /// Derivatives with their coefficients.
    pub terms: Vec<(Derivative, f64)>,
    /// A nonlinear term.
    pub reaction: Reaction,
}

impl Equation {
    /// u_xx + u_yy + … = f.
    pub fn poisson(dimensions: usize) -> Self {
        let second = |d: usize| {
            let mut k = vec![0; dimensions];
            k[d] = 2;
            (k, 1.0)
        };
        Self {
            terms: (0..dimensions).map(second).collect(),
            reaction: Reaction::None,
        }
    }

    /// u_xx + u_yy + … + u(u² − 1) = f.
    pub fn allen_cahn(dimensions: usize) -> Self {
        Self {
            reaction: Reaction::DoubleWell,
            ..Self::poisson(dimensions)
        }
    }

    /// v·∇u = f; βu_x + u_y is the velocity (β, 1).
    pub fn advection(velocity: &[f64]) -> Self {
        let first = |(d, v): (usize, &f64)| {
            let mut k = vec![0; velocity.len()];
            k[d] = 1;
            (k, *v)
        };
        Self {
            terms: velocity.iter().enumerate().map(first).collect(),
            reaction: Reaction::None,
        }
    }
}

impl Residual for Equation {
    fn derivatives(&self) -> Vec<Derivative> {
        let mut all: Vec<Derivative> = self.terms.iter().map(|(k, _)| k.clone()).collect();
        if self.reaction != Reaction::None {
            let dimensions = self.terms.first().map_or(0, |(k, _)| k.len());
            all.push(vec![0; dimensions]);
        }
        all
    }

    fn evaluate(&self, _: &[f64], fields: &[f64], slopes: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for ((slope, field), (_, c)) in slopes.iter_mut().zip(fields).zip(&self.terms) {
            *slope = *c;
            sum += c * field;
        }
        match (self.reaction, fields.last(), slopes.last_mut()) {
            (Reaction::DoubleWell, Some(u), Some(slope)) => {
                *slope = 3.0 * u * u - 1.0;
                sum + u * (u * u - 1.0)
            }
            _ => sum,
        }
    }
}

/// A boundary value problem on a tensor grid: N(u) = f at all points, u = g on the faces.
///
/// Fields are arrays over the grid in row-major order. Boundary values stand face by face, for each coordinate the lower
/// and then the upper face, each over the other coordinates in row-major order; edges of the box stand in several faces.
#[derive(Debug, Clone)]
pub struct Problem<R = Equation> {
    residual: R,
    grids: Vec<Vec<f64>>,
    source: Vec<f64>,
    boundary: Vec<f64>,
    faces: Vec<usize>,
}

/// Fewest points along an axis: second differences need them.
const FEWEST: usize = 3;

impl<R: Residual> Problem<R> {
    /// From arrays.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] without grids, for less than 3 points along one, for a source or boundary of another length,
    /// or derivatives of another number of coordinates; [`LinalgError::NotFinite`]; [`LinalgError::Parameter`] for a grid
    /// that does not ascend or a derivative of order above 2.
    pub fn new(
        residual: R,
        grids: Vec<Vec<f64>>,
        source: Vec<f64>,
        boundary: Vec<f64>,
    ) -> Result<Self, LinalgError> {
        let faces = check_grids(&residual, &grids)?;
        shape(
            "source values",
            grids.iter().map(Vec::len).product(),
            source.len(),
        )?;
        shape("boundary values", faces.len(), boundary.len())?;
        finite("source", &source)?;
        finite("boundary", &boundary)?;
        Ok(Self {
            residual,
            grids,
            source,
            boundary,
            faces,
        })
    }

    /// From functions of the coordinates.
    ///
    /// ```
    /// use ansatz_linalg::gp::{Equation, Problem, uniform_grid};
    /// // u'' = −sin x on (0, 3) with the boundary values of sin x.
    /// let grid = uniform_grid(0.0, 3.0, 50);
    /// let problem = Problem::from_functions(Equation::poisson(1), vec![grid], |x| -x[0].sin(), |x| x[0].sin())?;
    /// assert_eq!(problem.boundary(), [0.0, 3.0_f64.sin()]);
    /// # Ok::<(), ansatz_linalg::LinalgError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Problem::new`].
    pub fn from_functions(
        residual: R,
        grids: Vec<Vec<f64>>,
        source: impl Fn(&[f64]) -> f64,
        boundary: impl Fn(&[f64]) -> f64,
    ) -> Result<Self, LinalgError> {
        let faces = check_grids(&residual, &grids)?;
        let mut x = vec![0.0; grids.len()];
        let mut at = |place: usize, f: &dyn Fn(&[f64]) -> f64| {
            point(&grids, place, &mut x);
            f(&x)
        };
        let total = grids.iter().map(Vec::len).product();
        let source = (0..total).map(|i| at(i, &source)).collect();
        let boundary = faces.iter().map(|i| at(*i, &boundary)).collect();
        Self::new(residual, grids, source, boundary)
    }

    /// The differential operator.
    pub fn residual(&self) -> &R {
        &self.residual
    }

    /// The grids.
    pub fn grids(&self) -> &[Vec<f64>] {
        &self.grids
    }

    /// f at the grid.
    pub fn source(&self) -> &[f64] {
        &self.source
    }

    /// g, face by face.
    pub fn boundary(&self) -> &[f64] {
        &self.boundary
    }

    /// The places in the grid of the boundary values.
    pub fn faces(&self) -> &[usize] {
        &self.faces
    }

    /// Points of the grid.
    pub fn points(&self) -> usize {
        self.source.len()
    }
}

/// `n` points in equal steps from `a` to `b`.
pub fn uniform_grid(a: f64, b: f64, n: usize) -> Vec<f64> {
    let last = n.saturating_sub(1).max(1) as f64;
    (0..n).map(|i| a + (b - a) * (i as f64 / last)).collect()
}

/// The coordinates of a place in row-major order.
pub(crate) fn point(grids: &[Vec<f64>], mut place: usize, x: &mut [f64]) {
    for (x, grid) in x.iter_mut().zip(grids).rev() {
        *x = grid[place % grid.len()];
        place /= grid.len();
    }
}

/// The places of the faces.
fn check_grids<R: Residual>(residual: &R, grids: &[Vec<f64>]) -> Result<Vec<usize>, LinalgError> {
    if grids.is_empty() {
        return Err(LinalgError::Shape {
            what: "number of grids",
            expected: 1,
            got: 0,
        });
    }
    for grid in grids {
        if grid.len() < FEWEST {
            return Err(LinalgError::Shape {
                what: "points along a coordinate",
                expected: FEWEST,
                got: grid.len(),
            });
        }
        finite("grid", grid)?;
        if let Some(pair) = grid.windows(2).find(|p| p[1] <= p[0]) {
            return Err(LinalgError::Parameter {
                name: "point of a grid",
                value: pair[1],
                needed: "must be above the point before it: sort the grid and leave out repetitions",
            });
        }
    }
    let derivatives = residual.derivatives();
    if derivatives.is_empty() {
        return Err(LinalgError::Shape {
            what: "derivatives in the equation",
            expected: 1,
            got: 0,
        });
    }
    for k in &derivatives {
        shape(
            "coordinates of a derivative in the equation",
            grids.len(),
            k.len(),
        )?;
        for order in k {
            within(
                "order of a derivative",
                *order as f64,
                0.0..=2.0,
                "must be 0, 1 or 2",
            )?;
        }
    }
    let total: usize = grids.iter().map(Vec::len).product();
    let mut faces = Vec::new();
    let mut stride = total;
    for grid in grids {
        let n = grid.len();
        stride /= n;
        for end in [0, n - 1] {
            faces.extend((0..total).filter(|i| i / stride % n == end));
        }
    }
    Ok(faces)
}
