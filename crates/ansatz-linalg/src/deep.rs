//! The deep conjugate direction method: conjugate directions from a network.
//!
//! A network trained on a family of problems maps a normalised residual to a search direction. Making it conjugate to
//! the last h directions and searching the minimum along it makes of any proposal a method that cannot diverge:
//!
//! ```text
//! q = net(r/‖r‖),   d = q − Σⱼ (qᵀAdⱼ/dⱼᵀAdⱼ)·dⱼ over the last h,   α = rᵀd/dᵀAd,   x ← x + αd,   r ← r − αAd
//! ```
//!
//! α makes the error fall in the energy norm at every step. With the identity for a network and h ≥ 1 this is the
//! method of conjugate gradients, with M⁻¹ the preconditioned one, with A⁻¹ it is done after one step. The proposer is
//! the [`SearchDirection`] of the [`System`](crate::krylov::System). A step costs one proposal, one product and 2h
//! inner products; memory is 2h + 4 vectors.
//!
//! Two safeguards, which the paper does not have. A direction without curvature (dᵀAd ≤ 10⁻³⁰‖d‖², or NaN from the
//! network) is replaced by the residual; [`SolveReport::safeguards`](crate::krylov::SolveReport::safeguards) counts
//! these steps. Where the residual stops shrinking, or every step of a while had to be replaced, conjugate gradients
//! finish from the iterate reached; [`SolveReport::fallback_at`](crate::krylov::SolveReport::fallback_at) says when.
//!
//! Counts of steps say little here: one evaluation of a network costs as much as thousands of products. Compare by time
//! with [`Multigrid`](crate::precondition::Multigrid), whose counts do not grow with the grid either.
//!
//! [`ResidualData`] makes the residuals that a network is trained on.
//!
//! Source: A. Kaneda, O. Akar, J. Chen, V. Kala, D. Hyde, J. Teran, *A deep conjugate direction method for iteratively
//! solving linear systems*, ICML 2023, algorithm 1 and section 5.

use ansatz_core::{EvalError, HostState, Key, LinearMap, Scalar, SearchDirection, State};

use crate::LinalgError;
use crate::error::within;
use crate::krylov::{Cg, Method, Progress, Session, Workspace};
use crate::lanczos::{Lanczos, LanczosRun, Reorthogonalise};
use crate::operator::Poisson;

/// Curvature below this part of ‖d‖² is none.
const FLAT: f64 = 1e-30;

/// When a learned direction is given up for conjugate gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stagnation {
    /// Steps over which the residual must shrink, and one direction at least be of use; `usize::MAX` never gives up.
    pub window: usize,
    /// By which part, at least.
    pub gain: f64,
}

impl Default for Stagnation {
    /// A thousandth in 20 steps.
    fn default() -> Self {
        Self {
            window: 20,
            gain: 1e-3,
        }
    }
}

/// The deep conjugate direction method.
///
/// ```
/// use ansatz_linalg::core::OnHost;
/// use ansatz_linalg::deep::DeepConjugateDirections;
/// use ansatz_linalg::krylov::System;
/// use ansatz_linalg::operator::{Face::Open, Grid, Poisson};
/// use ansatz_linalg::precondition::FastPoisson;
/// let grid = Grid::new(&[16, 16], &[[Open; 2]; 2])?;
/// let a = Poisson::<f64>::new(&grid)?;
/// let mut net = FastPoisson::new(&grid); // the best network there is
/// let (b, mut x) = (vec![1.0; 256], vec![0.0; 256]);
/// let report = System::new(&OnHost::new(&a), &b)
///     .preconditioned(&mut net)
///     .solve(&DeepConjugateDirections::default(), &mut x)?;
/// assert_eq!(report.iterations, 1);
/// # Ok::<(), ansatz_linalg::LinalgError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeepConjugateDirections {
    /// Directions to which the next is made conjugate: h. Networks need 2; 0 is a plain line search.
    pub history: usize,
    /// Steps after which the residual is computed from its definition; 1 does it always, as published.
    pub refresh: usize,
    /// When to finish with conjugate gradients.
    pub stagnation: Stagnation,
}

