//! Derivatives at scattered nodes from their neighbours.
//!
//! Weights w of the values at the k nearest nodes solve
//!
//! ```text
//! | A  P | |w|   |a|
//! | Pᵀ 0 | |λ| = |b|
//! ```
//!
//! where Pᵀw = b says that the derivatives of all polynomials up to a degree are exact, and A with a chooses among the weights
//! that do so. They are all that a [`Basis`] is: A and a.

use std::sync::{Arc, Mutex, PoisonError};

use faer::linalg::solvers::Solve;
use faer::{Col, Mat};
use rayon::prelude::*;

use super::power;
use super::rows::Rows;
use crate::error::within;
use crate::{PdeError, Points};

/// What decides on the weights beside polynomials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Basis {
    /// Polynomials alone, by least squares: neighbours count less the farther they are (moving least squares).
    LeastSquares,
    /// Polyharmonic splines |x|^power around each neighbour (RBF-FD): smaller errors and no blow-up of weights near
    /// boundaries.
    Polyharmonic {
        /// An odd power above the order of the derivatives.
        power: usize,
    },
}

/// Derivatives from neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scattered {
    /// What decides on the weights beside polynomials.
    pub basis: Basis,
    /// Highest degree of the polynomials that are differentiated exactly: errors of a derivative of order m are of the order
    /// degree + 1 − m in the distance of neighbours.
    pub degree: usize,
    /// Neighbours of a node, itself among them. Twice the number of polynomials, (degree + d choose d), is a good choice
    /// for d coordinates.
    pub neighbours: usize,
}

impl Scattered {
    /// Polyharmonic splines |x|⁵ and twice as many neighbours as polynomials.
    #[must_use]
    pub fn polyharmonic(dims: usize, degree: usize) -> Self {
        Self {
            basis: Basis::Polyharmonic { power: 5 },
            degree,
            neighbours: 2 * monomials(dims, degree).len(),
        }
    }

    /// Moving least squares with twice as many neighbours as polynomials.
    #[must_use]
    pub fn least_squares(dims: usize, degree: usize) -> Self {
        Self {
            basis: Basis::LeastSquares,
            degree,
            neighbours: 2 * monomials(dims, degree).len(),
        }
    }
}

/// Exponents of all monomials up to a degree, lower degrees first.
fn monomials(dims: usize, degree: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..dims {
        let longer = |index: &Vec<usize>| {
            let left = degree - index.iter().sum::<usize>();
            let index = index.clone();
            (0..=left).map(move |k| [&index[..], &[k]].concat())
        };
        all = all.iter().flat_map(longer).collect();
    }
    all.sort_by_key(|index| index.iter().sum::<usize>());
    all
}

/// ∂ᵅ|x|^power at x: sums of c·x^β·|x|^q, differentiated one by one.
fn power_derivative(x: &[f64], power: usize, orders: &[usize]) -> f64 {
    let top = i32::try_from(power).unwrap_or(i32::MAX);
    let mut terms = vec![(1.0, vec![0_i32; x.len()], top)];
    for (axis, order) in orders.iter().enumerate() {
        for _ in 0..*order {
            let mut next = Vec::new();
            for (c, exponents, q) in terms {
                let shifted = |by: i32| {
                    let mut exponents = exponents.clone();
                    exponents[axis] += by;
                    exponents
                };
                if exponents[axis] > 0 {
                    next.push((c * f64::from(exponents[axis]), shifted(-1), q));
                }
                next.push((c * f64::from(q), shifted(1), q - 2));
            }
            terms = next;
        }
    }
    let r = crate::geometry::norm(x);
    // Continuous and 0 there, since the power is above the order.
    if r == 0.0 {
        return if power == 0 { 1.0 } else { 0.0 };
    }
    let value = |(c, exponents, q): &(f64, Vec<i32>, i32)| {
        let factors = x.iter().zip(exponents).map(|(x, e)| x.powi(*e));
        c * factors.product::<f64>() * r.powi(*q)
    };
    terms.iter().map(value).sum()
}

/// Orders of a derivative, and its weights.
type Known = (Vec<usize>, Arc<Rows>);

/// Nodes and their neighbours, with the weights that were asked for so far.
#[derive(Debug, Clone)]
pub(super) struct Cloud {
    how: Scattered,
    /// Neighbours of each node, nearest first.
    neighbours: Arc<Vec<Vec<usize>>>,
    known: Arc<Mutex<Vec<Known>>>,
}

impl Cloud {
    pub(super) fn new(points: &Points, how: Scattered) -> Result<Self, PdeError> {
        let polynomials = monomials(points.dims(), how.degree).len();
        let count = points.len() as f64;
        let needed = "as many as there are polynomials of the degree, or more, and no more than there are nodes";
        let (from, size) = (polynomials as f64, how.neighbours as f64);
        within("neighbours", size, from..=count, needed)?;
        if let Basis::Polyharmonic { power } = how.basis {
            let rest = (power % 2) as f64;
            within("power mod 2", rest, 1.0.., "an odd power")?;
        }
        let nearest = |i: usize| {
            let x = points.row(i);
            let square = |y: &[f64]| -> f64 { x.iter().zip(y).map(|(a, b)| (a - b).powi(2)).sum() };
            let mut all: Vec<(f64, usize)> = points.rows().map(square).zip(0..).collect();
            let order =
                |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            if how.neighbours < all.len() {
                all.select_nth_unstable_by(how.neighbours, order);
                all.truncate(how.neighbours);
            }
            all.sort_unstable_by(order);
            all.into_iter().map(|(_, k)| k).collect()
        };
        let neighbours = (0..points.len()).into_par_iter().map(nearest).collect();
        Ok(Self {
            how,
            neighbours: Arc::new(neighbours),
            known: Arc::default(),
        })
    }

