//! Products of small matrices, in tiles that stay in registers.

const ROWS: usize = 4;
const COLUMNS: usize = 4;

/// `C += A·B` with C `[m, n]` and B `[k, n]` row-major, and element (i, j) of A at `i·row + j·column`.
///
/// Each element is summed in the order of k, whatever the tiles.
pub(super) fn add_product(
    [m, k, n]: [usize; 3],
    a: &[f64],
    (row, column): (usize, usize),
    b: &[f64],
    c: &mut [f64],
) {
    for i in (0..m).step_by(ROWS) {
        for j in (0..n).step_by(COLUMNS) {
            if i + ROWS <= m && j + COLUMNS <= n {
                tile(
                    k,
                    &a[i * row..],
                    (row, column),
                    &b[j..],
                    n,
                    &mut c[i * n + j..],
                );
                continue;
            }
            for i in i..m.min(i + ROWS) {
                for j in j..n.min(j + COLUMNS) {
                    let mut sum = c[i * n + j];
                    for l in 0..k {
                        sum += a[i * row + l * column] * b[l * n + j];
                    }
                    c[i * n + j] = sum;
                }
            }
        }
    }
}

/// One full tile; slices begin at it.
#[inline]
fn tile(k: usize, a: &[f64], (row, column): (usize, usize), b: &[f64], n: usize, c: &mut [f64]) {
    let mut sums = [[0.0; COLUMNS]; ROWS];
    for (i, sums) in sums.iter_mut().enumerate() {
        sums.copy_from_slice(&c[i * n..i * n + COLUMNS]);
    }
    for l in 0..k {
        let right: &[f64] = &b[l * n..l * n + COLUMNS];
        for (i, sums) in sums.iter_mut().enumerate() {
            let left = a[i * row + l * column];
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum += left * right;
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        c[i * n..i * n + COLUMNS].copy_from_slice(sums);
    }
}

/// `out ←` the transpose of rows of length `n`.
pub(super) fn transpose(a: &[f64], n: usize, out: &mut Vec<f64>) {
    out.clear();
    for j in 0..n {
        out.extend(a.iter().skip(j).step_by(n));
    }
}
