//! Fewer triangles: edges collapse in the order of the error that this makes.

mod quadric;
mod queue;

use ansatz_core::Scalar;

use self::quadric::Quadric;
use self::queue::{Entry, Queue};
use super::weld::compact;
use crate::edges::{Edges, degenerate, ends};
use crate::geometry::{Vec3, bounds, checked, corners, cross, narrow, unit_or_zero};
use crate::measure::broken_vertices;
use crate::{Mesh, MeshError};

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Target {
    /// At this many triangles or the first number below it.
    Triangles(usize),
    /// When every edge left would move the surface by more than this distance, taken as the root of
    /// the mean squared distance to the planes of the original triangles, weighted by area.
    Error(f64),
}

/// Reduces the number of triangles by edge collapses (M. Garland, P. Heckbert, *Surface simplification
/// using quadric error metrics*, 1997).
///
/// Each vertex has the quadric Q(x) = Σ area·(n·(x − p))² over the planes of its triangles; an edge
/// costs the least value of Qₐ + Q_b, and its new vertex goes there (to an end or the middle when the
/// minimiser is not determined). Border edges add planes upright on their triangle. A collapse is left
/// out when it would
/// - change the topology (the link condition: T. Dey, H. Edelsbrunner, S. Guha, D. Nekhayev, *Topology
///   preserving edge contraction*, 1999), so that χ, the number of parts and closedness stay,
/// - turn a triangle (cosine of the angle between old and new normal below `least_cosine`), or
/// - make a needle (4√3·area/Σ edge² below `least_quality`, and worse than before).
///
/// Vertices of non-manifold edges, or with several fans of triangles, stay where they are. Normals are
/// dropped. Costs within a hundredth of one another count as equal, and of equals the edge goes
/// that has waited longest.
///
/// Cost: about 1.2 µs per triangle that goes.
///
/// ```
/// use ansatz_mesh::{Mesh, clean::{Decimate, Target}, nalgebra::Point3};
/// let points = (0..9).map(|i| Point3::new(f64::from(i % 3), f64::from(i / 3), 0.0)).collect();
/// let cell = |i: u32| [[i, i + 1, i + 4], [i, i + 4, i + 3]];
/// let mut sheet = Mesh::new(points, [0, 1, 3, 4].map(cell).concat())?;
/// Decimate { target: Target::Triangles(2), ..Decimate::default() }.apply(&mut sheet)?;
/// assert_eq!((sheet.triangles.len(), sheet.vertices.len()), (2, 4));
/// # Ok::<(), ansatz_mesh::MeshError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decimate {
    /// When to stop; a tenth of nothing is nothing, so it has to be given: 0 triangles by default.
    pub target: Target,
    /// Weight of the planes that hold the border, per squared length of an edge.
    pub border: f64,
    /// The least cosine between a triangle's normals before and after.
    pub least_cosine: f64,
    /// The least quality of a triangle, 1 for an equilateral one.
    pub least_quality: f64,
}

impl Default for Decimate {
    fn default() -> Self {
        Self {
            target: Target::Triangles(0),
            border: 1e3,
            least_cosine: 0.2,
            least_quality: 1e-3,
        }
    }
}

/// What a decimation did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Decimated {
    /// Edges that collapsed.
    pub collapses: usize,
    /// The largest error of a collapse: the root of a mean squared distance, as in [`Target::Error`].
    pub error: f64,
}

impl Decimate {
    /// Decimates a mesh. When no collapse is allowed any more it stops before its target.
    ///
    /// # Errors
    /// [`MeshError::Option`] for an option that is not finite or negative, [`MeshError::Index`] and
    /// [`MeshError::Vertex`] for a mesh that is unsound.
    pub fn apply<T: Scalar>(&self, mesh: &mut Mesh<T>) -> Result<Decimated, MeshError> {
        let error = match self.target {
            Target::Error(e) => e,
            Target::Triangles(_) => 0.0,
        };
        for (what, value) in [
            ("target error", error),
            ("border weight", self.border),
            ("least cosine", self.least_cosine),
            ("least quality", self.least_quality),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                let range = "0 or a positive number";
                return Err(MeshError::Option { what, value, range });
            }
        }
        let mut points = checked(mesh)?;
        // In a unit cube around the origin quadrics round least.
        let [low, high] = bounds(&points);
        let (centre, size) = ((low + high) / 2.0, (high - low).max());
        if size <= 0.0 {
            return Ok(Decimated::default());
        }
        for p in &mut points {
            *p = (*p - centre) / size;
        }
        let mut work = Work::new(&mesh.triangles, points, self);
        let mut done = work.run(self, size);
        done.error *= size;
        mesh.normals = None;
        mesh.triangles = work
            .triangles
            .into_iter()
            .filter(|t| t[0] != GONE)
            .collect();
        for ((v, p), moved) in mesh.vertices.iter_mut().zip(&work.points).zip(&work.moved) {
            if *moved {
                *v = narrow(p * size + centre);
            }
        }
        compact(mesh);
        Ok(done)
    }
}

