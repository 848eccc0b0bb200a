//! Networks of layers, as published.

mod unet;

pub use unet::{UNet, UNetOptions};
