//! How sure two methods are of one field: a posterior and an ensemble, from sixteen noisy values of a load.
//!
//! 0.01·u″ − 0.7·tanh u = f on [−0.7, 0.7] with u = sin³ 6x, f measured at 16 places and u at both ends, with noise of 0.01. The
//! posterior of all weights is sampled by the no-U-turn sampler, four chains that start at members of an ensemble as below; the
//! ensemble trains sixteen networks by least squares, each on data with noise of its own and held at a draw from the prior.
//! With the other sign of the load's second part the equation has several solutions, and no method knows which is meant.
//! Run it with `cargo run --release -p ansatz-pde --example how_sure`.
//!
//! gallery: How sure: a posterior and an ensemble
//! gallery: expect error of the posterior mean in 0..0.06
//! gallery: expect coverage of 95 % by the posterior in 0.8..1
//! gallery: expect error of the ensemble mean in 0..0.08
//! gallery: picture how_sure.svg Means less the solution, with bands of two standard deviations

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use ansatz_pde::autodiff::Array;
use ansatz_pde::core::Key;
use ansatz_pde::nn::{Layer, Layout, Mlp, MlpOptions, Mode, Parameters};
use ansatz_pde::stats::Nuts;
use ansatz_pde::uncertainty::{
    Calibration, Chain, ChainOptions, Likelihood, Posterior, Prediction, ensemble,
};
use ansatz_pde::{
    Model, PdeError, Stage, Term, Terms, Trainer, Weighting, partials, relative_error, sample,
};
use ansatz_viz::{Axis, Chart, Point, Series, Spread};

const NOISE: f64 = 0.01;

fn exact(x: f64) -> f64 {
    (6.0 * x).sin().powi(3)
}

/// 0.01·u″ − 0.7·tanh u.
fn load(x: f64) -> f64 {
    let (s, c) = (6.0 * x).sin_cos();
    0.01 * 36.0 * (6.0 * s * c * c - 3.0 * s.powi(3)) - 0.7 * exact(x).tanh()
}

/// Both kinds of data with their residuals.
fn terms(model: &Model) -> Vec<Term> {
    let noise = |i: u64| NOISE * Key::new(7).normal(0, i)[0];
    let places = (0..16).map(|i| -0.7 + 1.4 * f64::from(i) / 15.0);
    let loads = (0..)
        .zip(places)
        .flat_map(|(i, x)| [x, load(x) + noise(i)])
        .collect();
    let ends = [-0.7, 0.7]
        .into_iter()
        .zip(100..)
        .flat_map(|(x, i)| [x, exact(x) + noise(i)])
        .collect();
    let (inside, edge) = (model.clone(), model.clone());
    vec![
        Term::new("load", 2, loads, move |pass, data| {
            let x = data.narrow(1, 0, 1).variable();
            let u = inside.apply(pass, x);
            let second = partials(u, x, &[vec![2]])?[0];
            Ok(second * 0.01 - u.tanh() * 0.7 - data.narrow(1, 1, 2))
        }),
        Term::new("ends", 2, ends, move |pass, data| {
            let u: Array<'_> = edge.apply(pass, data.narrow(1, 0, 1));
            Ok(u - data.narrow(1, 1, 2))
        }),
    ]
}

/// Data with noise of their own, and parameters held at a draw from the prior, as strongly as prior and noise say: the
/// minimum is a draw from the posterior where the residuals are linear in the parameters.
fn anchored(model: &Model, layout: &Layout, key: Key) -> Vec<Term> {
    let mut terms = terms(model);
    for (k, term) in (1..).zip(&mut terms) {
        let rows = term.points.chunks_mut(2);
        for (i, row) in rows.enumerate() {
            row[1] += NOISE * key.fold_in(k).normal(0, i as u64)[0];
        }
    }
    let mut anchor = vec![0.0; layout.len()];
    key.fill_normal(0, &mut anchor);
    // Each term is a mean of its squares; the posterior has sums.
    let share = anchor.len() as f64 * NOISE * NOISE;
    let prior = Term::new("prior", 1, vec![0.0], move |pass, x| {
        let all: Vec<Array<'_>> = pass
            .arrays()
            .iter()
            .map(|a| a.reshape(&[1, a.shape().len()]))
            .collect();
        let held = x.graph().constant(&[1, anchor.len()], anchor.clone());
        Ok(Array::concatenate(&all, 1) - held)
    });
    terms = terms
        .into_iter()
        .map(|t| {
            let n = t.len() as f64;
            t.weighted(n)
        })
        .collect();
    terms.push(prior.weighted(share));
    terms
}

