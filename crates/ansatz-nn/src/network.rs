//! Networks of layers, as published.

mod deeponet;
mod direction;
mod fno;
mod gated;
mod graph;
mod unet;

pub use deeponet::DeepONet;
pub use direction::{DirectionNet, DirectionOptions, box_laplacian, direction_loss};
pub use fno::{Fno, FnoOptions, SpectralConv};
pub use gated::{ModifiedMlp, ResidualMlp};
pub use graph::GraphConv;
pub use unet::{UNet, UNetOptions};
