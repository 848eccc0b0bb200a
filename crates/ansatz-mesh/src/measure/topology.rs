//! How the triangles of a mesh hang together.

use std::fmt;

use ansatz_core::Scalar;

use crate::edges::{Edges, Sets, degenerate, ends, next};
use crate::geometry::check_indices;
use crate::{Mesh, MeshError};

/// How the triangles of a mesh hang together: counts, defects, and each connected part.
///
/// An *edge* is an unordered pair of vertices that a triangle joins. It lies on the *boundary* when
/// one triangle has it and is *non-manifold* when more than two have it. A vertex is *non-manifold*
/// when the edges opposite to it (its link) do not form one path or one cycle: two cones that touch,
/// or an end of a non-manifold edge. Triangles that name a vertex twice have no edges; they count in
/// [`Topology::degenerate`] alone.
///
/// ```
/// use ansatz_mesh::{Mesh, measure::Topology, nalgebra::Point3};
/// let points = vec![Point3::new(0.0, 0.0, 0.0), Point3::new(1.0, 0.0, 0.0),
///                   Point3::new(0.0, 1.0, 0.0), Point3::new(0.0, 0.0, 1.0)];
/// let mesh = Mesh::new(points, vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])?;
/// let topology = Topology::of(&mesh)?;
/// assert!(topology.is_watertight());
/// assert_eq!(topology.euler(), 2);
/// assert_eq!(topology.components[0].genus, Some(0));
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Vertices that a triangle names (V).
    pub vertices: usize,
    /// Vertices that no triangle names.
    pub unused: usize,
    /// Edges (E).
    pub edges: usize,
    /// Triangles with three different vertices (F).
    pub faces: usize,
    /// Triangles that name a vertex twice.
    pub degenerate: usize,
    /// Edges with one triangle.
    pub boundary_edges: usize,
    /// Closed curves that the boundary edges form. Where the boundary touches itself in a vertex,
    /// triangles that share edges belong together.
    pub boundary_loops: usize,
    /// Edges with more than two triangles.
    pub non_manifold_edges: usize,
    /// Vertices whose link is not one path or one cycle.
    pub non_manifold_vertices: usize,
    /// Edges that two triangles run through in the same direction.
    pub inconsistent_edges: usize,
    /// Parts that share no vertex, in the order of their lowest vertex.
    pub components: Vec<Component>,
}

/// A part of a mesh that is connected through shared vertices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// Vertices.
    pub vertices: usize,
    /// Edges.
    pub edges: usize,
    /// Triangles.
    pub faces: usize,
    /// Whether each edge has exactly two triangles, which run through it in opposite directions, and
    /// each vertex is manifold.
    pub closed: bool,
    /// Number of handles, (2 − χ)/2, of a closed part.
    pub genus: Option<usize>,
}

impl Component {
    /// χ = V − E + F of the part.
    pub fn euler(&self) -> i64 {
        euler(self.vertices, self.edges, self.faces)
    }
}

#[expect(clippy::cast_possible_wrap, reason = "counts fit into 33 bits")]
fn euler(vertices: usize, edges: usize, faces: usize) -> i64 {
    vertices as i64 - edges as i64 + faces as i64
}

impl Topology {
    /// The report of a mesh. Cost: linear in the number of triangles, about 40 bytes each.
    ///
    /// # Errors
    /// [`MeshError::Index`] when a triangle names a vertex that does not exist, and
    /// [`MeshError::TooLarge`] with more than 1.4·10⁹ triangles.
    pub fn of<T: Scalar>(mesh: &Mesh<T>) -> Result<Self, MeshError> {
        Self::of_triangles(&mesh.triangles, mesh.vertices.len())
    }

    /// The report of a list of triangles over `vertices` vertices.
    ///
    /// # Errors
    /// As [`Topology::of`].
    pub fn of_triangles(triangles: &[[u32; 3]], vertices: usize) -> Result<Self, MeshError> {
        check_indices(triangles, vertices)?;
        let edges = Edges::new(triangles, vertices);
        let mut parts = Sets::new(vertices);
        let mut open = vec![false; vertices];
        let mut boundary = Vec::new();
        let (mut non_manifold_edges, mut inconsistent_edges) = (0, 0);
        for halves in edges.iter() {
            let [a, b] = ends(triangles, halves[0]);
            parts.join(a, b);
            match *halves {
                [half] => boundary.push(half),
                [_, half] if ends(triangles, half)[0] == a => inconsistent_edges += 1,
                [_, _] => continue,
                _ => non_manifold_edges += 1,
            }
            open[a as usize] = true;
        }
        let (mut fans, seen, broken) = fans(triangles, &edges, vertices);
        let faces = triangles.iter().filter(|t| !degenerate(**t)).count();
        let used = seen.iter().filter(|s| **s).count();
        let components = components(triangles, &edges, &mut parts, &seen, |v| {
            open[v] || broken[v]
        });
        Ok(Self {
            vertices: used,
            unused: vertices - used,
            edges: edges.len(),
            faces,
            degenerate: triangles.len() - faces,
            boundary_edges: boundary.len(),
            boundary_loops: loops(&boundary, &mut fans),
            non_manifold_edges,
            non_manifold_vertices: broken.iter().filter(|b| **b).count(),
            inconsistent_edges,
            components,
        })
    }

