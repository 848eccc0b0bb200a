//! Resampling of the trailing axes to given lengths.
//!
//! Element o of m takes the value at position s of n elements:
//!
//! | [`Grid`] | s | use |
//! |---|---|---|
//! | `HalfPixel` | (o + ½)·n/m − ½ | elements are cells; the ends of the axes coincide |
//! | `AlignedCorners` | o·(n − 1)/(m − 1), 0 for m = 1 | elements are points; the first and the last ones coincide |
//!
//! [`Interpolation::Nearest`] takes element ⌊s + ½⌋, [`Interpolation::Linear`] the line between the neighbours of
//! s (in several axes: their product), constant beyond the ends. Weights are computed in double precision
//! when the program is compiled.

use super::separable::{Along, Separable};
use crate::array::settled;
use crate::{Array, AutodiffError};

/// Where the elements of a resampled axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grid {
    /// Cells that fill the same interval.
    #[default]
    HalfPixel,
    /// Points whose first and last ones stay.
    AlignedCorners,
}

impl Grid {
    /// Position of element `o` of `to` among `from` elements.
    pub(super) fn position(self, o: usize, from: usize, to: usize) -> f64 {
        let (o, n, m) = (o as f64, from as f64, to as f64);
        match self {
            Self::HalfPixel => (o + 0.5) * n / m - 0.5,
            Self::AlignedCorners if to == 1 => 0.0,
            Self::AlignedCorners => o * (n - 1.0) / (m - 1.0),
        }
    }
}

/// What lies between elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Interpolation {
    /// The nearest element.
    Nearest,
    /// The line through its neighbours.
    #[default]
    Linear,
}

/// How an array is resampled: by default linearly, with half-pixel centres.
///
/// `Linear` is `interpolate(mode="linear" | "bilinear" | "trilinear")` of PyTorch, with `align_corners` for
/// [`Grid::AlignedCorners`]; `Nearest` with half-pixel centres is its `"nearest-exact"`.
///
/// ```
/// use ansatz_autodiff::{Graph, Resampling};
/// let g = Graph::new();
/// let x = g.batch(&[8, 3, 16, 16]);
/// let y = x.resample(&[32, 32], &Resampling::default());
/// assert_eq!(&y.shape()[..], [8, 3, 32, 32]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resampling {
    /// What lies between elements.
    pub interpolation: Interpolation,
    /// Where the elements are.
    pub grid: Grid,
}

impl Array<'_> {
    /// The last axes resampled to `lengths`. It is linear; the transpose is a primitive of its own.
    ///
    /// # Panics
    /// When there are fewer axes than lengths, and for axes or lengths of 0;
    /// [`Array::try_resample`] gives an error.
    #[must_use]
    #[track_caller]
    pub fn resample(self, lengths: &[usize], options: &Resampling) -> Self {
        settled(self.try_resample(lengths, options))
    }

    /// [`Array::resample`], or an error where it panics.
    ///
    /// # Errors
    /// [`AutodiffError::Operation`].
    pub fn try_resample(
        self,
        lengths: &[usize],
        options: &Resampling,
    ) -> Result<Self, AutodiffError> {
        let shape = self.shape();
        let refused = |problem: String| {
            AutodiffError::operation("resample", problem, std::slice::from_ref(&shape))
        };
        let outer = shape.rank().checked_sub(lengths.len());
        let outer =
            outer.ok_or_else(|| refused(format!("{} axes are to be there", lengths.len())))?;
        if lengths.is_empty() {
            return Ok(self);
        }
        let axis = |(from, to): (&usize, &usize)| match options.interpolation {
            _ if *from == 0 || *to == 0 => Err(refused(format!(
                "{from} elements to {to}: neither may be 0"
            ))),
            Interpolation::Nearest => Ok(Along::Nearest(*from, *to, options.grid)),
            Interpolation::Linear => Ok(Along::Linear(*from, *to, options.grid)),
        };
        let maps = shape[outer..].iter().zip(lengths).map(axis);
        let maps = maps.collect::<Result<_, _>>()?;
        let primitive = Separable::new(["resample", "resample_transposed"], maps);
        self.try_make(primitive, &[self])
    }
}
