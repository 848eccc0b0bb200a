//! Programs of generated kernels.
//!
//! A program is data: arrays, loops over bodies of scalar operations, and products, each with indices that are sums of
//! multiples of counters, their quotients and remainders. From it come the kernels' source, the memory of all arrays and a
//! list of launches; the whole is captured as a graph, so that a run is one call of the driver.
//!
//! It is sound by construction: a load that is not proven to lie in its array is tested when it runs, results are places
//! that no two points share, and arrays whose spans meet lie apart. Whoever writes a program needs no `unsafe`.
//!
//! | part | what it is |
//! |---|---|
//! | [`Index`], [`Condition`] | whole numbers with their intervals, and tests of them |
//! | [`Body`], [`Function`] | what is computed at a point |
//! | [`Loop`], [`Fold`] | a body at each point of a box, and folds along its inner axes in a fixed order |
//! | [`Product`] | matrix products, contractions, convolutions: by cuBLAS where they are plain, else by tiles |
//! | [`Builder`], [`Plan`] | steps to source and memory, without a device |
//! | [`Executable`] | a plan on a device |

mod body;
mod emit;
mod index;
mod memory;
mod plan;
mod run;
mod step;
mod tiles;
mod wide;

pub use body::{Array, Body, Function, Reg};
pub use index::{Condition, Index};
pub use plan::{Builder, Plan, Products};
pub use run::{Executable, Replay, RunOptions};
pub(crate) use step::Gemm;
pub use step::{Factor, Fold, Loop, Precision, Product, Store};
