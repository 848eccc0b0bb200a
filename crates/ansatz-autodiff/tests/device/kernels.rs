//! Generated kernels through NVRTC: they compile for Volta, Ampere and Hopper, in registers.

use ansatz_autodiff::Element;
use ansatz_autodiff::cuda::{DeviceOptions, Products, plan};
use ansatz_cuda::nvrtc::{self, Target};
use ansatz_cuda::{CudaError, DeviceScalar};
use ansatz_testkit::device::skipped;

use crate::checks::programs::{self, Case};

/// Those that the library makes code for; says which it does not, or that there is no library.
fn targets(test: &str) -> Vec<Target> {
    let known = match nvrtc::architectures() {
        Ok(known) => known,
        Err(why) => {
            skipped(test, &why);
            return Vec::new();
        }
    };
    let mut targets = Vec::new();
    for arch in [70, 80, 90] {
        if known.contains(&arch) {
            targets.push(Target::Real(arch));
        } else {
            skipped(test, &format!("this NVRTC makes no code for sm_{arch}"));
        }
    }
    targets
}

fn compiles<T: Element + DeviceScalar>(case: &Case, target: Target) {
    let plan = plan::<T>(&case.trace, &DeviceOptions::default()).expect("a plan");
    let source = plan.source_for(Products::Generated);
    let compiled = nvrtc::compile_source("program", &source, target, &["--ptxas-options=-v"])
        .unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let entries = plan.entries(Products::Generated);
    for entry in &entries {
        assert!(
            compiled.ptx.contains(&format!(".entry {entry}(")),
            "{entry}"
        );
    }
    let mut lines = compiled.log.lines();
    let mut seen = 0;
    while let Some(line) = lines.next() {
        let Some(entry) = line.split("entry function '").nth(1) else {
            continue;
        };
        let entry = entry.split('\'').next().unwrap_or_default();
        let stack = lines
            .by_ref()
            .find(|l| l.contains("spill"))
            .unwrap_or_default();
        let own = &source[source.find(&format!("{entry}(")).unwrap_or(0)..];
        let own = &own[..own.find("\n}").unwrap_or(own.len())];
        // Sine, cosine and tangent of large arguments have a table of their own on the stack.
        let circular = ["f_sin(", "f_cos(", "f_tan("]
            .iter()
            .any(|f| own.contains(f));
        let spills = !stack.contains("0 bytes spill stores, 0 bytes spill loads");
        let local = !stack.contains(" 0 bytes stack frame") && !circular;
        assert!(
            !spills && !local,
            "{} for {target}: {stack}\n{own}",
            case.name
        );
        seen += 1;
    }
    assert_eq!(seen, entries.len(), "{}: {}", case.name, compiled.log);
}

#[test]
fn generated_kernels_compile_without_spills() {
    let test = "generated_kernels_compile_without_spills";
    for (k, target) in targets(test).into_iter().enumerate() {
        for case in programs::all() {
            // Every program in both types for one architecture, the largest step in one type for the others.
            if k == 1 {
                compiles::<f32>(&case, target);
                compiles::<f64>(&case, target);
            } else if case.name == "unet" {
                compiles::<f32>(&case, target);
            }
        }
    }
}

/// Large elementwise work moves 16 bytes at once where places allow it, and only there.
#[test]
fn large_loops_move_wide_pieces() {
    let case = programs::wide();
    for target in targets("large_loops_move_wide_pieces") {
        let count = |source: &str, word: &str| {
            let compiled = nvrtc::compile_source("program", source, target, &[]);
            let ptx = compiled.unwrap_or_else(|e| panic!("{e}")).ptx;
            ptx.lines().filter(|l| l.contains(word)).count()
        };
        let options = DeviceOptions::default();
        let single = plan::<f32>(&case.trace, &options).expect("a plan").source();
        let double = plan::<f64>(&case.trace, &options).expect("a plan").source();
        // Pieces of x, its row, the constant, what is shifted by whole pieces, and rows of three; five results.
        assert_eq!(count(&single, "st.global.v4.f32"), 5, "{target}:\n{single}");
        assert_eq!(count(&double, "st.global.v2.f64"), 5, "{target}");
        assert!(count(&single, "ld.global.nc.v4.f32") >= 5, "{target}");
        assert!(count(&double, "ld.global.nc.v2.f64") >= 5, "{target}");
    }
}

#[test]
fn errors_carry_the_compilers_log() {
    let broken =
        nvrtc::compile_source("program", "__global__ void f( {}", Target::Virtual(80), &[]);
    match broken {
        Err(CudaError::Compile { log, .. }) => assert!(log.contains("error"), "{log}"),
        Err(CudaError::NvrtcMissing) => {
            skipped("errors_carry_the_compilers_log", &CudaError::NvrtcMissing);
        }
        other => panic!("{other:?}"),
    }
}
