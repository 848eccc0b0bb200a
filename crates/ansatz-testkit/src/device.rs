//! What tests do where a device, a library or a tool is missing: they say so and pass, or fail where it is demanded.

use std::fmt::Display;
use std::io::Write;

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