    /// The Euler characteristic χ = V − E + F; vertices that no triangle names do not count.
    pub fn euler(&self) -> i64 {
        euler(self.vertices, self.edges, self.faces)
    }

    /// Whether no edge has more than two triangles and every vertex has one fan of them.
    pub fn is_manifold(&self) -> bool {
        self.non_manifold_edges == 0 && self.non_manifold_vertices == 0
    }

    /// Whether no two triangles run through an edge in the same direction.
    pub fn is_oriented(&self) -> bool {
        self.inconsistent_edges == 0 && self.non_manifold_edges == 0
    }

    /// Whether each edge has exactly two triangles, which run through it in opposite directions. An
    /// empty mesh is watertight. Vertices may be non-manifold; ask [`Topology::is_manifold`] as well.
    pub fn is_watertight(&self) -> bool {
        self.boundary_edges == 0 && self.is_oriented()
    }
}

/// The corners around each vertex that share edges (its fans, as sets of corners 3·f + k), which
/// vertices have any, and which do not have one path or cycle of triangles around them.
fn fans(triangles: &[[u32; 3]], edges: &Edges, vertices: usize) -> (Sets, Vec<bool>, Vec<bool>) {
    let mut fans = Sets::new(3 * triangles.len());
    let mut broken = vec![false; vertices];
    for halves in edges.iter() {
        let first = halves[0];
        let [a, b] = ends(triangles, first);
        for &half in &halves[1..] {
            let (at_a, at_b) = if ends(triangles, half)[0] == a {
                (half, next(half))
            } else {
                (next(half), half)
            };
            fans.join(first, at_a);
            fans.join(next(first), at_b);
        }
        if halves.len() > 2 {
            broken[a as usize] = true;
            broken[b as usize] = true;
        }
    }
    // The root of a fan is its lowest corner; a second root at a vertex is a second fan.
    let mut seen = vec![false; vertices];
    for (f, triangle) in triangles.iter().enumerate() {
        for (k, v) in triangle.iter().enumerate() {
            let corner = (3 * f + k) as u32;
            if !degenerate(*triangle) && fans.find(corner) == corner {
                broken[*v as usize] |= seen[*v as usize];
                seen[*v as usize] = true;
            }
        }
    }
    (fans, seen, broken)
}

/// Which vertices are non-manifold.
pub(crate) fn broken_vertices(triangles: &[[u32; 3]], edges: &Edges, vertices: usize) -> Vec<bool> {
    fans(triangles, edges, vertices).2
}

/// Each fan that is open has two boundary edges, which follow one another on a loop.
fn loops(boundary: &[u32], fans: &mut Sets) -> usize {
    let mut fan_of: Vec<(u32, u32)> = Vec::with_capacity(2 * boundary.len());
    for (i, &half) in boundary.iter().enumerate() {
        fan_of.push((fans.find(half), i as u32));
        fan_of.push((fans.find(next(half)), i as u32));
    }
    fan_of.sort_unstable();
    let mut sets = Sets::new(boundary.len());
    for pair in fan_of.windows(2) {
        if pair[0].0 == pair[1].0 {
            sets.join(pair[0].1, pair[1].1);
        }
    }
    (0..boundary.len() as u32)
        .filter(|&i| sets.find(i) == i)
        .count()
}

fn components(
    triangles: &[[u32; 3]],
    edges: &Edges,
    parts: &mut Sets,
    used: &[bool],
    spoils: impl Fn(usize) -> bool,
) -> Vec<Component> {
    let mut number = vec![u32::MAX; used.len()];
    let mut found: Vec<Component> = Vec::new();
    for v in 0..used.len() {
        if !used[v] {
            continue;
        }
        // The root is the lowest vertex of its part, so that it is met first.
        let root = parts.find(v as u32) as usize;
        if root == v {
            number[v] = found.len() as u32;
            found.push(Component {
                vertices: 0,
                edges: 0,
                faces: 0,
                closed: true,
                genus: None,
            });
        }
        number[v] = number[root];
        let part = &mut found[number[v] as usize];
        part.vertices += 1;
        part.closed &= !spoils(v);
    }
    for halves in edges.iter() {
        let [a, _] = ends(triangles, halves[0]);
        found[number[a as usize] as usize].edges += 1;
    }
    for triangle in triangles.iter().filter(|t| !degenerate(**t)) {
        found[number[triangle[0] as usize] as usize].faces += 1;
    }
    for part in &mut found {
        // χ of a closed, oriented surface is even and at most 2.
        part.genus = part.closed.then(|| ((2 - part.euler()) / 2) as usize);
    }
    found
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "V {} E {} F {} χ {}, {} parts, boundary {} edges in {} loops, non-manifold {} edges {} vertices, {} inconsistent edges",
            self.vertices,
            self.edges,
            self.faces,
            self.euler(),
            self.components.len(),
            self.boundary_edges,
            self.boundary_loops,
            self.non_manifold_edges,
            self.non_manifold_vertices,
            self.inconsistent_edges
        )
    }
}
