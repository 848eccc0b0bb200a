//! Sets of points, and samplers of the unit cube as data.
//!
//! | sampler | error of a mean over n points, d coordinates | first n of more points are the same |
//! |---|---|---|
//! | [`Sampler::Grid`] | n^{−2/d} | no |
//! | [`Sampler::Uniform`] | n^{−1/2} | yes |
//! | [`Sampler::LatinHypercube`] | n^{−1/2}; n^{−3/2} for sums of functions of one coordinate | no |
//! | [`Sampler::Halton`] | (ln n)ᵈ/n | yes |
//! | [`Sampler::Hammersley`] | (ln n)^{d−1}/n | no |
//! | [`Sampler::Sobol`] | (ln n)ᵈ/n; n^{−3/2}(ln n)^{(d−1)/2} with [`Scramble::Owen`] at n = 2ᵏ | yes |
//!
//! Rates hold for smooth functions. Take scrambled Sobol points (the default) for d ≤ 20, n a power of two where the number
//! is free; uniform ones in high dimension; a grid for pictures. A point is a function of the [`Key`] and its number, so
//! sets are the same for any number of threads.
//!
//! References: H. Niederreiter, *Random number generation and quasi-Monte Carlo methods*, 1992; M. McKay, R. Beckman, W. Conover,
//! *A comparison of three methods for selecting values of input variables*, 1979; A. Owen, *Scrambled net variance for integrals
//! of smooth functions*, 1997; J. Halton, *On the efficiency of certain quasi-random sequences*, 1960.

pub mod adaptive;
mod directions;
mod halton;
mod lattice;
mod sobol;

use ansatz_core::Key;
use rayon::prelude::*;

use crate::DomainError;
use crate::geometry::error::finite;
use halton::Halton;
use lattice::Lattice;
use sobol::Sobol;

/// Points that one task computes.
const CHUNK: usize = 512;

/// The largest number below 1.
const BELOW_ONE: f64 = 1.0 - f64::EPSILON / 2.0;

/// Points of one width, row by row.
///
/// ```
/// use ansatz_pde::Points;
/// let points = Points::new(2, vec![0.0, 1.0, 2.0, 3.0])?;
/// assert_eq!(points.len(), 2);
/// assert_eq!(points.row(1), [2.0, 3.0]);
/// assert!(Points::new(2, vec![1.0]).is_err());
/// # Ok::<(), ansatz_pde::DomainError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    dims: usize,
    data: Vec<f64>,
}

impl Points {
    /// Points of `dims` coordinates.
    ///
    /// # Errors
    /// [`DomainError::Rows`] when the numbers are not a whole number of points, or `dims` is 0; [`DomainError::NonFinite`] for
    /// NaN or infinity.
    pub fn new(dims: usize, data: Vec<f64>) -> Result<Self, DomainError> {
        if dims == 0 || !data.len().is_multiple_of(dims) {
            let numbers = data.len();
            return Err(DomainError::Rows { numbers, dims });
        }
        finite("coordinate", &data)?;
        Ok(Self { dims, data })
    }

    /// Of numbers known to be whole rows.
    pub(crate) fn of(dims: usize, data: Vec<f64>) -> Self {
        debug_assert!(dims > 0 && data.len().is_multiple_of(dims));
        Self { dims, data }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.data.len() / self.dims
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Coordinates of a point.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// The points.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.data.chunks_exact(self.dims)
    }

