//! Our side: `ansatz-bench serve`, one request and one answer a line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::network::Failure;

/// The batch and the parameters that both sides work on.
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    /// Noisy images, their times, and the noise.
    pub(crate) data: [Vec<f64>; 3],
    pub(crate) parameters: Vec<Named>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

impl Problem {
    /// Lengths of the images.
    pub(crate) fn images(&self) -> [usize; 4] {
        let n = self.data[1].len();
        let side = (self.data[0].len() / n).isqrt();
        [n, 1, side, side]
    }
}

/// A step of ours.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    /// Of loss and gradient, and of the optimiser.
    pub(crate) seconds: [f64; 2],
    /// Loss and gradient.
    pub(crate) values: Vec<f64>,
}

pub(crate) struct Ours {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Ours {
    pub(crate) fn new(path: &str) -> Result<Self, Failure> {
        let mut child = Command::new(path)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("no way to our program")?;
        let output = child.stdout.take().ok_or("no way from our program")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    fn ask<T: for<'a> Deserialize<'a>>(&mut self, request: &Value) -> Result<T, Failure> {
        writeln!(self.input, "{request}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).map_err(|e| {
            let start: String = line.chars().take(200).collect();
            format!("our side answers {request} by {start}: {e}").into()
        })
    }

    pub(crate) fn problem(&mut self, images: usize) -> Result<Problem, Failure> {
        self.ask(&json!({"op": "network", "images": images}))
    }

    pub(crate) fn step(
        &mut self,
        (images, threads): (usize, usize),
        rate: f64,
        count: usize,
    ) -> Result<Step, Failure> {
        self.ask(&json!({
            "op": "train", "images": images, "element": "f32", "threads": threads, "rate": rate, "count": count,
        }))
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        // It ends by itself as well, when its input does.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
