//! The surface, and its derivatives in both directions.

use nalgebra::{Point3, Vector3};

use ansatz_core::Scalar;

use super::sheets::{Cells, Polygon, Sheets, Side, Sizes};
use super::{FlexiParameters, FlexiSplit, WEIGHT};
use crate::{Mesh, MeshError};

/// One edge of a loop, as the cell of the loop sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crossing {
    /// The grid's vertices at its ends.
    pub(super) ends: [u32; 2],
    /// Places of the raw weights α of the ends and β of the edge.
    alpha: [u32; 2],
    beta: u32,
    /// Values, α, A = sα of the ends.
    s: [f64; 2],
    weight: [f64; 2],
    product: [f64; 2],
    /// Value of β.
    strength: f64,
    /// x of the second end less x of the first.
    along: Vector3<f64>,
    /// The crossing, weighted and not.
    pub(super) point: Vector3<f64>,
    pub(super) plain: Vector3<f64>,
}

/// A vertex of the dual surface: one loop of one cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dual {
    pub(super) cell: u32,
    /// Its crossings.
    pub(super) from: u32,
    pub(super) to: u32,
}

/// A surface that knows how it depends on its parameters.
#[derive(Debug, Clone)]
pub struct FlexiSurface<T: Scalar> {
    /// The mesh. Vertices of cells come first; with [`FlexiSplit::Training`] the centres of quads follow. Triangles of quads
    /// come before those around edges of three cells.
    pub mesh: Mesh<T>,
    /// Entries |dₑ − mean d| of the term L_dev, one for each crossing of each vertex, where dₑ is the distance of the vertex
    /// from the unweighted crossing on edge e; the term is their mean.
    pub deviation: Vec<T>,
    pub(super) duals: Vec<Dual>,
    pub(super) crossings: Vec<Crossing>,
    pub(super) quads: Vec<Polygon<4>>,
    pub(super) triangles: Vec<Polygon<3>>,
    pub(super) split: FlexiSplit,
    /// Vertices in f64, and γ of each.
    pub(super) points: Vec<Vector3<f64>>,
    gamma: Vec<f64>,
    pub(super) sizes: Sizes,
    has: [bool; 3],
}

/// A change of all parameters, or a derivative with respect to them. Weights that were not given have none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FlexiVariation<T: Scalar> {
    /// Of the positions.
    pub points: Vec<Vector3<T>>,
    /// Of the values.
    pub values: Vec<T>,
    /// Of the raw weights a.
    pub alpha: Vec<T>,
    /// Of the raw weights b.
    pub beta: Vec<T>,
    /// Of the raw weights g.
    pub gamma: Vec<T>,
}

/// The centre of a quad: its weights for the corners, the denominator, and the centre.
struct Centre {
    products: [f64; 2],
    total: f64,
    point: Vector3<f64>,
}

fn centre(points: &[Vector3<f64>], gamma: &[f64], corners: [u32; 4]) -> Centre {
    let [v0, v1, v2, v3] = corners.map(|v| points[v as usize]);
    let [g0, g1, g2, g3] = corners.map(|v| gamma[v as usize]);
    let products = [g0 * g2, g1 * g3];
    let total = products[0] + products[1] + 1e-8;
    let point = ((v0 + v2) * (products[0] / 2.0) + (v1 + v3) * (products[1] / 2.0)) / total;
    Centre {
        products,
        total,
        point,
    }
}

fn vector<T: Scalar>(p: &Point3<T>) -> Vector3<f64> {
    p.coords.map(Scalar::f64)
}

impl<T: Scalar> FlexiSurface<T> {
    pub(super) fn new(
        grid: &impl Cells,
        parameters: &FlexiParameters<'_, T>,
        split: FlexiSplit,
    ) -> Self {
        let sheets = grid.sheets(parameters.values);
        let (duals, crossings) = crossings(parameters, &sheets);
        let mut surface = Self {
            mesh: Mesh::default(),
            deviation: Vec::with_capacity(crossings.len()),
            quads: sheets.quads,
            triangles: sheets.triangles,
            split,
            points: Vec::with_capacity(duals.len()),
            gamma: Vec::with_capacity(duals.len()),
            sizes: grid.sizes(),
            has: [parameters.alpha, parameters.beta, parameters.gamma].map(|w| w.is_some()),
            duals,
            crossings,
        };
        for dual in &surface.duals {
            let own = &surface.crossings[dual.from as usize..dual.to as usize];
            let total: f64 = own.iter().map(|c| c.strength).sum();
            let sum: Vector3<f64> = own.iter().map(|c| c.point * c.strength).sum();
            let point = sum / total;
            let distances = own.iter().map(|c| (point - c.plain).norm());
            let mean = distances.clone().sum::<f64>() / own.len() as f64;
            surface
                .deviation
                .extend(distances.map(|d| T::of((d - mean).abs())));
            surface.points.push(point);
            let raw = parameters.gamma.map(|g| g[dual.cell as usize].f64());
            surface
                .gamma
                .push(raw.map_or(1.0, |g| WEIGHT * sigmoid(g) + (1.0 - WEIGHT) / 2.0));
        }
        surface.triangulate();
        surface
    }

