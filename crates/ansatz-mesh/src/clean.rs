//! Clean-up of meshes: welding, normals, smoothing, decimation. Each is a struct of options whose
//! `apply` changes a mesh, and leaves it as it was when it reports an error.

mod decimate;
mod normals;
mod smooth;
mod weld;

pub use decimate::{Decimate, Decimated, Target};
pub use normals::{VertexNormals, Weighting};
pub use smooth::{Border, Filter, Smooth};
pub use weld::{Weld, Welded};
