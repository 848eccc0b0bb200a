//! The mixture of Gaussians TB1, on the log-SNR grid of VP-linear and on the grid of EDM.

use ansatz_diffusion::{Edm, Spacing, VpLinear};
use ansatz_testkit::reference::probability_flow;
use ansatz_testkit::{Mixture, tb1};
use ansatz_viz::{PointSet, ScatterOptions, scatter};

use super::{End, Problem, Start, shown};
use crate::emit::Emitter;
use crate::suites::{Settings, SuiteError, pool};

/// Points of the error curves, and of the scatter pictures.
const POINTS: usize = 512;

/// Evaluations at which the pictures are taken.
const PICTURE_NFE: usize = 10;

pub(super) fn run(
    evaluations: &[usize],
    settings: &Settings,
    emitter: &mut Emitter<'_>,
) -> Result<(), SuiteError> {
    let threads = settings.most_threads();
    pool(threads)?.install(|| {
        let model = Mixture::tb1();
        let points = tb1::points(POINTS);
        let (from, to) = tb1::VP_TIMES;
        let vp = VpLinear::default();
        emitter.step("TB1, exact end points")?;
        let on_vp = Problem {
            case: "TB1, log-SNR grid",
            start: Start {
                model: &model,
                schedule: &vp,
                spacing: Spacing::LogSnr,
                x: &points,
                batch: POINTS,
            },
            exact: &probability_flow(&model, &vp, from, to, &points)?,
            dim: 2,
            threads,
        };
        on_vp.all(evaluations, emitter)?;
        pictures(&on_vp, settings, emitter)?;

        let edm = Edm::default();
        let (from, to) = tb1::EDM_TIMES;
        let start: Vec<f64> = points.iter().map(|v| from * v).collect();
        emitter.step("TB1, EDM grid")?;
        let on_edm = Problem {
            case: "TB1, EDM grid",
            start: Start {
                model: &model,
                schedule: &edm,
                spacing: Spacing::KARRAS,
                x: &start,
                batch: POINTS,
            },
            exact: &probability_flow(&model, &edm, from, to, &start)?,
            dim: 2,
            threads,
        };
        for method in shown() {
            on_edm.curves(&method, evaluations, emitter)?;
        }
        Ok(())
    })
}

/// Where each sampler lands after few evaluations, over the exact end points.
fn pictures(
    problem: &Problem<'_>,
    settings: &Settings,
    emitter: &mut Emitter<'_>,
) -> Result<(), SuiteError> {
    let set = |x: &[f64], colour| PointSet {
        points: x.chunks_exact(2).map(|p| [p[0], p[1]]).collect(),
        colour,
    };
    for (index, method) in shown().enumerate() {
        let Some(End { x, .. }) = method.run(&problem.start, PICTURE_NFE)? else {
            continue;
        };
        let window = Some([[-2.6, 3.4], [-2.9, 3.1]]);
        let options = ScatterOptions {
            size: 360,
            window,
            ..ScatterOptions::default()
        };
        let picture = scatter(&[set(problem.exact, 1), set(&x, 0)], &options)?;
        let path = settings.out.join(format!("tb1-{index}.png"));
        picture.save(&path)?;
        let caption = format!(
            "TB1: {} at {PICTURE_NFE} evaluations (blue) over the exact end points (orange).",
            method.name
        );
        emitter.picture(caption, &path)?;
    }
    Ok(())
}
