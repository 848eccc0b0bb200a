//! The measured table of `docs/guide/choose-a-sampler.md`.

use std::io::Write;

use ansatz_core::{Key, NoiseSchedule, State, stream};
use ansatz_diffusion::{
    Bdia, Churn, Ddim, Edict, EvoDiff, ExactInversion, Heun, OBelm, ReversibleHeun, Sampler,
    SdeDpmMultistep, Solver, Spacing, TimeGrid, VpLinear,
};
use ansatz_testkit::data::{self, Digits};
use ansatz_testkit::measure::{max_abs_diff, median_error, rms};
use ansatz_testkit::reference::probability_flow;
use ansatz_testkit::{Empirical, Mixture, tb1};

use super::methods::{Kind, Method, Start, methods};
use crate::suites::SuiteError;

/// Steps between which the order is taken.
const ORDER_STEPS: [usize; 2] = [160, 320];

/// Evaluations at which errors on digits are taken.
const BUDGETS: [usize; 3] = [10, 20, 40];

/// Steps of a round trip.
const ROUND_TRIP: usize = 50;

/// Standard deviation of the blur of the digits.
const BLUR: f64 = 0.1;

/// Writes the table in Markdown, a line for each sampler.
///
/// # Errors
/// [`SuiteError`] if a sampler fails or a line cannot be written.
pub fn guide(out: &mut dyn Write) -> Result<(), SuiteError> {
    let schedule = VpLinear::default();
    let points = tb1::points(128);
    let plane = Start {
        model: &Mixture::tb1(),
        schedule: &schedule,
        spacing: Spacing::LogSnr,
        x: &points,
        batch: 128,
    };
    let (from, to) = (schedule.t_max(), schedule.t_min());
    let plane_exact = probability_flow(&Mixture::tb1(), &schedule, from, to, &points)?;
    let model = Empirical::new(&data::digits().images, Digits::DIM)?.smoothed(BLUR)?;
    let mut noise = vec![0.0; 32 * Digits::DIM];
    noise.fill_normal(Key::new(8), stream::INITIAL);
    let digits = Start {
        model: &model,
        x: &noise,
        batch: 32,
        ..plane
    };
    let digits_exact = probability_flow(&model, &schedule, from, to, &noise)?;
    let headings = BUDGETS.map(|n| format!("error at {n}")).join(" | ");
    writeln!(
        out,
        "| sampler | order | evaluations a step | states | {headings} | inverts to | use it for |"
    )?;
    writeln!(out, "|---|{}", "---|".repeat(BUDGETS.len() + 5))?;
    for method in methods() {
        let order = order(&method, &plane, &plane_exact)?;
        let [cost, states] = cost(&method, &plane)?;
        let mut errors = Vec::new();
        for budget in BUDGETS {
            let end = method.run(&digits, budget)?.filter(|end| end.nfe <= budget);
            let error = end.map(|end| median_error(&end.x, &digits_exact, Digits::DIM));
            errors.push(error.map_or("–".to_owned(), |e| format!("{e:.3}")));
        }
        let inverts = match inversion(method.name) {
            Some(solver) => format!("{:.0e}", round_trip(&*solver, &digits, &digits_exact)?),
            None => "–".to_owned(),
        };
        writeln!(
            out,
            "| {} | {order} | {cost} | {states} | {} | {inverts} | {} |",
            method.name,
            errors.join(" | "),
            method.advice
        )?;
    }
    writeln!(
        out,
        "\n| stochastic sampler | evaluations a step | draws a step | states | use it for |\n|---|---|---|---|---|"
    )?;
    let steps = ORDER_STEPS[0];
    let grid = TimeGrid::new(&schedule, Spacing::LogSnr, steps)?;
    for (name, solver, advice) in stochastic() {
        let plan = solver.plan(&schedule, &grid)?;
        let each = |n: usize| (n as f64 / steps as f64).round();
        writeln!(
            out,
            "| {name} | {} | {} | {} | {advice} |",
            each(plan.nfe()),
            each(plan.draws()),
            plan.slots()
        )?;
    }
    Ok(())
}

