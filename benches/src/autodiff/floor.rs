//! What the arithmetic of a program takes at least on this machine.
//!
//! The matrix products of a trace are run one after the other on operands that stay in the cache, by the same library and
//! with as many rows at a time as is fastest; elementary functions are timed as a program of nothing else. Everything
//! else (additions, derivatives of activations, memory) counts as free. A convolution counts as a direct sum: one that
//! works in tiles multiplies less often, and may be faster than this.

use std::collections::HashMap;
use std::hint::black_box;

use ansatz_autodiff::{Element, Graph, Options, Program, Trace};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::ThreadPool;

use crate::suites::SuiteError;
use crate::timing::{Effort, interleaved};

/// Seconds of each part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floor {
    /// Matrix products.
    pub products: f64,
    /// Their operations in a second, in 10⁹.
    pub rate: f64,
    /// Elementary functions.
    pub functions: f64,
}

/// m×k by k×n, with a factor transposed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Product {
    name: Name,
    m: usize,
    k: usize,
    n: usize,
    /// How often it is done: a convolution is a product for each image.
    times: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Plain,
    LeftTransposed,
    RightTransposed,
}

/// What a printed trace is made of: matrix products, and how many elements each elementary function is applied to.
#[derive(Debug, Default)]
struct Work {
    products: Vec<Product>,
    functions: HashMap<&'static str, usize>,
}

/// Functions that take some ten times as long as a multiplication.
const FUNCTIONS: [&str; 4] = ["tanh", "sigmoid", "silu", "exp"];

/// Rows at a time that are tried for the products.
const ROWS: [usize; 4] = [64, 128, 256, 512];

impl Work {
    fn of(trace: &Trace) -> Self {
        let mut work = Self::default();
        let mut shapes: HashMap<String, Vec<usize>> = HashMap::new();
        // `%3 [64, 32] = tanh %2`
        for line in trace.to_string().lines() {
            let Some((left, right)) = line.split_once(" = ") else {
                continue;
            };
            let (id, shape) = left.split_once(' ').unwrap_or((left, "[]"));
            let lengths = shape.trim_matches(['[', ']']).split(", ");
            let shape: Vec<usize> = lengths.filter_map(|n| n.parse().ok()).collect();
            let mut words = right.split(' ');
            let name = words.next().unwrap_or_default();
            let sizes = |shape: Option<&Vec<usize>>| match shape.map(Vec::as_slice) {
                Some([r, c]) => (*r, *c),
                _ => (0, 0),
            };
            let factors: Vec<_> = words.filter_map(|w| shapes.get(w)).collect();
            let left = sizes(factors.first().copied());
            let (m, n) = sizes(Some(&shape));
            let product = |name, k| Product {
                name,
                m,
                k,
                n,
                times: 1,
            };
            match name {
                "matmul" => work.products.push(product(Name::Plain, left.1)),
                "matmul_nt" => work.products.push(product(Name::RightTransposed, left.1)),
                "matmul_tn" => work.products.push(product(Name::LeftTransposed, left.0)),
                "contract" => work.products.extend(contraction(&factors, &shape)),
                _ if name.starts_with("convolve") => {
                    work.products.extend(convolution(name, &factors, &shape));
                }
                _ => {}
            }
            if let Some(known) = FUNCTIONS.iter().find(|f| **f == name) {
                *work.functions.entry(known).or_default() += shape.iter().product::<usize>();
            }
            shapes.insert(id.to_owned(), shape);
        }
        work
    }
}

/// A contraction as a product; one for each point if the first axis is the same all over.
fn contraction(factors: &[&Vec<usize>], shape: &[usize]) -> Option<Product> {
    let [a, b] = factors else {
        return None;
    };
    let first = |s: &[usize]| s.first().copied().filter(|_| s.len() > 2);
    let points = first(shape).filter(|n| [a, b].iter().all(|s| first(s) == Some(*n)));
    let times = points.unwrap_or(1);
    let size = |s: &[usize]| (s.iter().product::<usize>() / times) as f64;
    // From mk, kn and mn.
    let (a, b, c) = (size(a), size(b), size(shape));
    let root = |x: f64| x.sqrt().round() as usize;
    Some(Product {
        name: Name::Plain,
        m: root(a * c / b),
        k: root(a * b / c),
        n: root(b * c / a),
        times,
    })
}

