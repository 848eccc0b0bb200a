//! Smoothing by the mean of neighbours.

use ansatz_core::Scalar;

use crate::edges::{Edges, ends};
use crate::geometry::{Vec3, checked, narrow};
use crate::{Mesh, MeshError};

/// What one iteration is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Filter {
    /// v ← v + λ(mean of neighbours − v): the umbrella operator. It shrinks.
    Laplacian {
        /// λ, in (0, 1].
        lambda: f64,
    },
    /// A step with λ > 0, then one with μ < −λ, which together keep frequencies below
    /// 1/λ + 1/μ: noise goes, volume stays (G. Taubin, *A signal processing approach to fair surface
    /// design*, 1995, section 3).
    Taubin {
        /// λ.
        lambda: f64,
        /// μ.
        mu: f64,
    },
}

impl Default for Filter {
    /// Taubin's with λ = 0.5 and μ = −0.53: a pass band up to 0.113.
    fn default() -> Self {
        Self::Taubin {
            lambda: 0.5,
            mu: -0.53,
        }
    }
}

/// What happens to vertices of edges that do not have two triangles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Border {
    /// They stay.
    #[default]
    Fixed,
    /// They are smoothed along the border, by their neighbours on it.
    Along,
    /// They are treated as any others.
    Free,
}

/// Smooths the positions of a mesh; normals, which no longer hold, are dropped.
///
/// ```
/// use ansatz_mesh::{Mesh, clean::Smooth, nalgebra::Point3};
/// let points = vec![Point3::new(0.0, 0.0, 0.0), Point3::new(1.0, 0.0, 0.0),
///                   Point3::new(0.0, 1.0, 0.0), Point3::new(0.0, 0.0, 1.0)];
/// let mut mesh = Mesh::new(points, vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])?;
/// Smooth { iterations: 1, ..Smooth::default() }.apply(&mut mesh)?;
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smooth {
    /// What one iteration is.
    pub filter: Filter,
    /// How many; 10 by default.
    pub iterations: usize,
    /// What happens at the border.
    pub border: Border,
}

impl Default for Smooth {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            iterations: 10,
            border: Border::default(),
        }
    }
}

impl Smooth {
    /// Smooths a mesh. All vertices move at once. Cost: O(V) per iteration.
    ///
    /// # Errors
    /// [`MeshError::Option`] for a λ outside (0, 1] or a μ that is not below −λ, [`MeshError::Index`]
    /// and [`MeshError::Vertex`] for a mesh that is unsound.
    pub fn apply<T: Scalar>(&self, mesh: &mut Mesh<T>) -> Result<(), MeshError> {
        let refuse = |what, value, range| Err(MeshError::Option { what, value, range });
        let lambda = match self.filter {
            Filter::Laplacian { lambda } | Filter::Taubin { lambda, .. } => lambda,
        };
        if !(lambda > 0.0 && lambda <= 1.0) {
            return refuse("lambda", lambda, "above 0, at most 1");
        }
        let steps = match self.filter {
            Filter::Taubin { mu, .. } if !(mu < -lambda && mu.is_finite()) => {
                return refuse("mu", mu, "below −lambda");
            }
            Filter::Taubin { mu, .. } => vec![lambda, mu],
            Filter::Laplacian { .. } => vec![lambda],
        };
        let mut points = checked(mesh)?;
        let around = Neighbours::new(&mesh.triangles, points.len(), self.border);
        let mut old = points.clone();
        for _ in 0..self.iterations {
            for step in &steps {
                std::mem::swap(&mut old, &mut points);
                for (v, p) in points.iter_mut().enumerate() {
                    let near = around.of(v);
                    *p = old[v];
                    if !near.is_empty() {
                        let sum: Vec3 = near.iter().map(|n| old[*n as usize]).sum();
                        *p += (sum / near.len() as f64 - old[v]) * *step;
                    }
                }
            }
        }
        for (v, p) in mesh.vertices.iter_mut().zip(points) {
            *v = narrow(p);
        }
        mesh.normals = None;
        Ok(())
    }
}

/// The neighbours that move each vertex; none for one that stays.
struct Neighbours {
    start: Vec<u32>,
    members: Vec<u32>,
}

impl Neighbours {
    fn new(triangles: &[[u32; 3]], vertices: usize, border: Border) -> Self {
        let edges = Edges::new(triangles, vertices);
        let mut on_border = vec![false; vertices];
        for halves in edges.iter().filter(|h| h.len() != 2) {
            for v in ends(triangles, halves[0]) {
                on_border[v as usize] = true;
            }
        }
        let counts = |v: u32, halves: &[u32]| {
            !on_border[v as usize]
                || match border {
                    Border::Fixed => false,
                    Border::Along => halves.len() != 2,
                    Border::Free => true,
                }
        };
        let mut start = vec![0_u32; vertices + 1];
        let each = |visit: &mut dyn FnMut(u32, u32)| {
            for halves in edges.iter() {
                let [a, b] = ends(triangles, halves[0]);
                if counts(a, halves) {
                    visit(a, b);
                }
                if counts(b, halves) {
                    visit(b, a);
                }
            }
        };
        each(&mut |v, _| start[v as usize + 1] += 1);
        for v in 0..vertices {
            start[v + 1] += start[v];
        }
        let mut place = start.clone();
        let mut members = vec![0; start[vertices] as usize];
        each(&mut |v, n| {
            members[place[v as usize] as usize] = n;
            place[v as usize] += 1;
        });
        Self { start, members }
    }

    fn of(&self, v: usize) -> &[u32] {
        &self.members[self.start[v] as usize..self.start[v + 1] as usize]
    }
}
