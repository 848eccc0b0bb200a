//! The level set of the trilinear interpolant of eight corner values, up to homeomorphism.
//!
//! On an ambiguous face the interpolant is bilinear; the sign of its saddle (ac − bd)/(a + c − b − d) says which
//! corners are joined (the asymptotic decider). Inside of the cube two patches may be joined by a tunnel. Stratified
//! Morse theory counts it: the Euler characteristic χ(σ) of {σF ≥ 0} in the closed cube is the number of corners that
//! are local maxima of σF, less the face saddles from which σF falls inward, plus the signed body saddles. With n loops
//! on the rim there are (n + 1 − χ(+) − χ(−))/2 tunnels, by additivity of the Euler characteristic with compact support.
//!
//! Sources: G. Nielson, B. Hamann, The asymptotic decider (1991); E. Chernyaev, Marching cubes 33 (1995); L. Custodio
//! et al., Practical considerations on Marching Cubes 33 topological correctness (2013). The count is our own.

use super::{Entry, FACES, OTHERS};

/// Corner values less the iso value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trilinear {
    v: [f64; 8],
}

/// Saddles of the interior: where, value, and how many directions of descent.
#[derive(Debug, Clone, Copy)]
struct Saddle {
    value: f64,
    index: u8,
}

impl Trilinear {
    pub(crate) fn new(v: [f64; 8]) -> Self {
        Self { v }
    }

    /// The way of joining (see `Table`) for the ambiguous faces of a mask.
    ///
    /// Both cells of a face compare the same two products, so that they agree to the bit.
    pub(crate) fn way(&self, case: u8, ambiguous: u8) -> u8 {
        let (mut way, mut rank) = (0, 0);
        for (f, face) in FACES.iter().enumerate() {
            if ambiguous >> f & 1 == 0 {
                continue;
            }
            let [a, b, c, d] = face.map(|c| self.v[usize::from(c)]);
            let (first, second) = (a * c, b * d);
            let (inside, outside) = if case >> face[0] & 1 == 1 {
                (first, second)
            } else {
                (second, first)
            };
            // Outside corners are joined where the saddle is positive.
            if outside <= inside {
                way |= 1 << rank;
            }
            rank += 1;
        }
        way
    }

    /// F at a point of the unit cube.
    #[cfg(test)]
    pub(crate) fn value(&self, p: [f64; 3]) -> f64 {
        (0..8u8)
            .map(|c| {
                let weight: f64 = (0..3)
                    .map(|a| if c >> a & 1 == 1 { p[a] } else { 1.0 - p[a] })
                    .product();
                weight * self.v[usize::from(c)]
            })
            .sum()
    }

    /// ∇F at a point of the unit cube.
    pub(crate) fn gradient(&self, p: [f64; 3]) -> [f64; 3] {
        [0, 1, 2].map(|axis| {
            let [a, b] = OTHERS[axis];
            (0..4usize)
                .map(|o| {
                    let (oa, ob) = (o % 2, o / 2);
                    let low = oa << a | ob << b;
                    let weight = |o: usize, x: f64| if o == 1 { x } else { 1.0 - x };
                    weight(oa, p[a]) * weight(ob, p[b]) * (self.v[low | 1 << axis] - self.v[low])
                })
                .sum()
        })
    }

    /// The two loops that a tunnel joins, if there is one.
    pub(crate) fn tunnel(&self, entry: &Entry) -> Option<[usize; 2]> {
        let loops = usize::from(entry.loops);
        if !(2..=3).contains(&loops) {
            return None;
        }
        let apart = self.apart();
        let saddles = apart.body_saddles();
        let [above, below] = [1.0, -1.0].map(|sigma| apart.euler(sigma, &saddles));
        if i32::from(entry.loops) + 1 - above - below != 2 {
            return None;
        }
        if loops == 2 {
            return Some([0, 1]);
        }
        // Regions of the rim form a path out–in–out–in. The loops that share the inside region (or the outside one)
        // are told by the corners on either side.
        let outside_merge = saddles
            .iter()
            .flatten()
            .any(|s| s.value > 0.0 && s.index == 2);
        self.sharing(entry, outside_merge)
    }

    /// The two of three loops that bound one inside region of the rim (or one outside region).
    fn sharing(&self, entry: &Entry, inside: bool) -> Option<[usize; 2]> {
        let region = self.regions(inside);
        let touched = |l: usize| {
            let e = entry.loop_edges(l)[0];
            let [a, b] = super::EDGES[usize::from(e)].map(usize::from);
            region[if (self.v[a] < 0.0) == inside { a } else { b }]
        };
        let of = [touched(0), touched(1), touched(2)];
        [[0, 1], [0, 2], [1, 2]]
            .into_iter()
            .find(|[a, b]| of[*a] == of[*b])
    }

