//! Trains a U-Net to predict the noise on handwritten digits, and draws new ones with two samplers.
//!
//! 1797 real digits of 8×8 pixels; the loss is the mean of |ε − ε(α·x + σ·ε, t)|² over random times. Change the network in
//! `network`. The training is saved every 500 steps: killed and started again with `resume` it goes on, and ends with the same bits.
//! `cargo run --release -p ansatz-nn --example train_digits [-- resume]`
//!
//! The same on digits of 28×28 pixels, some ten times as long (`cargo xtask data mnist` fetches them once):
//! `cargo run --release -p ansatz-nn --example train_digits -- --mnist target/data/mnist [resume]`
//!
//! gallery: A U-Net trained on digits, sampled
//! gallery: expect loss in 0..0.2
//! gallery: expect distance of DPM-Solver++(2M) samples to data in 0..2.5
//! gallery: picture train_digits.png Rows: noise, DDIM in 50 evaluations, DPM-Solver++(2M) in 20, real digits
//! gallery: picture train_digits.svg Loss

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::slice::ChunksExact;
use std::time::Instant;

use ansatz_diffusion::{Ddim, DpmMultistep, Solver, Spacing, TimeGrid, VpLinear};
use ansatz_nn::core::{Event, Key, NoiseSchedule, Prediction, State, stream};
use ansatz_nn::{
    Adam, Checkpoint, Data, Layout, Objective, Parameters, Progress, Schedule, Training,
    TrainingOptions, UNet, UNetOptions,
};
use ansatz_testkit::data;
use ansatz_viz::{Axis, Chart, GridOptions, Range, Scale, Series, enlarge, image_grid};

/// Images to learn from.
struct Set {
    /// The name of the files written.
    name: &'static str,
    /// Pixels from −1 to 1, image after image.
    images: Vec<f32>,
    /// Pixels of a side.
    side: usize,
    /// By what the pictures are enlarged.
    enlarged: usize,
}

impl Set {
    /// The digits of the repository, or those of the folder behind `--mnist`.
    fn new(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let Some(at) = arguments.iter().position(|a| a == "--mnist") else {
            return Ok(Self {
                name: "train_digits",
                images: data::digits().images,
                side: data::Digits::SIDE,
                enlarged: 5,
            });
        };
        let folder = arguments.get(at + 1).ok_or("--mnist needs a folder")?;
        let read = data::mnist(folder.as_ref())?;
        if read.size.0 != read.size.1 || read.labels.len() < IMAGES {
            return Err(format!("{} images of {:?} pixels", read.labels.len(), read.size).into());
        }
        Ok(Self {
            name: "train_mnist",
            images: read.images,
            side: read.size.0,
            enlarged: 2,
        })
    }

    fn pixels(&self) -> usize {
        self.side * self.side
    }

    fn all(&self) -> ChunksExact<'_, f32> {
        self.images.chunks_exact(self.pixels())
    }
}

const BATCH: usize = 64;
const STEPS: u64 = 3000;
const IMAGES: usize = 16;

