//! Places of arrays in one block of memory, by the spans in which they are needed.

/// Elements that places are multiples of: 256 bytes of the smallest type.
pub(super) const ALIGNMENT: usize = 64;

/// Gives each array of `lengths` a place so that those whose spans (first and last step, both included) meet lie apart.
/// Larger ones are placed first, each as low as it fits. `None` marks arrays that nothing needs.
///
/// The result is the places, and how many elements the block has.
pub(super) fn places(
    lengths: &[usize],
    spans: &[Option<(usize, usize)>],
) -> (Vec<Option<usize>>, usize) {
    let mut order: Vec<usize> = (0..lengths.len()).filter(|a| spans[*a].is_some()).collect();
    order.sort_by_key(|a| (std::cmp::Reverse(lengths[*a]), spans[*a], *a));
    let mut placed: Vec<usize> = Vec::new();
    let mut at = vec![None; lengths.len()];
    let mut end = 0;
    let room = |a: usize| lengths[a].next_multiple_of(ALIGNMENT).max(ALIGNMENT);
    for a in order {
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|b| meet(spans[a], spans[**b]))
            .filter_map(|b| at[*b].map(|from: usize| (from, from + room(*b))))
            .collect();
        taken.sort_unstable();
        let mut free = 0;
        for (from, to) in taken {
            if free + room(a) <= from {
                break;
            }
            free = free.max(to);
        }
        at[a] = Some(free);
        end = end.max(free + room(a));
        placed.push(a);
    }
    (at, end)
}

fn meet(a: Option<(usize, usize)>, b: Option<(usize, usize)>) -> bool {
    matches!((a, b), (Some((from, to)), Some((start, end))) if from <= end && start <= to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_share_memory_and_never_at_one_time() {
        // A chain: each array is needed by the next step alone.
        let lengths = [1000, 1000, 1000, 1000, 10, 3];
        let spans = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4), (9, 9)].map(Some);
        let (at, end) = places(&lengths, &spans);
        assert_eq!(end, 2 * 1024 + 64);
        for a in 0..6 {
            for b in 0..a {
                let (Some(x), Some(y)) = (at[a], at[b]) else {
                    panic!("every array has a place")
                };
                let apart = x + lengths[a] <= y || y + lengths[b] <= x;
                assert!(apart || !meet(spans[a], spans[b]), "{a} and {b}");
            }
        }
        assert_eq!(places(&[5], &[None]), (vec![None], 0));
    }
}
