//! CUDA C++ for products whose factors are read element by element: matrix products without a library, contractions,
//! convolutions (im2col without the copy).
//!
//! A block of 256 threads computes a tile of the result from strips of both factors in shared memory. Terms are added in
//! order by fused multiply-add. Long sums of few results are cut into parts that a loop adds up; how depends on the sizes
//! alone. M. Dukhan, *The indirect convolution algorithm*, 2019.

use std::fmt::Write as _;

use super::body::Array;
use super::emit::{BLOCK, Kernel, Setting, counter_type, counters, head};
use super::index::{Index, signed};
use super::step::{Factor, Precision, Product};
use crate::error::elements;

/// Terms of a strip.
const DEPTH: usize = 16;

/// Blocks that a product should have.
const MANY: usize = 256;

/// Rows and columns of a tile, and of what one thread has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tile {
    rows: usize,
    columns: usize,
    own: [usize; 2],
}

impl Tile {
    const fn new(rows: usize, columns: usize, own: [usize; 2]) -> Self {
        assert!(rows * columns == BLOCK * own[0] * own[1]);
        Self { rows, columns, own }
    }

    /// For a result of `m` rows and `n` columns, `count` times.
    fn of(count: usize, m: usize, n: usize, scalar: &str) -> Self {
        let large = Self::new(128, 64, [8, 4]);
        let enough = count * m.div_ceil(large.rows) * n.div_ceil(large.columns) >= MANY;
        match (m, n) {
            (_, ..=16) => Self::new(128, 16, [8, 1]),
            (..=16, _) => Self::new(16, 128, [1, 8]),
            _ if enough && scalar == "float" => large,
            _ if count * m.div_ceil(64) * n.div_ceil(64) >= MANY / 2 => Self::new(64, 64, [4, 4]),
            _ => Self::new(32, 32, [2, 2]),
        }
    }
}

/// How a product is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    tile: Tile,
    /// Parts of the sums, and terms in each.
    pub(super) parts: usize,
    chunk: usize,
}

impl Cut {
    pub(super) fn of(product: &Product, scalar: &str) -> Self {
        let [count, m, n, k] = product.groups().map(|g| elements(g.1));
        let tile = Tile::of(count, m, n, scalar);
        let blocks = (count * m.div_ceil(tile.rows) * n.div_ceil(tile.columns)).max(1);
        let parts = (MANY / blocks).min(k / (8 * DEPTH)).clamp(1, 256);
        let chunk = k.div_ceil(parts).max(1).next_multiple_of(DEPTH);
        Self {
            tile,
            parts: k.div_ceil(chunk).max(1),
            chunk,
        }
    }
}

