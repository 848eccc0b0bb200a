//! DualMesh-UDF: surfaces of an unsigned distance, which may be open, non-orientable or not manifold.
//!
//! There are no signs: an octree keeps the cells that the distance says are near, and each leaf fits the tangent planes
//! that its 3³ samples see. The plane of a sample is where its projection x − d·g lies, with normal g; the rank of the
//! planes of a leaf tells a corner (3), an edge (2) or a smooth piece (1), and the vertex lies on it. A quad goes around
//! every edge of the grid whose four leaves have vertices; angles between quads and the fitted directions throw out most
//! of those that do not belong. Where the surface passes near a border of cells, both sides have vertices and quads come
//! in doubled layers, as in the authors' program; [`QuadFilter::Apart`] keeps only quads whose grid edge has distances
//! that grow away from one another at its ends, which gives one layer.
//!
//! The distance must not be overestimated by more than ε, or parts are lost: raise [`DualMeshUdf::slack`] for learnt
//! fields. Cost: about 23 evaluations for each leaf, O(area/h²) leaves.
//!
//! Source: C. Zhang, G. Lin, L. Yang, X. Li, T. Komura, S. Schaefer, J. Keyser, W. Wang, Surface extraction from neural
//! unsigned distance fields (2023). The filter by gradients is an idea of B. Guillard et al., MeshUDF (2022).

mod vertex;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use nalgebra::{Point3, Vector3};

use ansatz_core::{DifferentiableField, Scalar};

use crate::cube::OTHERS;
use crate::{Mesh, MeshError};
use vertex::split;

/// Which quads are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum QuadFilter {
    /// Those that fit the directions of their vertices, as published.
    #[default]
    Directions,
    /// Those around a grid edge at whose ends the gradients point apart.
    Apart,
}

/// How far beyond its leaf a vertex may be, in edges of the leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// Where three directions are fixed.
    pub corner: f64,
    /// Where two are.
    pub edge: f64,
    /// Where one is.
    pub plane: f64,
}

impl Default for Margins {
    fn default() -> Self {
        Self {
            corner: 1.0,
            edge: 1.0,
            plane: 0.15,
        }
    }
}

/// Extraction from an unsigned distance, and its options.
///
/// ```
/// use ansatz_mesh::core::{DifferentiableField, ScalarField};
/// use ansatz_mesh::{DualMeshUdf, QuadFilter, measure::Topology};
///
/// /// Distance from a sphere.
/// struct Shell;
/// impl ScalarField<f64> for Shell {
///     fn eval(&self, points: &[[f64; 3]], values: &mut [f64]) {
///         for (v, [x, y, z]) in values.iter_mut().zip(points) {
///             *v = ((x * x + y * y + z * z).sqrt() - 0.6).abs();
///         }
///     }
/// }
/// impl DifferentiableField<f64> for Shell {
///     fn eval_gradient(&self, points: &[[f64; 3]], values: &mut [f64], gradients: &mut [[f64; 3]]) {
///         self.eval(points, values);
///         for (g, p) in gradients.iter_mut().zip(points) {
///             let r = p.iter().map(|x| x * x).sum::<f64>().sqrt();
///             *g = p.map(|x| x * (r - 0.6).signum());
///         }
///     }
/// }
/// let method = DualMeshUdf { depth: 5, filter: QuadFilter::Apart, ..DualMeshUdf::default() };
/// let found = method.extract(&Shell)?;
/// assert_eq!(Topology::of(&found.mesh)?.euler(), 2);
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DualMeshUdf {
    /// Lowest corner of the cube.
    pub low: [f64; 3],
    /// Side of the cube.
    pub side: f64,
    /// Halvings of the cube: 2^depth leaves along a side. At most 10.
    pub depth: u32,
    /// ε: distances up to this fraction of half the side are on the surface. Gradients are not trusted there.
    pub epsilon: f64,
    /// Singular values up to this fraction of the largest count as zero.
    pub truncation: f64,
    /// Factor of the distance within which a cell is kept; above 1 for distances that may be too large.
    pub slack: f64,
    /// How far beyond its leaf a vertex may be.
    pub margins: Margins,
    /// Which quads are kept.
    pub filter: QuadFilter,
}