fn network(layout: &mut Layout) -> UNet {
    let options = UNetOptions {
        width: 16,
        levels: vec![1, 2],
        blocks: 1,
        groups: 4,
        ..UNetOptions::default()
    };
    UNet::new(&mut layout.root(), &options)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (digits, schedule) = (Set::new(&arguments)?, VpLinear::default());
    let (pixels, count) = (digits.pixels(), digits.all().len());
    let mut layout = Layout::new();
    let net = network(&mut layout);
    let image = |n: usize| vec![n, 1, digits.side, digits.side];
    let shapes = [
        Data::Batch(image(BATCH)),
        Data::Batch(vec![BATCH, 1]),
        Data::Batch(image(BATCH)),
    ];
    let mut objective = Objective::<f32>::compile(&layout, &shapes, |pass, data| {
        (net.apply(pass, data[0], data[1]) - data[2])
            .square()
            .mean()
    })?;
    println!(
        "{} parameters, {:.1} MB at work",
        layout.len(),
        objective.program().bytes() as f64 * 1e-6
    );

    // Noisy digits, their times (as the network sees them), and the noise.
    let batch = |key: Key, data: &mut [Vec<f32>]| {
        let [noisy, times, noise] = data else { return };
        key.fill_normal(stream::INITIAL, noise);
        let images = noisy
            .chunks_exact_mut(pixels)
            .zip(noise.chunks_exact(pixels));
        for (i, ((x, e), t)) in images.zip(times).enumerate() {
            let [u, v] = key.uniform(0, i as u64);
            let at = schedule.level(1e-3 + (1.0 - 1e-3) * u);
            let start = (v * count as f64) as usize * pixels;
            let clean = &digits.images[start..start + pixels];
            for ((x, e), c) in x.iter_mut().zip(e).zip(clean) {
                *x = (at.alpha as f32) * c + (at.sigma as f32) * e;
            }
            *t = (1000.0 * at.t) as f32;
        }
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("{}.safetensors", digits.name));
    let options = TrainingOptions {
        steps: STEPS,
        rate: Schedule::Warmup(
            100,
            Box::new(Schedule::Cosine {
                from: 2e-3,
                to: 1e-5,
                steps: STEPS - 100,
            }),
        ),
        clip: Some(1.0),
        checkpoint: Some(Checkpoint {
            path: path.clone(),
            every: 500,
        }),
    };
    let parameters = Parameters::new(&layout, Key::new(0));
    let mut training = Training::new(parameters, Adam::default(), Key::new(1)).with_average(0.999);
    if arguments.iter().any(|a| a == "resume") {
        training.resume(&path)?;
        println!("resumed at step {}", training.optimizer.steps());
    }
    let (start, mut losses) = (Instant::now(), Vec::new());
    let mut mean = 1.0;
    training.run(&mut objective, &options, batch, &mut |e: &Event<
        '_,
        Progress<'_, f32>,
    >| {
        mean += 0.01 * (e.state.loss - mean);
        if e.step.is_multiple_of(60) {
            losses.push((e.step as f64, mean));
        }
        if e.step.is_multiple_of(500) {
            println!(
                "step {}, mean loss {mean:.4}, {:.1} s",
                e.step,
                start.elapsed().as_secs_f64()
            );
        }
        ControlFlow::Continue(())
    })?;
    println!("loss = {mean:.4}");

    let state = image(IMAGES);
    let model = training
        .averaged()
        .denoiser(Prediction::Noise, &state, |pass, x, at| {
            net.apply(
                pass,
                x,
                (at.t * 1000.0).reshape(&[1, 1]).broadcast(&[IMAGES, 1]),
            )
        })?;
    let mut noise = vec![0.0_f32; IMAGES * pixels];
    noise.fill_normal(Key::new(2), stream::INITIAL);
    let mut rows = noise.clone();
    let solvers: [(&str, &dyn Solver, usize); 2] = [
        ("DDIM", &Ddim::default(), 50),
        ("DPM-Solver++(2M)", &DpmMultistep::default(), 20),
    ];
    for (name, solver, evaluations) in solvers {
        let grid = TimeGrid::new(&schedule, Spacing::LogSnr, evaluations)?;
        let plan = solver.plan(&schedule, &grid)?;
        let mut x = noise.clone();
        let start = Instant::now();
        plan.sample(&model, &mut x, Key::new(0), &mut ())?;
        println!(
            "{IMAGES} digits by {name} in {:.0} ms",
            start.elapsed().as_secs_f64() * 1e3
        );
        println!(
            "distance of {name} samples to data = {:.3}",
            nearest(&x, &digits)
        );
        rows.extend(x);
    }
    println!(
        "distance among data = {:.3}",
        nearest(&digits.images[..IMAGES * pixels], &digits)
    );
    rows.extend(&digits.images[..IMAGES * pixels]);
    let grid = GridOptions {
        columns: IMAGES,
        zoom: 1,
        range: Range::Fixed(-1.0, 1.0),
        ..GridOptions::default()
    };
    let side = digits.enlarged * digits.side;
    let rows: Vec<f64> = rows.into_iter().map(f64::from).collect();
    let large = enlarge(&rows, digits.side, digits.side, digits.enlarged)?;
    image_grid(&large, side, side, &grid)?.save(folder.join(format!("{}.png", digits.name)))?;
    let axis = |label: &str, scale| Axis {
        label: label.into(),
        scale,
        ..Axis::default()
    };
    let chart = Chart {
        title: "Noise on digits, predicted by a U-Net".into(),
        x: axis("step", Scale::Linear),
        y: axis("mean loss", Scale::Log),
        series: vec![Series::line("training", losses)],
        ..Chart::default()
    };
    std::fs::write(folder.join(format!("{}.svg", digits.name)), chart.to_svg()?)?;
    println!("wrote target/gallery/{}.png and .svg", digits.name);
    Ok(())
}

/// The mean distance of images to the nearest digit that is another image.
fn nearest(images: &[f32], digits: &Set) -> f64 {
    let one = |x: &[f32]| {
        let all = digits.all();
        let distance = |y: &[f32]| {
            x.iter()
                .zip(y)
                .map(|(a, b)| f64::from(a - b).powi(2))
                .sum::<f64>()
        };
        all.map(distance)
            .filter(|d| *d > 0.0)
            .fold(f64::MAX, f64::min)
            .sqrt()
    };
    let each = images.chunks_exact(digits.pixels());
    each.clone().map(one).sum::<f64>() / each.len() as f64
}
