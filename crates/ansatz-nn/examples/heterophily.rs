//! Nodes whose neighbours are mostly of other classes, told apart by sheaf diffusion and by graph convolutions.
//!
//! 300 nodes of three classes; nineteen of twenty edges join unlike nodes; each node's features are weak and noisy signs of
//! its class. A graph convolution mixes the classes; a sheaf learns maps under which neighbours may differ. Both
//! networks see all nodes and edges and the labels of half of the nodes; accuracies are those on the other half.
//! Run it with `cargo run --release -p ansatz-nn --example heterophily`.
//!
//! gallery: Neighbours that differ: sheaf diffusion and graph convolutions
//! gallery: expect accuracy of sheaf diffusion in 0.8..1
//! gallery: expect advantage in 0.15..1
//! gallery: picture heterophily.svg Accuracy on unseen nodes

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;

use ansatz_nn::autodiff::{Array, Graph, Options, Program};
use ansatz_nn::core::{Event, Key};
use ansatz_nn::sheaf::{MapFamily, SheafGraph, SheafNetwork, SheafOptions};
use ansatz_nn::{
    Activation, Adam, Data, GraphConv, Layer, Layout, Mode, Objective, Parameters, Pass, Progress,
    Schedule, Training, TrainingOptions,
};
use ansatz_viz::{Axis, Chart, Series};

const NODES: usize = 300;
const CLASSES: usize = 3;
const FEATURES: usize = 8;
const EDGES: usize = 1200;
const STEPS: u64 = 200;

/// A graph, features `[nodes, features]`, and the class of each node.
struct Problem {
    edges: Vec<(usize, usize)>,
    features: Vec<f32>,
    class: Vec<usize>,
}

fn problem(key: Key) -> Problem {
    let class: Vec<usize> = (0..NODES).map(|v| v % CLASSES).collect();
    let mut edges = Vec::new();
    let mut draw = 0;
    while edges.len() < EDGES {
        let [u, v] = key.uniform(0, draw);
        let like = key.uniform(1, draw)[0] < 0.1;
        draw += 1;
        let (a, b) = ((u * NODES as f64) as usize, (v * NODES as f64) as usize);
        let edge = (a.min(b), a.max(b));
        if a != b && (class[a] == class[b]) == like && !edges.contains(&edge) {
            edges.push(edge);
        }
    }
    // Each class has a centre; the noise is larger than the distance of centres.
    let normal = |stream: u64, n: usize| {
        let mut values = vec![0.0_f32; n];
        key.fill_normal(stream, &mut values);
        values
    };
    let centres = normal(2, CLASSES * FEATURES);
    let mut features = normal(3, NODES * FEATURES);
    for (row, c) in features.chunks_exact_mut(FEATURES).zip(&class) {
        for (x, m) in row.iter_mut().zip(&centres[c * FEATURES..]) {
            *x = 1.5 * *x + 0.7 * m;
        }
    }
    Problem {
        edges,
        features,
        class,
    }
}