/// A convolution as products with the matrix of its windows.
fn convolution(name: &str, factors: &[&Vec<usize>], shape: &[usize]) -> Option<Product> {
    let (weights, product) = match name {
        "convolve_weights" => (shape, Name::LeftTransposed),
        _ => (factors.get(1)?.as_slice(), Name::Plain),
    };
    let [outputs, inputs, taps @ ..] = weights else {
        return None;
    };
    let images = factors.first()?;
    let count = |s: &[usize]| Some(s.get(2..)?.iter().product::<usize>());
    // The smaller of both images: a stride leaves some out.
    let positions = match name {
        "convolve" => count(shape)?,
        "convolve_transposed" => count(images)?,
        _ => count(images)?.min(count(factors.get(1)?)?),
    };
    let windows = inputs * taps.iter().product::<usize>();
    let (m, k, n) = match name {
        "convolve" => (positions, windows, *outputs),
        "convolve_transposed" => (positions, *outputs, windows),
        _ => (windows, positions, *outputs),
    };
    Some(Product {
        name: product,
        m,
        k,
        n,
        times: images[0],
    })
}

impl Product {
    fn flops(self) -> f64 {
        2.0 * (self.times * self.m * self.k * self.n) as f64
    }

    /// In parts of `rows` of `points` points.
    fn chunk(self, points: usize, rows: usize) -> Self {
        let times = points.div_ceil(rows);
        match self {
            Self { times: 2.., .. } => self,
            Self { m, .. } if m == points => Self {
                m: rows,
                times,
                ..self
            },
            Self { k, .. } if k == points => Self {
                k: rows,
                times,
                ..self
            },
            _ => self,
        }
    }

    fn run<T: Element + faer::traits::ComplexField>(self, a: &[T], b: &[T], out: &mut [T]) {
        let Self { m, k, n, .. } = self;
        let left = match self.name {
            Name::LeftTransposed => MatRef::from_row_major_slice(&a[..m * k], k, m).transpose(),
            _ => MatRef::from_row_major_slice(&a[..m * k], m, k),
        };
        let right = match self.name {
            Name::RightTransposed => MatRef::from_row_major_slice(&b[..k * n], n, k).transpose(),
            _ => MatRef::from_row_major_slice(&b[..k * n], k, n),
        };
        let out = MatMut::from_row_major_slice_mut(&mut out[..m * n], m, n);
        matmul(out, Accum::Replace, left, right, T::of(1.0), Par::Seq);
    }
}

/// Measures the floor of a trace whose batch has `points` points, with all threads of `pool` at work.
///
/// # Errors
/// [`SuiteError`] if a program cannot be compiled.
pub fn measure<T: Element + faer::traits::ComplexField>(
    trace: &Trace,
    points: usize,
    pool: &ThreadPool,
    effort: Effort,
) -> Result<Floor, SuiteError> {
    let work = Work::of(trace);
    let products = ROWS
        .iter()
        .map(|rows| products::<T>(&work.products, points, *rows, pool, effort))
        .fold(f64::INFINITY, f64::min);
    let flops: f64 = work.products.iter().map(|p| p.flops()).sum();
    let mut functions = 0.0;
    for (name, count) in &work.functions {
        functions += function::<T>(name, *count, pool, effort)?;
    }
    Ok(Floor {
        products,
        rate: flops / products / 1e9,
        functions,
    })
}

