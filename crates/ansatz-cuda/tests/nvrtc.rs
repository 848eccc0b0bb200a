//! Every kernel source goes through NVRTC, for several architectures, where the library can be loaded. No device is needed.

use ansatz_cuda::nvrtc::{self, Compiled, Target};
use ansatz_cuda::{CudaError, Family};
use ansatz_testkit::device::skipped;

/// Volta, Ampere, Hopper.
const ARCHITECTURES: [u32; 3] = [70, 80, 90];

/// Those that the library makes code for; says which it does not, or that there is no library.
fn targets(test: &str) -> Vec<Target> {
    match nvrtc::architectures() {
        Ok(known) => ARCHITECTURES
            .into_iter()
            .filter(|arch| {
                if !known.contains(arch) {
                    skipped(test, &format!("this NVRTC makes no code for sm_{arch}"));
                }
                known.contains(arch)
            })
            .map(Target::Real)
            .collect(),
        Err(why) => {
            skipped(test, &why);
            Vec::new()
        }
    }
}

fn compile(family: Family, target: Target) -> Compiled {
    nvrtc::compile_source(
        family.name(),
        &family.source(),
        target,
        &["--ptxas-options=-v"],
    )
    .unwrap_or_else(|e| panic!("{e}"))
}

/// The body of a kernel.
fn body<'a>(ptx: &'a str, entry: &str) -> &'a str {
    let at = ptx
        .find(&format!(".entry {entry}("))
        .unwrap_or_else(|| panic!("no kernel {entry}"));
    let rest = &ptx[at..];
    &rest[..rest.find("\n}").unwrap_or(rest.len())]
}

#[test]
fn every_kernel_compiles_without_spills() {
    for target in targets("every_kernel_compiles_without_spills") {
        for family in Family::ALL {
            let compiled = compile(*family, target);
            assert!(compiled.cubin.is_some(), "{target}: machine code");
            for entry in family.entries() {
                let body = body(&compiled.ptx, entry);
                assert!(
                    !body.contains(".local"),
                    "{entry} for {target}: local memory"
                );
            }
            let entries = compiled.ptx.matches(".visible .entry ").count();
            assert_eq!(
                entries,
                family.entries().len(),
                "{family:?}: a kernel that no list names"
            );
            let stacks: Vec<&str> = compiled
                .log
                .lines()
                .filter(|l| l.contains("spill"))
                .collect();
            assert_eq!(stacks.len(), entries, "{family:?}: {}", compiled.log);
            for line in stacks {
                assert!(
                    line.contains("0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"),
                    "{family:?} for {target}: {line}\n{}",
                    compiled.log
                );
            }
        }
    }
}

/// 16 bytes at once where a kernel is bound by memory, and products and sums apart where their bits matter.
#[test]
fn memory_moves_in_wide_pieces() {
    for target in targets("memory_moves_in_wide_pieces") {
        let ptx = compile(Family::Lincomb, target).ptx;
        for (entry, load, store) in [
            ("lincomb_3_f32", "ld.global.v4", "st.global.v4"),
            ("lincomb_3_f64", "ld.global.v2", "st.global.v2"),
            ("lincomb_any_f32", "ld.global.v4", "st.global.v4"),
            ("lincomb_rows_f32", "ld.global.v4", "st.global.v4"),
            ("lincomb_rows_f64", "ld.global.v2", "st.global.v2"),
            ("lincomb_blend_f32", "ld.global.v4", "st.global.v4"),
        ] {
            let body = body(&ptx, entry);
            assert!(
                body.contains(load) && body.contains(store),
                "{entry} for {target}:\n{body}"
            );
        }
        assert_eq!(
            body(&ptx, "lincomb_3_f32").matches("ld.global.v4").count(),
            4
        );
        assert!(
            !body(&ptx, "lincomb_3_f64").contains("fma"),
            "f64 is not contracted"
        );
        assert!(body(&ptx, "lincomb_3_f32").contains("fma.rn.f64"));
        let ptx = compile(Family::Philox, target).ptx;
        assert!(body(&ptx, "philox_normal_f32").contains("st.global.v4"));
        assert!(!body(&ptx, "philox_normal_f64").contains("fma"));
    }
}

#[test]
fn errors_carry_the_compilers_log() {
    let broken = nvrtc::compile_source("broken", "__global__ void f( {}", Target::Virtual(80), &[]);
    match broken {
        Err(CudaError::Compile { kernel, log, .. }) => {
            assert_eq!(kernel, "broken");
            assert!(log.contains("error"), "{log}");
        }
        Err(CudaError::NvrtcMissing) => {
            skipped("errors_carry_the_compilers_log", &CudaError::NvrtcMissing);
        }
        other => panic!("{other:?}"),
    }
}