impl Default for DualMeshUdf {
    fn default() -> Self {
        Self {
            low: [-1.0; 3],
            side: 2.0,
            depth: 7,
            epsilon: 0.002,
            truncation: 0.08,
            slack: 1.0,
            margins: Margins::default(),
            filter: QuadFilter::Directions,
        }
    }
}

/// What the planes of a leaf fix at its vertex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UdfVertex {
    /// A smooth piece with its normal.
    Plane,
    /// A sharp edge, or the rim of an open surface, with its direction.
    Edge,
    /// A corner.
    Corner,
}

/// A surface of an unsigned distance. Triangles face either way.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UdfMesh<T: Scalar> {
    /// The mesh.
    pub mesh: Mesh<T>,
    /// The kind of each vertex, with the normal of the plane or the direction of the edge.
    pub kinds: Vec<(UdfVertex, Vector3<T>)>,
    /// Leaves of the octree.
    pub leaves: usize,
    /// Leaves with a vertex: corners, edges, planes.
    pub found: [usize; 3],
    /// Quads that were kept.
    pub quads: usize,
    /// Points at which the field was asked.
    pub queries: usize,
    /// Samples so near to the surface that their gradient is not trusted; they are not asked where they project to.
    pub untrusted: usize,
}

/// A vertex of a leaf.
#[derive(Debug, Clone, Copy)]
struct Vertex {
    at: Vector3<f64>,
    kind: UdfVertex,
    direction: Vector3<f64>,
}

/// A sample: where it projects to and its gradient, where both can be trusted.
#[derive(Debug, Clone, Copy)]
struct Sample {
    gradient: Vector3<f64>,
    projection: Vector3<f64>,
    valid: bool,
}

type Place = [u32; 3];

/// A distance and its unit gradient.
type Answer = (f64, Vector3<f64>);

impl DualMeshUdf {
    /// The surface where the distance is zero.
    ///
    /// # Errors
    /// [`MeshError::Option`] for a depth above 10, a side or an ε that is not positive; [`MeshError::Udf`] for a distance
    /// that is negative or not a number; [`MeshError::NotFinite`] for a gradient.
    pub fn extract<T: Scalar>(
        &self,
        field: &impl DifferentiableField<T>,
    ) -> Result<UdfMesh<T>, MeshError> {
        let options = [
            (
                "depth",
                f64::from(self.depth),
                self.depth <= 10,
                "at most 10",
            ),
            (
                "side",
                self.side,
                self.side > 0.0 && self.side.is_finite(),
                "positive and finite",
            ),
            ("epsilon", self.epsilon, self.epsilon > 0.0, "positive"),
            ("slack", self.slack, self.slack > 0.0, "positive"),
        ];
        for (what, value, good, range) in options {
            if !good {
                return Err(MeshError::Option { what, value, range });
            }
        }
        let mut out = UdfMesh::default();
        let mut known = HashMap::new();
        let leaves = self.leaves(field, &mut known, &mut out.queries)?;
        out.leaves = leaves.len();
        let samples = self.samples(field, &leaves, known, &mut out)?;
        let mut vertices: BTreeMap<Place, Vertex> = BTreeMap::new();
        for &leaf in &leaves {
            if let Some(vertex) = self.vertex(leaf, &samples) {
                out.found[2 - vertex.kind as usize] += 1;
                vertices.insert(leaf, vertex);
            }
        }
        self.connect(&vertices, &samples, &mut out);
        Ok(out)
    }

    fn edge(&self) -> f64 {
        self.side / f64::from(1_u32 << self.depth)
    }

    /// ε in units of the field.
    fn near(&self) -> f64 {
        self.epsilon * self.side / 2.0
    }