    /// Point `i`.
    ///
    /// # Panics
    /// When there are no more than `i` points.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.dims..(i + 1) * self.dims]
    }

    /// Coordinate `axis` of each point.
    ///
    /// # Panics
    /// When there is no such coordinate.
    pub fn column(&self, axis: usize) -> Vec<f64> {
        assert!(axis < self.dims, "axis {axis} of {}", self.dims);
        self.rows().map(|r| r[axis]).collect()
    }

    /// All coordinates, row by row.
    pub fn as_slice(&self) -> &[f64] {
        &self.data
    }

    /// All coordinates, row by row.
    pub fn into_vec(self) -> Vec<f64> {
        self.data
    }

    /// Adds points at the end.
    ///
    /// # Errors
    /// [`DomainError::Width`] for points of another width.
    pub fn extend(&mut self, more: &Self) -> Result<(), DomainError> {
        more.expect_width("points", self.dims)?;
        self.data.extend_from_slice(&more.data);
        Ok(())
    }

    /// The points of the given numbers, in that order.
    ///
    /// # Panics
    /// When there is no point of such a number.
    #[must_use]
    pub fn select(&self, numbers: &[usize]) -> Self {
        let data = numbers.iter().flat_map(|i| self.row(*i)).copied();
        Self::of(self.dims, data.collect())
    }

    pub(crate) fn expect_width(
        &self,
        what: &'static str,
        expected: usize,
    ) -> Result<(), DomainError> {
        if self.dims == expected {
            return Ok(());
        }
        let got = self.dims;
        Err(DomainError::Width {
            what,
            expected,
            got,
        })
    }
}

/// Where a grid's points lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GridAt {
    /// In the middle of cells: (k + ½)/m.
    #[default]
    Centres,
    /// At the corners of cells, both ends with them: k/(m − 1).
    Nodes,
}

/// How a sequence of low discrepancy is made random without losing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scramble {
    /// Not at all: the published sequence, origin included.
    None,
    /// Every digit is shifted by a random one, the same for all points.
    DigitalShift,
    /// Sobol: each binary digit is flipped by a random bit that depends on all digits before it (nested uniform scrambling;
    /// A. Owen, *Randomly permuted (t,m,s)-nets and (t,s)-sequences*, 1995). Halton: each digit goes through a random permutation
    /// that depends on its place only (A. Owen, *A randomized Halton algorithm in R*, 2017).
    #[default]
    Owen,
}

/// Which points of a sequence are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sequence {
    /// Randomisation.
    pub scramble: Scramble,
    /// Points left out at the start: 1 drops the origin of a sequence that is not scrambled, which costs the balance of
    /// its first 2ᵏ points.
    pub skip: u64,
}

impl Sequence {
    /// The published sequence without its first point, the origin: what many programs give.
    pub const WITHOUT_ORIGIN: Self = Self {
        scramble: Scramble::None,
        skip: 1,
    };

    /// The published sequence from its first point, the origin, on.
    pub const PLAIN: Self = Self {
        scramble: Scramble::None,
        skip: 0,
    };
}

/// Where points of the unit cube [0, 1)ᵈ come from; geometries carry them into domains.
///
/// ```
/// use ansatz_pde::{Sampler, Sequence, core::Key};
/// let points = Sampler::Sobol(Sequence::PLAIN).unit(4, 2, Key::new(0))?;
/// assert_eq!(points.as_slice(), [0.0, 0.0, 0.5, 0.5, 0.75, 0.25, 0.25, 0.75]);
/// # Ok::<(), ansatz_pde::DomainError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sampler {
    /// A grid of at least as many points as asked for: the nearest number that fills it.
    Grid(GridAt),
    /// Independent uniform points.
    Uniform,
    /// Independent permutations of n strata in each coordinate, a uniform point in each.
    LatinHypercube,
    /// Radical inverses of the point's number in the first d primes.
    Halton(Sequence),
    /// i/n, then Halton's coordinates for d − 1.
    Hammersley(Sequence),
    /// Sobol's sequence in the order of Gray's code, with the direction numbers of Joe and Kuo (2008), d ≤ 100.
    Sobol(Sequence),
}

impl Default for Sampler {
    fn default() -> Self {
        Self::Sobol(Sequence::default())
    }
}

impl Sampler {
    /// `n` points of [0, 1)ᵈ ([`GridAt::Nodes`]: of [0, 1]ᵈ), d = `dims`; a grid may have some more. Cost: n·d, times ln n
    /// for sequences; parallel.
    ///
    /// # Errors
    /// [`DomainError::Value`] for no coordinates, or more than 100 of Sobol's.
    pub fn unit(&self, n: usize, dims: usize, key: Key) -> Result<Points, DomainError> {
        let source = Source::new(*self, n, &vec![1.0; dims], key)?;
        Ok(source.rows(0, source.len))
    }

    /// Whether more points of it begin with the same ones.
    pub fn is_sequence(&self) -> bool {
        matches!(self, Self::Uniform | Self::Halton(_) | Self::Sobol(_))
    }
}

