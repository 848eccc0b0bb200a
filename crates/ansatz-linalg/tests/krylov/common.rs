//! Portable numbers and the standard Poisson problems.

use ansatz_linalg::operator::{Cell, Face, Grid};

/// splitmix64.
pub(crate) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Uniform in [−1, 1).
pub(crate) fn u11(i: u64) -> f64 {
    2.0 * ((mix(i) >> 11) as f64 * f64::EPSILON / 2.0) - 1.0
}

/// A sign.
pub(crate) fn sgn(i: u64) -> f64 {
    if mix(i) >> 63 == 1 { 1.0 } else { -1.0 }
}

#[test]
fn portable_numbers() {
    assert!((u11(0) - 0.7666216164272852).abs() < 1e-16);
    assert!((u11(1) - 0.1331231503445618).abs() < 1e-16);
}

/// The boxes of the table of iterations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// Air all around.
    Dirichlet,
    /// Walls, and air behind the last face of the last axis.
    Mixed,
    /// The same with a solid ball.
    Ball,
}

/// A box of n cells along each of `dimensions` axes.
pub(crate) fn grid(kind: Kind, n: usize, dimensions: usize) -> Grid {
    use Face::{Open, Wall};
    let mut faces = [[Wall; 2]; 3];
    if kind == Kind::Dirichlet {
        faces = [[Open; 2]; 3];
    }
    faces[dimensions - 1][1] = Open;
    let grid = Grid::new(&[n; 3][..dimensions], &faces[..dimensions]).unwrap();
    if kind != Kind::Ball {
        return grid;
    }
    let centre = if dimensions == 3 {
        [0.5, 0.5, 0.4]
    } else {
        [0.5, 0.4, 0.0]
    };
    grid.with_cells(|at| {
        let square = |axis: usize| ((at[axis] as f64 + 0.5) / n as f64 - centre[axis]).powi(2);
        let distance: f64 = (0..dimensions).map(square).sum();
        if distance < 0.04 {
            Cell::Solid
        } else {
            Cell::Fluid
        }
    })
}

/// Right-hand sides: noise, or a smooth function; 0 in solids.
pub(crate) fn rhs(grid: &Grid, smooth: bool) -> Vec<f64> {
    use std::f64::consts::PI;
    let [nx, ny, _] = grid.shape();
    let n = nx as f64;
    let place = |c: usize| {
        let x = |i: usize| (i as f64 + 0.5) / n;
        [x(c % nx), x(c / nx % ny), x(c / (nx * ny))]
    };
    (0..grid.len())
        .map(|c| {
            if grid.cells()[c] != Cell::Fluid {
                return 0.0;
            }
            if !smooth {
                return u11(c as u64);
            }
            let [x, y, z] = place(c);
            if grid.dimensions() == 3 {
                let low = if z < 0.2 { 1.0 } else { 0.0 };
                (2.0 * PI * x).sin() * (PI * y).cos() * (3.0 * PI * z).sin() + low
            } else {
                let low = if y < 0.2 { 1.0 } else { 0.0 };
                (2.0 * PI * x).sin() * (3.0 * PI * y).sin() + low
            }
        })
        .collect()
}

/// ‖x‖.
pub(crate) fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// Holds if `count` is within 2 or 3 % of `expected`.
#[track_caller]
pub(crate) fn about(what: &str, count: usize, expected: usize) {
    let allowed = 2.0_f64.max(0.03 * expected as f64);
    assert!(
        (count as f64 - expected as f64).abs() <= allowed,
        "{what}: {count} iterations, {expected} expected"
    );
}

/// Holds to a relative tolerance.
#[track_caller]
pub(crate) fn close(what: &str, got: f64, expected: f64, relative: f64) {
    assert!(
        (got - expected).abs() <= relative * expected.abs(),
        "{what}: {got}, {expected} expected"
    );
}
