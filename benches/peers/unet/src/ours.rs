//! What our side tells and does.

use partner::{Failure, Ours};
use serde::Deserialize;
use serde_json::json;

use crate::IMAGES;

/// The batch and the parameters that both sides work on.
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    /// Noisy images, their times, and the noise.
    pub(crate) data: [Vec<f64>; 3],
    pub(crate) parameters: Vec<Named>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

impl Problem {
    /// Lengths of the images.
    pub(crate) fn images(&self) -> [usize; 4] {
        let n = self.data[1].len();
        let side = (self.data[0].len() / n).isqrt();
        [n, 1, side, side]
    }
}

/// A step of ours.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    /// Of loss and gradient, and of the optimiser.
    pub(crate) seconds: [f64; 2],
    /// Loss and gradient.
    pub(crate) values: Vec<f64>,
}

/// A step of ours with `rate`, and the first `count` numbers of loss and gradient.
pub(crate) fn step(
    ours: &mut Ours,
    threads: usize,
    rate: f64,
    count: usize,
) -> Result<Step, Failure> {
    ours.ask(&json!({
        "op": "train", "images": IMAGES, "element": "f32", "threads": threads, "rate": rate, "count": count,
    }))
}
