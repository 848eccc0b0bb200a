//! Slice kernels behind [`State`](crate::State): fused combination and fixed-tree reductions.
//!
//! The loops are plain Rust. [`pulp`] compiles them once per instruction set and picks one at run
//! time, which is worth 2 to 3 times on `f32` vectors in the cache (conversion to `f64` needs wide
//! registers) and changes no bit: multiply-add is fused only where the product is exact anyway.

use std::array::from_fn;

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use crate::{Scalar, Tolerance};

/// Below this length work stays on the calling thread: handing some to a neighbour in the pool
/// costs about 5 µs, in which one core combines some 10⁴ elements.
const PARALLEL_MIN: usize = 1 << 15;

/// The same for a caller outside the pool, who has to wake it and be woken: about 50 µs.
const PARALLEL_MIN_OUTSIDE: usize = 1 << 19;

/// Whether `n` elements are worth more than one thread. It changes no bit of any result.
pub(super) fn worth_sharing(n: usize) -> bool {
    let least = match rayon::current_thread_index() {
        Some(_) => PARALLEL_MIN,
        None => PARALLEL_MIN_OUTSIDE,
    };
    n >= least && rayon::current_num_threads() > 1
}

/// Elements that one task combines. A multiple of every leaf and lane count below.
pub(super) const CHUNK: usize = 1 << 14;

/// Leaf of the reduction tree. The tree is a function of the length alone.
const LEAF: usize = 1 << 12;

/// Independent partial sums in a leaf, enough to fill two of the widest registers.
const LANES: usize = 16;

/// `dst ← beta·dst + Σ c·x` where `view` gives the elements of a term.
///
/// # Panics
/// If a term's length differs from that of `dst`.
pub(super) fn lincomb<'a, T: Scalar, S: Sync>(
    dst: &mut [T],
    beta: f64,
    terms: &'a [(f64, S)],
    view: impl Fn(&'a S) -> &'a [T] + Sync,
) {
    for (_, x) in terms {
        assert_eq!(
            view(x).len(),
            dst.len(),
            "lincomb: states of different length"
        );
    }
    let on = |start: usize, dst: &mut [T]| {
        let end = start + dst.len();
        let x = |k: usize| -> &'a [T] { &view(&terms[k].1)[start..end] };
        block(dst, beta, terms.len(), |k| terms[k].0, x);
    };
    if worth_sharing(dst.len()) {
        dst.par_chunks_mut(CHUNK)
            .enumerate()
            .for_each(|(i, d)| on(i * CHUNK, d));
    } else {
        on(0, dst);
    }
}

/// Longest vector for which choosing an instruction set costs more than it brings.
pub(super) const SMALL: usize = 40;

/// `dst ← y + h·Σ c·k` for at most [`SMALL`] elements, with the bits of [`lincomb`].
///
/// # Panics
/// If a state's length differs from that of `dst`.
pub(super) fn step_small<T: Scalar>(
    dst: &mut [T],
    y: Option<&[T]>,
    h: f64,
    c: &[f64],
    k: &[Vec<T>],
) {
    let n = dst.len();
    let mut sums = [0.0; SMALL];
    let sums = &mut sums[..n];
    let mut fresh = true;
    let mut add = |c: f64, x: &[T]| {
        assert_eq!(x.len(), n, "step_from: states of different length");
        if fresh {
            for (s, v) in sums.iter_mut().zip(x) {
                *s = c * v.f64();
            }
        } else {
            for (s, v) in sums.iter_mut().zip(x) {
                *s += c * v.f64();
            }
        }
        fresh = false;
    };
    if let Some(y) = y {
        add(1.0, y);
    }
    for (c, k) in c.iter().zip(k) {
        if *c != 0.0 {
            add(T::coefficient(h * c), k);
        }
    }
    for (d, s) in dst.iter_mut().zip(&*sums) {
        *d = T::of(*s);
    }
}

/// One combination on one piece of memory: `dst ← beta·dst + Σ c(k)·x(k)`.
pub(super) fn block<'a, T: Scalar>(
    dst: &mut [T],
    beta: f64,
    terms: usize,
    c: impl Fn(usize) -> f64,
    x: impl Fn(usize) -> &'a [T],
) {
    let beta = T::coefficient(beta);
    let c = |k: usize| T::coefficient(c(k));
    /// One loop for each number of terms.
    macro_rules! by_terms {
        ($($n:literal)*) => {
            match terms {
                0 => scale(beta, dst),
                $($n => fused::<T, $n>(beta, dst, from_fn(&c), from_fn(&x)),)*
                n => buffered(beta, dst, n, c, x),
            }
        };
    }
    // What the stages of Runge-Kutta methods of order 8 have.
    by_terms!(1 2 3 4 5 6 7 8 9 10 11 12);
}

