//! Prunes a classifier of handwritten digits: which weights can go, and how the others make up for them.
//!
//! A network 64-128-10 is trained on 1437 real digits of 8×8 pixels and judged on 360 others. Then weights are removed in
//! 16 rounds without training in between: the smallest ones; by the second-order model of the loss that M-FAC's blocks
//! give; by the same in one block.
//! `cargo run --release -p ansatz-nn --example prune_digits`
//!
//! gallery: Pruning a classifier of digits
//! gallery: expect accuracy of the whole network in 0.94..1
//! gallery: expect advantage over magnitude at 90 % in 0.05..1
//! gallery: picture prune_digits.svg Accuracy on new digits against the part of weights that is left

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::path::Path;

use ansatz_linalg::fisher::{Surgeon, densities};
use ansatz_nn::autodiff::{Graph, Options, Program};
use ansatz_nn::core::Key;
use ansatz_nn::{
    Adam, Data, Layer, Layout, Mlp, MlpOptions, Mode, NetworkError, Objective, Parameters, Pass,
    Schedule, Training, TrainingOptions,
};
use ansatz_testkit::data::{self, Digits};
use ansatz_viz::{Axis, Chart, Scale, Series};

const BATCH: usize = 64;
const TRAINED: usize = 1437;
const TESTED: usize = Digits::COUNT - TRAINED;
const ROUNDS: usize = 16;

/// Draws digits and their labels, one in ten each.
fn draw(digits: &Digits, key: Key, data: &mut [Vec<f32>]) {
    let (images, labels) = data.split_at_mut(1);
    labels[0].fill(0.0);
    for i in 0..BATCH {
        // Every fifth digit is for the test.
        let k = (key.uniform(0, i as u64)[0] * TRAINED as f64) as usize;
        let k = k + k / 4;
        images[0][i * Digits::DIM..][..Digits::DIM]
            .copy_from_slice(&digits.images[k * Digits::DIM..][..Digits::DIM]);
        labels[0][i * 10 + usize::from(digits.labels[k])] = 1.0;
    }
}

/// Part of the digits for the test that the network names right.
struct Judge {
    program: Program<f32>,
    images: Vec<f32>,
    labels: Vec<u8>,
    lengths: Vec<usize>,
}

impl Judge {
    fn new(net: &Mlp, layout: &Layout, digits: &Digits) -> Result<Self, NetworkError> {
        let graph = Graph::new();
        let pass = Pass::new(&graph, layout, (Mode::Evaluate, Some(TESTED)));
        let y = net.apply(&pass, graph.batch(&[TESTED, Digits::DIM]));
        let chosen = (0..TESTED).map(|k| (5 * k + 4).min(Digits::COUNT - 1));
        let image = |k: usize| &digits.images[k * Digits::DIM..][..Digits::DIM];
        Ok(Self {
            program: Program::compile(&graph.finish(&[y]), &Options::default())?,
            images: chosen.clone().flat_map(image).copied().collect(),
            labels: chosen.map(|k| digits.labels[k]).collect(),
            lengths: layout.entries().iter().map(|e| e.range().len()).collect(),
        })
    }

