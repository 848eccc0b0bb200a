//! Every deterministic solver at one budget: which to choose.

use ansatz_core::{Key, NoiseSchedule};
use ansatz_diffusion::{
    Bdia, Coefficients, Ddim, Deis, DpmMultistep, DpmSinglestep, Edict, Heun, OBelm, Plan,
    RhoRungeKutta, Solver, Spacing, TimeGrid, UniPc, Variable,
};
use ansatz_testkit::measure::rms;

use super::Problem;
use crate::emit::Emitter;
use crate::record::Record;
use crate::suites::SuiteError;

/// Evaluations that each solver may use.
pub(super) const BUDGET: usize = 20;

/// The solvers with their published defaults, exactly invertible ones last.
fn solvers() -> Vec<(&'static str, Box<dyn Solver>)> {
    let multistep = |order, coefficients| DpmMultistep {
        order,
        coefficients,
        ..DpmMultistep::default()
    };
    vec![
        ("DDIM", Box::<Ddim>::default()),
        ("Heun", Box::<Heun>::default()),
        ("DPM-Solver++(2M)", Box::<DpmMultistep>::default()),
        (
            "DPM-Solver++(3M)",
            Box::new(multistep(3, Coefficients::Midpoint)),
        ),
        (
            "DPM-Solver++(3M), as published",
            Box::new(multistep(3, Coefficients::Published)),
        ),
        ("DPM-Solver++(3S)", Box::<DpmSinglestep>::default()),
        ("UniPC-2", Box::<UniPc>::default()),
        (
            "UniPC-3",
            Box::new(UniPc {
                order: 3,
                ..UniPc::default()
            }),
        ),
        ("DEIS tAB3", Box::<Deis>::default()),
        (
            "DEIS ρAB3",
            Box::new(Deis {
                variable: Variable::Ratio,
                ..Deis::default()
            }),
        ),
        ("DEIS ρRK", Box::<RhoRungeKutta>::default()),
        ("BDIA", Box::<Bdia>::default()),
        ("O-BELM", Box::new(OBelm)),
        ("EDICT", Box::<Edict>::default()),
    ]
}

impl Problem<'_> {
    /// The error of every solver at [`BUDGET`] evaluations, or the most below it that its steps allow.
    pub(super) fn families(
        &self,
        threads: usize,
        emitter: &mut Emitter<'_>,
    ) -> Result<(), SuiteError> {
        emitter.step(format!(
            "{}, every solver at {BUDGET} evaluations",
            self.case
        ))?;
        for (name, solver) in solvers() {
            let plan = within(&*solver, self.schedule, self.spacing)?;
            let mut x = self.start.clone();
            plan.sample(self.model, &mut x, Key::new(0), &mut ())?;
            emitter.record(Record {
                case: self.case.to_owned(),
                implementation: name.to_owned(),
                metric: "budget".to_owned(),
                value: rms(&x, self.exact, self.dim),
                unit: "1".to_owned(),
                runs: 1,
                threads: threads as u64,
                ..Record::default()
            })?;
        }
        Ok(())
    }
}

/// The plan with the most steps that stays within the budget.
fn within(
    solver: &dyn Solver,
    schedule: &dyn NoiseSchedule,
    spacing: Spacing,
) -> Result<Plan, SuiteError> {
    let mut steps = BUDGET;
    loop {
        let plan = solver.plan(schedule, &TimeGrid::new(schedule, spacing, steps)?)?;
        if plan.nfe() <= BUDGET || steps == 1 {
            return Ok(plan);
        }
        steps -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ansatz_diffusion::VpLinear;

    #[test]
    fn every_solver_stays_within_the_budget_and_uses_most_of_it() {
        for (name, solver) in solvers() {
            let plan = within(&*solver, &VpLinear::default(), Spacing::LogSnr).unwrap();
            assert!(
                (BUDGET - 3..=BUDGET).contains(&plan.nfe()),
                "{name}: {}",
                plan.nfe()
            );
        }
    }
}
