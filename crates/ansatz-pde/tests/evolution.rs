//! NSGA-III on problems with known fronts, and its parts by hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod threads;

use std::f64::consts::{FRAC_PI_2, PI};

use ansatz_pde::PdeError;
use ansatz_pde::core::Key;
use ansatz_pde::evolution::{
    InBox, Nsga3, OfLayers, Survival, Variation, breed, das_dennis, dominates,
    inverted_generational_distance, non_dominated_sort,
};
use ansatz_pde::nn::{Layout, Mlp, MlpOptions, Parameters};

/// DTLZ2: a sphere of radius 1.
fn dtlz2(x: &[f64], f: &mut [f64]) {
    let g: f64 = x[2..].iter().map(|x| (x - 0.5).powi(2)).sum();
    let (a, b) = (x[0] * FRAC_PI_2, x[1] * FRAC_PI_2);
    f[0] = (1.0 + g) * a.cos() * b.cos();
    f[1] = (1.0 + g) * a.cos() * b.sin();
    f[2] = (1.0 + g) * a.sin();
}

/// DTLZ1: a plane, behind 11⁵ − 1 others on which populations stay.
fn dtlz1(x: &[f64], f: &mut [f64]) {
    let wave = |x: &f64| (x - 0.5).powi(2) - (20.0 * PI * (x - 0.5)).cos();
    let g = 100.0 * (5.0 + x[2..].iter().map(wave).sum::<f64>());
    f[0] = 0.5 * x[0] * x[1] * (1.0 + g);
    f[1] = 0.5 * x[0] * (1.0 - x[1]) * (1.0 + g);
    f[2] = 0.5 * (1.0 - x[0]) * (1.0 + g);
}

/// An objective with its number of variables and the generations that are granted.
type Test = (fn(&[f64], &mut [f64]), usize, usize);

/// Distances from the front for five seeds, sorted.
#[expect(clippy::print_stdout, reason = "what was measured")]
fn distances((problem, variables, generations): Test, scale: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let nsga = Nsga3 {
        population: 92,
        generations,
        ..Nsga3::default()
    };
    let front = nsga.directions.chunks(3);
    let front: Vec<f64> = front
        .flat_map(|d| d.iter().map(|v| v * scale(d)).collect::<Vec<_>>())
        .collect();
    let variation = InBox::new(vec![[0.0, 1.0]; variables]).unwrap();
    let mut found: Vec<f64> = (0..5)
        .map(|seed| {
            let all = nsga.minimise(3, &variation, Key::new(seed), problem);
            inverted_generational_distance(&all.unwrap().losses, &front, 3).unwrap()
        })
        .collect();
    found.sort_by(f64::total_cmp);
    println!("{variables} variables: distances from the front {found:?}");
    found
}

#[test]
fn sphere() {
    let unit = |d: &[f64]| d.iter().map(|v| v * v).sum::<f64>().sqrt().recip();
    let found = distances((dtlz2, 12, 250), unit);
    assert!(found[2] < 2.5e-3, "{found:?}");
}

#[test]
fn plane_behind_others() {
    let found = distances((dtlz1, 7, 400), |_| 0.5);
    assert!(found[2] < 2.5e-3, "{found:?}");
}

/// Losses in other units give the same front in those units.
#[test]
fn units_do_not_matter() {
    let nsga = Nsga3 {
        generations: 250,
        ..Nsga3::default()
    };
    let variation = InBox::new(vec![[0.0, 1.0]; 12]).unwrap();
    let scaled = |x: &[f64], f: &mut [f64]| {
        dtlz2(x, f);
        (f[1], f[2]) = (1e3 * f[1], 1e-4 * f[2] + 7.0);
    };
    let mut all = nsga.minimise(3, &variation, Key::new(3), scaled).unwrap();
    for f in all.losses.chunks_mut(3) {
        (f[1], f[2]) = (f[1] / 1e3, (f[2] - 7.0) * 1e4);
    }
    let front = nsga.directions.chunks(3).flat_map(|d| {
        let length = d.iter().map(|v| v * v).sum::<f64>().sqrt();
        d.iter().map(move |v| v / length)
    });
    let front: Vec<f64> = front.collect();
    let distance = inverted_generational_distance(&all.losses, &front, 3).unwrap();
    assert!(distance < 5e-3, "{distance}");
}

#[test]
fn directions_are_all_compositions() {
    let count = |losses, divisions| das_dennis(losses, divisions).unwrap().len() / losses;
    assert_eq!(
        [count(3, 12), count(5, 6), count(2, 7), count(1, 3)],
        [91, 210, 8, 1]
    );
    let rows = das_dennis(3, 2).unwrap();
    let expected = [
        [0.0, 0.0, 1.0],
        [0.0, 0.5, 0.5],
        [0.0, 1.0, 0.0],
        [0.5, 0.0, 0.5],
        [0.5, 0.5, 0.0],
        [1.0, 0.0, 0.0],
    ];
    assert_eq!(rows, expected.concat());
}