    /// The inside (or outside) regions of the rim by the corners in them: joined along edges with equal signs and across
    /// faces as the deciders say.
    fn regions(&self, inside: bool) -> [usize; 8] {
        let mut region: [usize; 8] = std::array::from_fn(|c| c);
        let wanted = |c: usize| (self.v[c] < 0.0) == inside;
        let mut join = |a: usize, b: usize| {
            let (ra, rb) = (region[a], region[b]);
            region
                .iter_mut()
                .filter(|r| **r == rb)
                .for_each(|r| *r = ra);
        };
        for [a, b] in super::EDGES {
            let (a, b) = (usize::from(a), usize::from(b));
            if wanted(a) && wanted(b) {
                join(a, b);
            }
        }
        let case = (0..8)
            .filter(|&c| self.v[c] < 0.0)
            .map(|c| 1u8 << c)
            .sum::<u8>();
        let ambiguous = super::table().ambiguous[usize::from(case)];
        let way = self.way(case, ambiguous);
        let mut rank = 0;
        for (f, face) in FACES.iter().enumerate() {
            if ambiguous >> f & 1 == 0 {
                continue;
            }
            let inside_joined = way >> rank & 1 == 1;
            rank += 1;
            if inside_joined == inside {
                let pair = usize::from(!wanted(usize::from(face[0])));
                join(usize::from(face[pair]), usize::from(face[pair + 2]));
            }
        }
        region
    }

    /// The same values moved apart a little, so that no two corners tie.
    fn apart(&self) -> Self {
        const SHIFT: [f64; 8] = [0.713, -0.291, 0.157, -0.839, 0.467, -0.613, 0.929, -0.073];
        let size = self.v.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        Self {
            v: std::array::from_fn(|c| self.v[c] + 1e-7 * size * SHIFT[c]),
        }
    }

    /// Values at all saddles, of faces and of the body.
    #[cfg(test)]
    fn saddles(&self) -> Vec<f64> {
        let faces = FACES.iter().map(|face| {
            let [a, b, c, d] = face.map(|c| self.v[usize::from(c)]);
            (a * c - b * d) / (a + c - b - d)
        });
        faces
            .chain(self.body_saddles().iter().flatten().map(|s| s.value))
            .collect()
    }

    /// Euler characteristic of {σF ≥ 0} in the closed cube.
    fn euler(&self, sigma: f64, saddles: &[Option<Saddle>; 2]) -> i32 {
        let v = self.v.map(|v| sigma * v);
        let mut chi = 0;
        for c in 0..8 {
            if v[c] > 0.0 && (0..3).all(|axis| v[c] > v[c ^ 1 << axis]) {
                chi += 1;
            }
        }
        for (f, face) in FACES.iter().enumerate() {
            let at = |flip: usize, m: usize| v[usize::from(face[m]) ^ flip];
            let [a, b, c, d] = [0, 1, 2, 3].map(|m| at(0, m));
            let denominator = a + c - b - d;
            // Coordinates of the saddle along corner 0 → 1 and 0 → 3.
            let (s, t) = ((a - d) / denominator, (a - b) / denominator);
            if !(s > 0.0 && s < 1.0 && t > 0.0 && t < 1.0) {
                continue;
            }
            let bilinear = |[a, b, c, d]: [f64; 4]| {
                (1.0 - s) * (1.0 - t) * a + s * (1.0 - t) * b + s * t * c + (1.0 - s) * t * d
            };
            let here = bilinear([a, b, c, d]);
            let opposite = bilinear([0, 1, 2, 3].map(|m| at(1 << (f / 2), m)));
            if here > 0.0 && opposite < here {
                chi -= 1;
            }
        }
        for saddle in saddles.iter().flatten() {
            if sigma * saddle.value > 0.0 {
                let index = if sigma > 0.0 {
                    saddle.index
                } else {
                    3 - saddle.index
                };
                chi += if index % 2 == 1 { 1 } else { -1 };
            }
        }
        chi
    }

