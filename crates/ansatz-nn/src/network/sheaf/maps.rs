//! Restriction maps, and the families that numbers are made into.

use ansatz_autodiff::Array;
use ansatz_autodiff::op::Side;

use crate::NetworkError;

/// What restriction maps may be. More freedom separates more classes and is harder to learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MapFamily {
    /// Diagonal matrices: d numbers a map, no mixing between coordinates of a stalk.
    #[default]
    Diagonal,
    /// Orthogonal matrices (a flat vector bundle with discrete parallel transport): d(d − 1)/2 numbers a map.
    Orthogonal(Frame),
    /// Any matrices: d² numbers a map. The normalisation takes a square root of each node's block.
    General,
}

/// How d(d − 1)/2 numbers make an orthogonal matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Frame {
    /// A product of d reflections 1 − 2·vᵢvᵢᵀ/‖vᵢ‖², vᵢ = eᵢ + the numbers below (Z. Mhammedi et al., *Efficient orthogonal
    /// parametrisation of recurrent neural networks using Householder reflections*, 2017): determinant (−1)^d.
    #[default]
    Householder,
    /// (1 − A/2)⁻¹(1 + A/2), A skew: rotations without the eigenvalue −1.
    Cayley,
    /// e^A, A skew: all rotations. A Padé quotient of degree 6 after three halvings, which is orthogonal for any A and equals
    /// e^A to 1e-16 where ‖A‖ ≤ 4, to 1e-12 where ‖A‖ ≤ 8.
    Exponential,
    /// Angles 2π·p: one for d = 2, three for d = 3 (about z, then y, then x).
    Euler,
}