/// A sampler made ready for a number of points and coordinates.
pub(crate) struct Source {
    dims: usize,
    /// How many points it gives; a sequence gives any number.
    pub(crate) len: usize,
    kind: Kind,
}

enum Kind {
    Grid(Lattice),
    Uniform(Key),
    Strata {
        places: Vec<Vec<u32>>,
        key: Key,
    },
    Halton(Halton),
    Hammersley {
        rest: Halton,
        total: f64,
        shift: f64,
    },
    Sobol(Sobol),
}

impl Source {
    /// About `n` points; a grid has cells that are as near to cubes as can be in a box of the given extents.
    pub(crate) fn new(
        sampler: Sampler,
        n: usize,
        extents: &[f64],
        key: Key,
    ) -> Result<Self, DomainError> {
        let dims = extents.len();
        if dims == 0 {
            return Err(DomainError::Value {
                name: "coordinates of a point",
                value: 0.0,
                needed: "at least one",
            });
        }
        let mut len = n;
        let kind = match sampler {
            Sampler::Grid(at) => {
                let lattice = Lattice::new(n, extents, at);
                len = lattice.len();
                Kind::Grid(lattice)
            }
            Sampler::Uniform => Kind::Uniform(key),
            Sampler::LatinHypercube => Kind::Strata {
                places: (0..dims)
                    .map(|d| permutation(n, key.fold_in(d as u64)))
                    .collect(),
                key,
            },
            Sampler::Halton(sequence) => Kind::Halton(Halton::new(dims, sequence, key)),
            Sampler::Hammersley(sequence) => Kind::Hammersley {
                rest: Halton::new(dims - 1, sequence, key),
                total: (n as u64 + sequence.skip) as f64,
                shift: match sequence.scramble {
                    Scramble::None => 0.0,
                    _ => key.uniform(0, 0)[0],
                },
            },
            Sampler::Sobol(sequence) => Kind::Sobol(Sobol::new(dims, sequence, key)?),
        };
        Ok(Self { dims, len, kind })
    }

    /// Points `first`, `first + 1`, …
    pub(crate) fn rows(&self, first: usize, n: usize) -> Points {
        let mut data = vec![0.0; n * self.dims];
        let chunks = data.par_chunks_mut(CHUNK * self.dims).enumerate();
        chunks.for_each(|(c, chunk)| {
            for (i, row) in chunk.chunks_exact_mut(self.dims).enumerate() {
                self.fill((first + c * CHUNK + i) as u64, row);
            }
        });
        Points::of(self.dims, data)
    }

    fn fill(&self, i: u64, row: &mut [f64]) {
        match &self.kind {
            Kind::Grid(lattice) => lattice.fill(i as usize, row),
            Kind::Uniform(key) => {
                for (j, x) in row.iter_mut().enumerate() {
                    *x = uniform(*key, i * self.dims as u64 + j as u64);
                }
            }
            Kind::Strata { places, key } => {
                for (j, x) in row.iter_mut().enumerate() {
                    let inside = uniform(*key, i * self.dims as u64 + j as u64);
                    let place = f64::from(places[j][i as usize]) + inside;
                    *x = (place / self.len as f64).min(BELOW_ONE);
                }
            }
            Kind::Halton(halton) => halton.fill(i, row),
            Kind::Hammersley { rest, total, shift } => {
                if let Some((first, others)) = row.split_first_mut() {
                    let place = (i + rest.skip()) as f64 + shift;
                    *first = (place / total).min(BELOW_ONE);
                    rest.fill(i, others);
                }
            }
            Kind::Sobol(sobol) => sobol.fill(i, row),
        }
    }
}

/// The `i`-th of a stream of numbers uniform in [0, 1).
pub(crate) fn uniform(key: Key, i: u64) -> f64 {
    key.uniform(0, i / 2)[(i % 2) as usize]
}

/// A random order of 0 … n − 1 (Fisher and Yates).
pub(crate) fn permutation(n: usize, key: Key) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        let j = (uniform(key, i as u64) * (i + 1) as f64) as usize;
        order.swap(i, j.min(i));
    }
    order
}