fn scale<T: Scalar>(beta: f64, dst: &mut [T]) {
    if beta == 0.0 {
        dst.fill(T::zero());
    } else {
        for d in dst {
            *d = T::of(beta * d.f64());
        }
    }
}

struct Fused<'a, T, const N: usize, const FMA: bool> {
    beta: f64,
    dst: &'a mut [T],
    c: [f64; N],
    x: [&'a [T]; N],
}

/// `c·x + sum`. With exact products both branches give the same bits.
#[inline(always)]
fn add_product<const FMA: bool>(sum: f64, c: f64, x: f64) -> f64 {
    if FMA { c.mul_add(x, sum) } else { sum + c * x }
}

impl<T: Scalar, const N: usize, const FMA: bool> NullaryFnOnce for Fused<'_, T, N, FMA> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { beta, dst, c, x } = self;
        let n = dst.len();
        // Slices of one known length: no bounds check survives in the loop.
        let x = x.map(|s| &s[..n]);
        if beta == 0.0 {
            for i in 0..n {
                let mut sum = c[0] * x[0][i].f64();
                for k in 1..N {
                    sum = add_product::<FMA>(sum, c[k], x[k][i].f64());
                }
                dst[i] = T::of(sum);
            }
        } else {
            for i in 0..n {
                let mut sum = beta * dst[i].f64();
                for k in 0..N {
                    sum = add_product::<FMA>(sum, c[k], x[k][i].f64());
                }
                dst[i] = T::of(sum);
            }
        }
    }
}

/// Whether multiply-add is one instruction: only these processors have it wherever pulp finds wide registers.
fn has_fma(arch: Arch) -> bool {
    cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) && !matches!(arch, Arch::Scalar)
}

fn fused<T: Scalar, const N: usize>(beta: f64, dst: &mut [T], c: [f64; N], x: [&[T]; N]) {
    let arch = Arch::new();
    if T::EXACT_PRODUCTS && has_fma(arch) {
        arch.dispatch(Fused::<T, N, true> { beta, dst, c, x });
    } else {
        arch.dispatch(Fused::<T, N, false> { beta, dst, c, x });
    }
}

/// Elements whose sums stay in the first cache level while terms pass by.
const BLOCK: usize = 2048;

/// `sums += c·x` for N terms at once.
struct Gather<'a, T, const N: usize, const FMA: bool> {
    sums: &'a mut [f64],
    c: [f64; N],
    x: [&'a [T]; N],
}

impl<T: Scalar, const N: usize, const FMA: bool> NullaryFnOnce for Gather<'_, T, N, FMA> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { sums, c, x } = self;
        let n = sums.len();
        let x = x.map(|s| &s[..n]);
        for i in 0..n {
            let mut sum = sums[i];
            for k in 0..N {
                sum = add_product::<FMA>(sum, c[k], x[k][i].f64());
            }
            sums[i] = sum;
        }
    }
}

/// Any number of terms, still one rounding: sums live in a buffer of the first cache level, and eight terms are added
/// for each time that it is read.
fn buffered<'a, T: Scalar>(
    beta: f64,
    dst: &mut [T],
    terms: usize,
    c: impl Fn(usize) -> f64,
    x: impl Fn(usize) -> &'a [T],
) {
    const GROUP: usize = 8;
    let arch = Arch::new();
    let fused = T::EXACT_PRODUCTS && has_fma(arch);
    let mut sums = [0.0_f64; BLOCK];
    for (b, d) in dst.chunks_mut(BLOCK).enumerate() {
        let start = b * BLOCK;
        let sums = &mut sums[..d.len()];
        if beta == 0.0 {
            sums.fill(0.0);
        } else {
            for (s, v) in sums.iter_mut().zip(&*d) {
                *s = beta * v.f64();
            }
        }
        let mut k = 0;
        while k + GROUP <= terms {
            let c: [f64; GROUP] = from_fn(|j| c(k + j));
            let x = from_fn(|j| &x(k + j)[start..]);
            if fused {
                arch.dispatch(Gather::<T, GROUP, true> { sums, c, x });
            } else {
                arch.dispatch(Gather::<T, GROUP, false> { sums, c, x });
            }
            k += GROUP;
        }
        for k in k..terms {
            let ck = c(k);
            for (s, v) in sums.iter_mut().zip(&x(k)[start..]) {
                *s += ck * v.f64();
            }
        }
        for (v, s) in d.iter_mut().zip(&*sums) {
            *v = T::of(*s);
        }
    }
}