    fn triangulate(&mut self) {
        let place = |p: &Vector3<f64>| Point3::from(p.map(T::of));
        self.mesh.vertices = self.points.iter().map(place).collect();
        for quad in &self.quads {
            let [a, b, c, d] = quad.corners;
            let Centre {
                products, point, ..
            } = centre(&self.points, &self.gamma, quad.corners);
            match self.split {
                FlexiSplit::Training => {
                    let middle = self.mesh.vertices.len() as u32;
                    self.mesh.vertices.push(place(&point));
                    let around = [
                        [a, b, middle],
                        [b, c, middle],
                        [c, d, middle],
                        [d, a, middle],
                    ];
                    self.mesh.triangles.extend_from_slice(&around);
                }
                FlexiSplit::Evaluation if products[0] > products[1] => {
                    self.mesh
                        .triangles
                        .extend_from_slice(&[[a, b, c], [a, c, d]]);
                }
                FlexiSplit::Evaluation => {
                    self.mesh
                        .triangles
                        .extend_from_slice(&[[a, b, d], [b, c, d]]);
                }
            }
        }
        let triangles = self.triangles.iter().map(|t| t.corners);
        self.mesh.triangles.extend(triangles);
    }

    /// How long the arrays of raw weights are that were given.
    fn weights(&self) -> [usize; 3] {
        let Sizes {
            alpha, beta, gamma, ..
        } = self.sizes;
        [(alpha, 0), (beta, 1), (gamma, 2)].map(|(n, m)| if self.has[m] { n } else { 0 })
    }