/// First corner of a triangle that is gone.
const GONE: u32 = u32::MAX;

struct Work {
    points: Vec<Vec3>,
    moved: Vec<bool>,
    triangles: Vec<[u32; 3]>,
    quadrics: Vec<Quadric>,
    /// Triangles around each vertex, some of them gone: a span of `lists`.
    spans: Vec<[u32; 2]>,
    lists: Vec<u32>,
    border: Vec<bool>,
    locked: Vec<bool>,
    version: Vec<u32>,
    queue: Queue,
    /// Marks of vertices; what is below `mark` is old.
    marks: Vec<u32>,
    mark: u32,
    alive: usize,
}

impl Work {
    fn new(triangles: &[[u32; 3]], points: Vec<Vec3>, options: &Decimate) -> Self {
        let vertices = points.len();
        let edges = Edges::new(triangles, vertices);
        let mut quadrics = vec![Quadric::default(); vertices];
        let mut border = vec![false; vertices];
        let mut spans = vec![[0_u32; 2]; vertices];
        let kept: Vec<[u32; 3]> = triangles
            .iter()
            .map(|t| if degenerate(*t) { [GONE; 3] } else { *t })
            .collect();
        let whole = |t: &&[u32; 3]| t[0] != GONE;
        for t in kept.iter().filter(whole) {
            let c = corners(&points, *t);
            let normal = cross(&c);
            let area = normal.norm() / 2.0;
            let mut quadric = Quadric::plane(&unit_or_zero(normal), &c[0], area);
            quadric.area = area;
            for v in t {
                quadrics[*v as usize] += quadric;
                spans[*v as usize][1] += 1;
            }
        }
        for halves in edges.iter() {
            let &[half] = halves else { continue };
            let [a, b] = ends(triangles, half).map(|v| v as usize);
            let along = points[b] - points[a];
            let face = cross(&corners(&points, triangles[(half / 3) as usize]));
            let upright = unit_or_zero(along.cross(&face));
            let weight = options.border * along.norm_squared();
            let quadric = Quadric::plane(&upright, &points[a], weight);
            for v in [a, b] {
                quadrics[v] += quadric;
                border[v] = true;
            }
        }
        let mut at = 0;
        for span in &mut spans {
            let count = std::mem::replace(&mut span[1], at);
            span[0] = at;
            at += count;
        }
        let mut lists = vec![0; at as usize];
        for (f, t) in kept.iter().enumerate() {
            for v in t.iter().filter(|_| t[0] != GONE) {
                let end = &mut spans[*v as usize][1];
                lists[*end as usize] = f as u32;
                *end += 1;
            }
        }
        let locked = broken_vertices(triangles, &edges, vertices);
        let alive = kept.iter().filter(whole).count();
        let mut work = Self {
            moved: vec![false; vertices],
            points,
            triangles: kept,
            quadrics,
            spans,
            lists,
            border,
            locked,
            version: vec![0; vertices],
            queue: Queue::with_capacity(edges.len()),
            marks: vec![0; vertices],
            mark: 0,
            alive,
        };
        for halves in edges.iter() {
            work.offer(ends(triangles, halves[0]));
        }
        work
    }

    /// Puts an edge into the queue.
    #[inline]
    fn offer(&mut self, [a, b]: [u32; 2]) {
        if self.locked[a as usize] || self.locked[b as usize] {
            return;
        }
        let ends = [a.min(b), a.max(b)];
        let (_, cost, _) = self.place(ends);
        let version = self.version[a as usize] + self.version[b as usize];
        self.queue.push(cost, Entry { ends, version });
    }

    /// Where an edge goes, what that costs, and the area that the cost sums over.
    #[inline]
    fn place(&self, [a, b]: [u32; 2]) -> (Vec3, f64, f64) {
        let mut quadric = self.quadrics[a as usize];
        quadric += self.quadrics[b as usize];
        let (p, cost) = quadric.best(&self.points[a as usize], &self.points[b as usize]);
        (p, cost, quadric.area)
    }

    fn run(&mut self, options: &Decimate, size: f64) -> Decimated {
        let mut done = Decimated::default();
        let (least, most) = match options.target {
            Target::Triangles(n) => (n, f64::INFINITY),
            Target::Error(e) => (0, e / size),
        };
        let mut before = 0;
        while self.alive > least {
            let Some(entry) = self.queue.pop() else {
                // Edges that were refused may be free now.
                if done.collapses == before {
                    break;
                }
                before = done.collapses;
                let mut pairs: Vec<[u32; 2]> = self
                    .triangles
                    .iter()
                    .filter(|t| t[0] != GONE)
                    .flat_map(|t| (0..3).map(|k| [t[k], t[(k + 1) % 3]]))
                    .map(|[a, b]| [a.min(b), a.max(b)])
                    .collect();
                pairs.sort_unstable();
                pairs.dedup();
                for pair in pairs {
                    self.offer(pair);
                }
                continue;
            };
            let [a, b] = entry.ends;
            if entry.version != self.version[a as usize] + self.version[b as usize] {
                continue;
            }
            let (p, cost, area) = self.place(entry.ends);
            let error = if area > 0.0 {
                (cost / area).sqrt()
            } else {
                0.0
            };
            if error > most || !self.allowed(a, b, &p, options) {
                continue;
            }
            self.collapse(a, b, p);
            done.collapses += 1;
            done.error = done.error.max(error);
        }
        done
    }