impl Default for DeepConjugateDirections {
    /// h = 2, a fresh residual every 20 steps.
    fn default() -> Self {
        Self {
            history: 2,
            refresh: 20,
            stagnation: Stagnation::default(),
        }
    }
}

impl<S: State> Method<S> for DeepConjugateDirections {
    fn check(&self) -> Result<(), LinalgError> {
        within("refresh", self.refresh as f64, 1.0.., "at least 1")?;
        within("window", self.stagnation.window as f64, 1.0.., "at least 1")?;
        within("gain", self.stagnation.gain, 0.0..1.0, "in [0, 1)")
    }

    fn run(
        &self,
        session: &mut Session<'_, S>,
        x: &mut S,
        workspace: &mut Workspace<S>,
    ) -> Result<f64, LinalgError> {
        let h = self.history;
        // Slot 0 is the residual, as conjugate gradients want it.
        let ([r, unit, d, ad], past) = workspace.split::<4>(2 * h, x);
        let (directions, products) = past.split_at_mut(h);
        let mut curvatures = vec![0.0; h];
        let mut norm = session.residual(x, r)?;
        let mut progress = session.start(x, norm);
        let (mut smallest, mut since) = (norm, 0);
        let (mut steps, mut replaced) = (0, 0);
        while progress == Progress::Continue {
            unit.lincomb(0.0, &[(1.0 / norm, r)]);
            session.precondition(unit, d)?;
            let known = steps.min(h);
            for j in 0..known {
                let c = d.dot(&products[j]) / curvatures[j];
                d.lincomb(1.0, &[(-c, &directions[j])]);
            }
            session.apply(d, ad)?;
            let mut curvature = d.dot(ad);
            let usable = curvature.is_finite() && curvature > FLAT * d.dot(d);
            replaced = if usable { 0 } else { replaced + 1 };
            if !usable {
                session.note_safeguard();
                d.assign(unit);
                session.apply(d, ad)?;
                curvature = session.finite("dᵀA·d along the residual", d.dot(ad))?;
                if curvature <= 0.0 {
                    return Err(LinalgError::Indefinite {
                        iteration: session.iterations() + 1,
                        curvature,
                    });
                }
            }
            let alpha = r.dot(d) / curvature;
            r.lincomb(1.0, &[(-alpha, ad)]);
            norm = session.finite("the norm of the residual", r.norm())?;
            x.lincomb(1.0, &[(alpha, d)]);
            progress = session.step(Some(x), norm);
            if progress != Progress::Continue || session.iterations().is_multiple_of(self.refresh) {
                norm = session.residual(x, r)?;
                progress = session.correct(norm);
            }
            if h > 0 {
                let slot = steps % h;
                std::mem::swap(&mut directions[slot], d);
                std::mem::swap(&mut products[slot], ad);
                curvatures[slot] = curvature;
            }
            steps += 1;
            since += 1;
            if norm <= (1.0 - self.stagnation.gain) * smallest {
                (smallest, since) = (norm, 0);
            }
            let hopeless = since.max(replaced) >= self.stagnation.window;
            if progress == Progress::Continue && hopeless {
                session.fall_back();
                norm = session.residual(x, r)?;
                return Cg::default().iterate(session, &mut (), x, norm, workspace);
            }
        }
        Ok(norm)
    }
}

/// A proposer whose directions are 0 in cells that are not fluid: for networks, which do not know them.
#[derive(Debug)]
pub struct OnFluid<'a, T, D> {
    a: &'a Poisson<T>,
    inner: D,
}

impl<'a, T: Scalar, D> OnFluid<'a, T, D> {
    /// `inner`, on the fluid cells of `a`.
    pub fn new(a: &'a Poisson<T>, inner: D) -> Self {
        Self { a, inner }
    }
}

impl<T: Scalar, S: HostState<Scalar = T>, D: SearchDirection<S>> SearchDirection<S>
    for OnFluid<'_, T, D>
{
    fn propose(&mut self, residual: &S, direction: &mut S) -> Result<(), EvalError> {
        self.inner.propose(residual, direction)?;
        if direction.len() != self.a.grid().len() {
            return Err(EvalError::Length {
                what: "direction of the network",
                expected: self.a.grid().len(),
                got: direction.len(),
            });
        }
        self.a.restrict(direction.as_mut_slice());
        Ok(())
    }
}