    fn accuracy(&mut self, weights: &[f32]) -> Result<f64, NetworkError> {
        let mut inputs = Vec::new();
        let mut rest = weights;
        for length in &self.lengths {
            let (part, more) = rest.split_at(*length);
            inputs.push(part);
            rest = more;
        }
        inputs.push(&self.images);
        let mut logits = vec![0.0; TESTED * 10];
        self.program.run(&inputs, &mut [&mut logits])?;
        let right = |(row, label): (&[f32], &u8)| {
            let best = (0..10).max_by(|a, b| row[*a].total_cmp(&row[*b]));
            best == Some(usize::from(*label))
        };
        let pairs = logits.chunks_exact(10).zip(&self.labels);
        Ok(pairs.filter(|p| right(*p)).count() as f64 / TESTED as f64)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let digits = data::digits();
    let mut layout = Layout::new();
    let net = Mlp::new(
        &mut layout.root(),
        &[Digits::DIM, 128, 10],
        &MlpOptions::default(),
    );
    let shapes = [
        Data::Batch(vec![BATCH, Digits::DIM]),
        Data::Batch(vec![BATCH, 10]),
    ];
    let mut objective = Objective::<f32>::compile(&layout, &shapes, |pass, data| {
        let logits = net.apply(pass, data[0]);
        let right = (logits * data[1]).sum_axes(&[1]);
        (logits.log_sum_exp(&[1]) - right).mean()
    })?;
    let start = Parameters::new(&layout, Key::new(1));
    let mut training = Training::new(start, Adam::default(), Key::new(2));
    let options = TrainingOptions {
        steps: 1500,
        rate: Schedule::Constant(2e-3),
        ..TrainingOptions::default()
    };
    let batch = |key: Key, data: &mut [Vec<f32>]| draw(&digits, key, data);
    training.run(&mut objective, &options, batch, &mut ())?;
    let parameters = training.parameters;
    let mut judge = Judge::new(&net, &layout, &digits)?;
    let whole = judge.accuracy(parameters.values())?;
    println!(
        "{} weights\naccuracy of the whole network = {whole:.3}",
        layout.len()
    );

    let sparsities = [0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95];
    let mut curves = [const { Vec::new() }; 3];
    println!("removed   smallest   blocks of 128   one block");
    for sparsity in sparsities {
        let mut weights = [0, 1, 2].map(|_| parameters.values().to_vec());
        smallest(&mut weights[0], sparsity);
        for (weights, block) in weights[1..].iter_mut().zip([Some(128), None]) {
            let surgeon = Surgeon {
                block,
                damping: 1e-4,
                rounds: ROUNDS,
                ..Surgeon::default()
            };
            let mut live = vec![true; weights.len()];
            let mut round = 0;
            let mut failed = None;
            surgeon.prune(sparsity, weights, &mut live, |weights| {
                round += 1;
                let slopes = slopes(&mut objective, &layout, &digits, (weights, round));
                Ok(slopes.unwrap_or_else(|error| {
                    failed = Some(error);
                    Vec::new()
                }))
            })?;
            if let Some(error) = failed {
                return Err(error.into());
            }
        }
        let mut line = vec![format!("{:5.0} %", 100.0 * sparsity)];
        for (weights, curve) in weights.iter().zip(&mut curves) {
            let accuracy = judge.accuracy(weights)?;
            line.push(format!("   {accuracy:10.3}"));
            curve.push((1.0 - sparsity, accuracy));
        }
        println!("{}", line.concat());
    }
    let at = sparsities.iter().position(|s| (*s - 0.9).abs() < 1e-9);
    let at = at.unwrap_or_default();
    println!(
        "advantage over magnitude at 90 %: {:.3}",
        curves[1][at].1 - curves[0][at].1
    );
    picture(&curves)
}

/// Gradients of 64 batches at the weights.
fn slopes(
    objective: &mut Objective<f32>,
    layout: &Layout,
    digits: &Digits,
    (weights, round): (&[f32], u64),
) -> Result<Vec<Vec<f32>>, NetworkError> {
    let mut parameters = Parameters::new(layout, Key::new(0));
    parameters.values_mut().copy_from_slice(weights);
    let mut data = [vec![0.0; BATCH * Digits::DIM], vec![0.0; BATCH * 10]];
    let mut one = |k: u64| {
        draw(digits, Key::new(5).fold_in(round).fold_in(k), &mut data);
        let mut slope = vec![0.0; weights.len()];
        let data = [&data[0][..], &data[1][..]];
        objective.gradient(&parameters, &data, Key::new(0), &mut slope)?;
        Ok(slope)
    };
    (0..64).map(&mut one).collect()
}

/// Sets the smallest weights to 0.
fn smallest(weights: &mut [f32], sparsity: f64) {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| weights[*a].abs().total_cmp(&weights[*b].abs()));
    let left = densities(1.0, 1.0 - sparsity, 1)[0] * weights.len() as f64;
    order.truncate(weights.len() - left.ceil() as usize);
    for p in order {
        weights[p] = 0.0;
    }
}

fn picture(curves: &[Vec<(f64, f64)>; 3]) -> Result<(), Box<dyn std::error::Error>> {
    let names = [
        "smallest weights",
        "M-FAC, blocks of 128",
        "M-FAC, one block",
    ];
    let axis = |label: &str, scale| Axis {
        label: label.into(),
        scale,
        ..Axis::default()
    };
    let series = names.iter().zip(curves);
    let chart = Chart {
        title: "Accuracy after removal, without further training".into(),
        x: axis("part of the weights that is left", Scale::Log),
        y: axis("accuracy on new digits", Scale::Linear),
        series: series
            .map(|(name, points)| Series::line(*name, points.clone()))
            .collect(),
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("prune_digits.svg"), chart.to_svg()?)?;
    println!("wrote target/gallery/prune_digits.svg");
    Ok(())
}
