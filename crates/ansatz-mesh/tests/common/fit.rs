//! A surface that is fitted by FlexiCubes and Adam.

#![allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]

use ansatz_mesh::core::ScalarField;
use ansatz_mesh::flexicubes::{
    FlexiCubes, FlexiParameters, FlexiSplit, FlexiSurface, OctreeGrid, sign_regulariser,
};
use ansatz_mesh::nalgebra::{Point3, Vector3};
use ansatz_mesh::{Mesh, MeshError};

/// Adam (D. Kingma, J. Ba, 2015) with its usual constants.
#[derive(Debug, Clone, Default)]
pub struct Adam {
    m: Vec<f64>,
    v: Vec<f64>,
    step: i32,
}

impl Adam {
    /// Moves `x` against its gradient.
    pub fn update(&mut self, x: &mut [f64], gradient: &[f64], rate: f64) {
        self.m.resize(x.len(), 0.0);
        self.v.resize(x.len(), 0.0);
        self.step += 1;
        let (c1, c2) = (
            1.0 - 0.9_f64.powi(self.step),
            1.0 - 0.999_f64.powi(self.step),
        );
        for (((x, g), m), v) in x.iter_mut().zip(gradient).zip(&mut self.m).zip(&mut self.v) {
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.999 * *v + 0.001 * g * g;
            *x -= rate * (*m / c1) / ((*v / c2).sqrt() + 1e-8);
        }
    }
}

/// What may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freedom {
    /// Values alone: the vertices stay at the means of linear crossings.
    Values,
    /// Values, weights, and positions of the grid.
    All,
}

/// Parameters of a surface on cells over [−1, 1]³.
#[derive(Debug, Clone)]
pub struct Fit {
    grid: OctreeGrid,
    values: Vec<f64>,
    moved: Vec<Vector3<f64>>,
    alpha: Vec<f64>,
    beta: Vec<f64>,
    gamma: Vec<f64>,
    pub freedom: Freedom,
    adam: [Adam; 5],
}

impl Fit {
    /// Begins with a field on a lattice.
    pub fn new(
        cells: usize,
        start: &impl ScalarField<f64>,
        freedom: Freedom,
    ) -> Result<Self, MeshError> {
        let grid = OctreeGrid::new([cells; 3], [-1.0; 3], [1.0; 3])?;
        Ok(Self::on(grid, start, freedom))
    }

    /// Begins with a field on any cells.
    pub fn on(grid: OctreeGrid, start: &impl ScalarField<f64>, freedom: Freedom) -> Self {
        let points: Vec<[f64; 3]> = grid.points::<f64>().iter().map(|p| (*p).into()).collect();
        let mut values = vec![0.0; points.len()];
        start.eval(&points, &mut values);
        let [alpha, beta, gamma] = grid.weights().map(|n| vec![0.0; n]);
        Self {
            grid,
            values,
            moved: vec![Vector3::zeros(); points.len()],
            alpha,
            beta,
            gamma,
            freedom,
            adam: Default::default(),
        }
    }

    pub fn surface(&self, split: FlexiSplit) -> Result<FlexiSurface<f64>, MeshError> {
        let points = self.grid.deform(&self.moved)?;
        let parameters = FlexiParameters {
            points: &points,
            values: &self.values,
            alpha: Some(&self.alpha),
            beta: Some(&self.beta),
            gamma: Some(&self.gamma),
        };
        FlexiCubes { split }.extract(&self.grid, &parameters)
    }