/// How residuals for training are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DataOptions {
    /// Lanczos steps: m. The paper takes 10,000 for 64³ cells; memory is m vectors and m² numbers.
    pub steps: usize,
    /// θ: how far beyond the lower half of the spectrum the larger weight reaches, as a part of m.
    pub beyond: f64,
    /// The larger weight.
    pub weight: f64,
    /// Ritz values below are of the kernel, and dropped.
    pub smallest: f64,
}

impl Default for DataOptions {
    /// As in the paper, with m = 512.
    fn default() -> Self {
        Self {
            steps: 512,
            beyond: 0.05,
            weight: 9.0,
            smallest: 1e-8,
        }
    }
}

/// Residuals of norm 1 for training: combinations of Ritz vectors of the operator, with normal coefficients that are
/// nine times larger in the lower half of the spectrum, where errors are that a network is to learn.
///
/// ```text
/// b = Σⱼ cⱼzⱼ/‖·‖,   cⱼ = 9·N(0, 1) for j < (½ + θ)·m, N(0, 1) above
/// ```
///
/// The Lanczos process, fully re-orthogonalised, starts from A·(normal vector), which has no part in the kernel.
/// Residual number i is a function of the key and i.
#[derive(Debug, Clone)]
pub struct ResidualData<S> {
    run: LanczosRun<S>,
    /// Ritz values that are kept, ascending, and their vectors in the Lanczos basis.
    values: Vec<f64>,
    vectors: Vec<f64>,
    options: DataOptions,
    key: Key,
}

impl<S: State> ResidualData<S> {
    /// Runs the Lanczos process for states of the shape of `like`. Cost: m products, 4m²n and 3m³ operations.
    ///
    /// # Errors
    /// [`LinalgError::Parameter`]; those of [`Lanczos::run`]; [`LinalgError::Singular`] where every Ritz value is
    /// dropped.
    pub fn new(
        a: &dyn LinearMap<S>,
        like: &S,
        options: &DataOptions,
        key: Key,
    ) -> Result<Self, LinalgError> {
        within("beyond", options.beyond, -0.5..=0.5, "in [−½, ½]")?;
        within("weight", options.weight, f64::MIN_POSITIVE.., "positive")?;
        let mut normal = like.zeros_like();
        normal.fill_normal(key, u64::MAX - 1);
        let mut start = like.zeros_like();
        a.apply(&normal, &mut start)?;
        let lanczos = Lanczos {
            steps: options.steps,
            reorthogonalise: Reorthogonalise::Full,
        };
        let run = lanczos.run(a, &start)?;
        let (values, vectors) = run.matrix.eigen()?;
        let dropped = values.iter().take_while(|v| **v < options.smallest).count();
        if dropped == values.len() {
            return Err(LinalgError::Singular {
                what: "operator on its Krylov space",
                estimate: 0.0,
            });
        }
        let m = values.len();
        Ok(Self {
            run,
            values: values[dropped..].to_vec(),
            vectors: vectors[dropped * m..].to_vec(),
            options: *options,
            key,
        })
    }

    /// The Ritz values, ascending.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Writes residual number `index`.
    pub fn sample(&self, index: u64, out: &mut S) {
        let (kept, m) = (self.values.len(), self.run.basis.len());
        let mut c = vec![0.0_f64; kept];
        self.key.fill_normal(index, &mut c);
        let edge = (0.5 + self.options.beyond) * kept as f64;
        let mut y = vec![0.0; m];
        for (j, (c, z)) in c.iter().zip(self.vectors.chunks_exact(m)).enumerate() {
            let weight = if (j as f64) < edge {
                self.options.weight
            } else {
                1.0
            };
            for (y, z) in y.iter_mut().zip(z) {
                *y += weight * c * z;
            }
        }
        self.run.combine(&y, out);
        let norm = out.norm();
        out.lincomb(1.0 / norm, &[]);
    }
}
