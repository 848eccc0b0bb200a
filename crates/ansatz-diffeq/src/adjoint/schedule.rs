//! When to store and when to compute again: binomial checkpointing.
//!
//! To reverse n steps with room for c states (the first one counts), advance m steps, store, reverse
//! the last n − m with c − 1 states, then the first m with c. With the m chosen here the number of
//! forward steps beside those that are differentiated is the least possible: with the smallest r for
//! which C(c + r, c) ≥ n it is r·n − C(c + r, c + 1).
//!
//! Reference: A. Griewank, A. Walther, *Algorithm 799: revolve*, 2000, section 2.

/// C(n, k), or the largest number if that is more.
fn binomial(n: usize, k: usize) -> usize {
    let k = k.min(n.saturating_sub(k));
    let mut product: u128 = 1;
    for i in 0..k {
        product = product * (n - i) as u128 / (i + 1) as u128;
        if product > usize::MAX as u128 {
            return usize::MAX;
        }
    }
    product as usize
}

/// The smallest r with C(slots + r, slots) ≥ n.
fn repetitions(n: usize, slots: usize) -> usize {
    let mut r = 0;
    while binomial(slots + r, slots) < n {
        r += 1;
    }
    r
}

/// Forward steps that a reversal of `n` steps with `slots` stored states repeats; 0 for no steps.
///
/// ```
/// use ansatz_diffeq::adjoint::schedule::repeated_steps;
/// assert_eq!(repeated_steps(100, 10), 222);
/// assert_eq!(repeated_steps(100, 1), 99 * 100 / 2);
/// ```
#[must_use]
pub fn repeated_steps(n: usize, slots: usize) -> usize {
    if n == 0 || slots == 0 {
        return 0;
    }
    let r = repetitions(n, slots);
    r * n - binomial(slots + r, slots + 1)
}

/// How many of `n > 1` steps to advance before the next state is stored, with `slots > 1`.
pub(crate) fn advance(n: usize, slots: usize) -> usize {
    let r = repetitions(n, slots);
    // Both parts keep their number of repetitions: the first r − 1, the second r.
    let least = n.saturating_sub(binomial(slots + r - 1, slots - 1));
    let low = if r >= 2 {
        binomial(slots + r - 2, slots)
    } else {
        1
    };
    least.max(low).clamp(1, n - 1)
}

/// States to store for a solve of about `steps` steps when nothing else is said: ⌈log₂ steps⌉ + 1.
///
/// ```
/// assert_eq!(ansatz_diffeq::adjoint::schedule::suggested_slots(1000), 11);
/// ```
#[must_use]
pub fn suggested_slots(steps: usize) -> usize {
    steps.max(2).next_power_of_two().trailing_zeros() as usize + 1
}

#[cfg(test)]
mod tests {
    use super::{advance, repeated_steps};

    /// Forward steps when the recursion is followed.
    fn followed(n: usize, slots: usize) -> usize {
        match (n, slots) {
            (0 | 1, _) => 0,
            (n, 1) => n * (n - 1) / 2,
            _ => {
                let m = advance(n, slots);
                m + followed(n - m, slots - 1) + followed(m, slots)
            }
        }
    }

    #[test]
    fn the_recursion_takes_the_least_number_of_steps() {
        // Published numbers, then dynamic programming over all choices of m.
        for (n, slots, steps) in [
            (100, 10, 222),
            (1000, 10, 3636),
            (1000, 20, 2747),
            (4096, 12, 18100),
        ] {
            assert_eq!(repeated_steps(n, slots), steps);
            assert_eq!(followed(n, slots), steps);
        }
        let (most, slots) = (80, 7);
        let mut least = vec![vec![0; slots + 1]; most + 1];
        for n in 2..=most {
            least[n][1] = n * (n - 1) / 2;
            for c in 2..=slots {
                let choice = (1..n).map(|m| m + least[n - m][c - 1] + least[m][c]);
                least[n][c] = choice.min().unwrap_or(0);
                assert_eq!(followed(n, c), least[n][c], "{n} {c}");
                assert_eq!(repeated_steps(n, c), least[n][c], "{n} {c}");
            }
        }
    }
}
