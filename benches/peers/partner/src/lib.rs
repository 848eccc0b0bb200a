//! What every peer in Rust needs: our program as a partner, records in our layout, runs in turns. The twin of
//! `benches/peers/common.py`.

mod ours;

use std::error::Error;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lexopt::prelude::*;
use serde_json::json;

pub use ours::Ours;

/// Whatever went wrong.
pub type Failure = Box<dyn Error>;

/// Arguments of every peer.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the suite.
    pub suite: String,
    /// Path of `ansatz-bench`.
    pub ours: String,
    /// Greatest difference that counts as the same.
    pub agreement: f64,
    /// Thread counts; one in a held process.
    pub threads: Vec<usize>,
    /// Shorter runs.
    pub quick: bool,
    /// Folder of the run.
    pub out: String,
    /// What this process is for, if it is held to some cores.
    pub held: Option<String>,
}

impl Settings {
    /// Those of the command line.
    ///
    /// # Errors
    /// For an argument that no peer gets.
    pub fn from_arguments(suite: &str) -> Result<Self, Failure> {
        let mut settings = Settings {
            suite: suite.into(),
            ours: String::new(),
            agreement: 1e-4,
            threads: vec![1],
            quick: false,
            out: ".".into(),
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
                Long("out") => settings.out = parser.value()?.string()?,
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(settings)
    }

    /// Runs this program again for each number of threads and each of `jobs`: libraries make their threads once.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn hold_each(&self, jobs: &[&str], environment: &[(&str, &str)]) -> Result<(), Failure> {
        let total = self.threads.len() * jobs.len();
        let all = self
            .threads
            .iter()
            .flat_map(|n| jobs.iter().map(move |j| (*n, *j)));
        for (done, (threads, job)) in all.enumerate() {
            let what = format!("{job}, {threads} threads");
            println!(
                "{}",
                json!({"kind": "progress", "done": done, "total": total, "what": what})
            );
            let mut command = Command::new(std::env::current_exe()?);
            command.args([
                "--suite",
                &self.suite,
                "--ours",
                &self.ours,
                "--out",
                &self.out,
            ]);
            command.args(["--agreement", &self.agreement.to_string()]);
            command.args(["--threads", &threads.to_string(), "--held", job]);
            if self.quick {
                command.arg("--quick");
            }
            command.env("RAYON_NUM_THREADS", threads.to_string());
            let ended = command.envs(environment.iter().copied()).status()?;
            if !ended.success() {
                self.note(&format!(
                    "{job} on {threads} threads stopped early ({ended})."
                ));
            }
        }
        Ok(())
    }

    /// A line for the report.
    pub fn note(&self, text: &str) {
        println!(
            "{}",
            json!({"kind": "note", "suite": self.suite, "text": text})
        );
    }

    /// A measurement of a held process: the median of `values`, with quartiles if there are several.
    pub fn record(&self, name: &Named<'_>, metric: &str, values: &[f64], unit: &str) {
        let mut record = json!({
            "kind": "record", "schema": 1, "suite": self.suite, "case": name.case, "impl": name.implementation,
            "version": name.version, "metric": metric, "value": quantile(values, 0.5), "unit": unit,
            "runs": values.len(), "threads": self.threads[0], "device": "cpu",
        });
        if values.len() > 1 {
            record["lo"] = json!(quantile(values, 0.25));
            record["hi"] = json!(quantile(values, 0.75));
        }
        println!("{record}");
    }
}

/// What a record is about.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The case.
    pub case: &'a str,
    /// Who computed.
    pub implementation: &'a str,
    /// The package, with its version.
    pub version: &'a str,
}

/// Keeps this process, and what it starts, to the first few cores.
///
/// # Errors
/// If the system refuses.
#[cfg(target_os = "linux")]
pub fn hold(cores: usize) -> Result<(), Failure> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let allowed = sched_getaffinity(None)?;
    let mut held = CpuSet::new();
    let there = (0..CpuSet::MAX_CPU).filter(|i| allowed.is_set(*i));
    for core in there.take(cores) {
        held.set(core);
    }
    Ok(sched_setaffinity(None, &held)?)
}

/// Only Linux lets a process be held to cores this way.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn hold(_cores: usize) -> Result<(), Failure> {
    Ok(())
}

/// What both sides took, in turns, the first round thrown away.
///
/// # Errors
/// Those of the sides.
pub fn in_turns<A, B>(
    mut ours: impl FnMut() -> Result<A, Failure>,
    mut theirs: impl FnMut() -> Result<B, Failure>,
    least: usize,
    budget_s: f64,
) -> Result<(Vec<A>, Vec<B>), Failure> {
    // A pause lets the threads of the side before go to sleep.
    let pause = || sleep(Duration::from_millis(20));
    let (mut us, mut them) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    for round in 0.. {
        if round > least && begin.elapsed().as_secs_f64() > budget_s {
            break;
        }
        pause();
        let a = ours()?;
        pause();
        let b = theirs()?;
        if round > 0 {
            us.push(a);
            them.push(b);
        }
    }
    Ok((us, them))
}

/// A quantile, by linear interpolation.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + position.fract() * (sorted[above] - sorted[below])
}
