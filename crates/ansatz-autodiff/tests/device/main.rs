//! Programs on a device. Without one, tests named `device_…` say that they are skipped; they run on an emulated driver, with an
//! emulated compiler and library of products, as well. Where NVRTC is found, generated kernels are compiled for three
//! architectures and looked at.

mod checks;
mod kernels;

use std::path::Path;

use ansatz_autodiff::cuda::{DeviceError, DeviceOptions, Products, plan};
use ansatz_autodiff::{Graph, gradient};
use ansatz_cuda::Device;
use ansatz_testkit::device::emulated::Driver;
use ansatz_testkit::device::uphold;
use ansatz_testkit::device_or_skip;
use checks::programs;

#[test]
fn device_passes_the_checks() {
    let device = device_or_skip!(Device::new(0));
    uphold(&device, checks::CHECKS);
}

#[test]
fn emulated_devices_pass_the_tests() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    if let Some(driver) = Driver::for_programs("emulated devices", scratch) {
        driver.run("device_", &[]);
    }
}

#[test]
fn what_devices_cannot_do_is_named() {
    let refused =
        |trace: &ansatz_autodiff::Trace| match plan::<f64>(trace, &DeviceOptions::default()) {
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

/// Elementwise work goes along with what needs it, sums with each other, products of one size with each other: a step of
/// training is few launches beside its nodes.
#[test]
fn steps_are_few_launches() {
    for (case, most) in [
        (programs::perceptron(4096, 64), 28),
        (programs::informed(4096, 64), 67),
        (programs::unet(16, 32, 32), 112),
    ] {
        let plan = plan::<f32>(&case.trace, &DeviceOptions::default()).expect("a plan");
        let (launches, nodes) = (plan.launches(Products::Library), case.trace.to_string());
        let nodes = nodes.lines().count();
        assert!(launches <= most, "{}: {launches} of {nodes}", case.name);
    }
}

/// A chain of layers moves what its products and one elementwise kernel each have to.
#[test]
fn traffic_is_counted() {
    let g = Graph::new();
    let (x, w, b) = (g.input(&[1000, 64]), g.input(&[64, 64]), g.input(&[64]));
    let h = (x.matmul(w) + b).tanh();
    let plan = plan::<f32>(&g.finish(&[h]), &DeviceOptions::default()).expect("a plan");
    let (layer, weights, bias) = (1000 * 64, 64 * 64, 64);
    // The product reads x and w and writes z; the other kernel reads z and b and writes h.
    let floor = 4 * (2 * layer + weights + 2 * layer + bias);
    for products in [Products::Library, Products::Generated] {
        assert_eq!(plan.traffic(products), floor);
    }
}

/// Parts that are computed again are computed late, so that what they need is not kept.
#[test]
fn checkpoints_save_memory() {
    let bytes = |again: bool| {
        let g = Graph::new();
        let (x, w) = (g.input(&[500, 32]), g.input(&[32, 32]));
        let mut y = x;
        for _ in 0..6 {
            y = if again {
                g.checkpoint([y], |[y]| (0..6).fold(y, |y, _| y.matmul(w).tanh()))
            } else {
                (0..6).fold(y, |y, _| y.matmul(w).tanh())
            };
        }
        let slope = gradient(y.square().sum(), &[w])[0];
        let plan = plan::<f32>(&g.finish(&[slope]), &DeviceOptions::default());
        plan.expect("a plan").bytes()
    };
    let (kept, again) = (bytes(false), bytes(true));
    assert!(2 * again < kept, "{again} and {kept} bytes");
}
