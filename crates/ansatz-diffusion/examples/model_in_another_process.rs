//! Drives a model that lives in another process, over its standard input and output.
//!
//! The plan hands out evaluation requests; this program sends each to a child process and answers with
//! what comes back. The child could be written in any language: it reads α, σ (two `f64`) and the state
//! (`f32` values, little-endian), and writes the noise it predicts. Here the child is this program
//! itself, called with the argument `model`. Run it with
//! `cargo run --release -p ansatz-diffusion --example model_in_another_process`.
//!
//! gallery: A model in another process
//! gallery: expect mean of the samples in 0.97..1.03
//! gallery: expect evaluations in 20..20

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::io::{ErrorKind, Read, Write, stdin, stdout};
use std::process::{Command, Stdio};

use ansatz_core::{Key, Prediction, State, stream};
use ansatz_diffusion::{DpmMultistep, Progress, Solver, Spacing, TimeGrid, VpLinear};

const LEN: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("model") {
        return serve();
    }
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::QUADRATIC, 20)?;
    let plan = DpmMultistep::default().plan(&schedule, &grid)?;
    let mut x = vec![0.0_f32; LEN];
    x.fill_normal(Key::new(7), stream::INITIAL);

    let mut child = Command::new(std::env::current_exe()?)
        .arg("model")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut to = child.stdin.take().ok_or("no pipe to the model")?;
    let mut from = child.stdout.take().ok_or("no pipe from the model")?;

    let mut run = plan.start(x, Key::new(7))?;
    loop {
        match run.advance()? {
            Progress::Eval(request) => {
                let level = request.level();
                to.write_all(&level.alpha.to_le_bytes())?;
                to.write_all(&level.sigma.to_le_bytes())?;
                to.write_all(&bytes(request.x()))?;
                let mut reply = vec![0; 4 * LEN];
                from.read_exact(&mut reply)?;
                request.answer(Prediction::Noise, &values(&reply))?;
            }
            Progress::Step(_) => {}
            Progress::Done => break,
        }
    }
    drop(to); // the model sees the end of its input and stops
    child.wait()?;
    let (states, report) = run.finish()?;
    println!(
        "mean of the samples = {:.4}",
        states[0].iter().sum::<f32>() / LEN as f32
    );
    println!("evaluations = {}", report.nfe);
    Ok(())
}

/// The model: the exact noise for data N(1, 0.5²).
fn serve() -> Result<(), Box<dyn Error>> {
    let (mut input, mut output) = (stdin().lock(), stdout().lock());
    loop {
        let mut request = vec![0; 16 + 4 * LEN];
        match input.read_exact(&mut request) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        let (alpha, sigma) = (number(&request[..8])?, number(&request[8..16])?);
        let scale = sigma / (0.25 * alpha * alpha + sigma * sigma);
        let mut x = values(&request[16..]);
        for v in &mut x {
            *v = (scale * (f64::from(*v) - alpha)) as f32;
        }
        output.write_all(&bytes(&x))?;
        output.flush()?;
    }
}

fn number(bytes: &[u8]) -> Result<f64, std::array::TryFromSliceError> {
    bytes.try_into().map(f64::from_le_bytes)
}

fn bytes(x: &[f32]) -> Vec<u8> {
    x.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn values(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<4>();
    chunks.iter().map(|c| f32::from_le_bytes(*c)).collect()
}
