//! Every deterministic sampler, in one list that curves, bars, pictures and the guide's table are made from.

use ansatz_core::{Denoiser, Key, NoiseSchedule, Tolerance};
use ansatz_diffusion::{
    Bdia, Coefficients, Ddim, Deis, DpmAdaptive, DpmMultistep, DpmSinglestep, Edict, EvoDiff, Heun,
    OBelm, Plan, PlanError, Pndm, ReversibleHeun, RhoRungeKutta, SampleError, Sampler, Solver,
    Spacing, TimeGrid, UniPc, Variable,
};

use crate::suites::SuiteError;

/// A chart holds as many curves as there are colours, so the samplers are shown in families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Exponential,
    Multistep,
    Singlestep,
    Invertible,
}

impl Family {
    pub(super) const ALL: [Self; 4] = [
        Self::Exponential,
        Self::Multistep,
        Self::Singlestep,
        Self::Invertible,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Exponential => "DPM-Solver++ and UniPC",
            Self::Multistep => "other multistep samplers",
            Self::Singlestep => "several evaluations a step",
            Self::Invertible => "exactly invertible samplers",
        }
    }
}

/// How a sampler is run.
pub(super) enum Kind {
    /// On the grid with the most steps that the evaluations allow.
    Planned(Box<dyn Solver>),
    /// By tolerance: the evaluations are the result.
    Adaptive(DpmAdaptive),
    /// With coefficients that depend on the samples.
    Evo,
}

/// A sampler with the name that it has in records.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) family: Family,
    pub(super) kind: Kind,
    /// What the guide recommends it for.
    pub(super) advice: &'static str,
}

/// All of them with their published defaults; DDIM, the yardstick of every family, first.
pub(super) fn methods() -> Vec<Method> {
    let multistep = |order, coefficients| DpmMultistep {
        order,
        coefficients,
        ..DpmMultistep::default()
    };
    let ratio = Deis {
        variable: Variable::Ratio,
        ..Deis::default()
    };
    let third = UniPc {
        order: 3,
        ..UniPc::default()
    };
    let mut all = Vec::new();
    let mut planned = |name, family, advice, solver: Box<dyn Solver>| {
        all.push(Method {
            name,
            family,
            advice,
            kind: Kind::Planned(solver),
        });
    };
    let family = Family::Exponential;
    planned(
        "DDIM",
        family,
        "a yardstick; with `eta` as DDPM",
        Box::<Ddim>::default(),
    );
    planned(
        "DPM-Solver++(2M)",
        family,
        "the first choice at 10 to 30 evaluations",
        Box::<DpmMultistep>::default(),
    );
    let corrected = multistep(3, Coefficients::Midpoint);
    planned(
        "DPM-Solver++(3M)",
        family,
        "30 evaluations and more",
        Box::new(corrected),
    );
    let published = multistep(3, Coefficients::Published);
    planned(
        "DPM-Solver++(3M), as published",
        family,
        "parity with other programs",
        Box::new(published),
    );
    planned(
        "UniPC-2",
        family,
        "10 evaluations and fewer",
        Box::<UniPc>::default(),
    );
    planned(
        "UniPC-3",
        family,
        "smooth models and 30 evaluations and more",
        Box::new(third),
    );
    let family = Family::Multistep;
    planned(
        "DEIS tAB3",
        family,
        "10 evaluations and fewer, without guidance",
        Box::<Deis>::default(),
    );
    planned(
        "DEIS ρAB3",
        family,
        "parity with LMS samplers",
        Box::new(ratio),
    );
    planned(
        "iPNDM",
        family,
        "few evaluations on label grids, without tuning",
        Box::new(Pndm::ipndm()),
    );
    planned(
        "PLMS",
        family,
        "parity with latent diffusion programs",
        Box::new(Pndm::plms()),
    );
    let family = Family::Singlestep;
    planned(
        "Heun",
        family,
        "EDM models at 30 evaluations and more, with `churn` for quality",
        Box::<Heun>::default(),
    );
    planned(
        "DPM-Solver++(3S)",
        family,
        "few steps without a history",
        Box::<DpmSinglestep>::default(),
    );
    planned(
        "DEIS ρRK",
        family,
        "reference solutions without history",
        Box::<RhoRungeKutta>::default(),
    );
    planned(
        "F-PNDM",
        family,
        "parity with its paper",
        Box::new(Pndm::f_pndm()),
    );
    let family = Family::Invertible;
    planned(
        "BDIA",
        family,
        "inversion and editing at 40 steps and more",
        Box::<Bdia>::default(),
    );
    planned("O-BELM", family, "inversion at few steps", Box::new(OBelm));
    planned(
        "Reversible Heun",
        family,
        "adjoints of differential equations, on fine grids",
        Box::new(ReversibleHeun),
    );
    planned(
        "EDICT",
        family,
        "parity with its paper; above 100 evaluations only",
        Box::<Edict>::default(),
    );
    all.push(Method {
        name: "DPM-Solver-23, adaptive",
        family: Family::Singlestep,
        kind: Kind::Adaptive(DpmAdaptive::default()),
        advice: "finding out how many evaluations a model needs",
    });
    all.push(Method {
        name: "EVODiff",
        family: Family::Multistep,
        kind: Kind::Evo,
        advice: "comparison with its paper",
    });
    all
}

