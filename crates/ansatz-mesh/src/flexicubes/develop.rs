//! Developability: how far a surface is from pieces that can be unrolled.
//!
//! At vertex v the normals n of its triangles, weighted by their angles θ at v, have the covariance A = Σ θ n nᵀ. Where the
//! surface is flat or folded along one line, all normals lie in a plane and the smallest eigenvalue λ of A vanishes. The
//! energy is Σ_v a_v λ_v with a_v a third of the area around v. Vertices of three triangles are left out: their normals
//! span space whenever they are corners.
//!
//! Sources: O. Stein, E. Grinspun, K. Crane, Developability of triangle meshes (2018), section 4.1; as a term of FlexiCubes
//! in T. Shen et al., Flexible isosurface extraction for gradient-based mesh optimization (2023).

use nalgebra::{Matrix3, Vector3};

use ansatz_core::Scalar;

use crate::geometry::{Vec3, checked, corners, cross};
use crate::{Mesh, MeshError};

/// Σ_v a_v λ_v and its derivative with respect to the vertices. Where two eigenvalues are the smallest, the derivative is that
/// of one of them. Triangles without area do not count.
///
/// ```
/// use ansatz_mesh::flexicubes::developability;
/// use ansatz_mesh::{Grid, GridShape, MarchingCubes};
///
/// let shape = GridShape::spanning([20; 3], [-1.0; 3], [1.0; 3])?;
/// let sample = |f: fn([f64; 3]) -> f64| shape.sample::<f64>(&f);
/// let (ball, tube) = (
///     sample(|[x, y, z]| (x * x + y * y + z * z).sqrt() - 0.7),
///     sample(|[x, y, _]| (x * x + y * y).sqrt() - 0.7),
/// );
/// let energy = |samples: &[f64]| {
///     let mesh = MarchingCubes::default().extract(&Grid::new(shape, samples)?, 0.0)?;
///     developability(&mesh).map(|(energy, _)| energy)
/// };
/// assert!(energy(&tube)? < 1e-12 && energy(&ball)? > 1e-3);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
///
/// # Errors
/// [`MeshError::Index`] and [`MeshError::Vertex`] for a mesh that is not sound.
pub fn developability<T: Scalar>(mesh: &Mesh<T>) -> Result<(f64, Vec<Vector3<T>>), MeshError> {
    let vertices = checked(mesh)?;
    let n = vertices.len();
    let mut covariance = vec![Matrix3::zeros(); n];
    let mut area = vec![0.0; n];
    let mut degree = vec![0_u32; n];
    let patches: Vec<Option<Patch>> = mesh
        .triangles
        .iter()
        .map(|t| Patch::new(corners(&vertices, *t)))
        .collect();
    for (triangle, patch) in mesh.triangles.iter().zip(&patches) {
        for v in triangle {
            degree[*v as usize] += 1;
        }
        if let Some(p) = patch {
            let outer = p.normal * p.normal.transpose();
            for (v, angle) in triangle.iter().zip(p.angles) {
                covariance[*v as usize] += outer * angle;
                area[*v as usize] += p.double_area / 6.0;
            }
        }
    }
    let least: Vec<(f64, Vec3)> = covariance
        .iter()
        .zip(&degree)
        .map(|(a, degree)| {
            if *degree == 3 {
                return (0.0, Vec3::zeros());
            }
            let eigen = a.symmetric_eigen();
            let at = eigen.eigenvalues.imin();
            let direction = eigen.eigenvectors.column(at).into_owned();
            (eigen.eigenvalues[at].max(0.0), direction)
        })
        .collect();
    let energy = least.iter().zip(&area).map(|((l, _), a)| l * a).sum();
    let mut gradient = vec![Vec3::zeros(); n];
    for (triangle, patch) in mesh.triangles.iter().zip(&patches) {
        let Some(patch) = patch else { continue };
        // d(a λ) = λ da + a (dθ (n·x)² + 2 θ (n·x) x·dn) for each corner.
        let (mut by_area, mut by_normal, mut by_angle) = (0.0, Vec3::zeros(), [0.0; 3]);
        for m in 0..3 {
            let v = triangle[m] as usize;
            let (value, direction) = least[v];
            let along = patch.normal.dot(&direction);
            by_area += value / 3.0;
            by_angle[m] = area[v] * along * along;
            by_normal += direction * (2.0 * area[v] * patch.angles[m] * along);
        }
        let moved = patch.pull_back(by_area, &by_normal, by_angle);
        for (v, g) in triangle.iter().zip(moved) {
            gradient[*v as usize] += g;
        }
    }
    let narrow = gradient.into_iter().map(|g| g.map(T::of)).collect();
    Ok((energy, narrow))
}

/// A triangle with an area.
struct Patch {
    corners: [Vec3; 3],
    normal: Vec3,
    double_area: f64,
    angles: [f64; 3],
}

impl Patch {
    fn new(corners: [Vec3; 3]) -> Option<Self> {
        let product = cross(&corners);
        let double_area = product.norm();
        if double_area == 0.0 || !double_area.is_finite() {
            return None;
        }
        let angles = std::array::from_fn(|m| {
            let side = |to: usize| corners[(m + to) % 3] - corners[m];
            double_area.atan2(side(1).dot(&side(2)))
        });
        Some(Self {
            corners,
            normal: product / double_area,
            double_area,
            angles,
        })
    }

    /// What derivatives by area, normal and angles are by the corners.
    fn pull_back(&self, by_area: f64, by_normal: &Vec3, by_angle: [f64; 3]) -> [Vec3; 3] {
        let mut moved = [Vec3::zeros(); 3];
        // The area grows along n × the opposite side; the normal turns by −n (∇h·dv)/h, h being the height over that side.
        let within = by_normal - self.normal * self.normal.dot(by_normal);
        for m in 0..3 {
            let [next, after] = [(m + 1) % 3, (m + 2) % 3];
            let opposite = self.corners[after] - self.corners[next];
            let rise = self.normal.cross(&opposite);
            moved[m] += rise * (by_area / 2.0);
            moved[m] -= self.normal * (rise.dot(&within) / self.double_area);
            // An angle moves with the ends of its sides, across them; its apex moves against both.
            for (to, sign) in [(next, 1.0), (after, -1.0)] {
                let side = self.corners[to] - self.corners[m];
                let turn = side.cross(&self.normal) * (sign * by_angle[m] / side.norm_squared());
                moved[to] += turn;
                moved[m] -= turn;
            }
        }
        moved
    }
}
