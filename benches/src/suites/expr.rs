//! Symbols: sums of many terms, a reaction network, a reaction-diffusion equation, a formula over arrays.

use std::hint::black_box;
use std::io::Write;

use ansatz_expr::{ExprError, Pool, Saturation};

use super::{Settings, SuiteError, pool};
use crate::emit::Emitter;
use crate::expr::{
    Derivatives, NETWORK_COST, Traced, compiled, naive_sum, network, network_by_hand, points,
    residual, solve_grid, sum,
};
use crate::record::{Abscissa, Record};
use crate::timing::{Quartiles, interleaved};

const SUITE: &str = "expr";

/// Evaluations of the network in one measurement.
const CALLS: usize = 1000;

/// Points of the formula over arrays.
pub const POINTS: usize = 1_000_000;

/// Runs all parts.
///
/// # Errors
/// [`SuiteError`] if a part fails or a line cannot be written.
pub fn run(settings: &Settings, out: &mut (dyn Write + Send)) -> Result<(), SuiteError> {
    let mut emitter = Emitter::new(out, SUITE, 4);
    emitter.step("sums of many terms")?;
    sums(&mut emitter, settings)?;
    emitter.step("a reaction network")?;
    reactions(&mut emitter, settings)?;
    emitter.step("a formula over arrays")?;
    arrays(&mut emitter, settings)?;
    emitter.step("a reaction-diffusion equation")?;
    grid(&mut emitter, settings)
}

fn record(case: &str, implementation: &str, metric: &str, value: f64, unit: &str) -> Record {
    Record {
        case: case.into(),
        implementation: implementation.into(),
        metric: metric.into(),
        value,
        unit: unit.into(),
        runs: 1,
        threads: 1,
        ..Record::default()
    }
}

fn timed(case: &str, implementation: &str, q: Quartiles, each: f64) -> Record {
    Record {
        lo: Some(q.lo / each),
        hi: Some(q.hi / each),
        runs: q.runs as u64,
        ..record(case, implementation, "time", q.median / each, "s")
    }
}

fn sums(emitter: &mut Emitter<'_>, settings: &Settings) -> Result<(), SuiteError> {
    let rounds = if settings.quick { 3 } else { 9 };
    let spread = |f: &dyn Fn() -> f64| {
        let seconds: Vec<f64> = (0..rounds).map(|_| f()).collect();
        Quartiles::of(&seconds)
    };
    let mut last: Option<f64> = None;
    for n in [12_500, 25_000, 50_000, 100_000] {
        let Some(q) = spread(&|| sum(n)) else {
            continue;
        };
        emitter.record(Record {
            lo: Some(q.lo),
            hi: Some(q.hi),
            runs: q.runs as u64,
            x: Some(Abscissa {
                name: "terms".into(),
                value: n as f64,
            }),
            ..record("terms added one by one", "ansatz", "sum", q.median, "s")
        })?;
        if let Some(before) = last.replace(q.median) {
            let case = format!("{n} terms over half as many");
            emitter.record(record(&case, "ansatz", "growth", q.median / before, "1"))?;
        }
    }
    let n = 10_000;
    if let (Some(ours), Some(naive)) = (spread(&|| sum(n)), Quartiles::of(&[naive_sum(n)])) {
        let case = format!("{n} terms added one by one");
        emitter.record(timed(&case, "ansatz", ours, 1.0))?;
        emitter.record(timed(&case, "copied and sorted", naive, 1.0))?;
        let ratio = naive.median / ours.median;
        emitter.record(record(&case, "copied and sorted", "ratio", ratio, "1"))?;
    }
    Ok(())
}