/// Samplers that draw noise on the way, which end points cannot judge.
fn stochastic() -> [(&'static str, Box<dyn Solver>, &'static str); 3] {
    let churn = Churn {
        amount: 40.0,
        min: 0.0,
        max: f64::MAX,
        noise: 1.0,
    };
    let heun = Heun {
        churn: Some(churn),
        ..Heun::default()
    };
    [
        (
            "DDPM (`Ddim { eta: 1.0 }`)",
            Box::new(Ddim { eta: 1.0 }),
            "hundreds of evaluations; small ones with `eta` in between",
        ),
        (
            "SDE-DPM-Solver++(2M)",
            Box::<SdeDpmMultistep>::default(),
            "20 evaluations and more, where fresh noise hides the errors of a network",
        ),
        (
            "Heun with `churn`",
            Box::new(heun),
            "EDM models at 60 evaluations and more",
        ),
    ]
}

fn ends(method: &Method, on: &Start<'_>, steps: usize) -> Result<Option<Vec<f64>>, SuiteError> {
    let grid = TimeGrid::new(on.schedule, on.spacing, steps)?;
    let mut x = on.x.clone();
    match &method.kind {
        Kind::Planned(solver) => {
            let plan = solver.plan(on.schedule, &grid)?;
            plan.sample(on.model, &mut x, Key::new(0), &mut ())?;
        }
        Kind::Evo => {
            let sampler = EvoDiff { batch: on.batch }.on(&grid)?;
            sampler.sample(on.model, &mut x, Key::new(0), &mut ())?;
        }
        Kind::Adaptive(_) => return Ok(None),
    }
    Ok(Some(x))
}

/// The order between two numbers of steps on TB1.
fn order(method: &Method, on: &Start<'_>, exact: &[f64]) -> Result<String, SuiteError> {
    let mut errors = Vec::new();
    for steps in ORDER_STEPS {
        if let Some(x) = ends(method, on, steps)? {
            errors.push(rms(&x, exact, 2));
        }
    }
    Ok(match errors[..] {
        [coarse, fine] => format!("{:.1}", (coarse / fine).log2()),
        _ => "adaptive".to_owned(),
    })
}

/// Evaluations that one more step takes, and states in memory.
fn cost(method: &Method, on: &Start<'_>) -> Result<[String; 2], SuiteError> {
    let Kind::Planned(solver) = &method.kind else {
        let states = if let Kind::Evo = method.kind {
            "5"
        } else {
            "7"
        };
        let cost = if let Kind::Evo = method.kind {
            "1"
        } else {
            "3"
        };
        return Ok([cost, states].map(str::to_owned));
    };
    let [a, b] = ORDER_STEPS.map(|n| TimeGrid::new(on.schedule, on.spacing, n));
    let (a, b) = (
        solver.plan(on.schedule, &a?)?,
        solver.plan(on.schedule, &b?)?,
    );
    let more = (b.nfe() - a.nfe()) as f64 / (ORDER_STEPS[1] - ORDER_STEPS[0]) as f64;
    Ok([
        format!("{more:.2}").trim_end_matches(".00").to_owned(),
        b.slots().to_string(),
    ])
}

fn inversion(name: &str) -> Option<Box<dyn ExactInversion>> {
    match name {
        "BDIA" => Some(Box::<Bdia>::default()),
        "O-BELM" => Some(Box::new(OBelm)),
        "EDICT" => Some(Box::<Edict>::default()),
        "Reversible Heun" => Some(Box::new(ReversibleHeun)),
        _ => None,
    }
}

/// Largest change of a sample on the way to its latent and back.
fn round_trip(
    solver: &dyn ExactInversion,
    on: &Start<'_>,
    sample: &[f64],
) -> Result<f64, SuiteError> {
    let grid = TimeGrid::new(on.schedule, on.spacing, ROUND_TRIP)?;
    let encode = solver.encode(on.schedule, &grid)?;
    let decode = solver.pair(on.schedule, &grid)?;
    let key = Key::new(0);
    let (latent, _) = encode.sample_all(on.model, vec![sample.to_vec()], key, &mut ())?;
    let (back, _) = decode.sample_all(on.model, latent, key, &mut ())?;
    Ok(max_abs_diff(&back[0], sample))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sampler that joins the list joins the page.
    #[test]
    fn the_page_names_every_sampler() {
        let page = include_str!("../../../../docs/guide/choose-a-sampler.md");
        for method in methods() {
            let row = format!("| {} | ", method.name);
            assert!(
                page.contains(&row),
                "no row {row:?}: run the command of the page"
            );
            assert!(
                page.contains(method.advice),
                "{}: other advice",
                method.name
            );
        }
    }
}
