//! Convection, and coefficients of Burgers' equation from values of its solution.

use std::f64::consts::{PI, TAU};

use ansatz_core::Key;
use ansatz_physics::burgers::ColeHopf;
use ansatz_physics::exact::Convection;
use ansatz_physics::{PhysicsError, Reference};

use super::{Benchmark, Method, everywhere, least_squares};
use crate::{PdeError, Pinn, Points, Problem};

/// u_t + 30·u_x = 0 with period 2π from sin x, which one network on fixed points does not find.
pub(super) fn convection() -> Result<Benchmark, PdeError> {
    let problem = Problem::new()
        .coordinate("x", [0.0, TAU])
        .time("t", [0.0, 1.0])
        .unknown("u")
        // So that the conditions weigh as much.
        .equation("u_t/30 + u_x = 0")
        .periodic("x")
        .condition("start", "u = sin(x)");
    Ok(Benchmark {
        id: "convection",
        problem: problem.clone().build()?,
        reference: Box::new(Convection { speed: 30.0 }),
        fields: vec!["u"],
        grid: vec![101, 101],
        judged: everywhere,
        method: Method::windows(10, least_squares(&[16, 16], 400, 40), problem),
        reached: 1e-2,
    })
}

/// A reference of fields with coefficients beside them.
struct WithCoefficients<R> {
    fields: R,
    coefficients: Vec<f64>,
}

impl<R: Reference> Reference for WithCoefficients<R> {
    fn inputs(&self) -> usize {
        self.fields.inputs()
    }

    fn outputs(&self) -> usize {
        self.fields.outputs() + self.coefficients.len()
    }

    fn evaluate(&self, point: &[f64], out: &mut [f64]) -> Result<(), PhysicsError> {
        let (fields, coefficients) = out.split_at_mut(self.fields.outputs());
        coefficients.copy_from_slice(&self.coefficients);
        self.fields.evaluate(point, fields)
    }

    fn accuracy(&self) -> f64 {
        self.fields.accuracy()
    }
}

/// λ₁ and λ₂ of u_t + λ₁·u·u_x = λ₂·u_xx from 400 values of u; errors are those of u, λ₁ and 100π·λ₂ together.
pub(super) fn inverse_burgers() -> Result<Benchmark, PdeError> {
    let exact = ColeHopf::new(0.01 / PI)?;
    let points = (0..400).map(|i| Key::new(11).uniform(0, i));
    let points: Vec<[f64; 2]> = points.map(|[a, b]| [2.0 * a - 1.0, b]).collect();
    let values = points.iter().map(|[x, t]| exact.value(*x, *t));
    let values = values.collect::<Result<Vec<f64>, PhysicsError>>()?;
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .coefficient("lambda1", 0.5)
        .positive_coefficient("lambda2", 0.02)
        .equation("u_t + lambda1*u*u_x = lambda2*u_xx")
        .measured("u", Points::new(2, points.concat())?, values)
        .build()?;
    let method = Pinn {
        key: Key::new(3),
        ..least_squares(&[16, 16, 16], 800, 149)
    };
    Ok(Benchmark {
        id: "inverse-burgers",
        problem,
        reference: Box::new(WithCoefficients {
            fields: exact,
            coefficients: vec![1.0, 1.0],
        }),
        fields: vec!["u", "lambda1", "100*pi*lambda2"],
        grid: vec![256, 100],
        judged: everywhere,
        method: Method::alone(method),
        reached: 1e-2,
    })
}
