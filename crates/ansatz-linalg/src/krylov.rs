//! Krylov methods on any state, in place.
//!
//! A [`System`] is A·x = b with what goes around a solve: preconditioner, tolerance, observer, memory to use again. A
//! [`Method`] solves it, changing x from the starting guess to the solution:
//!
//! | method | operator | preconditioner | vectors | products per step |
//! |---|---|---|---|---|
//! | [`Cg`] | symmetric positive definite | positive definite; [`Beta::PolakRibiere`] lets it change | 4 | 1 |
//! | [`DeflatedCg`] | the same, with known slow directions W | the same | 4 + 2k | 1 |
//! | [`Minres`] | symmetric | positive definite | 6 to 8 | 1 |
//! | [`Gmres`] | any | any, fixed | m + 2 | 1 |
//! | [`Fgmres`] | any | any, may change | 2m + 1 | 1 |
//! | [`BiCgStab`] | any | any, fixed | 9 | 2 |
//! | [`Lsmr`] | rectangular, least squares | none | 3 + 4 | 1 and 1 transposed |
//!
//! A solve ends when ‖b − A·x‖ ≤ max(rtol·‖b‖, atol) for the residual computed from its definition, not only for the one
//! carried along. Memory is taken once, before the first step; the same [`Workspace`] serves any number of solves. For a
//! state whose inner products do not depend on the number of threads, neither does any solution.
//!
//! ```
//! use ansatz_linalg::core::EvalError;
//! use ansatz_linalg::krylov::{Cg, System};
//! // tridiag(−1, 2, −1)
//! let a = |x: &Vec<f64>, y: &mut Vec<f64>| -> Result<(), EvalError> {
//!     let at = |i: usize| x.get(i).copied().unwrap_or(0.0);
//!     for i in 0..x.len() {
//!         y[i] = 2.0 * x[i] - at(i + 1) - at(i.wrapping_sub(1));
//!     }
//!     Ok(())
//! };
//! let (b, mut x) = (vec![1.0; 9], vec![0.0; 9]);
//! let report = System::new(&a, &b).solve(&Cg::default(), &mut x)?;
//! assert_eq!(report.iterations, 5); // as many as there are symmetric eigenvectors
//! assert!((x[4] - 12.5).abs() < 1e-12);
//! # Ok::<(), ansatz_linalg::LinalgError>(())
//! ```

mod bicgstab;
mod cg;
mod deflated;
mod gmres;
mod lsmr;
mod minres;
mod session;

pub use bicgstab::BiCgStab;
pub use cg::{Beta, Cg};
pub use deflated::DeflatedCg;
pub use gmres::{Fgmres, Gmres};
pub use lsmr::{Lsmr, LsmrEnd, LsmrReport};
pub use minres::Minres;
pub(crate) use session::finite_state;
pub use session::{Iteration, Method, Progress, Session, SolveReport, Stop, System, Workspace};
