//! Layers: what has parameters and maps arrays to arrays.
//!
//! A layer is made in a [`Scope`](crate::Scope), where it puts its parameters under PyTorch's names and shapes
//! (`weight` `[out, in, …]`, `bias` `[out]`), so that weights travel; [`Layer::apply`] writes it into a graph.

mod activation;
mod attention;
mod convolution;
mod dense;
mod dropout;
mod features;
mod norm;

use ansatz_autodiff::Array;

pub use activation::Activation;
pub use attention::{Attention, Placement, Splitting, TransformerBlock, TransformerOptions};
pub use convolution::{Conv, ConvTransposed};
pub use dense::{Dense, Factorisation, Mlp, MlpOptions};
pub(crate) use dense::{Hidden, Unit};
pub use dropout::Dropout;
pub use features::{FourierFeatures, GaussianFeatures, Siren, Trained};
pub use norm::{BatchNorm, GroupNorm, LayerNorm, RmsNorm};

use crate::{GridSide, Pass};

/// A map from an array to an array.
pub trait Layer {
    /// The layer on `x`, as more of the graph.
    ///
    /// # Panics
    /// When the shape of `x` does not fit, at the line that applies it.
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g>;

    /// The layer at all points of a tensor grid, `[n₀, n₁, …, outputs]` in the order of its sides. What is made of functions of one
    /// side each, as [`Separable`](crate::Separable) is, spends on the sides alone; any other layer on every point.
    ///
    /// # Panics
    /// As [`Layer::apply`], and for a grid without sides.
    fn on_grid<'g>(&self, pass: &Pass<'g>, sides: &[GridSide<'g>]) -> Array<'g> {
        GridSide::spread(sides, self.apply(pass, GridSide::points(sides)))
    }
}

/// Layers one after the other are a layer.
impl<L: Layer> Layer for [L] {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        self.iter().fold(x, |x, layer| layer.apply(pass, x))
    }
}

impl<L: Layer + ?Sized> Layer for std::sync::Arc<L> {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        (**self).apply(pass, x)
    }

    fn on_grid<'g>(&self, pass: &Pass<'g>, sides: &[GridSide<'g>]) -> Array<'g> {
        (**self).on_grid(pass, sides)
    }
}

impl<L: Layer + ?Sized> Layer for Box<L> {
    fn apply<'g>(&self, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
        (**self).apply(pass, x)
    }

    fn on_grid<'g>(&self, pass: &Pass<'g>, sides: &[GridSide<'g>]) -> Array<'g> {
        (**self).on_grid(pass, sides)
    }
}