/// Sums `leaf(start, end)` over `0..n` in a tree that halves at multiples of [`LEAF`], whoever computes a subtree.
pub(super) fn tree_sum<const N: usize>(
    start: usize,
    end: usize,
    leaf: &(impl Fn(usize, usize) -> [f64; N] + Sync),
) -> [f64; N] {
    let n = end - start;
    if n <= LEAF {
        return leaf(start, end);
    }
    let middle = start + n.div_ceil(LEAF).div_ceil(2) * LEAF;
    let (a, b) = if worth_sharing(n) {
        rayon::join(
            || tree_sum(start, middle, leaf),
            || tree_sum(middle, end, leaf),
        )
    } else {
        (tree_sum(start, middle, leaf), tree_sum(middle, end, leaf))
    };
    from_fn(|k| a[k] + b[k])
}

/// Sum of `add(sum, elements)` over A slices of one length, in [`LANES`] partial sums that are added pairwise at the end.
#[inline(always)]
pub(super) fn lane_sum<T: Scalar, const A: usize>(
    slices: [&[T]; A],
    add: impl Fn(f64, [f64; A]) -> f64,
) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    // Pieces of a length known to the compiler: no bounds check keeps it from wide registers.
    let pieces = slices.map(|s| s.as_chunks::<LANES>());
    let count = pieces.iter().map(|(full, _)| full.len()).min();
    for i in 0..count.unwrap_or(0) {
        let piece: [&[T; LANES]; A] = from_fn(|a| &pieces[a].0[i]);
        for k in 0..LANES {
            lanes[k] = add(lanes[k], piece.map(|p| p[k].f64()));
        }
    }
    let left = pieces.iter().map(|(_, rest)| rest.len()).min();
    for k in 0..left.unwrap_or(0) {
        lanes[k] = add(lanes[k], pieces.map(|(_, rest)| rest[k].f64()));
    }
    pairwise(lanes)
}

/// The sum of partial sums, halves upon halves.
#[inline(always)]
fn pairwise(mut lanes: [f64; LANES]) -> f64 {
    let mut width = LANES / 2;
    while width > 0 {
        for k in 0..width {
            lanes[k] += lanes[k + width];
        }
        width /= 2;
    }
    lanes[0]
}

struct DotLeaf<'a, T, const FMA: bool>(&'a [T], &'a [T]);

impl<T: Scalar, const FMA: bool> NullaryFnOnce for DotLeaf<'_, T, FMA> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        lane_sum([self.0, self.1], |sum, [x, y]| {
            add_product::<FMA>(sum, x, y)
        })
    }
}

/// The inner product of one leaf.
fn dot_leaf<T: Scalar>(arch: Arch, x: &[T], y: &[T]) -> f64 {
    if T::EXACT_PRODUCTS && has_fma(arch) {
        arch.dispatch(DotLeaf::<T, true>(x, y))
    } else {
        arch.dispatch(DotLeaf::<T, false>(x, y))
    }
}

/// Inner product in f64.
///
/// # Panics
/// If the lengths differ.
pub(super) fn dot<T: Scalar>(x: &[T], y: &[T]) -> f64 {
    assert_eq!(x.len(), y.len(), "dot: states of different length");
    let [sum] = tree_sum(0, x.len(), &|s, e| {
        [dot_leaf(Arch::new(), &x[s..e], &y[s..e])]
    });
    sum
}