    /// One step of Adam on a loss of the mesh, which comes with its derivative for each vertex, and on the two
    /// regularisers with their weights. Returns the loss without them.
    pub fn step(
        &mut self,
        rate: f64,
        [smooth, sign]: [f64; 2],
        loss: impl FnOnce(&Mesh<f64>) -> (f64, Vec<Vector3<f64>>),
    ) -> Result<f64, MeshError> {
        let surface = self.surface(FlexiSplit::Training)?;
        let (value, by_vertex) = loss(&surface.mesh);
        let entries = surface.deviation.len();
        let g = surface.vjp(&by_vertex, &vec![smooth / entries as f64; entries])?;
        let mut by_value = g.values;
        if sign > 0.0 {
            let (_, more) = sign_regulariser(&self.grid, &self.values)?;
            by_value
                .iter_mut()
                .zip(more)
                .for_each(|(g, m)| *g += sign * m);
        }
        self.adam[0].update(&mut self.values, &by_value, rate);
        if self.freedom == Freedom::All {
            let by_move = self.grid.deform_vjp(&self.moved, &g.points)?;
            let flat: Vec<f64> = by_move.iter().flatten().copied().collect();
            let mut moved: Vec<f64> = self.moved.iter().flatten().copied().collect();
            self.adam[1].update(&mut moved, &flat, rate);
            for (v, x) in self.moved.iter_mut().zip(moved.as_chunks::<3>().0) {
                *v = Vector3::from(*x);
            }
            self.adam[2].update(&mut self.alpha, &g.alpha, rate);
            self.adam[3].update(&mut self.beta, &g.beta, rate);
            self.adam[4].update(&mut self.gamma, &g.gamma, rate);
        }
        Ok(value)
    }
}

/// Points of a mesh that a loss looks at: its vertices, then the centres of its triangles.
pub fn points_of(mesh: &Mesh<f64>) -> Vec<Point3<f64>> {
    let centres = (0..mesh.triangles.len()).map(|t| {
        let [a, b, c] = mesh.corners(t).map(|p| p.coords);
        Point3::from((a + b + c) / 3.0)
    });
    mesh.vertices.iter().copied().chain(centres).collect()
}

/// Derivatives for the vertices from those for [`points_of`].
pub fn to_vertices(mesh: &Mesh<f64>, by_point: &[Vector3<f64>]) -> Vec<Vector3<f64>> {
    let (vertices, centres) = by_point.split_at(mesh.vertices.len());
    let mut g = vertices.to_vec();
    for (t, c) in mesh.triangles.iter().zip(centres) {
        for v in t {
            g[*v as usize] += c / 3.0;
        }
    }
    g
}

/// Directions of [`points_of`]: those of triangles, and their sums at vertices.
pub fn normals_of(mesh: &Mesh<f64>) -> Vec<Vector3<f64>> {
    let mut normals = vec![Vector3::zeros(); mesh.vertices.len()];
    let mut of_triangles = Vec::with_capacity(mesh.triangles.len());
    for (t, triangle) in mesh.triangles.iter().enumerate() {
        let [a, b, c] = mesh.corners(t);
        let normal = (b - a).cross(&(c - a));
        for v in triangle {
            normals[*v as usize] += normal;
        }
        of_triangles.push(normal);
    }
    normals.extend(of_triangles);
    normals
}

/// For each sample the nearest point.
pub fn nearest(samples: &[Point3<f64>], points: &[Point3<f64>]) -> Vec<usize> {
    nearest_of(samples, points, |_, _| true)
}

/// For each sample the nearest point among those that `fits` takes for it (0 without one), by a search along the axis in
/// which points are sorted.
pub fn nearest_of(
    samples: &[Point3<f64>],
    points: &[Point3<f64>],
    fits: impl Fn(usize, usize) -> bool,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| points[*a].x.total_cmp(&points[*b].x));
    samples
        .iter()
        .enumerate()
        .map(|(m, s)| {
            let middle = order.partition_point(|&p| points[p].x < s.x);
            let (mut best, mut least) = (0, f64::INFINITY);
            let mut visit = |p: usize| -> bool {
                let d = points[p] - s;
                if d.x * d.x > least {
                    return false;
                }
                let far = d.norm_squared();
                if far < least && fits(m, p) {
                    (best, least) = (p, far);
                }
                true
            };
            let (low, high) = order.split_at(middle);
            let (mut down, mut up) = (low.iter().rev(), high.iter());
            let (mut more_down, mut more_up) = (true, true);
            while more_down || more_up {
                more_down = more_down && down.next().is_some_and(|&p| visit(p));
                more_up = more_up && up.next().is_some_and(|&p| visit(p));
            }
            best
        })
        .collect()
}
