//! Real handwritten digits with the exact denoiser of their empirical distribution.

use ansatz_core::{Key, NoiseSchedule, State, stream};
use ansatz_diffusion::{Spacing, VpLinear};
use ansatz_testkit::data::{self, Digits};
use ansatz_testkit::reference::ProbabilityFlow;
use ansatz_testkit::{Empirical, measure};
use ansatz_viz::{GridOptions, Range, image_grid};
use serde::Deserialize;

use super::{Problem, Start, shown};
use crate::emit::Emitter;
use crate::suites::{Settings, SuiteError, pool};

#[derive(Debug, Deserialize)]
pub(super) struct Options {
    batch: usize,
    blur: f64,
    picture: Vec<usize>,
}

/// Steps of the reference flow and of the coarser one that shows how exact it is. Each takes 37 evaluations.
const REFERENCE: [usize; 2] = [48, 32];

/// Images per row of a picture.
const COLUMNS: usize = 10;

pub(super) fn run(
    evaluations: &[usize],
    options: &Options,
    settings: &Settings,
    emitter: &mut Emitter<'_>,
) -> Result<(), SuiteError> {
    let threads = settings.most_threads();
    pool(threads)?.install(|| {
        let model = Empirical::new(&data::digits().images, Digits::DIM)?.smoothed(options.blur)?;
        let schedule = VpLinear::default();
        let mut start = vec![0.0; options.batch * Digits::DIM];
        start.fill_normal(Key::new(8), stream::INITIAL);
        let (from, to) = (schedule.t_max(), schedule.t_min());
        emitter.step("digits, exact end points")?;
        let flow = |steps| ProbabilityFlow { steps }.solve(&model, &schedule, from, to, &start);
        let (exact, coarse) = (flow(REFERENCE[0])?, flow(REFERENCE[1])?);
        emitter.note(format!(
            "The exact end points of the digits come from an extrapolation method of order 12 with {} steps; they differ by \
             {:.1e} (rms) from those with {} steps, so errors below that are not resolved.",
            REFERENCE[0],
            measure::rms(&exact, &coarse, Digits::DIM),
            REFERENCE[1]
        ))?;
        let problem = Problem {
            case: "digits, log-SNR grid",
            start: Start {
                model: &model,
                schedule: &schedule,
                spacing: Spacing::LogSnr,
                x: &start,
                batch: options.batch,
            },
            exact: &exact,
            dim: Digits::DIM,
            threads,
        };
        problem.all(evaluations, emitter)?;
        emitter.step("digits, pictures")?;
        pictures(&problem, &options.picture, settings, emitter)
    })
}

/// For each sampler a row of digits for each budget, and the exact end points as the last row.
fn pictures(
    problem: &Problem<'_>,
    budgets: &[usize],
    settings: &Settings,
    emitter: &mut Emitter<'_>,
) -> Result<(), SuiteError> {
    let pixels = COLUMNS * Digits::DIM;
    for (index, method) in shown().enumerate() {
        let mut rows = Vec::new();
        for &budget in budgets {
            if let Some(end) = method.run(&problem.start, budget)? {
                rows.extend_from_slice(&end.x[..pixels]);
            }
        }
        rows.extend_from_slice(&problem.exact[..pixels]);
        let grid = GridOptions {
            columns: COLUMNS,
            zoom: 5,
            margin: 3,
            range: Range::Fixed(-1.0, 1.0),
            ..GridOptions::default()
        };
        let path = settings.out.join(format!("digits-{index}.png"));
        image_grid(&rows, Digits::SIDE, Digits::SIDE, &grid)?.save(&path)?;
        let budgets: Vec<String> = budgets.iter().map(ToString::to_string).collect();
        let caption = format!(
            "{}: digits from the same noise at {} evaluations, row by row; the last row is exact.",
            method.name,
            budgets.join(", ")
        );
        emitter.picture(caption, &path)?;
    }
    Ok(())
}
