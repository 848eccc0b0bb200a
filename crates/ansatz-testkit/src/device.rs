//! What tests do where a device, a library or a tool is missing: they say so and pass, or fail where it is demanded. Also
//! lists of checks that tests and reports share, and a driver that the processor emulates.

pub mod emulated;

use std::fmt::Display;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The variable that turns a missing device into a failure: set it to 1 where there is one.
const REQUIRED: &str = "ANSATZ_REQUIRE_DEVICE";

/// The device that was found. Without one, writes to standard error that `test` is skipped and why, past the test runner's
/// capture, and gives `None`.
///
/// ```
/// let found: Result<(), &str> = Err("there is no device here");
/// assert!(ansatz_testkit::device::or_skip("example", found).is_none());
/// ```
///
/// # Panics
/// Without a device where `ANSATZ_REQUIRE_DEVICE=1`.
pub fn or_skip<D, E: Display>(test: &str, found: Result<D, E>) -> Option<D> {
    match found {
        Ok(device) => Some(device),
        Err(why) => {
            assert!(
                std::env::var_os(REQUIRED).is_none_or(|v| v != "1"),
                "{test} must not be skipped ({REQUIRED}=1): {why}"
            );
            skipped(test, &why);
            None
        }
    }
}

/// Says that `test`, or a part of it, does not run, and why.
pub fn skipped(test: &str, why: &dyn Display) {
    // Printing macros would be captured; a test that passes would hide it.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// Something that must hold on a device: its name, and what panics where it does not.
pub type Check<D> = (&'static str, fn(&D));

/// Runs checks, and gives for each of them what is wrong: nothing, or what the panic said.
///
/// ```
/// use ansatz_testkit::device::{Check, outcomes};
/// let checks: [Check<i32>; 2] = [("is even", |d| assert!(d % 2 == 0)), ("is small", |d| assert!(*d < 3, "{d}"))];
/// let found = outcomes(&4, &checks);
/// assert_eq!((found[0].1.as_ref(), found[1].1.as_deref()), (None, Some("4")));
/// ```
pub fn outcomes<D>(device: &D, checks: &[Check<D>]) -> Vec<(&'static str, Option<String>)> {
    let run = |check: fn(&D)| match catch_unwind(AssertUnwindSafe(|| check(device))) {
        Ok(()) => None,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            Some(text.unwrap_or_else(|| "it panicked".into()))
        }
    };
    checks.iter().map(|(name, c)| (*name, run(*c))).collect()
}

/// Runs checks and demands that all of them hold.
///
/// # Panics
/// With the names of those that do not, and why.
#[track_caller]
pub fn uphold<D>(device: &D, checks: &[Check<D>]) {
    let wrong: Vec<String> = outcomes(device, checks)
        .into_iter()
        .filter_map(|(name, wrong)| Some(format!("{name}: {}", wrong?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The device of an expression of type `Result`, or the end of a test that has none:
/// `let device = device_or_skip!(Device::new(0));`.
///
/// # Panics
/// As [`device::or_skip`](crate::device::or_skip).
#[macro_export]
macro_rules! device_or_skip {
    ($found:expr) => {
        match $crate::device::or_skip(::std::thread::current().name().unwrap_or("a test"), $found) {
            Some(device) => device,
            None => return,
        }
    };
}