/// Seconds of all products, `rows` points at a time.
fn products<T: Element + faer::traits::ComplexField>(
    products: &[Product],
    points: usize,
    rows: usize,
    pool: &ThreadPool,
    effort: Effort,
) -> f64 {
    let chunks: Vec<Product> = products.iter().map(|p| p.chunk(points, rows)).collect();
    let size = |f: fn(&Product) -> usize| chunks.iter().map(f).max().unwrap_or(0);
    let lengths = [
        size(|p| p.m * p.k),
        size(|p| p.k * p.n),
        size(|p| p.m * p.n),
    ];
    let once = || {
        pool.broadcast(|_| {
            let [a, b, mut out] = lengths.map(|n| vec![T::of(0.01); n]);
            for product in &chunks {
                for _ in 0..product.times.div_ceil(pool.current_num_threads()) {
                    product.run(black_box(&a), black_box(&b), black_box(&mut out));
                }
            }
        });
    };
    let times = interleaved(effort, &mut [&mut { once }]);
    times[0].lo
}

/// Seconds of an elementary function of `count` elements, its sum included and taken off again.
fn function<T: Element>(
    name: &str,
    count: usize,
    pool: &ThreadPool,
    effort: Effort,
) -> Result<f64, SuiteError> {
    const WIDTH: usize = 64;
    let rows = count.div_ceil(WIDTH);
    let program = |named: bool| -> Result<Program<T>, SuiteError> {
        let g = Graph::new();
        let x = g.batch(&[rows, WIDTH]);
        let y = match (named, name) {
            (false, _) => x,
            (true, "tanh") => x.tanh(),
            (true, "sigmoid") => x.sigmoid(),
            (true, "exp") => x.exp(),
            (true, _) => x.silu(),
        };
        Ok(Program::compile(
            &g.finish(&[y.sum()]),
            &Options::default(),
        )?)
    };
    let (with, without) = (program(true)?, program(false)?);
    let x: Vec<T> = (0..rows * WIDTH)
        .map(|i| T::of((i as f64 * 0.618).fract() * 4.0 - 2.0))
        .collect();
    let run = |program: &Program<T>| {
        let mut out = [T::zero()];
        // The lengths are those of the program.
        let done = pool.install(|| program.run(&[&x], &mut [&mut out]));
        black_box((done.is_ok(), out));
    };
    let (mut a, mut b) = (|| run(&with), || run(&without));
    let times = interleaved(effort, &mut [&mut a, &mut b]);
    Ok((times[0].lo - times[1].lo).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autodiff::Workload;

    /// The products of the physics-informed step, counted by hand: 4096 points, four streams forwards; each product of
    /// streams has two more backwards, except where a factor does not depend on the parameters.
    #[test]
    fn all_products_are_found() {
        let workload = Workload::new("pinn", 512).unwrap();
        let work = Work::of(&workload.trace);
        let flops: f64 = work.products.iter().map(|p| p.flops()).sum();
        assert!(work.products.iter().all(|p| p.m * p.k * p.n > 0));
        // Hidden layers alone: 3 layers x 4 streams x 3 products.
        let hidden = 3.0 * 4.0 * 3.0 * 2.0 * 512.0 * 64.0 * 64.0;
        assert!(flops >= hidden && flops < 1.3 * hidden, "{flops} {hidden}");
        assert_eq!(work.functions["tanh"], 4 * 512 * 64);
        assert!(flops <= workload.trace.flops() as f64);
    }

    /// 8.4 GFLOP, as one counts: three products a layer, two in the first.
    #[test]
    fn convolutions_are_products() {
        let workload = Workload::new("stack", 32).unwrap();
        let work = Work::of(&workload.trace);
        let flops: f64 = work.products.iter().map(|p| p.flops()).sum();
        let layer = |inputs: usize, outputs: usize| (2 * 32 * 784 * 9 * inputs * outputs) as f64;
        let all = 2.0 * layer(1, 32) + 3.0 * (layer(32, 64) + layer(64, 64));
        assert!((flops - all).abs() < 1.0, "{flops} {all}");
    }
}
