//! Fronts of points that do not dominate each other.

/// Whether no loss of `a` is larger than that of `b` and one is smaller.
#[must_use]
pub fn dominates(a: &[f64], b: &[f64]) -> bool {
    let mut smaller = false;
    for (a, b) in a.iter().zip(b) {
        if a > b {
            return false;
        }
        smaller |= a < b;
    }
    smaller
}

/// Fronts of points, rows of `width` losses: those that none dominates, those that only these dominate, and so on; numbers
/// of points, rising in each front. O(width·N²).
///
/// Reference: K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, *A fast and elitist multiobjective genetic algorithm: NSGA-II*,
/// 2002.
#[must_use]
pub fn non_dominated_sort(losses: &[f64], width: usize) -> Vec<Vec<usize>> {
    let rows: Vec<&[f64]> = losses.chunks(width.max(1)).collect();
    let mut above = vec![0_usize; rows.len()];
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    for i in 0..rows.len() {
        for j in 0..i {
            if dominates(rows[i], rows[j]) {
                below[i].push(j);
                above[j] += 1;
            } else if dominates(rows[j], rows[i]) {
                below[j].push(i);
                above[i] += 1;
            }
        }
    }
    let mut fronts = Vec::new();
    let mut front: Vec<usize> = (0..rows.len()).filter(|i| above[*i] == 0).collect();
    while !front.is_empty() {
        let mut next = Vec::new();
        for j in front.iter().flat_map(|i| &below[*i]) {
            above[*j] -= 1;
            if above[*j] == 0 {
                next.push(*j);
            }
        }
        next.sort_unstable();
        fronts.push(std::mem::replace(&mut front, next));
    }
    fronts
}