    /// A point of the grid of half leaves.
    fn point(&self, at: Place) -> Vector3<f64> {
        Vector3::from(self.low) + Vector3::from(at.map(f64::from)) * (self.edge() / 2.0)
    }

    /// Distances and unit gradients; a gradient of zero stays zero.
    fn ask<T: Scalar>(
        field: &impl DifferentiableField<T>,
        points: &[Vector3<f64>],
        queries: &mut usize,
    ) -> Result<Vec<Answer>, MeshError> {
        let points: Vec<[T; 3]> = points.iter().map(|p| p.map(T::of).into()).collect();
        let mut values = vec![T::zero(); points.len()];
        let mut gradients = vec![[T::zero(); 3]; points.len()];
        field.eval_gradient(&points, &mut values, &mut gradients);
        *queries += points.len();
        if let Some(bad) = values
            .iter()
            .position(|d| !(d.is_finite() && *d >= T::zero()))
        {
            let (value, at) = (values[bad].f64(), points[bad].map(Scalar::f64));
            return Err(MeshError::Udf { value, at });
        }
        if let Some(g) = gradients.iter().flatten().find(|g| !g.is_finite()) {
            return Err(MeshError::NotFinite {
                what: "gradient",
                value: g.f64(),
            });
        }
        let unit = |g: &[T; 3]| {
            let g = Vector3::from(g.map(Scalar::f64));
            g.try_normalize(0.0).unwrap_or(g)
        };
        Ok(values
            .iter()
            .zip(&gradients)
            .map(|(d, g)| (d.f64(), unit(g)))
            .collect())
    }

    /// The cells of the last level that the distance does not rule out.
    fn leaves<T: Scalar>(
        &self,
        field: &impl DifferentiableField<T>,
        known: &mut HashMap<Place, Answer>,
        queries: &mut usize,
    ) -> Result<Vec<Place>, MeshError> {
        let mut cells: Vec<Place> = vec![[0; 3]];
        for level in 0..=self.depth {
            let span = 1 << (self.depth - level);
            let centres: Vec<_> = cells
                .iter()
                .map(|c| self.point(c.map(|x| (2 * x + 1) * span)))
                .collect();
            let found = Self::ask(field, &centres, queries)?;
            let reach = 3.0_f64.sqrt() / 2.0 * self.edge() * f64::from(span) + self.near();
            let mut kept = Vec::new();
            for (&cell, answer) in cells.iter().zip(found) {
                if answer.0 < reach * self.slack {
                    kept.push(cell);
                    // Centres of cells are corners of leaves, and of leaves the middle sample.
                    known.insert(cell.map(|x| (2 * x + 1) * span), answer);
                }
            }
            if level == self.depth {
                return Ok(kept);
            }
            let child = |c: Place, o: u32| {
                [
                    2 * c[0] + (o & 1),
                    2 * c[1] + (o >> 1 & 1),
                    2 * c[2] + (o >> 2),
                ]
            };
            cells = kept
                .iter()
                .flat_map(|&c| (0..8).map(move |o| child(c, o)))
                .collect();
        }
        Ok(Vec::new())
    }

