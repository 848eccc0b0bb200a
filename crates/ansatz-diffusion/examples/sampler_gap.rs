//! Why a flow and a diffusion with one model disagree: the model misses the Fokker-Planck equation.
//!
//! Data is N(0, 0.25); the model's variance is right, or 10 % too large at every noise level. For each, the
//! residual of the equation, and the variances that the probability flow and the reverse equation
//! give. Run it with `cargo run --release -p ansatz-diffusion --example sampler_gap`.
//!
//! gallery: The gap between a flow and a diffusion
//! gallery: expect residual of the right model in 0..1e-8
//! gallery: expect gap of the right model in 0..0.02
//! gallery: expect residual of the wrong model in 0.01..1
//! gallery: expect gap of the wrong model in 0.05..1

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::{
    Denoiser, DensityDenoiser, DivergenceDenoiser, EvalError, Key, NoiseLevel, Prediction, State,
    stream,
};
use ansatz_diffusion::{
    FokkerPlanck, ProbabilityFlow, ReverseSde, Sampler, Solver, Spacing, TimeGrid, VpLinear,
};

/// A normal density of `1 + error` times the variance of the data's.
struct Model {
    error: f64,
}

impl Model {
    fn variance(&self, at: &NoiseLevel) -> f64 {
        (1.0 + self.error) * (0.25 * at.alpha.powi(2) + at.sigma.powi(2))
    }
}

impl Denoiser<Vec<f64>> for Model {
    fn native(&self) -> Prediction {
        Prediction::Score
    }

    fn eval(&self, x: &Vec<f64>, at: &NoiseLevel, out: &mut Vec<f64>) -> Result<(), EvalError> {
        out.lincomb(0.0, &[(-1.0 / self.variance(at), x)]);
        Ok(())
    }
}

impl DivergenceDenoiser<Vec<f64>> for Model {
    fn divergence(&self, _: &Vec<f64>, at: &NoiseLevel, out: &mut [f64]) -> Result<(), EvalError> {
        out.fill(-1.0 / self.variance(at));
        Ok(())
    }
}

impl DensityDenoiser<Vec<f64>> for Model {
    fn log_density(&self, x: &Vec<f64>, at: &NoiseLevel, out: &mut [f64]) -> Result<(), EvalError> {
        let v = self.variance(at);
        for (o, x) in out.iter_mut().zip(x) {
            *o = -0.5 * (x * x / v + v.ln());
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let schedule = VpLinear::default();
    let grid = TimeGrid::new(&schedule, Spacing::Time, 1000)?;
    let mut noise = vec![0.0; 20_000];
    noise.fill_normal(Key::new(0), stream::INITIAL);
    for (name, error) in [("right", 0.0), ("wrong", 0.1)] {
        let model = Model { error };
        let mut residual = [0.0];
        FokkerPlanck::new(&schedule).residual(&model, &vec![0.7], 0.2, &mut residual)?;
        println!("residual of the {name} model = {:.2e}", residual[0].abs());

        let (mut by_flow, mut by_diffusion) = (noise.clone(), noise.clone());
        ProbabilityFlow::new(&schedule).sample(&model, &mut by_flow, Key::new(1), &mut ())?;
        let plan = ReverseSde::default().plan(&schedule, &grid)?;
        plan.sample(&model, &mut by_diffusion, Key::new(1), &mut ())?;
        let variance = |x: &Vec<f64>| x.dot(x) / x.len() as f64;
        let (a, b) = (variance(&by_flow), variance(&by_diffusion));
        println!(
            "gap of the {name} model = {:.4} ({a:.4} against {b:.4})",
            (a - b).abs()
        );
    }
    Ok(())
}