fn main() -> Result<(), Box<dyn Error>> {
    let places: Vec<f64> = (0..=100)
        .map(|i| -0.7 + 1.4 * f64::from(i) / 100.0)
        .collect();
    let truth: Vec<f64> = places.iter().map(|x| exact(*x)).collect();
    let mut layout = Layout::new();
    let net = Mlp::new(&mut layout.root(), &[1, 16, 16, 1], &MlpOptions::default());
    let model: Model = Arc::new(net);
    let field = |p: &Parameters<f64>| sample(p, 1, &places, |pass, x| Ok(model.apply(pass, x)));
    let fit = |terms: Vec<Term>, key: Key| {
        let mut terms = Terms::<f64>::compile(&layout, terms, (Weighting::Fixed, Mode::Train))?;
        let mut parameters = Parameters::new(terms.layout(), key);
        let trainer = Trainer::new(vec![Stage::levenberg_marquardt(100)], key);
        trainer.run(&mut terms, &mut parameters, &mut ())?;
        Ok::<_, PdeError>(parameters)
    };

    let likelihoods = terms(&model)
        .into_iter()
        .map(|term| Likelihood { term, sigma: NOISE });
    let base = Parameters::<f64>::new(&layout, Key::new(1));
    let posterior = Posterior::new(&base, likelihoods.collect(), 1.0, &[])?;
    // Chains start at networks that fit, one each.
    let start = ensemble(4, Key::new(2), |_, key| {
        Ok(posterior.row(&fit(anchored(&model, &layout, key), key)?))
    })?;
    let options = ChainOptions {
        chain: Chain::Nuts(Nuts {
            steps: 400,
            max_depth: 7,
            step: 1e-3,
            ..Nuts::default()
        }),
        warm_up: 400,
        ..ChainOptions::default()
    };
    let draws = posterior.sample(&start, &options, Key::new(3))?;
    let fields = posterior.fields(&draws, 1, field)?;
    let (bayes, diagnostics) = draws.diagnose(&fields, 0.0)?;
    let worst = diagnostics.iter().map(|d| d.r_hat).fold(0.0, f64::max);
    println!(
        "chains: acceptance {:.2}, {} divergences, R-hat up to {worst:.2}",
        draws.acceptance, draws.divergences
    );

    let members = ensemble(16, Key::new(4), |_, key| {
        field(&fit(anchored(&model, &layout, key), key)?)
    })?;
    let several = Prediction::of_fields(&members, 0.0)?;

    let methods = [("posterior", &bayes), ("ensemble", &several)];
    let mut series = Vec::new();
    for (name, prediction) in methods {
        let error = relative_error(&prediction.mean, &truth)?;
        let report = Calibration::of_normal(prediction, &truth)?;
        println!("{name}: relative error {error:.3}; {report}");
        println!("error of the {name} mean = {error:.4}");
        println!("coverage of 95 % by the {name} = {:.3}", report.coverage[2]);
        let off = prediction.mean.iter().zip(&truth).map(|(m, u)| m - u);
        let rows = places.iter().zip(off).zip(&prediction.std);
        series.push(Series {
            points: rows
                .map(|((x, m), s)| Point {
                    x: *x,
                    y: m,
                    spread: Some((m - 2.0 * s, m + 2.0 * s)),
                })
                .collect(),
            spread: Spread::Band,
            ..Series::line(name, [])
        });
    }
    let axis = |label: &str| Axis {
        label: label.into(),
        ..Axis::default()
    };
    let chart = Chart {
        title: "Off the solution, with bands of two deviations".into(),
        x: axis("x"),
        y: axis("mean − u"),
        series,
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("how_sure.svg"), chart.to_svg()?)?;
    println!("wrote target/gallery/how_sure.svg");
    Ok(())
}
