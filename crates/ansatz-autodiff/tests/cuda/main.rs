//! Programs on a device against the same programs on the processor. Without a device, tests named `device_…` say that they are
//! skipped and run on an emulated one in a child process; where NVRTC is found, the generated kernels are compiled for three
//! architectures and looked at.

mod kernels;
mod programs;

use std::path::Path;

use ansatz_autodiff::cuda::{
    DeviceError, DeviceOptions, DeviceProgram, Precision, Products, Replay, plan,
};
use ansatz_autodiff::{Element, Graph, Options, Program};
use ansatz_cuda::{CudaError, Device, DeviceScalar};
use ansatz_testkit::device::emulated::Driver;
use ansatz_testkit::device_or_skip;
use programs::Case;

#[test]
fn emulated_devices_run_programs() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(driver) = Driver::for_programs("emulated_devices_run_programs", scratch) {
        driver.run("device_", &[]);
    }
}

fn narrow<T: Element>(case: &Case) -> Vec<Vec<T>> {
    let each = |x: &Vec<f64>| x.iter().map(|v| T::of(*v)).collect();
    case.inputs.iter().map(each).collect()
}

fn blank<T: Element>(case: &Case) -> Vec<Vec<T>> {
    let shapes = case.trace.output_shapes();
    shapes.map(|s| vec![T::nan(); s.len()]).collect()
}

/// The outputs on the processor.
fn expected<T: Element>(case: &Case) -> Vec<Vec<T>> {
    let program = Program::<T>::compile(&case.trace, &Options::default()).expect("a program");
    let (inputs, mut outputs) = (narrow::<T>(case), blank::<T>(case));
    let inputs: Vec<&[T]> = inputs.iter().map(Vec::as_slice).collect();
    let mut views: Vec<&mut [T]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    program.run(&inputs, &mut views).expect("outputs");
    outputs
}

fn on_device<T: Element + DeviceScalar>(
    case: &Case,
    device: &Device,
    options: &DeviceOptions,
    runs: usize,
) -> Vec<Vec<T>> {
    let mut program = DeviceProgram::<T>::compile(&case.trace, device, options)
        .unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let inputs = narrow::<T>(case);
    let inputs: Vec<&[T]> = inputs.iter().map(Vec::as_slice).collect();
    let mut outputs = blank::<T>(case);
    for _ in 0..runs {
        outputs = blank::<T>(case);
        let mut views: Vec<&mut [T]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        program
            .run(&inputs, &mut views)
            .unwrap_or_else(|e| panic!("{}: {e}", case.name));
    }
    outputs
}

/// The largest difference beside the largest element.
fn apart<T: Element>(a: &[T], b: &[T]) -> f64 {
    let largest = b.iter().fold(1e-3_f64, |m, v| m.max(v.f64().abs()));
    let pairs = a.iter().zip(b);
    pairs.fold(0.0, |worst: f64, (a, b)| {
        let difference = (a.f64() - b.f64()).abs() / largest;
        if difference.is_nan() && !(a.is_nan() && b.is_nan()) {
            f64::INFINITY
        } else {
            worst.max(difference)
        }
    })
}

