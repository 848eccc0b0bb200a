//! Neural differential equations, trained: the networks are those of the test kit.

#![allow(clippy::unwrap_used)]

mod rings;

use rings::{Rings, Training};

/// The error estimate as a regulariser halves the evaluations, at the same accuracy. (Another program's runs of
/// this experiment needed 97 and 85 evaluations plain, 19 and 19 regularised.)
#[test]
fn regularised_fields_need_half_the_evaluations() {
    let train = |training| {
        let mut rings = Rings::new(0);
        rings.train(0, 250, training).unwrap();
        rings.judge().unwrap()
    };
    let (accuracy, plain) = train(Training::Plain);
    assert!(accuracy >= 0.99, "{accuracy}");
    let (accuracy, regularised) = train(Training::Error(1.0, 0.1));
    assert!(accuracy >= 0.99, "{accuracy}");
    println!("{plain} {regularised}");
    assert!(2 * regularised <= plain, "{regularised} against {plain}");
}
