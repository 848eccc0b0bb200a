//! Follows the weather of Lorenz's ring of 40 numbers from every second one, measured with noise, by ensembles of 20.
//!
//! Without a taper 20 members see correlations between far numbers that are none, and lose the truth. Run it with
//! `cargo run --release -p ansatz-stats --example lorenz_ensemble`.
//!
//! gallery: Weather followed by twenty members
//! gallery: expect error of perturbed measurements in 2..6
//! gallery: expect error of perturbed measurements with taper in 0.2..0.8
//! gallery: expect error of the transform with taper in 0.2..0.6
//! gallery: picture lorenz_ensemble.svg Root mean square errors of the ensemble's mean, noise of the measurements being 1

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use ansatz_core::Key;
use ansatz_stats::kalman::{EnsembleKalman, Localisation, Measured, Noise, Update, gaspari_cohn};
use ansatz_viz::{Axis, Chart, Series};

const SIZE: usize = 40;
const MEMBERS: usize = 20;
const CYCLES: usize = 400;

/// E. Lorenz, *Predictability: a problem partly solved*, 1996: xᵢ' = (xᵢ₊₁ − xᵢ₋₂)·xᵢ₋₁ − xᵢ + 8.
fn slope(x: &[f64]) -> Vec<f64> {
    let at = |i: usize| x[i % SIZE];
    (0..SIZE)
        .map(|i| (at(i + 1) - at(i + SIZE - 2)) * at(i + SIZE - 1) - x[i] + 8.0)
        .collect()
}

/// A classical Runge-Kutta step of 0.05, six hours of weather.
fn advance(x: &mut [f64]) {
    let h = 0.05;
    let moved = |k: &[f64], c: f64| -> Vec<f64> {
        let pairs = x.iter().zip(k);
        pairs.map(|(x, k)| x + c * h * k).collect()
    };
    let k1 = slope(x);
    let k2 = slope(&moved(&k1, 0.5));
    let k3 = slope(&moved(&k2, 0.5));
    let k4 = slope(&moved(&k3, 1.0));
    for i in 0..SIZE {
        x[i] += h / 6.0 * (k1[i] + 2.0 * (k2[i] + k3[i]) + k4[i]);
    }
}

/// Errors of the mean after each analysis.
fn follow(filter: &EnsembleKalman) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let mut truth = vec![8.0; SIZE];
    truth[0] += 0.01;
    (0..1000).for_each(|_| advance(&mut truth));
    let mut members = vec![0.0; MEMBERS * SIZE];
    Key::new(1).fill_normal(0, &mut members);
    for member in members.chunks_mut(SIZE) {
        member.iter_mut().zip(&truth).for_each(|(m, t)| *m += t);
    }
    let (mut errors, variances) = (Vec::new(), vec![1.0; SIZE / 2]);
    for cycle in 0..CYCLES as u64 {
        advance(&mut truth);
        members.chunks_mut(SIZE).for_each(advance);
        let mut noise = vec![0.0; SIZE / 2];
        Key::new(2).fill_normal(cycle, &mut noise);
        let seen = truth.iter().step_by(2).zip(&noise);
        let y: Vec<f64> = seen.map(|(t, e)| t + e).collect();
        let predicted: Vec<f64> = members.iter().step_by(2).copied().collect();
        let measured = Measured {
            values: &y,
            noise: Noise::Variances(&variances),
        };
        filter.analyse(
            &mut members,
            MEMBERS,
            &predicted,
            measured,
            Key::new(3).fold_in(cycle),
        )?;
        let mean = |i: usize| members.iter().skip(i).step_by(SIZE).sum::<f64>() / MEMBERS as f64;
        let off = truth.iter().enumerate().map(|(i, t)| (mean(i) - t).powi(2));
        errors.push((off.sum::<f64>() / SIZE as f64).sqrt());
    }
    Ok(errors)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let distance = |i: usize, j: usize| {
        let d = i.abs_diff(j);
        gaspari_cohn(d.min(SIZE - d) as f64, 4.0)
    };
    let half = SIZE / 2;
    let taper = Localisation {
        state: (0..SIZE * half)
            .map(|k| distance(k / half, 2 * (k % half)))
            .collect(),
        measurements: (0..half * half)
            .map(|k| distance(2 * (k / half), 2 * (k % half)))
            .collect(),
    };
    let mut series = Vec::new();
    for (name, update, localisation) in [
        ("perturbed measurements", Update::Perturbed, None),
        (
            "perturbed measurements with taper",
            Update::Perturbed,
            Some(taper.clone()),
        ),
        ("the transform with taper", Update::Transform, Some(taper)),
    ] {
        let filter = EnsembleKalman {
            update,
            localisation,
            inflation: 1.05,
        };
        let errors = follow(&filter)?;
        let late = &errors[CYCLES / 2..];
        let mean = late.iter().sum::<f64>() / late.len() as f64;
        println!("error of {name} = {mean:.3}");
        let points = errors.iter().enumerate().step_by(4);
        series.push(Series::line(
            name,
            points.map(|(i, e)| (0.05 * i as f64, *e)),
        ));
    }
    let axis = |label: &str| Axis {
        label: label.into(),
        ..Axis::default()
    };
    let chart = Chart {
        title: "Twenty members, forty numbers".into(),
        x: axis("time"),
        y: axis("error of the mean"),
        series,
        ..Chart::default()
    };
    std::fs::create_dir_all("target/gallery")?;
    std::fs::write("target/gallery/lorenz_ensemble.svg", chart.to_svg()?)?;
    println!("wrote target/gallery/lorenz_ensemble.svg");
    Ok(())
}