fn reactions(emitter: &mut Emitter<'_>, settings: &Settings) -> Result<(), SuiteError> {
    let case = "rates of the network";
    let symbols = Pool::new();
    let (x, rates) = network(&symbols);
    let simple = symbols.simplify(&rates, &Saturation::default())?;
    let (canonical, saturated) = (symbols.formula(&rates)?, symbols.formula(&simple)?);
    for (name, cost) in [
        ("a loop in Rust", NETWORK_COST),
        ("canonical", canonical.cost()),
        ("saturated", saturated.cost()),
    ] {
        emitter.record(record(case, name, "cost", cost as f64, "1"))?;
    }
    let codes = [compiled(&canonical, &x)?, compiled(&saturated, &x)?];
    let point: Vec<f64> = (0..x.len()).map(|i| 0.5 + 0.07 * i as f64).collect();
    let mut outs = vec![vec![0.0; x.len()]; 3];
    let [by_hand, first, second] = &mut outs[..] else {
        return Ok(());
    };
    let mut failure: Option<ExprError> = None;
    let mut registers = [Vec::new(), Vec::new()];
    let [r0, r1] = &mut registers;
    let mut hand = || {
        for _ in 0..CALLS {
            network_by_hand(black_box(&point), by_hand);
        }
    };
    let mut result = Ok(());
    let mut other = Ok(());
    let mut canonical = || {
        for _ in 0..CALLS {
            result = codes[0].at(black_box(&point), first, r0);
        }
    };
    let mut saturated = || {
        for _ in 0..CALLS {
            other = codes[1].at(black_box(&point), second, r1);
        }
    };
    let names = ["a loop in Rust", "canonical", "saturated"];
    let measured = interleaved(
        settings.effort(),
        &mut [&mut hand, &mut canonical, &mut saturated],
    );
    for error in [result, other].into_iter().filter_map(Result::err) {
        failure.get_or_insert(error);
    }
    if let Some(error) = failure {
        return Err(error.into());
    }
    let apart = |out: &[f64]| {
        let pairs = out.iter().zip(&outs[0]);
        pairs.fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()))
    };
    for (k, (name, q)) in names.iter().zip(measured).enumerate() {
        emitter.record(timed(case, name, q, CALLS as f64))?;
        emitter.record(record(case, name, "agreement", apart(&outs[k]), "1"))?;
    }
    Ok(())
}

fn arrays(emitter: &mut Emitter<'_>, settings: &Settings) -> Result<(), SuiteError> {
    let code = residual()?;
    let [x, t] = points(POINTS);
    let mut out = vec![vec![0.0; POINTS]; code.outputs()];
    for &threads in &settings.threads {
        let mut result = Ok(());
        let measured = pool(threads)?.install(|| {
            let mut once = || {
                let mut slices: Vec<&mut [f64]> = out.iter_mut().map(|o| &mut **o).collect();
                result = code.run(&[&x, &t], &mut slices);
            };
            interleaved(settings.effort(), &mut [&mut once])
        });
        result?;
        for q in measured {
            emitter.record(Record {
                threads: threads as u64,
                ..timed("Burgers' residual at 1e6 points", "ansatz", q, 1.0)
            })?;
        }
    }
    let worst = out[0].iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let case = "Burgers' residual on a solution";
    emitter.record(record(case, "ansatz", "agreement", worst, "1"))?;
    Ok(())
}

fn grid(emitter: &mut Emitter<'_>, settings: &Settings) -> Result<(), SuiteError> {
    let n = if settings.quick { 16 } else { 32 };
    let case = format!("reaction and diffusion on {n} × {n} points to t = 10");
    let pool = pool(settings.most_threads())?;
    let entries = Traced::new(n)?.sparsity.len();
    emitter.record(record(
        &case,
        "traced, sparse",
        "entries",
        entries as f64,
        "1",
    ))?;
    let rounds = 3;
    let mut up = Vec::new();
    let mut seconds = Vec::new();
    let mut end = Vec::new();
    for _ in 0..rounds {
        let (x, [setting, solving]) = pool.install(|| solve_grid(n, Derivatives::Traced))?;
        up.push(setting);
        seconds.push(solving);
        end = x;
    }
    // Minutes at the full size: once.
    let (other, [_, slow]) = pool.install(|| solve_grid(n, Derivatives::Differences))?;
    let apart = end
        .iter()
        .zip(&other)
        .fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
    emitter.record(record(&case, "traced, sparse", "agreement", apart, "1"))?;
    if let (Some(up), Some(q)) = (Quartiles::of(&up), Quartiles::of(&seconds)) {
        emitter.record(timed(&case, "traced, sparse", q, 1.0))?;
        emitter.record(record(&case, "differences, dense", "time", slow, "s"))?;
        emitter.record(record(&case, "traced, sparse", "set up", up.median, "s"))?;
        let ratio = slow / (q.median + up.median);
        emitter.record(record(&case, "differences, dense", "ratio", ratio, "1"))?;
    }
    Ok(())
}
