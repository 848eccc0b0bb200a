//! Programs on a device give what they give on the processor. One list for the tests and for the report on a device.

#[path = "programs.rs"]
pub(crate) mod programs;

use ansatz_autodiff::cuda::{
    DeviceError, DeviceOptions, DeviceProgram, Precision, Products, Replay,
};
use ansatz_autodiff::{Element, Options, Program};
use ansatz_cuda::{CudaError, Device, DeviceScalar};
use ansatz_testkit::device::Check;
use programs::Case;

/// The checks of this crate.
pub(crate) const CHECKS: &[Check<Device>] = &[
    ("programs agree, f64, generated kernels, a graph", double),
    (
        "programs agree, f32, cuBLAS where it is, launches one by one",
        single,
    ),
    ("products have their precision", precision),
    ("programs go on from their results", carried),
    ("programs refuse what does not fit", errors),
];

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
    options: DeviceOptions,
    runs: usize,
) -> Vec<Vec<T>> {
    let mut program = DeviceProgram::<T>::compile(&case.trace, device, &options)
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

fn agrees<T: Element + DeviceScalar>(device: &Device, options: DeviceOptions, tolerance: f64) {
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

fn double(device: &Device) {
    let options = DeviceOptions {
        products: Some(Products::Generated),
        ..DeviceOptions::default()
    };
    agrees::<f64>(device, options, 1e-12);
}

fn single(device: &Device) {
    let options = DeviceOptions {
        replay: Replay::Launches,
        ..DeviceOptions::default()
    };
    agrees::<f32>(device, options, 1e-5);
}

/// Products by the library, where it is found, and by generated kernels are the same up to rounding; fewer bits are as asked.
fn precision(device: &Device) {
    // Generated kernels for one of them: each takes an emulated device seconds to compile.
    for (case, kinds) in [(programs::products(), 2), (programs::informed(60, 20), 1)] {
        let want = expected::<f64>(&case);
        let with = |products, precision| {
            let options = DeviceOptions {
                products,
                precision,
                ..DeviceOptions::default()
            };
            let got = on_device::<f32>(&case, device, options, 3);
            got.iter().zip(&want).fold(0.0_f64, |worst, (a, b)| {
                let a: Vec<f64> = a.iter().map(|v| f64::from(*v)).collect();
                worst.max(apart(&a, b))
            })
        };
        // Half a unit of 24, 11 and 8 bits in each factor, some ten layers of them.
        let all = [None, Some(Products::Generated)];
        for products in all.into_iter().take(kinds) {
            let full = with(products, Precision::Full);
            let tf32 = with(products, Precision::Tf32);
            let bf16 = with(products, Precision::Bf16);
            assert!(full < 2e-5, "{}, {products:?}: {full:.1e}", case.name);
            assert!(
                (1e-5..2e-2).contains(&tf32),
                "{}, {products:?}: {tf32:.1e}",
                case.name
            );
            assert!(
                (1e-4..2e-1).contains(&bf16),
                "{}, {products:?}: {bf16:.1e}",
                case.name
            );
        }
    }
}

/// Steps on the device alone give what steps through main memory give, to the bit.
fn carried(device: &Device) {
    let case = programs::perceptron(50, 24);
    let mut program = DeviceProgram::<f64>::compile(&case.trace, device, &DeviceOptions::default())
        .expect("a program");
    // Inputs 2 to 7 are parameters, then mean and square of each; outputs are the loss, then three of each.
    let pairs: Vec<(usize, usize)> = (0..6)
        .flat_map(|k| {
            [
                (1 + 3 * k, 2 + k),
                (2 + 3 * k, 8 + 2 * k),
                (3 + 3 * k, 9 + 2 * k),
            ]
        })
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

fn errors(device: &Device) {
    let case = programs::perceptron(50, 24);
    let mut program = DeviceProgram::<f32>::compile(&case.trace, device, &DeviceOptions::default())
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