fn agrees<T: Element + DeviceScalar>(device: &Device, options: &DeviceOptions, tolerance: f64) {
    let mut wrong = Vec::new();
    for case in programs::all() {
        // Twice one by one and captured, then from the graph.
        let got = on_device::<T>(&case, device, options, 3);
        let want = expected::<T>(&case);
        for ((name, got), want) in case.outputs.iter().zip(&got).zip(&want) {
            let off = apart(got, want);
            if off > tolerance {
                wrong.push(format!("{}, {name}: {off:.2e}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn device_programs_agree_in_double_precision() {
    let device = device_or_skip!(Device::new(0));
    let options = DeviceOptions {
        products: Some(Products::Generated),
        ..DeviceOptions::default()
    };
    agrees::<f64>(&device, &options, 1e-12);
}

#[test]
fn device_programs_agree_in_single_precision() {
    let device = device_or_skip!(Device::new(0));
    let options = DeviceOptions {
        replay: Replay::Launches,
        ..DeviceOptions::default()
    };
    agrees::<f32>(&device, &options, 1e-5);
}

/// Products by the library, where it is found, and by generated kernels are the same up to rounding; fewer bits are as asked.
#[test]
fn device_products_have_their_precision() {
    let device = device_or_skip!(Device::new(0));
    for case in [programs::products(), programs::informed(60, 20)] {
        let want = expected::<f64>(&case);
        let with = |products, precision| {
            let options = DeviceOptions {
                products,
                precision,
                ..DeviceOptions::default()
            };
            let got = on_device::<f32>(&case, &device, &options, 3);
            got.iter().zip(&want).fold(0.0_f64, |worst, (a, b)| {
                let a: Vec<f64> = a.iter().map(|v| f64::from(*v)).collect();
                worst.max(apart(&a, b))
            })
        };
        // Half a unit of 24, 11 and 8 bits in each factor, some ten layers of them.
        for products in [None, Some(Products::Generated)] {
            let full = with(products, Precision::Full);
            let tf32 = with(products, Precision::Tf32);
            let bf16 = with(products, Precision::Bf16);
            assert!(full < 2e-5, "{}, {products:?}: {full:.1e}", case.name);
            assert!((1e-5..2e-2).contains(&tf32), "{}, {products:?}: {tf32:.1e}", case.name);
            assert!((1e-4..2e-1).contains(&bf16), "{}, {products:?}: {bf16:.1e}", case.name);
        }
    }
}

/// Steps on the device alone give what steps through main memory give, to the bit.
#[test]
fn device_programs_go_on_from_their_results() {
    let device = device_or_skip!(Device::new(0));
    let case = programs::perceptron(50, 24);
    let mut program =
        DeviceProgram::<f64>::compile(&case.trace, &device, &DeviceOptions::default())
            .expect("a program");
    // Inputs 2 to 7 are parameters, then mean and square of each; outputs are the loss, then three of each.
    let pairs: Vec<(usize, usize)> = (0..6)
        .flat_map(|k| [(1 + 3 * k, 2 + k), (2 + 3 * k, 8 + 2 * k), (3 + 3 * k, 9 + 2 * k)])
        .collect();
    let mut inputs = narrow::<f64>(&case);
    let mut outputs = blank::<f64>(&case);
    for _ in 0..4 {
        let given: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
        let mut views: Vec<&mut [f64]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        program.run(&given, &mut views).expect("a step");
        for (from, to) in &pairs {
            inputs[*to].clone_from(&outputs[*from]);
        }
    }
    for (i, x) in narrow::<f64>(&case).iter().enumerate() {
        program.write(i, x).expect("an input");
    }
    for step in 0..4 {
        if step > 0 {
            for (from, to) in &pairs {
                program.carry(*from, *to).expect("a copy");
            }
        }
        program.launch().expect("a step");
    }
    for (k, want) in outputs.iter().enumerate() {
        let mut got = vec![0.0; want.len()];
        program.read(k, &mut got).expect("an output");
        assert_eq!(&got, want, "{}", case.outputs[k]);
    }
}

#[test]
fn device_errors_are_typed() {
    let device = device_or_skip!(Device::new(0));
    let case = programs::perceptron(50, 24);
    let mut program =
        DeviceProgram::<f32>::compile(&case.trace, &device, &DeviceOptions::default())
            .expect("a program");
    let few = program.run(&[], &mut []);
    assert!(
        matches!(few, Err(DeviceError::Program(ref e)) if e.to_string().contains("inputs")),
        "{few:?}"
    );
    let short = program.write(0, &[1.0; 3]);
    assert!(
        matches!(short, Err(DeviceError::Program(ref e)) if e.to_string().contains("150")),
        "{short:?}"
    );
    assert!(matches!(
        program.write(99, &[1.0]),
        Err(DeviceError::Cuda(CudaError::OutOfRange { value: 99, .. }))
    ));
    assert!(matches!(
        program.carry(0, 2),
        Err(DeviceError::Cuda(CudaError::ShapeMismatch { .. }))
    ));
}

#[test]
fn what_devices_cannot_do_is_named() {
    let refused = |trace: &ansatz_autodiff::Trace| match plan::<f64>(trace, &DeviceOptions::default()) {
        Err(DeviceError::Unsupported { op, remedy }) => {
            assert!(remedy.contains("Program"), "{remedy}");
            op
        }
        other => panic!("{other:?}"),
    };
    let g = Graph::new();
    let x = g.input(&[4, 4]);
    assert_eq!(refused(&g.finish(&[x.cholesky()])), "cholesky");
    assert_eq!(refused(&g.finish(&[x.rfft(1)])), "rfft");
    let g = Graph::new();
    let x = g.input(&[5000]);
    assert_eq!(refused(&g.finish(&[x.cumulative_sum(0)])), "cumulative_sum");
}

/// Arrays share memory: a long chain of layers takes that of few of them.
#[test]
fn memory_is_planned() {
    let g = Graph::new();
    let (x, w) = (g.input(&[1000, 64]), g.input(&[64, 64]));
    let mut h = x;
    for _ in 0..20 {
        h = h.matmul(w).tanh();
    }
    let plan = plan::<f32>(&g.finish(&[h]), &DeviceOptions::default()).expect("a plan");
    let layer = 4 * 1000 * 64;
    assert!(plan.bytes() < 4 * layer, "{} bytes", plan.bytes());
    // A product and an elementwise kernel each.
    assert_eq!(plan.launches(Products::Library), 40);
    assert_eq!(plan.entries(Products::Library).len(), 1);
}

#[test]
fn zz_stats() {
    for case in [programs::perceptron(4096, 64), programs::informed(4096, 64), programs::unet(16, 32, 32)] {
        let p = plan::<f32>(&case.trace, &DeviceOptions::default()).expect("a plan");
        println!("{}: {} nodes, {} launches, {} with blas ({} products), {} kernels, {} MB, {:.1} MFLOP", case.name, case.trace.to_string().lines().count(), p.launches(Products::Generated), p.launches(Products::Library), p.matrix_products(), p.entries(Products::Generated).len(), p.bytes() >> 20, case.trace.flops() as f64 * 1e-6);
        if std::env::var("SHOW").as_deref() == Ok(case.name) { println!("{}", p.source()); }
    }
}