    /// Jᵀ of vertices and deviation entries: what the derivative of a loss with respect to both is with respect to
    /// the parameters. An empty slice stands for zeros.
    ///
    /// # Errors
    /// [`MeshError::Count`] for a slice of another length than the vertices, or the entries, are.
    pub fn vjp(
        &self,
        vertices: &[Vector3<T>],
        deviation: &[T],
    ) -> Result<FlexiVariation<T>, MeshError> {
        let duals = self.duals.len();
        let mut at_vertex = vec![Vector3::zeros(); duals];
        let mut at_gamma = vec![0.0; duals];
        if !vertices.is_empty() {
            check(
                "cotangent of vertices",
                vertices.len(),
                self.mesh.vertices.len(),
            )?;
            for (sum, c) in at_vertex.iter_mut().zip(vertices) {
                *sum = c.map(Scalar::f64);
            }
            for (quad, c) in self.quads.iter().zip(&vertices[duals..]) {
                let c = c.map(Scalar::f64);
                let Centre {
                    products,
                    total,
                    point,
                } = centre(&self.points, &self.gamma, quad.corners);
                let [g0, g1, g2, g3] = quad.corners.map(|v| self.gamma[v as usize]);
                let product = |m: usize| {
                    let ends =
                        [quad.corners[m], quad.corners[m + 2]].map(|v| self.points[v as usize]);
                    c.dot(&((ends[0] + ends[1]) / 2.0 - point)) / total
                };
                let by_gamma = [
                    product(0) * g2,
                    product(1) * g3,
                    product(0) * g0,
                    product(1) * g1,
                ];
                for m in 0..4 {
                    let v = quad.corners[m] as usize;
                    at_vertex[v] += c * (products[m % 2] / 2.0 / total);
                    at_gamma[v] += by_gamma[m];
                }
            }
        }
        if !deviation.is_empty() {
            check(
                "cotangent of deviation",
                deviation.len(),
                self.crossings.len(),
            )?;
        }
        let n = self.sizes.vertices;
        let [of_alpha, of_beta, of_gamma] = self.weights();
        let mut points = vec![Vector3::zeros(); n];
        let mut values = vec![0.0; n];
        let mut alpha = vec![0.0; of_alpha];
        let mut beta = vec![0.0; of_beta];
        let mut gamma = vec![0.0; of_gamma];
        // What the place t of a crossing on its edge, and the crossing itself, hand on to the ends.
        let mut to_ends = |c: &Crossing, cotangent: Vector3<f64>, product: [f64; 2]| -> [f64; 2] {
            let [a, b] = product;
            let t = a / (a - b);
            points[c.ends[0] as usize] += cotangent * (1.0 - t);
            points[c.ends[1] as usize] += cotangent * t;
            let by_t = cotangent.dot(&c.along) / ((a - b) * (a - b));
            [-b * by_t, a * by_t]
        };
        for (v, dual) in self.duals.iter().enumerate() {
            let range = dual.from as usize..dual.to as usize;
            let own = &self.crossings[range.clone()];
            let point = self.points[v];
            if !deviation.is_empty() {
                let distance = |c: &Crossing| (point - c.plain).norm();
                let count = own.len() as f64;
                let mean = own.iter().map(distance).sum::<f64>() / count;
                let signed = |c: &Crossing, r: &T| sign(distance(c) - mean) * r.f64();
                let entries = own.iter().zip(&deviation[range]);
                let shift = entries.clone().map(|(c, r)| signed(c, r)).sum::<f64>() / count;
                for (c, r) in entries {
                    let d = distance(c);
                    if d > 0.0 {
                        let pull = (point - c.plain) * ((signed(c, r) - shift) / d);
                        at_vertex[v] += pull;
                        let by_value = to_ends(c, -pull, c.s);
                        values[c.ends[0] as usize] += by_value[0];
                        values[c.ends[1] as usize] += by_value[1];
                    }
                }
            }
            let total: f64 = own.iter().map(|c| c.strength).sum();
            for c in own {
                let by_product = to_ends(c, at_vertex[v] * (c.strength / total), c.product);
                for m in 0..2 {
                    values[c.ends[m] as usize] += by_product[m] * c.weight[m];
                    if self.has[0] {
                        alpha[c.alpha[m] as usize] += by_product[m] * c.s[m] * slope(c.weight[m]);
                    }
                }
                if self.has[1] {
                    let by_beta = at_vertex[v].dot(&(c.point - point)) / total;
                    beta[c.beta as usize] += by_beta * slope(c.strength);
                }
            }
            if self.has[2] {
                gamma[dual.cell as usize] += at_gamma[v] * gamma_slope(self.gamma[v]);
            }
        }
        let narrow = |v: Vec<f64>| v.into_iter().map(T::of).collect();
        Ok(FlexiVariation {
            points: points.into_iter().map(|p| p.map(T::of)).collect(),
            values: narrow(values),
            alpha: narrow(alpha),
            beta: narrow(beta),
            gamma: narrow(gamma),
        })
    }

