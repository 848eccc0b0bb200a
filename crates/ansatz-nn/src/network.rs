//! Networks of layers, as published.

mod deeponet;
mod direction;
mod fno;
mod gated;
mod graph;
mod multionet;
mod pirate;
mod separable;
pub mod sheaf;
mod unet;

pub use deeponet::DeepONet;
pub use direction::{DirectionNet, DirectionOptions, box_laplacian, direction_loss};
pub use fno::{Fno, FnoOptions, SpectralConv};
pub use gated::{ModifiedMlp, ResidualMlp};
pub use graph::GraphConv;
pub(crate) use graph::check_edges;
pub use multionet::{MultiONet, MultiONetOptions};
pub use pirate::PirateNet;
pub use separable::Separable;
pub use unet::{UNet, UNetOptions};
