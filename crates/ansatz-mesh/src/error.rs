//! What can go wrong before a surface is made or measured.

use thiserror::Error;

/// Why a grid, a mesh or an option was refused.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum MeshError {
    /// A grid has fewer than two samples along an axis, so that it has no cell.
    #[error("{dims:?} samples: every axis needs at least two")]
    TooSmall {
        /// Samples along x, y and z.
        dims: [usize; 3],
    },
    /// The number of samples is not the product of the shape.
    #[error("{found} samples for a grid of {dims:?}, which has {expected}")]
    Length {
        /// Samples along x, y and z.
        dims: [usize; 3],
        /// Their product.
        expected: usize,
        /// Length of the data.
        found: usize,
    },
    /// A spacing is zero, negative or not finite.
    #[error("spacing {spacing:?}: every entry must be positive and finite")]
    Spacing {
        /// Distance of neighbouring samples along x, y and z.
        spacing: [f64; 3],
    },
    /// A number that must be finite is not.
    #[error("{what} is {value}: it must be finite")]
    NotFinite {
        /// What it is: "iso value", "origin", …
        what: &'static str,
        /// What it was.
        value: f64,
    },
    /// A sample of the grid is NaN or infinite.
    #[error("sample {index:?} is {value}: mask it or fill it before a surface is extracted")]
    Sample {
        /// The first such sample, along x, y and z.
        index: [usize; 3],
        /// Its value.
        value: f64,
    },
    /// A mesh would need more vertices than a `u32` counts.
    #[error("{vertices} vertices: indices are 32 bits wide; extract the surface in parts")]
    TooLarge {
        /// How many.
        vertices: usize,
    },
    /// A triangle or quad names a vertex that does not exist.
    #[error("face {face} names vertex {vertex}, the mesh has {vertices}")]
    Index {
        /// Which face.
        face: usize,
        /// The vertex it names.
        vertex: u32,
        /// How many there are.
        vertices: usize,
    },
    /// A vertex is NaN or infinite.
    #[error("vertex {index} is at {position:?}: every coordinate must be finite")]
    Vertex {
        /// The first such vertex.
        index: usize,
        /// Where it is said to be.
        position: [f64; 3],
    },
    /// There is no triangle, no point or no area where some is needed.
    #[error("there is nothing to measure: no triangle, no point or no area")]
    Empty,
    /// There is not one normal per vertex.
    #[error("{found} normals for {vertices} vertices: give one each or none")]
    Normals {
        /// How many normals there are.
        found: usize,
        /// How many vertices.
        vertices: usize,
    },
    /// The mesh does not separate an inside from an outside.
    #[error(
        "the mesh has {boundary} boundary edges, {non_manifold} with more than two triangles and {inconsistent} between triangles that face different ways: take the sign from winding numbers"
    )]
    NotWatertight {
        /// Edges with one triangle.
        boundary: usize,
        /// Edges with more than two triangles.
        non_manifold: usize,
        /// Edges that two triangles run through in the same direction.
        inconsistent: usize,
    },
    /// An array does not have one entry for each of what it describes.
    #[error("{found} entries of {what}, expected {expected}")]
    Count {
        /// Which array.
        what: &'static str,
        /// Entries required.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// An entry of an array is NaN or infinite.
    #[error("entry {index} of {what} is {value}: it must be finite")]
    Value {
        /// Which array.
        what: &'static str,
        /// The first such entry.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A field rises faster than its Lipschitz bound says, so that parts of the surface may have been left out.
    #[error(
        "the field rises by {found} for each unit of length near {at:?}: the Lipschitz bound of {bound} is too small"
    )]
    Lipschitz {
        /// The bound given.
        bound: f64,
        /// A slope that was found.
        found: f64,
        /// Where.
        at: [f64; 3],
    },
    /// An option is outside its range.
    #[error("{what} is {value}: it must be {range}")]
    Option {
        /// Which.
        what: &'static str,
        /// What it was.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// An unsigned distance is negative or not a number.
    #[error(
        "the distance at {at:?} is {value}: it must be finite and not negative; take its absolute value first"
    )]
    Udf {
        /// What the field gave.
        value: f64,
        /// Where.
        at: [f64; 3],
    },
    /// The samples of a view do not lie one after the other with z fastest.
    #[error(
        "strides {strides:?} of a view of {dims:?}: copy it into standard layout first (`as_standard_layout`)"
    )]
    Strides {
        /// Samples along x, y and z.
        dims: [usize; 3],
        /// Elements from one sample to the next along each axis.
        strides: [isize; 3],
    },
    /// A device failed.
    #[cfg(feature = "cuda")]
    #[error(transparent)]
    Device(#[from] ansatz_cuda::CudaError),
}