/// Where a sampler ended, and the evaluations that it took.
pub(super) struct End {
    pub(super) x: Vec<f64>,
    pub(super) nfe: usize,
}

/// What a sampler is run on.
pub(super) struct Start<'a> {
    pub(super) model: &'a dyn Denoiser<Vec<f64>>,
    pub(super) schedule: &'a dyn NoiseSchedule,
    pub(super) spacing: Spacing,
    pub(super) x: &'a Vec<f64>,
    pub(super) batch: usize,
}

impl Method {
    /// Runs within `budget` evaluations; `None` if that is not enough for the sampler.
    pub(super) fn run(&self, on: &Start<'_>, budget: usize) -> Result<Option<End>, SuiteError> {
        let mut x = on.x.clone();
        let grid = |steps| TimeGrid::new(on.schedule, on.spacing, steps);
        let mut sample = |sampler: &dyn Sampler<Vec<f64>>| {
            sampler.sample(on.model, &mut x, Key::new(0), &mut ())
        };
        let report = match &self.kind {
            Kind::Planned(solver) => match within(&**solver, on.schedule, on.spacing, budget)? {
                Some(plan) => sample(&plan),
                None => return Ok(None),
            },
            Kind::Evo => sample(&EvoDiff { batch: on.batch }.on(&grid(budget)?)?),
            Kind::Adaptive(options) => {
                // A controller has no number of steps to set. Third order: the error that it is
                // asked for falls with the cube of the budget; a request too fine is refused.
                let scale = (30.0 / budget as f64).powi(3);
                let Tolerance { atol, rtol } = options.tolerance;
                let adaptive = DpmAdaptive {
                    tolerance: Tolerance::new(scale * atol, scale * rtol),
                    max_nfe: 2 * budget,
                    batch: on.batch,
                    ..*options
                };
                sample(&adaptive.on(on.schedule)?)
            }
        };
        match report {
            Ok(report) => Ok(Some(End { x, nfe: report.nfe })),
            Err(SampleError::Budget { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The plan with the most steps that stays within `budget` evaluations.
pub(super) fn within(
    solver: &dyn Solver,
    schedule: &dyn NoiseSchedule,
    spacing: Spacing,
    budget: usize,
) -> Result<Option<Plan>, SuiteError> {
    for steps in (1..=budget).rev() {
        match solver.plan(schedule, &TimeGrid::new(schedule, spacing, steps)?) {
            Ok(plan) if plan.nfe() <= budget => return Ok(Some(plan)),
            Ok(_) => {}
            Err(PlanError::TooFewSteps { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ansatz_diffusion::VpLinear;
    use ansatz_testkit::{Mixture, tb1};

    #[test]
    fn every_sampler_stays_within_the_budget_and_uses_most_of_it() {
        let x = tb1::points(16);
        let on = Start {
            model: &Mixture::tb1(),
            schedule: &VpLinear::default(),
            spacing: Spacing::LogSnr,
            x: &x,
            batch: 16,
        };
        for method in methods() {
            let nfe = method.run(&on, 24).unwrap().map(|end| end.nfe);
            if let Kind::Adaptive(_) = method.kind {
                assert!(nfe.is_none_or(|n| n <= 48), "{}: {nfe:?}", method.name);
            } else {
                assert!(
                    nfe.is_some_and(|n| (20..=24).contains(&n)),
                    "{}: {nfe:?}",
                    method.name
                );
            }
        }
    }

    #[test]
    fn a_family_fits_into_a_chart() {
        for family in Family::ALL {
            let others = methods();
            let count = others
                .iter()
                .filter(|m| m.family == family || m.name == "DDIM");
            assert!(count.count() <= 6, "{family:?}");
        }
    }
}