/// The kernel of a product; `None` for an empty result. Where there are parts, part p goes to `scratch`, at
/// p·points + point.
pub(super) fn kernel(
    product: &Product,
    setting: Setting<'_>,
    cut: Cut,
    scratch: Option<Array>,
) -> Option<Kernel> {
    let groups = product.groups();
    let [count, m, n, k] = groups.map(|g| elements(g.1));
    if count * m * n == 0 {
        return None;
    }
    let Cut { tile, parts, chunk } = cut;
    let grid = [m.div_ceil(tile.rows), n.div_ceil(tile.columns)];
    let blocks = grid[0] * grid[1] * count;
    let (left, right) = (product.left.array, product.right.array);
    let mut arguments = vec![left];
    if right != left {
        arguments.push(right);
    }
    let reads = arguments.len();
    arguments.push(scratch.unwrap_or(product.out.0));
    let p_right = reads - 1;
    let axes: usize = groups.iter().map(|g| g.1.len()).sum();
    let mut most = signed((blocks * BLOCK).max(count * m * n * parts));
    let mut used = |indices: &mut dyn Iterator<Item = &Index>| {
        let mut used = vec![false; axes];
        for index in indices {
            index.counters(&mut |a, _| used[a] = true);
            most = most.max(index.magnitude());
        }
        used
    };
    let of = |f: &Factor| {
        let mut list = vec![f.index.clone()];
        list.extend(f.when.iter().map(|c| c.index().clone()));
        list
    };
    let (left_uses, right_uses) = (of(&product.left), of(&product.right));
    let left_used = used(&mut left_uses.iter());
    let right_used = used(&mut right_uses.iter());
    let out_used = used(&mut [product.out.1.clone()].iter());
    let either: Vec<bool> = (0..axes)
        .map(|a| left_used[a] || right_used[a] || (scratch.is_none() && out_used[a]))
        .collect();
    let scalar = setting.scalar;
    let [own_m, own_n] = tile.own;
    let (tm, tn) = (tile.rows, tile.columns);
    let across = tn / own_n;
    let mut text = head(&arguments, reads, setting);
    let _ = writeln!(
        text,
        "    using I = {};",
        counter_type(most + signed(chunk) + signed(k))
    );
    let _ = writeln!(
        text,
        "    __shared__ {scalar} left[{DEPTH}][{}], right[{DEPTH}][{}];\n    const unsigned t = threadIdx.x, tx = t % \
         {across}, ty = t / {across};\n    const I m0 = (I)(blockIdx.x % {}) * {tm}, n0 = (I)(blockIdx.x / {} % {}) * \
         {tn}, b = blockIdx.x / {};",
        tm + 1,
        tn + 1,
        grid[0],
        grid[0],
        grid[1],
        grid[0] * grid[1]
    );
    let _ = writeln!(
        text,
        "    {}",
        counters("b", groups[0].1, groups[0].0, &either)
    );
    let _ = writeln!(text, "    {scalar} sum[{own_m}][{own_n}] = {{}};");
    let (from, end) = if parts > 1 {
        let _ = writeln!(
            text,
            "    const I from = (I)blockIdx.y * {chunk}, end = from + {chunk} < {k} ? from + {chunk} : {k};"
        );
        ("from", "end".to_owned())
    } else {
        ("0", k.to_string())
    };
    let _ = writeln!(
        text,
        "    for (I k0 = {from}; k0 < {end}; k0 += {DEPTH}) {{"
    );
    let rounding = match (product.precision, scalar) {
        (Precision::Tf32, "float") => "rounded<13>",
        (Precision::Bf16, "float") => "rounded<16>",
        _ => "",
    };
    let strips = [
        (&product.left, "left", tm, "m", m, groups[1], 0, &left_used),
        (
            &product.right,
            "right",
            tn,
            "n",
            n,
            groups[2],
            p_right,
            &right_used,
        ),
    ];
    for (factor, name, width, letter, limit, far, p, used) in strips {
        // Neighbouring threads read neighbouring elements where they can.
        let along_k = last_stride(&factor.index, groups[3]) == Some(1)
            && last_stride(&factor.index, far) != Some(1);
        let (kk, at) = if along_k {
            (format!("e % {DEPTH}"), format!("e / {DEPTH}"))
        } else {
            (format!("e / {width}"), format!("e % {width}"))
        };
        let _ = writeln!(
            text,
            "        for (unsigned e = t; e < {}; e += {BLOCK}) {{\n            const unsigned kk = {kk}, at = {at};\n            \
             const I k = k0 + kk, {letter} = {letter}0 + at;\n            {scalar} x = 0;\n            if (k < {end} && {letter} < {limit}) \
             {{ {}{}",
            DEPTH * width,
            counters(letter, far.1, far.0, used),
            counters("k", groups[3].1, groups[3].0, used),
        );
        let value = element(factor, p, setting);
        let _ = writeln!(
            text,
            "                x = {rounding}({value});\n            }}\n            {name}[kk][at] = x;\n        }}"
        );
    }
    let _ = writeln!(
        text,
        "        __syncthreads();\n        #pragma unroll\n        for (unsigned kk = 0; kk < {DEPTH}; ++kk) {{\n            {scalar} \
         a[{own_m}], c[{own_n}];\n            #pragma unroll\n            for (unsigned i = 0; i < {own_m}; ++i) a[i] = left[kk][ty + i * \
         {}];\n            #pragma unroll\n            for (unsigned j = 0; j < {own_n}; ++j) c[j] = right[kk][tx + j * {across}];\n            \
         #pragma unroll\n            for (unsigned i = 0; i < {own_m}; ++i)\n                #pragma unroll\n                for (unsigned j = 0; j < \
         {own_n}; ++j) sum[i][j] = f_fma(a[i], c[j], sum[i][j]);\n        }}\n        __syncthreads();\n    }}",
        tm / own_m
    );
    let target = if scratch.is_some() {
        format!("(((I)blockIdx.y * {count} + b) * {m} + m) * {n} + n")
    } else {
        product.out.1.text()
    };
    let _ = writeln!(
        text,
        "    #pragma unroll\n    for (unsigned i = 0; i < {own_m}; ++i)\n        #pragma unroll\n        for (unsigned j = 0; j < {own_n}; ++j) \
         {{\n            const I m = m0 + ty + i * {}, n = n0 + tx + j * {across};\n            if (m < {m} && n < {n}) {{ {}{}q0[{target}] = sum[i][j]; \
         }}\n        }}\n}}",
        tm / own_m,
        if scratch.is_some() {
            String::new()
        } else {
            counters("m", groups[1].1, groups[1].0, &out_used)
        },
        if scratch.is_some() {
            String::new()
        } else {
            counters("n", groups[2].1, groups[2].0, &out_used)
        },
    );
    Some(Kernel {
        text,
        grid: [blocks as u32, parts as u32],
        arguments,
    })
}

/// The distance along the last axis of a group that has more than one point.
fn last_stride(index: &Index, (first, lengths): (usize, &[usize])) -> Option<i64> {
    let last = lengths.iter().rposition(|n| *n > 1)?;
    index.stride(first + last).map(i64::abs)
}

/// An element of a factor, or 0.
fn element(factor: &Factor, p: usize, setting: Setting<'_>) -> String {
    let (low, high) = factor.index.range();
    let (at, len) = (factor.index.text(), setting.len(factor.array));
    let open = factor.when.iter().filter(|c| !c.always());
    let mut tests: Vec<String> = open.map(super::Condition::text).collect();
    // Whatever the conditions promise, nothing beyond the array is read.
    if low < 0 {
        tests.push(format!("{at} >= 0"));
    }
    if high >= signed(len) {
        tests.push(format!("{at} < {len}"));
    }
    if tests.is_empty() {
        format!("p{p}[{at}]")
    } else {
        format!("({}) ? p{p}[{at}] : 0", tests.join(" && "))
    }
}
