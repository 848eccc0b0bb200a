//! A training step of the U-Net in candle and in burn beside ours, held to the same number of processor cores.
//!
//! Arguments and output are those of every peer (`benches/peers/common.py`). A process for each package and number of
//! threads compares loss and gradient with ours, and then takes turns with our program.

#![forbid(unsafe_code)]

mod in_burn;
mod in_candle;
mod network;
mod ours;

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lexopt::prelude::*;
use serde_json::json;

use in_burn::InBurn;
use in_candle::InCandle;
use network::Failure;
use ours::{Ours, Problem};

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

struct Settings {
    suite: String,
    ours: String,
    agreement: f64,
    threads: Vec<usize>,
    quick: bool,
    /// The package that this process is for.
    held: Option<String>,
}

fn main() -> Result<(), Failure> {
    let settings = arguments()?;
    if let Some(package) = &settings.held {
        return held(&settings, package);
    }
    let total = settings.threads.len() * PACKAGES.len();
    let jobs = settings
        .threads
        .iter()
        .flat_map(|n| PACKAGES.map(|p| (*n, p.0)));
    for (done, (threads, package)) in jobs.enumerate() {
        let what = format!("{package}, {threads} threads");
        println!(
            "{}",
            json!({"kind": "progress", "done": done, "total": total, "what": what})
        );
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--suite", &settings.suite, "--ours", &settings.ours]);
        command.args(["--agreement", &settings.agreement.to_string()]);
        command.args(["--threads", &threads.to_string(), "--held", package]);
        if settings.quick {
            command.arg("--quick");
        }
        let ended = command
            .env("RAYON_NUM_THREADS", threads.to_string())
            .envs(KEEP)
            .status()?;
        if !ended.success() {
            let text = format!("{package} on {threads} threads stopped early ({ended}).");
            println!(
                "{}",
                json!({"kind": "note", "suite": settings.suite, "text": text})
            );
        }
    }
    Ok(())
}

fn arguments() -> Result<Settings, Failure> {
    let mut settings = Settings {
        suite: "unet".into(),
        ours: String::new(),
        agreement: 1e-4,
        threads: vec![1],
        quick: false,
        held: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("suite") => settings.suite = parser.value()?.string()?,
            Long("ours") => settings.ours = parser.value()?.string()?,
            Long("agreement") => settings.agreement = parser.value()?.parse()?,
            Long("threads") => {
                let list = parser.value()?.string()?;
                settings.threads = list.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            Long("quick") => settings.quick = true,
            Long("held") => settings.held = Some(parser.value()?.string()?),
            Long("out") => drop(parser.value()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(settings)
}

/// Keeps this process, and what it starts, to the first few cores.
#[cfg(target_os = "linux")]
fn hold(cores: usize) -> Result<(), Failure> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let allowed = sched_getaffinity(None)?;
    let mut held = CpuSet::new();
    let there = (0..CpuSet::MAX_CPU).filter(|i| allowed.is_set(*i));
    for core in there.take(cores) {
        held.set(core);
    }
    Ok(sched_setaffinity(None, &held)?)
}

#[cfg(not(target_os = "linux"))]
fn hold(_cores: usize) -> Result<(), Failure> {
    Ok(())
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
    let problem: Problem = ours.problem(IMAGES)?;
    let mut training: Box<dyn Training> = match package {
        "candle" => Box::new(InCandle::new(&problem, RATE)?),
        _ => Box::new(InBurn::new(&problem, RATE)),
    };
    let record = |case: &str, name: &str, metric: &str, value: &[f64], unit: &str| {
        let mut record = json!({
            "kind": "record", "schema": 1, "suite": settings.suite, "case": case, "impl": name, "version": version,
            "metric": metric, "value": at(value, 0.5), "unit": unit, "runs": value.len(), "threads": threads,
            "device": "cpu",
        });
        if value.len() > 1 {
            record["lo"] = json!(at(value, 0.25));
            record["hi"] = json!(at(value, 0.75));
        }
        println!("{record}");
    };
    let before = resident();
    training.gradient()?;
    let theirs = format!("{version}/{form}");
    if let (Some(before), Some(after)) = (before, resident()) {
        record(CASE, &theirs, "memory", &[after - before], "B");
    }
    let mine = ours.step((IMAGES, threads), 0.0, usize::MAX >> 1)?.values;
    let distance = apart(&training.values()?, &mine);
    record(CASE, &theirs, "agreement", &[distance], "1");
    if distance.is_nan() || distance > settings.agreement {
        let text = format!("{version}: loss and gradient are {distance:.2e} away; not timed.");
        println!(
            "{}",
            json!({"kind": "note", "suite": settings.suite, "text": text})
        );
        return Ok(());
    }
    drop(problem);
    let (least, budget) = if settings.quick { (4, 5.0) } else { (10, 30.0) };
    let (mut us, mut them) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    for round in 0.. {
        if round > least && begin.elapsed().as_secs_f64() > budget {
            break;
        }
        // Pauses let the threads of the side before go to sleep.
        sleep(Duration::from_millis(20));
        let a = ours.step((IMAGES, threads), RATE, 0)?.seconds;
        sleep(Duration::from_millis(20));
        let start = Instant::now();
        training.gradient()?;
        let between = start.elapsed().as_secs_f64();
        training.optimise()?;
        let b = [between, start.elapsed().as_secs_f64() - between];
        if round > 0 {
            us.push(a);
            them.push(b);
        }
    }
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
    let ratio = at(&them, 0.5) / at(&us, 0.5);
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

/// A quantile of the values, by linear interpolation.
fn at(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + position.fract() * (sorted[above] - sorted[below])
}
