//! Times of steps of training that are one array program: loss, gradient, Adam's update, whose results are the next step's
//! inputs. Beside them the same program on the processor, and other packages where they are asked for.

use std::time::Instant;

use ansatz_autodiff::cuda::{
    DeviceError, DeviceOptions, DeviceProgram, Precision, Products, Replay, plan,
};
use ansatz_autodiff::{Graph, Options, Program};
use ansatz_cuda::Device;

use crate::autodiff::programs::{self, Case};
use crate::peers::Step;
use crate::report::Report;
use crate::times::{Sizes, seconds};

/// Times them; gives them back for peers.
pub(crate) fn run(
    device: &Device,
    sizes: &Sizes,
    report: &mut Report,
) -> Result<Vec<Step>, DeviceError> {
    report.peak = peak(device, sizes)?;
    let mut done = Vec::new();
    let [images, side, channels] = sizes.pictures;
    let points = sizes.points;
    let steps = [
        (
            format!("step of a physics-informed network, {points} points, 2-64-64-64-1"),
            "informed",
            programs::informed(points, 64),
        ),
        (
            format!(
                "step of a physics-informed network, {} points, 2-64-64-64-1",
                points / 16
            ),
            "informed",
            programs::informed(points / 16, 64),
        ),
        (
            format!("step of a U-Net, {images} images of {side}², {channels} channels"),
            "unet",
            programs::unet(images, channels, side),
        ),
    ];
    for (name, kind, case) in steps {
        let outputs = on_processor(&format!("{name}, f32, processor"), &case, report)?;
        let shaped = |shapes: Vec<Vec<usize>>, values: Vec<Vec<f32>>| {
            shapes.into_iter().zip(values).collect::<Vec<_>>()
        };
        let [given, made] = [
            case.trace.input_shapes().map(|s| s.to_vec()).collect(),
            case.trace.output_shapes().map(|s| s.to_vec()).collect(),
        ];
        let mut ours = vec![("f32", f64::INFINITY), ("TF32", f64::INFINITY)];
        let full = DeviceOptions::default();
        for (how, options) in [
            ("", full),
            (
                ", TF32",
                DeviceOptions {
                    precision: Precision::Tf32,
                    ..full
                },
            ),
            (
                ", generated products",
                DeviceOptions {
                    products: Some(Products::Generated),
                    ..full
                },
            ),
            (
                ", without a graph",
                DeviceOptions {
                    replay: Replay::Launches,
                    ..full
                },
            ),
        ] {
            let time = on_device(
                &format!("{name}, f32{how}"),
                &case,
                (device, options),
                sizes,
                report,
            )?;
            let fastest = &mut ours[usize::from(options.precision == Precision::Tf32)].1;
            *fastest = fastest.min(time);
        }
        device.trim();
        done.push(Step {
            name,
            kind,
            inputs: shaped(given, inputs(&case)),
            outputs: shaped(made, outputs),
            ours,
        });
    }
    Ok(done)
}

/// Operations a second of a product of large matrices: what arithmetic can reach.
fn peak(device: &Device, sizes: &Sizes) -> Result<f64, DeviceError> {
    let n = sizes.matrix;
    let g = Graph::new();
    let (a, b) = (g.input(&[n, n]), g.input(&[n, n]));
    let trace = g.finish(&[a.matmul(b)]);
    let mut program = DeviceProgram::<f32>::compile(&trace, device, &DeviceOptions::default())?;
    let ones = vec![1.0; n * n];
    program.write(0, &ones)?;
    program.write(1, &ones)?;
    let time = seconds(device, sizes, || program.launch())?;
    Ok(trace.flops() as f64 / time)
}

fn inputs(case: &Case) -> Vec<Vec<f32>> {
    let narrow = |x: &Vec<f64>| x.iter().map(|v| *v as f32).collect();
    case.inputs.iter().map(narrow).collect()
}

fn on_device(
    name: &str,
    case: &Case,
    (device, options): (&Device, DeviceOptions),
    sizes: &Sizes,
    report: &mut Report,
) -> Result<f64, DeviceError> {
    let start = Instant::now();
    let mut program = DeviceProgram::<f32>::compile(&case.trace, device, &options)?;
    let compiled = start.elapsed().as_secs_f64();
    for (i, x) in inputs(case).iter().enumerate() {
        program.write(i, x)?;
    }
    let plan = plan::<f32>(&case.trace, &options)?;
    let products = options.products.unwrap_or(Products::Library);
    let (launches, traffic) = (plan.launches(products), plan.traffic(products));
    let time = seconds(device, sizes, || program.launch())?;
    let memory = program.bytes() >> 20;
    report.time(
        &format!("{name} ({launches} launches, {memory} MiB, compiled in {compiled:.2} s)"),
        time,
        [traffic as f64, case.trace.flops() as f64],
        None,
    );
    Ok(time)
}

/// Gives what one step makes of its inputs.
fn on_processor(
    name: &str,
    case: &Case,
    report: &mut Report,
) -> Result<Vec<Vec<f32>>, DeviceError> {
    let program = Program::<f32>::compile(&case.trace, &Options::default())?;
    let inputs = inputs(case);
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let mut outputs: Vec<Vec<f32>> = case
        .trace
        .output_shapes()
        .map(|s| vec![0.0; s.len()])
        .collect();
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let mut views: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        let start = Instant::now();
        program.run(&inputs, &mut views)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    report.time(name, best, [0.0, case.trace.flops() as f64], None);
    Ok(outputs)
}
