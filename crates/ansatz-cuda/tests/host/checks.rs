//! The harness itself: kernels with a fault of each kind that it is there to see.

use std::path::PathBuf;

use ansatz_core::Key;
use ansatz_cuda::kernel::philox::{plan_bits, plan_normal};
use ansatz_cuda::{Call, Family};
use ansatz_testkit::device::emulated::compiler;

use crate::harness::{Memory, build};

/// Bodies for `philox_bits`, chosen by the key, and what the harness says of them.
const FAULTS: [(&str, &str); 7] = [
    ("out[threadIdx.x + 1] = 1;", "heap-buffer-overflow"),
    (
        "if (out[(int)threadIdx.x - 1] == 7) out[0] = 1;",
        "heap-buffer-overflow",
    ),
    (
        "if (threadIdx.x == 0) ((Pack<u32>*)(out + 1))[0] = Pack<u32>{};",
        "alignment",
    ),
    ("out[0] = threadIdx.x;", "order of threads"),
    // No barrier between writing and reading what another thread wrote.
    (
        "__shared__ u32 x[256]; x[threadIdx.x] = threadIdx.x; out[threadIdx.x] = x[255 - threadIdx.x];",
        "order of threads",
    ),
    (
        "if (threadIdx.x == 5) return; out[0] = __shfl_down_sync(0xffffffffu, 1u, 1);",
        "do not come",
    ),
    (
        "if (threadIdx.x < 9) __syncthreads(); else __syncwarp();",
        "do not come",
    ),
];

/// A program with kernels that are wrong in these ways, and two whose parameters are not what calls pass.
fn program() -> Option<PathBuf> {
    let whole = Family::Philox.source();
    let common = whole
        .split("#line 1 \"philox.cu\"")
        .next()
        .unwrap_or_default();
    let cases: String = (0..)
        .zip(FAULTS)
        .flat_map(|(k, (body, _))| {
            [
                "if (seed == ".into(),
                format!("{k}) {{"),
                body.into(),
                "}".into(),
            ]
        })
        .collect();
    let source = format!(
        "{common}
        void philox_bits(u32* out, u64 seed, u64, u64, u64) {{ {cases} }}
        void philox_normal_f32(double* out, u64, u64, u64) {{}}
        void philox_normal_f64(const double* out, u64, u64, u64) {{}}"
    );
    let entries = ["philox_bits", "philox_normal_f32", "philox_normal_f64"];
    Some(build(compiler()?, "faults", &source, &entries))
}

#[test]
fn faults_are_seen() {
    let Some(program) = program() else {
        return;
    };
    let mut memory = Memory::default();
    let words = memory.put(&[0_u32; 256]);
    let (narrow, wide) = (memory.put(&[0.0_f32; 8]), memory.put(&[0.0_f64; 8]));
    let sees = |call: Option<Call>, message: &str| {
        let outcome = memory.output(&program, call.as_slice());
        let error = outcome.expect_err("a fault that is not seen");
        assert!(error.contains(message), "{message}: {error}");
    };
    let chosen = |k| plan_bits(&words.view_mut(), Key::new(k), 0, 0).expect("a plan");
    for (k, (_, message)) in (0..).zip(FAULTS) {
        sees(chosen(k), message);
    }
    assert!(
        memory.output(&program, chosen(99).as_slice()).is_ok(),
        "no fault"
    );
    let call = plan_normal(&narrow.view_mut(), Key::new(0), 0).expect("a plan");
    sees(call, "parameter of kind write f64 gets write f32");
    let call = plan_normal(&wide.view_mut(), Key::new(0), 0).expect("a plan");
    sees(call, "parameter of kind read f64 gets write f64");
}