/// Maps of all ends of all edges: those of the first ends, then those of the second ones.
#[derive(Debug, Clone, Copy)]
pub enum Maps<'g> {
    /// Diagonals `[2·edges, d]`.
    Diagonal(Array<'g>),
    /// Orthogonal matrices `[2·edges, d, d]`; that they are is what the normalisation relies on.
    Orthogonal(Array<'g>),
    /// Matrices `[2·edges, d, d]`.
    General(Array<'g>),
}

impl<'g> Maps<'g> {
    /// The array of all.
    #[must_use]
    pub fn array(&self) -> Array<'g> {
        let (Self::Diagonal(m) | Self::Orthogonal(m) | Self::General(m)) = self;
        *m
    }

    /// d.
    #[must_use]
    pub fn stalk(&self) -> usize {
        self.array().shape().get(1).copied().unwrap_or(0)
    }
}

impl MapFamily {
    /// Numbers that make one map of stalks of `d`.
    #[must_use]
    pub fn numbers(self, d: usize) -> usize {
        match self {
            Self::Diagonal => d,
            Self::Orthogonal(_) => d * d.saturating_sub(1) / 2,
            Self::General => d * d,
        }
    }

    /// Whether the family has maps of stalks of `d`.
    ///
    /// # Errors
    /// [`NetworkError::Option`] for d = 0, for d = 1 where it would leave no freedom, and for angles with d other than 2 and 3.
    pub fn check(self, d: usize) -> Result<(), NetworkError> {
        let needed = match self {
            _ if d == 0 => "at least 1",
            Self::Orthogonal(Frame::Euler) if d != 2 && d != 3 => {
                "2 or 3 for Euler angles; other families have any dimension"
            }
            Self::Orthogonal(_) | Self::General if d < 2 => {
                "at least 2 for orthogonal and general maps; take diagonal ones for 1"
            }
            _ => return Ok(()),
        };
        Err(NetworkError::Option {
            name: "stalk",
            value: d as f64,
            needed,
        })
    }

    /// Maps of stalks of `d` from an array `[2·edges, numbers]`.
    ///
    /// # Errors
    /// As [`MapFamily::check`].
    ///
    /// # Panics
    /// When the array has another number of columns than [`MapFamily::numbers`].
    #[track_caller]
    pub fn maps(self, d: usize, numbers: Array<'_>) -> Result<Maps<'_>, NetworkError> {
        self.check(d)?;
        Ok(self.checked(d, numbers))
    }

    /// The same for a d that is known to be right.
    #[track_caller]
    pub(super) fn checked(self, d: usize, p: Array<'_>) -> Maps<'_> {
        let shape = p.shape();
        assert!(
            shape.rank() == 2 && shape[1] == self.numbers(d),
            "{self:?} maps of stalks of {d} need {} columns, not {shape}",
            self.numbers(d)
        );
        match self {
            Self::Diagonal => Maps::Diagonal(p),
            Self::General => Maps::General(p.reshape(&[shape[0], d, d])),
            Self::Orthogonal(frame) => Maps::Orthogonal(frame.matrices(d, p)),
        }
    }
}

impl Frame {
    fn matrices(self, d: usize, p: Array<'_>) -> Array<'_> {
        match self {
            Self::Householder => householder(d, p),
            Self::Cayley => {
                // (1 − A/2)⁻¹(1 + A/2) = (1 − A²/4)⁻¹(1 + A/2)², and 1 − A²/4 = 1 + AᵀA/4.
                quotient(identity(p, d) + skew(d, p) * 0.5)
            }
            Self::Exponential => exponential(d, skew(d, p)),
            Self::Euler => euler(d, p * std::f64::consts::TAU),
        }
    }
}

fn identity(like: Array<'_>, d: usize) -> Array<'_> {
    let one = |k: usize| f64::from(u8::from(k / d == k % d));
    like.graph()
        .constant(&[d, d], (0..d * d).map(one).collect())
}

/// The numbers below the diagonal, row by row: `[maps, d, d]`.
fn lower(d: usize, p: Array<'_>) -> Array<'_> {
    let places: Vec<usize> = (0..d)
        .flat_map(|i| (0..i).map(move |j| i * d + j))
        .collect();
    let count = p.shape()[0];
    p.scatter_add(1, &places, d * d).reshape(&[count, d, d])
}

fn skew(d: usize, p: Array<'_>) -> Array<'_> {
    let below = lower(d, p);
    below - below.matrix_transpose()
}

/// N·N⁻ᵀ for N that commutes with its transpose, as (N·Nᵀ)⁻¹·N²: orthogonal.
fn quotient(n: Array<'_>) -> Array<'_> {
    n.matmul_by(n, Side::Plain, Side::Transposed)
        .solve_spd(n.matmul(n))
}

fn householder(d: usize, p: Array<'_>) -> Array<'_> {
    let count = p.shape()[0];
    let v = lower(d, p) + identity(p, d);
    let mut q = identity(p, d).broadcast(&[count, d, d]);
    for i in 0..d {
        let v = v.narrow(2, i, i + 1);
        let length = v.square().sum_axes(&[1, 2]).reshape(&[count, 1, 1]);
        let along = q.matmul(v).matmul_by(v, Side::Plain, Side::Transposed);
        q = q - along * (length.recip() * 2.0);
    }
    q
}

fn exponential(d: usize, a: Array<'_>) -> Array<'_> {
    const HALVINGS: i32 = 3;
    let a = a * 0.5_f64.powi(HALVINGS);
    // Numerator of the Padé quotient of degree 6; the denominator is its transpose, since Aᵀ = −A.
    let coefficients = [
        1.0,
        1.0 / 2.0,
        5.0 / 44.0,
        1.0 / 66.0,
        1.0 / 792.0,
        1.0 / 15840.0,
        1.0 / 665280.0,
    ];
    let one = identity(a, d);
    let mut n = a * coefficients[6] + one * coefficients[5];
    for c in coefficients[..5].iter().rev() {
        n = n.matmul(a) + one * *c;
    }
    let mut q = quotient(n);
    for _ in 0..HALVINGS {
        q = q.matmul(q);
    }
    q
}

fn euler(d: usize, angles: Array<'_>) -> Array<'_> {
    let count = angles.shape()[0];
    let angle = |i: usize| {
        let a = angles.narrow(1, i, i + 1);
        (a.cos(), a.sin())
    };
    let (ca, sa) = angle(0);
    let elements = if d == 2 {
        vec![ca, -sa, sa, ca]
    } else {
        let ((cb, sb), (cg, sg)) = (angle(1), angle(2));
        let first = [ca * cb, ca * sb * sg - sa * cg, ca * sb * cg + sa * sg];
        let second = [sa * cb, sa * sb * sg + ca * cg, sa * sb * cg - ca * sg];
        [first, second, [-sb, cb * sg, cb * cg]].concat()
    };
    Array::concatenate(&elements, 1).reshape(&[count, d, d])
}
