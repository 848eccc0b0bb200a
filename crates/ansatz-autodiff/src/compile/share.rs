//! Whole arrays share memory by the spans in which they are needed.
//!
//! An array is needed from the step that writes it to the last one that reads it; the chunks of a level count as one
//! step. From the longest to the shortest, arrays take the first piece of memory that is free in their span.
//!
//! Reference: Y. Pisarchyk, J. Lee, *Efficient memory management for deep neural net inference*, 2020, section 4
//! (greedy by size).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::Level;
use super::bind::{Source, Step, Target};
use crate::Shape;

/// Assigns memory to the global arrays of these lengths, and says how long each piece of memory is.
pub(crate) fn share(
    levels: &mut [Level],
    outputs: &mut [(Source, Shape)],
    lengths: &[usize],
) -> Vec<usize> {
    // First and last step of each.
    let mut spans = vec![(usize::MAX, 0); lengths.len()];
    let mut note = |array: &mut usize, time: usize| {
        let (first, last) = &mut spans[*array];
        (*first, *last) = ((*first).min(time), (*last).max(time));
    };
    let end = each(levels, &mut note);
    for (source, _) in &mut *outputs {
        if let Source::Global(array) = source {
            note(array, end);
        }
    }
    let places = assign(&spans, lengths);
    each(levels, &mut |array, _| *array = places.of[*array]);
    for (source, _) in outputs {
        if let Source::Global(array) = source {
            *array = places.of[*array];
        }
    }
    places.widths
}

/// Hands over every mention of a global array, and the number of its step; gives the number of steps.
fn each(levels: &mut [Level], note: &mut impl FnMut(&mut usize, usize)) -> usize {
    let mut time = 0;
    for level in levels {
        for step in &mut level.whole.steps {
            written(step, &mut |array| note(array, time));
            read(step, &mut |array| note(array, time));
            time += 1;
        }
        let chunked = &mut level.chunked;
        for step in &mut chunked.steps {
            read(step, &mut |array| note(array, time));
        }
        for (_, array) in &mut chunked.sums {
            note(array, time);
        }
        for kept in &mut chunked.kept {
            note(&mut kept.global, time);
        }
        time += 1;
    }
    time
}

fn written(step: &mut Step, note: &mut impl FnMut(&mut usize)) {
    match step {
        Step::Fused { stores, .. } => {
            for (array, _) in stores {
                note(array);
            }
        }
        Step::Gemm { out, .. } | Step::Kernel { out, .. } | Step::Evaluate { out, .. } => match out
        {
            Target::Slot(array) => note(array),
            Target::Accumulator(_) => {}
        },
    }
}

fn read(step: &mut Step, note: &mut impl FnMut(&mut usize)) {
    let mut note = |source: &mut Source| {
        if let Source::Global(array) = source {
            note(array);
        }
    };
    match step {
        Step::Fused { loads, .. } | Step::Kernel { inputs: loads, .. } => {
            for loc in loads {
                note(&mut loc.source);
            }
        }
        Step::Gemm { a, b, .. } => {
            note(&mut a.source);
            note(&mut b.source);
        }
        Step::Evaluate { inputs, .. } => {
            for (loc, _) in inputs {
                note(&mut loc.source);
            }
        }
    }
}

/// Pieces of memory.
#[derive(Debug, PartialEq, Eq)]
struct Places {
    /// The piece of each array.
    of: Vec<usize>,
    widths: Vec<usize>,
}

fn assign(spans: &[(usize, usize)], lengths: &[usize]) -> Places {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|array| (Reverse(lengths[*array]), spans[*array]));
    let mut places = Places {
        of: vec![0; lengths.len()],
        widths: Vec::new(),
    };
    // The spans in which each piece is taken: last steps by first ones.
    let mut taken: Vec<BTreeMap<usize, usize>> = Vec::new();
    for array in order {
        let (first, last) = spans[array];
        // A step reads and writes at the same time. Spans are apart, so the last one to begin ends last.
        let is_free = |piece: &BTreeMap<usize, usize>| {
            let before = piece.range(..=last).next_back();
            before.is_none_or(|(_, end)| *end < first)
        };
        let k = taken.iter().position(is_free).unwrap_or_else(|| {
            places.widths.push(lengths[array]);
            taken.push(BTreeMap::new());
            taken.len() - 1
        });
        places.of[array] = k;
        taken[k].insert(first, last);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::{Places, assign};

    #[test]
    fn arrays_take_what_is_free() {
        // The third array is written by the step that reads the first: it may not lie there. The fourth may; the
        // long one goes first, and the short ones fill what it leaves.
        let spans = [(0, 2), (1, 4), (2, 5), (3, 3), (6, 6), (0, 9)];
        let places = assign(&spans, &[20, 20, 20, 20, 40, 1]);
        let expected = Places {
            of: vec![0, 1, 2, 0, 0, 3],
            widths: vec![40, 20, 20, 1],
        };
        assert_eq!(places, expected);
    }
}
