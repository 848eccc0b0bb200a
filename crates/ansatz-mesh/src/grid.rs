//! Samples of a scalar field on a regular grid.

use rayon::prelude::*;

use ansatz_core::{Scalar, ScalarField};

use crate::MeshError;

/// Where the samples of a grid lie: sample (i, j, k) is at `origin + (i, j, k)∘spacing` and stands
/// at index `(i·n₁ + j)·n₂ + k` of the data (x slowest).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridShape {
    dims: [usize; 3],
    origin: [f64; 3],
    spacing: [f64; 3],
}

impl GridShape {
    /// A grid of `dims` samples along x, y and z.
    ///
    /// # Errors
    /// [`MeshError::TooSmall`] with fewer than two samples along an axis, [`MeshError::Spacing`]
    /// when a spacing is not positive, [`MeshError::NotFinite`] for the origin.
    pub fn new(dims: [usize; 3], origin: [f64; 3], spacing: [f64; 3]) -> Result<Self, MeshError> {
        if dims.iter().any(|&n| n < 2) {
            return Err(MeshError::TooSmall { dims });
        }
        if dims
            .iter()
            .try_fold(1, |a: usize, n| a.checked_mul(*n))
            .is_none()
        {
            return Err(MeshError::TooLarge {
                vertices: usize::MAX,
            });
        }
        if spacing.iter().any(|h| !(h.is_finite() && *h > 0.0)) {
            return Err(MeshError::Spacing { spacing });
        }
        if let Some(&value) = origin.iter().find(|x| !x.is_finite()) {
            return Err(MeshError::NotFinite {
                what: "origin",
                value,
            });
        }
        Ok(Self {
            dims,
            origin,
            spacing,
        })
    }

    /// `dims` samples that span a box, both ends included.
    ///
    /// # Errors
    /// As [`GridShape::new`].
    pub fn spanning(dims: [usize; 3], low: [f64; 3], high: [f64; 3]) -> Result<Self, MeshError> {
        if dims.iter().any(|&n| n < 2) {
            return Err(MeshError::TooSmall { dims });
        }
        let spacing = std::array::from_fn(|a| (high[a] - low[a]) / (dims[a] - 1) as f64);
        Self::new(dims, low, spacing)
    }

    /// Samples along x, y and z.
    pub fn dims(&self) -> [usize; 3] {
        self.dims
    }

    /// Where sample (0, 0, 0) is.
    pub fn origin(&self) -> [f64; 3] {
        self.origin
    }

    /// Distance of neighbouring samples along x, y and z.
    pub fn spacing(&self) -> [f64; 3] {
        self.spacing
    }

    /// Where a sample is.
    pub fn point(&self, at: [usize; 3]) -> [f64; 3] {
        std::array::from_fn(|a| self.origin[a] + at[a] as f64 * self.spacing[a])
    }

    /// Asks a field for all samples, row by row, on the threads of the caller's pool.
    pub fn sample<T: Scalar>(&self, field: &(impl ScalarField<T> + ?Sized)) -> Vec<T> {
        let [_, n1, n2] = self.dims;
        let mut samples = vec![T::zero(); self.samples()];
        samples
            .par_chunks_mut(n2)
            .enumerate()
            .for_each_init(Vec::new, |points, (row, values)| {
                points.clear();
                points.extend((0..n2).map(|k| self.point([row / n1, row % n1, k]).map(T::of)));
                field.eval(points, values);
            });
        samples
    }

    /// How many samples there are.
    pub fn samples(&self) -> usize {
        self.dims.iter().product()
    }
}

/// Samples of a field on a regular grid, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Grid<'a, T> {
    shape: GridShape,
    data: &'a [T],
}

impl<'a, T: Scalar> Grid<'a, T> {
    /// The samples of a grid, z fastest.
    ///
    /// # Errors
    /// [`MeshError::Length`] when the data are not one value for each sample.
    pub fn new(shape: GridShape, data: &'a [T]) -> Result<Self, MeshError> {
        if data.len() != shape.samples() {
            let (dims, expected, found) = (shape.dims, shape.samples(), data.len());
            return Err(MeshError::Length {
                dims,
                expected,
                found,
            });
        }
        Ok(Self { shape, data })
    }

    /// Where the samples lie.
    pub fn shape(&self) -> GridShape {
        self.shape
    }

    /// The samples.
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// A view of `[x, y, z]` in standard layout, borrowed.
    ///
    /// ```
    /// use ansatz_mesh::core::ndarray::Array3;
    /// use ansatz_mesh::{Grid, MeshError};
    ///
    /// let samples = Array3::<f32>::zeros((4, 5, 6));
    /// assert!(Grid::from_view(&samples.view(), [0.0; 3], [1.0; 3]).is_ok());
    /// let turned = samples.view().reversed_axes();
    /// assert!(matches!(Grid::from_view(&turned, [0.0; 3], [1.0; 3]), Err(MeshError::Strides { .. })));
    /// ```
    ///
    /// # Errors
    /// As [`GridShape::new`], and [`MeshError::Strides`] for another layout.
    #[cfg(feature = "ndarray")]
    pub fn from_view(
        view: &ansatz_core::ndarray::ArrayView3<'a, T>,
        origin: [f64; 3],
        spacing: [f64; 3],
    ) -> Result<Self, MeshError> {
        let dims: [usize; 3] = view.dim().into();
        let shape = GridShape::new(dims, origin, spacing)?;
        let strides = std::array::from_fn(|a| view.strides()[a]);
        match view.to_slice() {
            Some(data) => Self::new(shape, data),
            None => Err(MeshError::Strides { dims, strides }),
        }
    }
}
