//! A training step of the U-Net in candle and in burn beside ours, held to the same number of processor cores.
//!
//! Arguments and output are those of every peer (`benches/peers/common.py`). A process for each package and number of
//! threads compares loss and gradient with ours, and then takes turns with our program.

#![forbid(unsafe_code)]

mod in_burn;
mod in_candle;
mod network;
mod ours;

use std::time::Instant;

use partner::{Failure, Named, Ours, Settings, hold, in_turns, quantile};
use serde_json::json;

use in_burn::InBurn;
use in_candle::InCandle;
use ours::{Problem, step};

const IMAGES: usize = 32;
const CASE: &str = "batch of 32, f32";
const RATE: f64 = 1e-4;
/// Name, version, and what it works on.
const PACKAGES: [(&str, &str, &str); 2] = [
    ("candle", "candle 0.11.1", "processor, memory kept"),
    ("burn", "burn 0.22.1", "Flex, memory kept"),
];
/// What glibc needs to hear to keep freed memory: both packages are faster so.
const KEEP: [(&str, &str); 2] = [
    ("MALLOC_MMAP_THRESHOLD_", "4294967296"),
    ("MALLOC_TRIM_THRESHOLD_", "4294967296"),
];
/// How many times faster than the package ours should be.
const TARGET: f64 = 3.0;

/// A training of the network in some package.
trait Training {
    /// Computes loss and gradient, to their last number.
    fn gradient(&mut self) -> Result<(), Failure>;
    /// What the optimiser makes of them.
    fn optimise(&mut self) -> Result<(), Failure>;
    /// Loss and gradient in the order of our parameters.
    fn values(&self) -> Result<Vec<f64>, Failure>;
}

fn main() -> Result<(), Failure> {
    let settings = Settings::from_arguments("unet")?;
    match &settings.held {
        Some(package) => held(&settings, package),
        None => settings.hold_each(&PACKAGES.map(|(name, ..)| name), &KEEP),
    }
}

/// The most memory that this process has had, in bytes.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024.0 * kilobytes)
}

/// One package on as many cores: compares, then takes turns.
fn held(settings: &Settings, package: &str) -> Result<(), Failure> {
    let threads = settings.threads[0];
    hold(threads)?;
    let (_, version, form) = PACKAGES
        .into_iter()
        .find(|(name, ..)| *name == package)
        .ok_or("no such package")?;
    let mut ours = Ours::new(&settings.ours)?;
    let problem: Problem = ours.ask(&json!({"op": "network", "images": IMAGES}))?;
    let mut training: Box<dyn Training> = match package {
        "candle" => Box::new(InCandle::new(&problem, RATE)?),
        _ => Box::new(InBurn::new(&problem, RATE)),
    };
    let record = |case: &str, implementation: &str, metric: &str, values: &[f64], unit: &str| {
        let name = Named {
            case,
            implementation,
            version,
        };
        settings.record(&name, metric, values, unit);
    };
    let before = resident();
    training.gradient()?;
    let theirs = format!("{version}/{form}");
    if let (Some(before), Some(after)) = (before, resident()) {
        record(CASE, &theirs, "memory", &[after - before], "B");
    }
    let mine = step(&mut ours, threads, 0.0, usize::MAX >> 1)?.values;
    let distance = apart(&training.values()?, &mine);
    record(CASE, &theirs, "agreement", &[distance], "1");
    if distance.is_nan() || distance > settings.agreement {
        let text = format!("{version}: loss and gradient are {distance:.2e} away; not timed.");
        settings.note(&text);
        return Ok(());
    }
    drop(problem);
    let (least, budget) = if settings.quick { (4, 5.0) } else { (10, 30.0) };
    let (us, them) = in_turns(
        || Ok(step(&mut ours, threads, RATE, 0)?.seconds),
        || {
            let start = Instant::now();
            training.gradient()?;
            let between = start.elapsed().as_secs_f64();
            training.optimise()?;
            Ok([between, start.elapsed().as_secs_f64() - between])
        },
        least,
        budget,
    )?;
    let whole = |steps: &[[f64; 2]]| -> Vec<f64> { steps.iter().map(|s| s[0] + s[1]).collect() };
    let part = |i: usize| -> Vec<f64> { them.iter().map(|s| s[i]).collect() };
    let (us, them) = (whole(&us), whole(&them));
    record(CASE, &theirs, "time", &them, "s");
    record(
        CASE,
        &format!("{theirs}, loss and gradient"),
        "parts",
        &part(0),
        "s",
    );
    record(CASE, &format!("{theirs}, Adam"), "parts", &part(1), "s");
    let beside = format!("{CASE}, beside {version}");
    record(&beside, "training step", "best", &us, "s");
    record(
        &beside,
        &format!("{version}, {form}/training step"),
        "best",
        &them,
        "s",
    );
    let ratio = quantile(&them, 0.5) / quantile(&us, 0.5);
    record(&beside, "measured", "ratio", &[ratio], "1");
    record(&beside, "aimed at", "ratio", &[TARGET], "1");
    Ok(())
}

/// ‖theirs − ours‖/‖ours‖ of the loss and of the gradient, the greater of both.
fn apart(theirs: &[f64], ours: &[f64]) -> f64 {
    if theirs.len() != ours.len() {
        return f64::NAN;
    }
    let square = |(a, b): (&f64, &f64)| (a - b) * (a - b);
    let pairs = theirs.iter().zip(ours).skip(1);
    let distance: f64 = pairs.map(square).sum();
    let length: f64 = ours.iter().skip(1).map(|v| v * v).sum();
    let loss = ((theirs[0] - ours[0]) / ours[0]).abs();
    // A maximum would hide what is not a number.
    let gradient = (distance / length).sqrt();
    if gradient > loss || gradient.is_nan() {
        gradient
    } else {
        loss
    }
}
