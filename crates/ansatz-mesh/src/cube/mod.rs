//! The cube: numbers of its corners, edges and faces, and the surfaces that signs of its corners allow.
//!
//! Corner c = bx + 2·by + 4·bz, bits being offsets along x, y, z. Edge e = 4·axis + o₁ + 2·o₂ with the
//! offsets on the two other axes in ascending order. Face f = 2·axis + side.

mod cases;
mod trilinear;

pub(crate) use cases::{Entry, table};
pub(crate) use trilinear::Trilinear;

/// The two axes beside each axis, ascending.
pub(crate) const OTHERS: [[usize; 2]; 3] = [[1, 2], [0, 2], [0, 1]];

/// Lower and upper corner of each edge.
pub(crate) const EDGES: [[u8; 2]; 12] = {
    let mut edges = [[0; 2]; 12];
    let mut e = 0;
    while e < 12 {
        let axis = e / 4;
        let low = (e % 2) << OTHERS[axis][0] | (e / 2 % 2) << OTHERS[axis][1];
        edges[e] = [low as u8, (low | 1 << axis) as u8];
        e += 1;
    }
    edges
};

/// Corners of each face, counter-clockwise seen from outside of the cube.
pub(crate) const FACES: [[u8; 4]; 6] = {
    let mut faces = [[0; 4]; 6];
    let mut f = 0;
    while f < 6 {
        let (axis, side) = (f / 2, f % 2);
        let [p, q] = OTHERS[axis];
        let mut m = 0;
        while m < 4 {
            // (0,0), (1,0), (1,1), (0,1) goes counter-clockwise about p × q, which is ∓ the axis.
            let along = if m == 1 || m == 2 { 1 << p } else { 0 };
            let corner = side << axis | along | (m / 2) << q;
            let at = if (side == 1) == (axis != 1) { m } else { 3 - m };
            faces[f][at] = corner as u8;
            m += 1;
        }
        f += 1;
    }
    faces
};

/// The edge between two neighbouring corners.
pub(crate) const fn edge_between(a: u8, b: u8) -> u8 {
    let axis = (a ^ b).trailing_zeros() as usize;
    let low = a & b;
    let [p, q] = OTHERS[axis];
    4 * axis as u8 + (low >> p & 1) + 2 * (low >> q & 1)
}

/// The two faces that meet in an edge, as bits.
pub(crate) const fn faces_of_edge(e: u8) -> u8 {
    let [p, q] = OTHERS[e as usize / 4];
    1 << (2 * p + e as usize % 2) | 1 << (2 * q + e as usize / 2 % 2)
}

/// Where the corner is in the unit cube.
#[cfg(test)]
pub(crate) fn corner(c: u8) -> [f64; 3] {
    [0, 1, 2].map(|axis| f64::from(c >> axis & 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_and_faces_agree_with_their_corners() {
        for e in 0..12u8 {
            let [a, b] = EDGES[usize::from(e)];
            assert_eq!(edge_between(a, b), e);
            let holding: u8 = (0..6u8)
                .filter(|&f| {
                    FACES[usize::from(f)].contains(&a) && FACES[usize::from(f)].contains(&b)
                })
                .map(|f| 1 << f)
                .sum();
            assert_eq!(faces_of_edge(e), holding);
        }
    }

    #[test]
    fn faces_go_round_seen_from_outside() {
        for (f, face) in FACES.iter().enumerate() {
            let [a, b, c, _] = face.map(|c| nalgebra::Vector3::from(corner(c)));
            let normal = (b - a).cross(&(c - b));
            let outward = if f % 2 == 1 { 1.0 } else { -1.0 };
            assert!((normal[f / 2] - outward).abs() < 1e-15);
        }
    }
}
