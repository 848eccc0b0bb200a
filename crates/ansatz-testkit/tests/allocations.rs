//! Models allocate on their first call only. Its own test binary: the counter is global.
#![expect(
    unsafe_code,
    reason = "a counting allocator implements an unsafe trait"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use ansatz_core::{Denoiser, NoiseLevel, Prediction};
use ansatz_testkit::{Analytic, Empirical, Gaussian, Mixture};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's guarantees are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn check(model: &(impl Denoiser<Vec<f64>> + Analytic)) {
    let x = vec![0.5; 16 * model.dim()];
    let mut out = x.clone();
    let mut scalars = vec![0.0; 16];
    let mut run = || {
        let at = NoiseLevel::new(0.5, 0.8, 0.6);
        model.eval_as(Prediction::Data, &x, &at, &mut out)?;
        model.score(&x, &at, &mut out)?;
        model.posterior_mean_vjp(&x, &at, &x, &mut out)?;
        model.log_density(&x, &at, &mut scalars)?;
        model.laplacian(&x, &at, &mut scalars)
    };
    run().expect("valid arguments");
    let before = COUNT.load(Ordering::Relaxed);
    for _ in 0..10 {
        run().expect("valid arguments");
    }
    assert_eq!(COUNT.load(Ordering::Relaxed), before);
}

#[test]
fn no_allocation_after_the_first_call() {
    check(&Mixture::tb1().predicting(Prediction::Noise));
    check(&Gaussian::isotropic(3, 0.0, 1.0).expect("valid"));
    check(&Empirical::new(&[0.0, 1.0, 2.0, 3.0], 2).expect("valid"));
}