/// Inner products of one leaf with several others at once: `x` is converted once for all of them.
struct DotsLeaf<'a, T, const N: usize, const FMA: bool>(&'a [T], [&'a [T]; N]);

impl<T: Scalar, const N: usize, const FMA: bool> NullaryFnOnce for DotsLeaf<'_, T, N, FMA> {
    type Output = [f64; N];

    #[inline(always)]
    fn call(self) -> [f64; N] {
        let Self(x, others) = self;
        let mut lanes = [[0.0_f64; LANES]; N];
        let (full, rest) = x.as_chunks::<LANES>();
        let pieces = others.map(|y| y.as_chunks::<LANES>());
        let pieces = pieces.map(|(y, left)| (&y[..full.len()], &left[..rest.len()]));
        for (i, x) in full.iter().enumerate() {
            let x: [f64; LANES] = from_fn(|k| x[k].f64());
            for n in 0..N {
                let y = &pieces[n].0[i];
                for k in 0..LANES {
                    lanes[n][k] = add_product::<FMA>(lanes[n][k], x[k], y[k].f64());
                }
            }
        }
        for (lanes, (_, left)) in lanes.iter_mut().zip(pieces) {
            for (lane, (x, y)) in lanes.iter_mut().zip(rest.iter().zip(left)) {
                *lane = add_product::<FMA>(*lane, x.f64(), y.f64());
            }
        }
        lanes.map(pairwise)
    }
}

/// Inner products with several others, each with the bits of [`dot`].
///
/// # Panics
/// If the lengths differ.
pub(super) fn dots<T: Scalar>(x: &[T], others: &[&Vec<T>], out: &mut [f64]) {
    const GROUP: usize = 4;
    assert_eq!(others.len(), out.len(), "dots: a place for each product");
    for y in others {
        assert_eq!(x.len(), y.len(), "dots: states of different length");
    }
    let arch = Arch::new();
    let fused = T::EXACT_PRODUCTS && has_fma(arch);
    for (group, out) in others.chunks(GROUP).zip(out.chunks_mut(GROUP)) {
        if let Ok(y) = <&[&Vec<T>; GROUP]>::try_from(group) {
            let sums = tree_sum(0, x.len(), &|s, e| {
                let (x, y) = (&x[s..e], y.map(|y| &y[s..e]));
                if fused {
                    arch.dispatch(DotsLeaf::<T, GROUP, true>(x, y))
                } else {
                    arch.dispatch(DotsLeaf::<T, GROUP, false>(x, y))
                }
            });
            out.copy_from_slice(&sums);
        } else {
            for (o, y) in out.iter_mut().zip(group) {
                *o = dot(x, y);
            }
        }
    }
}

struct NormLeaf<'a, T> {
    x: &'a [T],
    a: &'a [T],
    b: &'a [T],
    tol: Tolerance,
}

impl<T: Scalar> NullaryFnOnce for NormLeaf<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let Tolerance { atol, rtol } = self.tol;
        lane_sum([self.x, self.a, self.b], |sum, [x, a, b]| {
            let (p, q) = (a.abs(), b.abs());
            let larger = if p > q { p } else { q };
            let e = x / (atol + rtol * larger);
            sum + e * e
        })
    }
}

/// Root mean square of `x / (atol + rtol·max(|a|, |b|))`.
///
/// # Panics
/// If the lengths differ.
pub(super) fn error_norm<T: Scalar>(x: &[T], a: &[T], b: &[T], tol: Tolerance) -> f64 {
    assert!(
        x.len() == a.len() && x.len() == b.len(),
        "error_norm: states of different length"
    );
    if x.is_empty() {
        return 0.0;
    }
    let [sum] = tree_sum(0, x.len(), &|s, e| {
        [Arch::new().dispatch(NormLeaf {
            x: &x[s..e],
            a: &a[s..e],
            b: &b[s..e],
            tol,
        })]
    });
    (sum / x.len() as f64).sqrt()
}

struct FiniteLeaf<'a, T>(&'a [T]);

impl<T: Scalar> NullaryFnOnce for FiniteLeaf<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn call(self) -> bool {
        T::all_finite(self.0)
    }
}

/// [`is_finite`] of a piece of memory, on the calling thread.
pub(super) fn piece_is_finite<T: Scalar>(x: &[T]) -> bool {
    Arch::new().dispatch(FiniteLeaf(x))
}

/// `true` when no element is NaN or infinite.
pub(super) fn is_finite<T: Scalar>(x: &[T]) -> bool {
    if worth_sharing(x.len()) {
        x.par_chunks(CHUNK).all(piece_is_finite)
    } else {
        x.chunks(LEAF).all(piece_is_finite)
    }
}