    /// The 3³ samples of the leaves, each asked once, and once more where it projects to.
    fn samples<T: Scalar>(
        &self,
        field: &impl DifferentiableField<T>,
        leaves: &[Place],
        mut known: HashMap<Place, Answer>,
        out: &mut UdfMesh<T>,
    ) -> Result<HashMap<Place, Sample>, MeshError> {
        let places: BTreeSet<Place> = leaves.iter().flat_map(|&leaf| around(leaf)).collect();
        let places: Vec<Place> = places.into_iter().collect();
        let new: Vec<Place> = places
            .iter()
            .filter(|p| !known.contains_key(*p))
            .copied()
            .collect();
        let at: Vec<_> = new.iter().map(|&p| self.point(p)).collect();
        known.extend(
            new.into_iter()
                .zip(Self::ask(field, &at, &mut out.queries)?),
        );
        let points: Vec<_> = places.iter().map(|&p| self.point(p)).collect();
        let found: Vec<Answer> = places.iter().map(|p| known[p]).collect();
        let trusted = |m: &usize| found[*m].0 > self.near() && found[*m].1.norm() > 0.5;
        let asked: Vec<usize> = (0..places.len()).filter(trusted).collect();
        let project = |m: usize| points[m] - found[m].1 * found[m].0;
        let projections: Vec<_> = asked.iter().map(|&m| project(m)).collect();
        out.untrusted = places.len() - asked.len();
        let again = Self::ask(field, &projections, &mut out.queries)?;
        let mut samples: HashMap<Place, Sample> = (0..places.len())
            .map(|m| {
                (
                    places[m],
                    Sample {
                        gradient: found[m].1,
                        projection: project(m),
                        valid: false,
                    },
                )
            })
            .collect();
        for (m, (distance, _)) in asked.iter().zip(again) {
            if let Some(sample) = samples.get_mut(&places[*m]) {
                sample.valid = distance < self.near();
            }
        }
        Ok(samples)
    }

    /// Quads around grid edges, tested and cut.
    fn connect<T: Scalar>(
        &self,
        vertices: &BTreeMap<Place, Vertex>,
        samples: &HashMap<Place, Sample>,
        out: &mut UdfMesh<T>,
    ) {
        let mut names: BTreeMap<Place, u32> = BTreeMap::new();
        let mut welded: HashMap<[i64; 3], u32> = HashMap::new();
        for &leaf in vertices.keys() {
            for axis in 0..3 {
                let [p, q] = OTHERS[axis];
                if leaf[p] == 0 || leaf[q] == 0 {
                    continue;
                }
                let cells = [(1, 1), (0, 1), (0, 0), (1, 0)].map(|(op, oq)| {
                    let mut at = leaf;
                    at[p] -= op;
                    at[q] -= oq;
                    at
                });
                let [Some(a), Some(b), Some(c), Some(d)] = cells.map(|at| vertices.get(&at)) else {
                    continue;
                };
                if self.filter == QuadFilter::Apart {
                    let low = leaf.map(|x| 2 * x);
                    let mut high = low;
                    high[axis] += 2;
                    if samples[&low].gradient.dot(&samples[&high].gradient) >= 0.0 {
                        continue;
                    }
                }
                let triangles = match (split([a, b, c, d]), self.filter) {
                    (Some(triangles), _) => triangles,
                    // The gradients have said enough.
                    (None, QuadFilter::Apart) => [[0, 1, 2], [0, 2, 3]],
                    (None, QuadFilter::Directions) => continue,
                };
                out.quads += 1;
                for t in triangles {
                    let triangle = t.map(|m| {
                        *names.entry(cells[m]).or_insert_with(|| {
                            let vertex = &vertices[&cells[m]];
                            let key = (vertex.at / (1e-7 * self.side / 2.0))
                                .map(|x| x.round() as i64)
                                .into();
                            *welded.entry(key).or_insert_with(|| {
                                out.mesh.vertices.push(Point3::from(vertex.at.map(T::of)));
                                out.kinds.push((vertex.kind, vertex.direction.map(T::of)));
                                out.mesh.vertices.len() as u32 - 1
                            })
                        })
                    });
                    // Vertices may coincide.
                    if (0..3).all(|m| triangle[m] != triangle[(m + 1) % 3]) {
                        out.mesh.triangles.push(triangle);
                    }
                }
            }
        }
    }
}

/// The 3³ samples of a leaf.
fn around(leaf: Place) -> impl Iterator<Item = Place> {
    (0..27).map(move |m| {
        [
            2 * leaf[0] + m / 9,
            2 * leaf[1] + m / 3 % 3,
            2 * leaf[2] + m % 3,
        ]
    })
}