    /// Weights of derivatives of these orders; those that were asked for before are not computed again.
    pub(super) fn rows(
        &self,
        points: &Points,
        orders: &[Vec<usize>],
    ) -> Result<Vec<Arc<Rows>>, PdeError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = |o: &&Vec<usize>| !known.iter().any(|(k, _)| k == *o);
        let mut new: Vec<Vec<usize>> = orders.iter().filter(is_new).cloned().collect();
        new.sort_unstable();
        new.dedup();
        if !new.is_empty() {
            let most = new.iter().map(|o| o.iter().sum()).max().unwrap_or(0);
            within(
                "degree",
                self.how.degree as f64,
                most as f64..,
                "the order of the derivatives, or more",
            )?;
            if let Basis::Polyharmonic { power } = self.how.basis {
                let needed = "above the order of the derivatives";
                within("power", power as f64, most as f64 + 1.0.., needed)?;
            }
            let each = (0..points.len()).into_par_iter();
            let each = each.map(|i| self.local(points, i, &new));
            let all = each.collect::<Result<Vec<_>, PdeError>>()?;
            let width = self.how.neighbours;
            for (k, order) in new.into_iter().enumerate() {
                let rows = Rows::of(points.len(), width, |i| {
                    let own = self.neighbours[i].iter().copied();
                    own.zip(all[i][k].iter().copied()).collect()
                });
                known.push((order, Arc::new(rows)));
            }
        }
        let find = |order: &Vec<usize>| {
            let found = known.iter().find(|(k, _)| k == order);
            found.map(|(_, rows)| rows.clone())
        };
        Ok(orders.iter().filter_map(find).collect())
    }

    /// Weights at one node, for each order.
    fn local(
        &self,
        points: &Points,
        node: usize,
        orders: &[Vec<usize>],
    ) -> Result<Vec<Vec<f64>>, PdeError> {
        let own = &self.neighbours[node];
        let (k, dims) = (own.len(), points.dims());
        let centre = points.row(node);
        // In units of the farthest neighbour's distance, so that the size of the domain does not matter.
        let gap = |j: &usize| -> Vec<f64> {
            points
                .row(*j)
                .iter()
                .zip(centre)
                .map(|(a, b)| a - b)
                .collect()
        };
        let mut places: Vec<Vec<f64>> = own.iter().map(gap).collect();
        let radius = places.last().map_or(1.0, |x| crate::geometry::norm(x));
        for x in places.iter_mut().flatten() {
            *x /= radius;
        }
        let polynomials = monomials(dims, self.how.degree);
        let monomial = |x: &[f64], exponents: &[usize]| -> f64 {
            let factors = x.iter().zip(exponents).map(|(x, e)| power(*x, *e));
            factors.product()
        };
        let size = k + polynomials.len();
        let mut matrix = Mat::<f64>::zeros(size, size);
        for (i, x) in places.iter().enumerate() {
            for (j, y) in places.iter().enumerate() {
                matrix[(i, j)] = self.how.basis.entry((i, x), (j, y));
            }
            for (j, exponents) in polynomials.iter().enumerate() {
                let value = monomial(x, exponents);
                matrix[(i, k + j)] = value;
                matrix[(k + j, i)] = value;
            }
        }
        let factor = matrix.partial_piv_lu();
        let one = |order: &Vec<usize>| {
            let mut right = Col::<f64>::zeros(size);
            for (j, x) in places.iter().enumerate() {
                right[j] = self.how.basis.derivative(x, order);
            }
            let factorial: usize = order.iter().map(|m| (1..=*m).product::<usize>()).product();
            for (j, exponents) in polynomials.iter().enumerate() {
                // At the node, the origin, only xᵅ has a derivative of order α.
                right[k + j] = if exponents == order {
                    factorial as f64
                } else {
                    0.0
                };
            }
            let found = factor.solve(&right);
            // What is exact for polynomials says whether the neighbours determine them.
            let off = polynomials.iter().enumerate().map(|(j, exponents)| {
                let sum: f64 = (0..k)
                    .map(|i| found[i] * monomial(&places[i], exponents))
                    .sum();
                (sum - right[k + j]).abs()
            });
            let off = off.fold(0.0, |m: f64, v| if v.is_nan() { v } else { m.max(v) });
            if off.is_nan() || off > 1e-6 * factorial as f64 {
                return Err(PdeError::Undetermined {
                    node,
                    neighbours: k,
                    degree: self.how.degree,
                });
            }
            let scale = power(radius, order.iter().sum()).recip();
            Ok((0..k).map(|i| scale * found[i]).collect())
        };
        orders.iter().map(one).collect()
    }
}

impl Basis {
    /// A of two neighbours, by their numbers and places.
    fn entry(self, (i, x): (usize, &[f64]), (j, y): (usize, &[f64])) -> f64 {
        match self {
            // Weights are smallest in Σw²/ω, with ω falling by e⁻⁴ to the farthest.
            Self::LeastSquares if i == j => (4.0 * x.iter().map(|x| x * x).sum::<f64>()).exp(),
            Self::LeastSquares => 0.0,
            Self::Polyharmonic { power } => {
                let gap: Vec<f64> = x.iter().zip(y).map(|(a, b)| a - b).collect();
                super::power(crate::geometry::norm(&gap), power)
            }
        }
    }

    /// a of a neighbour: the derivative at the node of what stands around the neighbour.
    fn derivative(self, x: &[f64], order: &[usize]) -> f64 {
        match self {
            Self::LeastSquares => 0.0,
            Self::Polyharmonic { power } => {
                let gap: Vec<f64> = x.iter().map(|x| -x).collect();
                power_derivative(&gap, power, order)
            }
        }
    }
}