    /// Critical points strictly inside of the cube.
    fn body_saddles(&self) -> [Option<Saddle>; 2] {
        let v = &self.v;
        let (k0, kx, ky, kz) = (v[0], v[1] - v[0], v[2] - v[0], v[4] - v[0]);
        let kxy = v[3] - v[1] - v[2] + v[0];
        let kxz = v[5] - v[1] - v[4] + v[0];
        let kyz = v[6] - v[2] - v[4] + v[0];
        let g = v[7] - v[6] - v[5] - v[3] + v[1] + v[2] + v[4] - v[0];
        let a = kx - kxy * kxz / g;
        let b = ky - kxy * kyz / g;
        let c = kz - kxz * kyz / g;
        let q = -(a / g) * (b / g) * (c / g);
        if !(q > 0.0 && q.is_finite()) {
            return [None; 2];
        }
        [q.sqrt(), -q.sqrt()].map(|p| {
            let shifted = [-p * g / a, -p * g / b, -p * g / c];
            let [x, y, z] = [
                shifted[0] - kyz / g,
                shifted[1] - kxz / g,
                shifted[2] - kxy / g,
            ];
            if [x, y, z].iter().any(|x| *x <= 0.0 || *x >= 1.0) {
                return None;
            }
            let value = k0
                + kx * x
                + ky * y
                + kz * z
                + kxy * x * y
                + kxz * x * z
                + kyz * y * z
                + g * x * y * z;
            // The Hessian has a zero diagonal, hence eigenvalues of both signs; its determinant is 2g³x'y'z'.
            let determinant = g * shifted[0] * shifted[1] * shifted[2];
            let index = if determinant > 0.0 { 2 } else { 1 };
            Some(Saddle { value, index })
        })
    }
}

#[cfg(test)]
mod tests {
    use ansatz_core::Key;

    use super::*;
    use crate::cube::table;

    const SIDE: usize = 64;

    /// Parts of {F < 0} and of {F ≥ 0} among SIDE³ samples that hang together along axes.
    fn parts(field: &Trilinear) -> [usize; 2] {
        let n = SIDE;
        let x = |i: usize| i as f64 / (n - 1) as f64;
        let sign: Vec<bool> = (0..n * n * n)
            .map(|s| field.value([x(s / (n * n)), x(s / n % n), x(s % n)]) < 0.0)
            .collect();
        let mut seen = vec![false; sign.len()];
        let mut count = [0; 2];
        let mut stack = Vec::new();
        for s in 0..sign.len() {
            if seen[s] {
                continue;
            }
            count[usize::from(!sign[s])] += 1;
            seen[s] = true;
            stack.push(s);
            while let Some(p) = stack.pop() {
                for (stride, at) in [(n * n, p / (n * n)), (n, p / n % n), (1, p % n)] {
                    for q in [
                        (at > 0).then(|| p - stride),
                        (at + 1 < n).then_some(p + stride),
                    ] {
                        if let Some(q) = q.filter(|&q| !seen[q] && sign[q] == sign[p]) {
                            seen[q] = true;
                            stack.push(q);
                        }
                    }
                }
            }
        }
        count
    }

    /// Against a flood fill: a tunnel joins two regions of the rim of the one sign, and nothing else does.
    #[test]
    fn tunnels_are_those_of_a_flood_fill() {
        let (mut tested, mut tunnels) = (0, 0);
        for cell in 0..60_000 {
            let key = Key::new(7).fold_in(cell);
            let v = std::array::from_fn(|c| 2.0 * key.uniform(0, c as u64)[0] - 1.0);
            let field = Trilinear::new(v);
            let case = (0..8).filter(|&c| v[c] < 0.0).map(|c| 1u8 << c).sum::<u8>();
            let ambiguous = table().ambiguous[usize::from(case)];
            let entry = table().entry(case, field.way(case, ambiguous));
            let near = field.saddles().iter().any(|s| s.abs() < 5e-3);
            let tunnel = field.tunnel(entry);
            if entry.loops < 2 || near || (tested >= 1000 && tunnel.is_none()) {
                continue;
            }
            let mut expected = [true, false].map(|inside| {
                let region = field.regions(inside);
                let mut names: Vec<usize> = (0..8)
                    .filter(|&c| (v[c] < 0.0) == inside)
                    .map(|c| region[c])
                    .collect();
                names.sort_unstable();
                names.dedup();
                names.len()
            });
            assert_eq!(expected[0] + expected[1], usize::from(entry.loops) + 1);
            if let Some([a, b]) = tunnel {
                tunnels += 1;
                let region = field.regions(true);
                let touched = |l: usize| {
                    let [a, b] = super::super::EDGES[usize::from(entry.loop_edges(l)[0])];
                    region[usize::from(if v[usize::from(a)] < 0.0 { a } else { b })]
                };
                // Loops of one inside region: outside regions merge.
                expected[usize::from(touched(a) == touched(b))] -= 1;
            }
            assert_eq!(parts(&field), expected, "cell {cell}: {v:?}");
            tested += 1;
        }
        assert!(tested >= 1000 && tunnels >= 20, "{tested} {tunnels}");
    }
}