#[test]
fn fronts() {
    let losses = [1.0, 4.0, 2.0, 2.0, 4.0, 1.0, 3.0, 3.0, 2.0, 2.0, 5.0, 5.0];
    let found = non_dominated_sort(&losses, 2);
    assert_eq!(found, [vec![0, 1, 2, 4], vec![3], vec![5]]);
    assert!(dominates(&[1.0, 2.0], &[1.0, 3.0]) && !dominates(&[1.0, 2.0], &[1.0, 2.0]));
}

/// Of a last front, points of directions that nobody has come first; the rest follow by the key.
#[test]
fn empty_directions_are_filled_first() {
    let mut survival = Survival::new(2, das_dennis(2, 2).unwrap()).unwrap();
    // A front from (0, 1) to (1, 0) with three points near its middle.
    let losses = [0.0, 1.0, 0.52, 0.48, 0.5, 0.5, 0.47, 0.53, 1.0, 0.0];
    let mut kept = survival.select(&losses, 3, Key::new(0)).unwrap();
    kept.sort_unstable();
    assert_eq!(kept, [0, 2, 4]);
    // Dominated points come after all others.
    let losses = [0.0, 1.0, 1.0, 0.0, 2.0, 2.0];
    let kept = survival.select(&losses, 2, Key::new(0)).unwrap();
    assert_eq!(kept, [0, 1]);
}

/// The mean of two children is that of the parents, without bounds; mutation with bounds stays inside and has the
/// second moment 2/((η+1)(η+2)) of its density in the middle of a wide box.
#[test]
fn children() {
    let mut layout = Layout::new();
    Mlp::new(&mut layout.root(), &[2, 5, 1], &MlpOptions::default());
    let parents: Vec<Vec<f64>> = (0..2)
        .map(|i| {
            Parameters::<f64>::new(&layout, Key::new(i))
                .values()
                .to_vec()
        })
        .collect();
    let mut variation = OfLayers::new(&layout);
    variation.mutation = 0.0;
    let (mut a, mut b) = (parents[0].clone(), parents[1].clone());
    variation.vary([&mut a, &mut b], Key::new(2));
    assert_ne!(a, parents[0]);
    for i in 0..a.len() {
        assert!((a[i] + b[i] - parents[0][i] - parents[1][i]).abs() < 1e-14);
    }

    let mut box_ = InBox::new(vec![[0.0, 1.0]]).unwrap();
    (box_.crossover, box_.mutation, box_.rate) = (0.0, 20.0, 1.0);
    let (mut squares, n) = (0.0, 40_000);
    for i in 0..n {
        let (mut a, mut b) = ([0.5], [0.5]);
        box_.vary([&mut a, &mut b], Key::new(i));
        assert!((0.0..=1.0).contains(&a[0]));
        squares += (a[0] - 0.5).powi(2);
    }
    let (mean, theory) = (squares / n as f64, 2.0 / (22.0 * 23.0));
    assert!((mean / theory - 1.0).abs() < 0.1, "{mean} {theory}");
}

#[test]
fn bits_are_the_same_for_any_number_of_threads() {
    let nsga = Nsga3 {
        directions: das_dennis(3, 5).unwrap(),
        population: 25,
        generations: 20,
    };
    let variation = InBox::new(vec![[0.0, 1.0]; 7]).unwrap();
    let one = threads::alike(|| nsga.minimise(3, &variation, Key::new(1), dtlz2).unwrap());
    assert_eq!(one.genes.len(), 25 * 7);
    assert_eq!(breed(&one.genes, 25, &variation, Key::new(0)).len(), 25 * 7);
}

#[test]
fn what_is_refused() {
    let box_ = InBox::new(vec![[0.0, 1.0]; 4]).unwrap();
    let refuse = |nsga: Nsga3, losses: usize| {
        let error = nsga.minimise(losses, &box_, Key::new(0), |_, f| f.fill(f64::NAN));
        error.unwrap_err()
    };
    let none = Nsga3 {
        directions: Vec::new(),
        population: 10,
        ..Nsga3::default()
    };
    for (nsga, losses, name) in [
        (none.clone(), 3, "directions"),
        (Nsga3::default(), 1, "losses"),
        (
            Nsga3 {
                population: 1,
                ..Nsga3::default()
            },
            3,
            "points of the population",
        ),
        (
            Nsga3 {
                directions: vec![0.0; 3],
                ..none
            },
            3,
            "length of a direction",
        ),
    ] {
        let error = refuse(nsga, losses);
        assert!(
            matches!(error, PdeError::Option { name: n, .. } if n == name),
            "{error}"
        );
    }
    let error = refuse(Nsga3::default(), 3);
    assert!(matches!(error, PdeError::NotFinite { .. }), "{error}");
    assert!(das_dennis(3, 0).is_err() && InBox::new(vec![[1.0, 1.0]]).is_err());
}