    /// J: how vertices and deviation entries change with the parameters. Empty parts of the change are zero.
    ///
    /// # Errors
    /// [`MeshError::Count`] for a part of another length than the parameters it belongs to.
    pub fn jvp(&self, change: &FlexiVariation<T>) -> Result<(Vec<Vector3<T>>, Vec<T>), MeshError> {
        let n = self.sizes.vertices;
        let [alpha, beta, gamma] = self.weights();
        let parts = [
            ("change of points", change.points.len(), n),
            ("change of values", change.values.len(), n),
            ("change of alpha", change.alpha.len(), alpha),
            ("change of beta", change.beta.len(), beta),
            ("change of gamma", change.gamma.len(), gamma),
        ];
        for (what, found, expected) in parts {
            if found > 0 {
                check(what, found, expected)?;
            }
        }
        let number = |array: &[T], at: u32| array.get(at as usize).map_or(0.0, |x| x.f64());
        let vector = |at: u32| {
            change
                .points
                .get(at as usize)
                .map_or(Vector3::zeros(), |x| x.map(Scalar::f64))
        };
        let crossing = |c: &Crossing, product: [f64; 2], change: [f64; 2]| {
            let [a, b] = product;
            let t = a / (a - b);
            let by_t = (a * change[1] - b * change[0]) / ((a - b) * (a - b));
            vector(c.ends[0]) * (1.0 - t) + vector(c.ends[1]) * t + c.along * by_t
        };
        let mut vertices = Vec::with_capacity(self.mesh.vertices.len());
        let mut entries = Vec::with_capacity(self.crossings.len());
        let mut by_gamma = Vec::with_capacity(self.duals.len());
        for (dual, point) in self.duals.iter().zip(&self.points) {
            let own = &self.crossings[dual.from as usize..dual.to as usize];
            let total: f64 = own.iter().map(|c| c.strength).sum();
            let mut moved = Vector3::zeros();
            for c in own {
                let change_of = |m: usize| {
                    c.weight[m] * number(&change.values, c.ends[m])
                        + c.s[m] * slope(c.weight[m]) * number(&change.alpha, c.alpha[m])
                };
                moved += crossing(c, c.product, [0, 1].map(change_of)) * (c.strength / total);
                let strength = slope(c.strength) * number(&change.beta, c.beta);
                moved += (c.point - point) * (strength / total);
            }
            let distances: Vec<[f64; 2]> = own
                .iter()
                .map(|c| {
                    let d = (point - c.plain).norm();
                    let s = c.ends.map(|v| number(&change.values, v));
                    let rate = (point - c.plain).dot(&(moved - crossing(c, c.s, s)));
                    [d, if d > 0.0 { rate / d } else { 0.0 }]
                })
                .collect();
            let mean = |m: usize| distances.iter().map(|d| d[m]).sum::<f64>() / own.len() as f64;
            let means = [mean(0), mean(1)];
            entries.extend(
                distances
                    .iter()
                    .map(|d| T::of(sign(d[0] - means[0]) * (d[1] - means[1]))),
            );
            vertices.push(moved);
            by_gamma.push(number(&change.gamma, dual.cell));
        }
        if self.split == FlexiSplit::Training {
            for quad in &self.quads {
                let Centre {
                    products,
                    total,
                    point,
                } = centre(&self.points, &self.gamma, quad.corners);
                let mut moved = Vector3::zeros();
                for m in 0..4 {
                    let [v, other] = [m, (m + 2) % 4].map(|m| quad.corners[m] as usize);
                    moved += vertices[v] * (products[m % 2] / 2.0 / total);
                    let gamma = gamma_slope(self.gamma[v]) * by_gamma[v] * self.gamma[other];
                    let half = (self.points[v] + self.points[other]) / 2.0;
                    moved += (half - point) * (gamma / total);
                }
                vertices.push(moved);
            }
        }
        Ok((
            vertices.into_iter().map(|v| v.map(T::of)).collect(),
            entries,
        ))
    }
}

fn check(what: &'static str, found: usize, expected: usize) -> Result<(), MeshError> {
    if found == expected {
        Ok(())
    } else {
        Err(MeshError::Count {
            what,
            expected,
            found,
        })
    }
}

/// Vertices and crossings of the loops.
fn crossings<T: Scalar>(
    parameters: &FlexiParameters<'_, T>,
    sheets: &Sheets,
) -> (Vec<Dual>, Vec<Crossing>) {
    let squash = |raw: Option<&[T]>, at: u32| {
        raw.map_or(1.0, |w| 1.0 + WEIGHT * w[at as usize].f64().tanh())
    };
    let crossing = |&Side { ends, alpha, beta }: &Side| {
        let s = ends.map(|v| parameters.values[v as usize].f64());
        let weight = alpha.map(|at| squash(parameters.alpha, at));
        let product = [s[0] * weight[0], s[1] * weight[1]];
        let x = ends.map(|v| vector(&parameters.points[v as usize]));
        let at = |[a, b]: [f64; 2]| (x[1] * a - x[0] * b) / (a - b);
        Crossing {
            ends,
            alpha,
            beta,
            s,
            weight,
            product,
            strength: squash(parameters.beta, beta),
            along: x[1] - x[0],
            point: at(product),
            plain: at(s),
        }
    };
    let mut from = 0;
    let dual = |&(cell, to): &(u32, u32)| {
        let from = std::mem::replace(&mut from, to);
        Dual { cell, from, to }
    };
    let duals = sheets.loops.iter().map(dual).collect();
    (duals, sheets.sides.iter().map(crossing).collect())
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

/// d(1 + w·tanh a)/da by the weight itself.
fn slope(weight: f64) -> f64 {
    let tanh = (weight - 1.0) / WEIGHT;
    WEIGHT * (1.0 - tanh * tanh)
}

/// d(w·σ(g) + (1 − w)/2)/dg by the weight itself.
fn gamma_slope(weight: f64) -> f64 {
    let sigma = (weight - (1.0 - WEIGHT) / 2.0) / WEIGHT;
    WEIGHT * sigma * (1.0 - sigma)
}
