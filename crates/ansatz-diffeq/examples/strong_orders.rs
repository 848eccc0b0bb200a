//! How fast four stochastic methods approach the solution path by path.
//!
//! dX = −a²X(1 − X²) dt + a(1 − X²) dW has the solution tanh(aW + artanh X₀): a function of the path, so the error of
//! every path is known. One Brownian interval serves all methods and all numbers of steps. Run it with
//! `cargo run --release -p ansatz-diffeq --example strong_orders`.
//!
//! gallery: Strong orders of stochastic methods
//! gallery: expect order of Euler-Maruyama in 0.4..0.6
//! gallery: expect order of Heun in 0.9..1.1
//! gallery: expect order of Milstein in 0.9..1.1
//! gallery: expect order of SRID2 in 1.4..1.6
//! gallery: picture strong_orders.svg Root mean square errors at the end over the number of steps; Heun reads the equation in Stratonovich's calculus

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::path::Path;

use ansatz_core::{ControlField, EvalError, Key, NoiseKind, Sde, VectorField};
use ansatz_diffeq::brownian::{Brownian, BrownianInterval, Increment, IntervalOptions, LevyArea};
use ansatz_diffeq::sde::{self, Calculus, Method};
use ansatz_diffeq::{Control, StepError};
use ansatz_testkit::measure;
use ansatz_viz::{Axis, Chart, Scale, Series};

const PATHS: usize = 10_000;
const START: f64 = 0.3;
const A: f64 = 0.5;

/// The equation for many paths at once, in either calculus.
struct Tanh(Calculus);

impl VectorField<Vec<f64>> for Tanh {
    fn eval(&self, _: f64, x: &Vec<f64>, dx: &mut Vec<f64>) -> Result<(), EvalError> {
        for (d, x) in dx.iter_mut().zip(x) {
            *d = match self.0 {
                Calculus::Ito => -A * A * x * (1.0 - x * x),
                Calculus::Stratonovich => 0.0,
            };
        }
        Ok(())
    }
}

impl ControlField<Vec<f64>> for Tanh {
    fn apply(
        &self,
        _: f64,
        x: &Vec<f64>,
        w: &Vec<f64>,
        out: &mut Vec<f64>,
    ) -> Result<(), EvalError> {
        for (o, (x, w)) in out.iter_mut().zip(x.iter().zip(w)) {
            *o = A * (1.0 - x * x) * w;
        }
        Ok(())
    }
}

impl Sde<Vec<f64>> for Tanh {
    fn noise(&self) -> NoiseKind {
        NoiseKind::Diagonal
    }
}

type Noise = BrownianInterval<Vec<f64>>;
type AnyMethod<'a> = &'a dyn Method<Vec<f64>, Vec<f64>, Tanh, Noise>;

fn main() -> Result<(), Box<dyn Error>> {
    let like = vec![0.0; PATHS];
    let levels = LevyArea::SpaceTime;
    let mut path = Noise::new(
        Key::new(1),
        (0.0, 1.0),
        &like,
        levels,
        IntervalOptions::default(),
    )?;
    let mut whole = Increment::new(&like, levels);
    path.query(0.0, 1.0, &mut whole)?;
    let exact: Vec<f64> = whole
        .w()
        .iter()
        .map(|w| (A * w + START.atanh()).tanh())
        .collect();

    let methods: [(&str, AnyMethod<'_>); 4] = [
        ("Euler-Maruyama", &sde::EULER_MARUYAMA),
        ("Heun", &sde::HEUN),
        ("Milstein", &sde::MILSTEIN_ITO),
        ("SRID2", &sde::SRID2),
    ];
    let counts = [4, 8, 16, 32, 64, 128];
    let mut series = Vec::new();
    for (name, method) in methods {
        let equation = Tanh(method.calculus());
        let errors: Vec<f64> = counts
            .iter()
            .map(|steps| {
                let mut x = vec![START; PATHS];
                let control = Control::fixed(*steps);
                let times = (0.0, 1.0);
                sde::solve(
                    &equation,
                    &mut path,
                    times,
                    &mut x,
                    method,
                    &control,
                    &mut (),
                )?;
                Ok(measure::rms(&x, &exact, 1))
            })
            .collect::<Result<_, StepError>>()?;
        let order = (errors[1] / errors[5]).log2() / 4.0;
        println!("order of {name} = {order:.2}");
        let points = counts.iter().map(|n| *n as f64).zip(errors);
        series.push(Series::line(name, points));
    }

    let axis = |label: &str| Axis {
        label: label.into(),
        scale: Scale::Log,
        ..Axis::default()
    };
    let chart = Chart {
        title: "Error path by path".into(),
        x: axis("steps"),
        y: axis("root mean square error"),
        series,
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("strong_orders.svg"), chart.to_svg()?)?;
    Ok(())
}
