//! Several combinations in one sweep over memory.
//!
//! A solver's step is often two lines: convert the model's output, then advance the state. Done one
//! after the other they load the state twice. Here the lines run in turn on a tile that stays in the
//! first cache level, so each state travels once.

use super::{Combination, kernel};
use crate::Scalar;

/// Slots that a program may touch without allocation. Ordinary samplers have 2 to 6.
const MAX_SLOTS: usize = 12;

/// Bytes of one state in a tile: five states fit in 32 KiB with room to spare.
const TILE_BYTES: usize = 4096;

type Views<'a, T> = [&'a mut [T]; MAX_SLOTS];

/// Runs `program` on states of equal length whose elements are `view`; tells whether all that was
/// written is finite. `None`, and nothing done, if the program touches too many slots.
///
/// # Panics
/// If the states that the program names differ in length.
pub(super) fn combine_all<S, T: Scalar>(
    slots: &mut [S],
    program: &[Combination],
    view: impl Fn(&mut S) -> &mut [T],
) -> Option<bool> {
    // Adjoint plans keep many states; only those that the program names are looked at.
    let mut names = [usize::MAX; MAX_SLOTS];
    let mut used = 0;
    for line in program {
        for k in line.terms.iter().map(|(_, k)| *k).chain([line.dst]) {
            if !names[..used].contains(&k) {
                *names.get_mut(used)? = k;
                used += 1;
            }
        }
    }
    let names = &names[..used];
    let mut views: Views<'_, T> = Default::default();
    for (k, slot) in slots.iter_mut().enumerate() {
        if let Some(i) = names.iter().position(|n| *n == k) {
            views[i] = view(slot);
        }
    }
    let n = views[0].len();
    assert!(
        views[..used].iter().all(|v| v.len() == n),
        "combine_all: states of different length"
    );
    Some(sweep(views, n, names, program))
}

/// Whether what `program[i]` writes has to be looked at. A value that a later line reads shows there:
/// what is not finite stays so under multiplication and addition.
fn checked(program: &[Combination], i: usize) -> bool {
    let written = program[i].dst;
    let reads = |line: &Combination| {
        line.dst == written && line.beta != 0.0 || line.terms.iter().any(|(_, k)| *k == written)
    };
    !program[i + 1..].iter().any(reads)
}

/// Splits the work among threads; the split changes no bit, since elements are independent.
fn sweep<T: Scalar>(
    mut views: Views<'_, T>,
    n: usize,
    names: &[usize],
    program: &[Combination],
) -> bool {
    if !kernel::worth_sharing(n) {
        return tiles(&mut views, n, names, program);
    }
    let middle = n.div_ceil(kernel::CHUNK).div_ceil(2) * kernel::CHUNK;
    let mut left: Views<'_, T> = Default::default();
    let mut right: Views<'_, T> = Default::default();
    for ((view, l), r) in views.into_iter().zip(&mut left).zip(&mut right) {
        (*l, *r) = view.split_at_mut(middle.min(view.len()));
    }
    let (a, b) = rayon::join(
        || sweep(left, middle, names, program),
        || sweep(right, n - middle, names, program),
    );
    a & b
}

fn tiles<T: Scalar>(
    views: &mut Views<'_, T>,
    n: usize,
    names: &[usize],
    program: &[Combination],
) -> bool {
    let at = |slot: usize| names.iter().position(|k| *k == slot).unwrap_or(0);
    let tile = TILE_BYTES / size_of::<T>();
    let mut finite = true;
    let mut start = 0;
    while start < n {
        let end = (start + tile).min(n);
        for (number, line) in program.iter().enumerate() {
            let i = at(line.dst);
            // Taken out while the others are read.
            let whole = std::mem::take(&mut views[i]);
            let dst = &mut whole[start..end];
            let x = |k: usize| -> &[T] { &views[at(line.terms[k].1)][start..end] };
            kernel::block(dst, line.beta, line.terms.len(), |k| line.terms[k].0, x);
            if checked(program, number) {
                finite &= kernel::piece_is_finite(dst);
            }
            views[i] = whole;
        }
        start = end;
    }
    finite
}
