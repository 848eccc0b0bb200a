//! What is done with symbols, in the suite and for its peers: long sums, a reaction network, a reaction-diffusion
//! equation, a formula over arrays.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ansatz_core::{EvalError, JvpField, VectorField};
use ansatz_diffeq::stiff::{self, Differences, Linear, Method, Options};
use ansatz_expr::{Compiled, Expr, ExprError, Formula, Pool, Sparsity};

use crate::suites::SuiteError;

/// Species and reactions of the network.
const SPECIES: usize = 20;
const REACTIONS: usize = 60;

/// Seconds to add `n` symbols one by one, each sum an expression of its own.
#[must_use]
pub fn sum(n: usize) -> f64 {
    let pool = Pool::new();
    let symbols = numbered(&pool, "x", n);
    let begin = Instant::now();
    let sum = symbols.iter().fold(pool.number(0.0), |sum, x| sum + *x);
    let seconds = begin.elapsed().as_secs_f64();
    std::hint::black_box(sum);
    seconds
}

/// The same with sums that are sorted lists, made anew for each.
#[must_use]
pub fn naive_sum(n: usize) -> f64 {
    // In an order that is not the sorted one already.
    let symbols: Vec<u64> = (0..n as u64)
        .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .collect();
    let begin = Instant::now();
    let mut sum: Vec<(u64, f64)> = Vec::new();
    for symbol in symbols {
        let mut terms = sum.clone();
        terms.push((symbol, 1.0));
        terms.sort_by_key(|(symbol, _)| *symbol);
        terms.dedup_by(|a, b| {
            let same = a.0 == b.0;
            if same {
                b.1 += a.1;
            }
            same
        });
        sum = terms;
    }
    let seconds = begin.elapsed().as_secs_f64();
    std::hint::black_box(sum);
    seconds
}

fn numbered<'p>(pool: &'p Pool, name: &str, n: usize) -> Vec<Expr<'p>> {
    (0..n).map(|i| pool.symbol(&format!("{name}{i}"))).collect()
}

/// Reaction r: what meets, and what comes of it.
fn reaction(r: usize) -> (f64, [usize; 3]) {
    let places = [r % SPECIES, (3 * r + 1) % SPECIES, (7 * r + 2) % SPECIES];
    (0.1 + 0.01 * r as f64, places)
}

/// Rates of the network in a pool, with its species.
#[must_use]
pub fn network(pool: &Pool) -> (Vec<Expr<'_>>, Vec<Expr<'_>>) {
    let x = numbered(pool, "x", SPECIES);
    let mut rates = vec![pool.number(0.0); SPECIES];
    for r in 0..REACTIONS {
        let (k, [i, j, l]) = reaction(r);
        let v = k * x[i] * x[j];
        rates[i] = rates[i] - v;
        rates[j] = rates[j] - v;
        rates[l] = rates[l] + v;
    }
    (x, rates)
}

/// Operations of the network as a loop over its reactions, in the cycles of [`Formula::cost`].
pub const NETWORK_COST: u64 = (REACTIONS * (2 * 3 + 3)) as u64;

/// The same as a loop.
pub fn network_by_hand(x: &[f64], out: &mut [f64]) {
    out.fill(0.0);
    for r in 0..REACTIONS {
        let (k, [i, j, l]) = reaction(r);
        let v = k * x[i] * x[j];
        out[i] -= v;
        out[j] -= v;
        out[l] += v;
    }
}

/// Code of a formula whose inputs are these symbols.
///
/// # Errors
/// A leaf that is none of them.
pub fn compiled(formula: &Formula, symbols: &[Expr<'_>]) -> Result<Compiled, ExprError> {
    let names: Vec<String> = symbols.iter().map(ToString::to_string).collect();
    let names: Vec<&str> = names.iter().map(|n| &**n).collect();
    formula.compile(&names)
}

/// The reaction-diffusion equation on n × n points: state and rates, by columns.
#[must_use]
pub fn grid(pool: &Pool, n: usize) -> (Vec<Expr<'_>>, Vec<Expr<'_>>) {
    let [a, b, c] = ["a", "b", "c"].map(|name| numbered(pool, name, n * n));
    // Beyond an edge stands the neighbour on this side.
    let inside = |k: usize, step: isize| match (k, step) {
        (0, -1) => 1,
        (k, 1) if k + 1 == n => n - 2,
        (k, step) => k.wrapping_add_signed(step),
    };
    let (mut da, mut db, mut dc) = (Vec::new(), Vec::new(), Vec::new());
    for k in 0..n * n {
        let (i, j) = (k % n, k / n);
        let around = [-1, 1].map(|s| a[inside(i, s) + n * j] + a[i + n * inside(j, s)]);
        let source = if 5 * (j + 1) >= 4 * n { 1.0 } else { 0.0 };
        let reaction = a[k] * b[k];
        let diffusion = 100.0 * (around[0] + around[1] - 4.0 * a[k]);
        da.push(diffusion + source - a[k] - reaction + c[k]);
        db.push(1.0 - b[k] - reaction + c[k]);
        dc.push(1.0 - c[k] + reaction - c[k]);
    }
    ([a, b, c].concat(), [da, db, dc].concat())
}

/// Rates and their Jacobian, compiled.
pub struct Traced {
    rates: Compiled,
    jacobian: Compiled,
    /// Where the Jacobian has entries.
    pub sparsity: Sparsity,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    registers: Vec<f64>,
    /// Where the entries are from.
    at: Vec<f64>,
    entries: Vec<f64>,
}

impl Traced {
    /// Writes the equation, differentiates it and compiles both.
    ///
    /// # Errors
    /// None are expected.
    pub fn new(n: usize) -> Result<Self, ExprError> {
        let pool = Pool::new();
        let (state, rates) = grid(&pool, n);
        let jacobian = pool.jacobian(&rates, &state)?;
        Ok(Self {
            rates: compiled(&pool.formula(&rates)?, &state)?,
            jacobian: compiled(&jacobian.formula()?, &state)?,
            sparsity: jacobian.sparsity,
            memory: Mutex::default(),
        })
    }
}

/// A value that is not finite is left to the solver.
fn told(result: Result<(), ExprError>) -> Result<(), EvalError> {
    match result {
        Ok(()) | Err(ExprError::Value { .. }) => Ok(()),
        Err(error) => Err(EvalError::model(error)),
    }
}

impl VectorField<Vec<f64>> for Traced {
    fn eval(&self, _: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Result<(), EvalError> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        told(self.rates.at(x, dx, &mut memory.registers))
    }
}

impl JvpField<Vec<f64>> for Traced {
    fn jvp(&self, _: f64, x: &Vec<f64>, v: &Vec<f64>, out: &mut Vec<f64>) -> Result<(), EvalError> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let Memory {
            registers,
            at,
            entries,
        } = &mut *memory;
        if at != x {
            entries.resize(self.sparsity.len(), 0.0);
            told(self.jacobian.at(x, entries, registers))?;
            at.clone_from(x);
        }
        told(self.sparsity.product(entries, v, out))
    }
}