/// Trains on the nodes with even numbers; accuracies on the others by steps.
fn train(
    layout: &Layout,
    problem: &Problem,
    apply: impl for<'g> Fn(&Pass<'g>, Array<'g>) -> Array<'g>,
) -> Result<Vec<(f64, f64)>, Box<dyn Error>> {
    let seen = |v: usize| v.is_multiple_of(2);
    let mut targets = vec![0.0_f32; NODES * CLASSES];
    for v in (0..NODES).filter(|v| seen(*v)) {
        targets[v * CLASSES + problem.class[v]] = 2.0 / NODES as f32;
    }
    let data = [
        Data::Whole(vec![NODES, FEATURES]),
        Data::Whole(vec![NODES, CLASSES]),
    ];
    let mut objective = Objective::<f32>::compile(layout, &data, |pass, data| {
        let y = apply(pass, data[0]);
        let logarithms = y - y.log_sum_exp(&[1]).reshape(&[NODES, 1]);
        -(logarithms * data[1]).sum()
    })?;
    let graph = Graph::new();
    let pass = Pass::new(&graph, layout, (Mode::Evaluate, None));
    let y = apply(&pass, graph.input(&[NODES, FEATURES]));
    let predict = Program::<f32>::compile(&graph.finish(&[y]), &Options::default())?;

    let parameters = Parameters::new(layout, Key::new(1));
    let options = TrainingOptions {
        steps: STEPS,
        rate: Schedule::Constant(1e-2),
        ..TrainingOptions::default()
    };
    let batch = |_: Key, data: &mut [Vec<f32>]| {
        data[0].copy_from_slice(&problem.features);
        data[1].copy_from_slice(&targets);
    };
    let mut curve = Vec::new();
    let mut scores = vec![0.0_f32; NODES * CLASSES];
    let mut training = Training::new(
        parameters,
        Adam {
            decay: ansatz_nn::Decay::Decoupled(5e-2),
            ..Adam::default()
        },
        Key::new(2),
    );
    training.run(&mut objective, &options, batch, &mut |e: &Event<
        '_,
        Progress<'_, f32>,
    >| {
        if e.step.is_multiple_of(10) {
            let each = e.state.parameters.iter().map(|(_, v)| v);
            let inputs: Vec<&[f32]> = each.chain([&problem.features[..]]).collect();
            if predict.run(&inputs, &mut [&mut scores]).is_err() {
                return ControlFlow::Break(());
            }
            let right = (0..NODES).filter(|v| !seen(*v)).filter(|v| {
                let row = &scores[v * CLASSES..(v + 1) * CLASSES];
                (0..CLASSES).all(|c| row[c] <= row[problem.class[*v]])
            });
            curve.push((e.step as f64, 2.0 * right.count() as f64 / NODES as f64));
        }
        ControlFlow::Continue(())
    })?;
    Ok(curve)
}

fn main() -> Result<(), Box<dyn Error>> {
    let problem = problem(Key::new(0));
    let unlike = problem
        .edges
        .iter()
        .filter(|(a, b)| problem.class[*a] != problem.class[*b]);
    println!(
        "{NODES} nodes, {EDGES} edges, {} of them between classes",
        unlike.count()
    );

    let mut curves = Vec::new();
    let graph = SheafGraph::new(NODES, &problem.edges)?;
    for (name, family) in [
        ("sheaf diffusion, general maps", MapFamily::General),
        ("sheaf diffusion, diagonal maps", MapFamily::Diagonal),
    ] {
        let options = SheafOptions {
            family,
            learnt: 3,
            channels: 8,
            layers: 2,
            dropout: (0.0, 0.3),
            ..SheafOptions::default()
        };
        let mut layout = Layout::new();
        let net = SheafNetwork::new(&mut layout.root(), &graph, (FEATURES, CLASSES), &options)?;
        curves.push((
            name,
            train(&layout, &problem, |pass, x| net.apply(pass, x))?,
        ));
    }

    let mut layout = Layout::new();
    let mut scope = layout.root();
    let layers = [
        GraphConv::new(&mut scope.scope("0"), (FEATURES, 24), NODES, &problem.edges)?,
        GraphConv::new(&mut scope.scope("1"), (24, CLASSES), NODES, &problem.edges)?,
    ];
    let curve = train(&layout, &problem, |pass, x| {
        layers[1].apply(pass, Activation::Relu.at(layers[0].apply(pass, x)))
    })?;
    curves.push(("graph convolutions", curve));

    let last = |i: usize| -> f64 {
        let curve = &curves[i].1;
        let end = &curve[curve.len().saturating_sub(5)..];
        end.iter().map(|p| p.1).sum::<f64>() / end.len().max(1) as f64
    };
    for (i, (name, _)) in curves.iter().enumerate() {
        println!("{name}: {:.3}", last(i));
    }
    println!("accuracy of sheaf diffusion = {:.3}", last(0).max(last(1)));
    println!("accuracy of graph convolutions = {:.3}", last(2));
    println!("advantage = {:.3}", last(0).max(last(1)) - last(2));

    let chart = Chart {
        title: "Nineteen of twenty edges join unlike nodes".into(),
        x: Axis {
            label: "step".into(),
            ..Axis::default()
        },
        y: Axis {
            label: "accuracy on unseen nodes".into(),
            ..Axis::default()
        },
        series: curves
            .into_iter()
            .map(|(name, curve)| Series::line(name, curve))
            .collect(),
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("heterophily.svg"), chart.to_svg()?)?;
    println!("wrote target/gallery/heterophily.svg");
    Ok(())
}