    fn around(&self, v: u32) -> impl Iterator<Item = (u32, [u32; 3])> {
        let [start, end] = self.spans[v as usize];
        self.lists[start as usize..end as usize]
            .iter()
            .map(|f| (*f, self.triangles[*f as usize]))
            .filter(|(_, t)| t[0] != GONE)
    }

    /// Whether b may go into a at `p`.
    fn allowed(&mut self, a: u32, b: u32, p: &Vec3, options: &Decimate) -> bool {
        // Marks: 1 for a neighbour of a, 2 once it is known as one of b too.
        if self.mark > u32::MAX - 4 {
            self.marks.fill(0);
            self.mark = 0;
        }
        self.mark += 2;
        let mark = self.mark;
        let mut marks = std::mem::take(&mut self.marks);
        let (mut shared, mut faces_a) = (0, 0);
        for (_, t) in self.around(a) {
            faces_a += 1;
            shared += usize::from(t.contains(&b));
            for v in t {
                marks[v as usize] = mark;
            }
        }
        let (mut common, mut faces_b) = (0, 0);
        for (_, t) in self.around(b) {
            faces_b += 1;
            for v in t {
                if marks[v as usize] == mark && v != a && v != b {
                    marks[v as usize] = mark + 1;
                    common += 1;
                }
            }
        }
        self.marks = marks;
        let both_border = self.border[a as usize] && self.border[b as usize];
        // Lk(a) ∩ Lk(b) = Lk(ab), with a vertex at infinity that closes the border; the last parts
        // keep tetrahedra and single triangles.
        let linked = match shared {
            1 => common == 1 && faces_a + faces_b > 2,
            2 => common == 2 && !both_border && faces_a + faces_b > 6,
            _ => false,
        };
        linked && self.fair(a, b, p, options) && self.fair(b, a, p, options)
    }

    /// Whether the triangles around `v` that do not have `other` keep their direction and shape.
    fn fair(&self, v: u32, other: u32, p: &Vec3, options: &Decimate) -> bool {
        self.around(v)
            .filter(|(_, t)| !t.contains(&other))
            .all(|(_, t)| {
                let old = corners(&self.points, t);
                let mut new = old;
                let at = t.iter().position(|x| *x == v).unwrap_or(0);
                new[at] = *p;
                let (n, m) = (cross(&old), cross(&new));
                let (nn, mm) = (n.norm_squared(), m.norm_squared());
                let dot = n.dot(&m);
                let cosine = options.least_cosine;
                if nn > 0.0 && (dot < 0.0 || dot * dot < cosine * cosine * nn * mm) {
                    return false;
                }
                // Squared quality, 12·|m|²/(Σ edge²)².
                let edges = |c: &[Vec3; 3]| {
                    let sum = (c[1] - c[0]).norm_squared()
                        + (c[2] - c[1]).norm_squared()
                        + (c[0] - c[2]).norm_squared();
                    sum * sum
                };
                let (before, after) = (edges(&old), edges(&new));
                let least = options.least_quality * options.least_quality / 12.0;
                mm >= least * after || mm * before >= nn * after
            })
    }

    fn collapse(&mut self, a: u32, b: u32, p: Vec3) {
        let start = self.lists.len() as u32;
        for v in [a, b] {
            let [first, end] = self.spans[v as usize];
            for i in first..end {
                let f = self.lists[i as usize];
                let t = &mut self.triangles[f as usize];
                if t[0] == GONE {
                    continue;
                }
                if t.contains(&a) && t.contains(&b) {
                    *t = [GONE; 3];
                    self.alive -= 1;
                    continue;
                }
                *t = t.map(|x| if x == b { a } else { x });
                self.lists.push(f);
            }
        }
        self.spans[a as usize] = [start, self.lists.len() as u32];
        let gone = self.quadrics[b as usize];
        self.quadrics[a as usize] += gone;
        self.points[a as usize] = p;
        self.moved[a as usize] = true;
        self.border[a as usize] |= self.border[b as usize];
        self.version[a as usize] += 1;
        // No entry of b counts any more.
        self.version[b as usize] = u32::MAX / 2;
        self.mark += 2;
        self.marks[a as usize] = self.mark;
        for i in start..self.lists.len() as u32 {
            for n in self.triangles[self.lists[i as usize] as usize] {
                if self.marks[n as usize] != self.mark {
                    self.marks[n as usize] = self.mark;
                    self.offer([a, n]);
                }
            }
        }
    }
}