/// How the Jacobian of the grid comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derivatives {
    /// Symbols, sparse factors.
    Traced,
    /// Differences of a hand-written loop, dense factors.
    Differences,
}

/// State at t = 10 of the grid from zero, by TR-BDF2 with tolerances 1e-6 and 1e-3, and the seconds of setting up and solving.
///
/// # Errors
/// If the solver fails.
pub fn solve_grid(n: usize, by: Derivatives) -> Result<(Vec<f64>, [f64; 2]), SuiteError> {
    let begin = Instant::now();
    let mut x = vec![0.0; 3 * n * n];
    let mut options = Options::tolerance(1e-6, 1e-3);
    options.method = Method::TrBdf2;
    let (up, solving);
    match by {
        Derivatives::Traced => {
            options.linear = Linear::Sparse;
            let field = Traced::new(n)?;
            up = begin.elapsed().as_secs_f64();
            solving = Instant::now();
            stiff::solve(&field, (0.0, 10.0), &mut x, &options, &mut ())?;
        }
        Derivatives::Differences => {
            options.linear = Linear::Dense;
            let field = Differences(move |_: f64, x: &Vec<f64>, dx: &mut Vec<f64>| {
                grid_by_hand(n, x, dx);
                Ok(())
            });
            up = begin.elapsed().as_secs_f64();
            solving = Instant::now();
            stiff::solve(&field, (0.0, 10.0), &mut x, &options, &mut ())?;
        }
    }
    Ok((x, [up, solving.elapsed().as_secs_f64()]))
}

/// The equation as a loop.
pub fn grid_by_hand(n: usize, x: &[f64], dx: &mut [f64]) {
    let (a, rest) = x.split_at(n * n);
    let (b, c) = rest.split_at(n * n);
    for j in 0..n {
        for i in 0..n {
            let k = i + n * j;
            let beyond = |k: usize, up: bool| match (k, up) {
                (0, false) => 1,
                (k, true) if k + 1 == n => n - 2,
                (k, true) => k + 1,
                (k, false) => k - 1,
            };
            let around = a[beyond(i, false) + n * j]
                + a[beyond(i, true) + n * j]
                + a[i + n * beyond(j, false)]
                + a[i + n * beyond(j, true)];
            let source = if 5 * (j + 1) >= 4 * n { 1.0 } else { 0.0 };
            let reaction = a[k] * b[k];
            dx[k] = 100.0 * (around - 4.0 * a[k]) + source - a[k] - reaction + c[k];
            dx[k + n * n] = 1.0 - b[k] - reaction + c[k];
            dx[k + 2 * n * n] = 1.0 - c[k] + reaction - c[k];
        }
    }
}

/// Burgers' residual on a solution by the Cole-Hopf transformation: text that SymPy reads as well.
pub const SOLUTION: &str = "0.3*(exp(-0.15*t)*sin(x) + 0.8*exp(-0.6*t)*sin(2*x))/(2 + exp(-0.15*t)*cos(x) + 0.4*exp(-0.6*t)*cos(2*x))";

/// Residual and slope of [`SOLUTION`] by x.
///
/// # Errors
/// None are expected.
pub fn residual() -> Result<Compiled, ExprError> {
    let pool = Pool::new();
    let [x, t] = ["x", "t"].map(|name| pool.symbol(name));
    let u = pool.field("u", &[x, t]);
    let solution = pool.parse(SOLUTION)?;
    let residual = pool.equation("u_t + u*u_x = 0.15*u_xx")?;
    let outputs = [
        residual.substitute(&[(u, solution)]),
        solution.derivative(x),
    ];
    pool.formula(&outputs)?.compile(&["x", "t"])
}

/// Points at which formulas are compared.
#[must_use]
pub fn points(n: usize) -> [Vec<f64>; 2] {
    let x = (0..n).map(|i| 6.0 * (i as f64 / n as f64)).collect();
    let t = (0..n)
        .map(|i| (i as f64 * 0.618_033_988_749).fract())
        .collect();
    [x, t]
}
