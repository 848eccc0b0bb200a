//! Networks under windows and beside cuts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::PI;

use ansatz_pde::core::Key;
use ansatz_pde::{
    Counts, GridAt, Interface, Network, PartsOptions, PdeError, Pinn, Problem, Sampler, Stage,
    Subdomains, Window,
};

fn oscillator() -> Problem {
    Problem::new()
        .time("t", [0.0, 1.0])
        .unknown("u")
        .equation("(u_tt + 4*u_t + 6400*u)/6400 = 0")
        .form("u", "1 + tanh(80*t)^2*u")
        .build()
        .unwrap()
}

/// e^(−2t)·(cos ωt + 2/ω·sin ωt), ω² = 6396.
fn exact(t: f64) -> f64 {
    let w = 6396.0_f64.sqrt();
    (-2.0 * t).exp() * ((w * t).cos() + 2.0 / w * (w * t).sin())
}

fn solve(network: Network, steps: usize) -> f64 {
    let pinn = Pinn {
        network,
        points: Counts {
            inside: 300,
            sampler: Sampler::Grid(GridAt::Centres),
            ..Counts::default()
        },
        stages: vec![Stage::levenberg_marquardt(steps)],
        key: Key::new(0),
        ..Pinn::default()
    };
    let solution = pinn.solve::<f64, _>(&oscillator(), &mut ()).unwrap();
    let grid = solution.grid(&[1001]).unwrap();
    let error = solution
        .error_against(&grid, |p| vec![exact(p[0])])
        .unwrap();
    error.relative
}

#[test]
fn an_oscillator_of_thirteen_periods() {
    assert!((exact(0.1) + 0.0968354531).abs() < 1e-9 && (exact(1.0) + 0.0216508639).abs() < 1e-9);
    let parts = Network::Parts(Box::new(PartsOptions {
        levels: vec![vec![15]],
        overlap: 2.1,
        window: Window::Cosine,
        network: Network::mlp(&[12]),
    }));
    let error = solve(parts, 150);
    let single = solve(Network::mlp(&[48]), 60);
    println!("15 parts {error:.2e}, one network {single:.2}");
    assert!(error < 5e-3, "{error}");
    assert!(single > 0.5, "{single}");
}

#[test]
fn several_levels() {
    let parts = Network::Parts(Box::new(PartsOptions {
        levels: vec![vec![1], vec![8]],
        overlap: 2.5,
        window: Window::Wendland,
        network: Network::mlp(&[12]),
    }));
    let problem = Problem::new()
        .time("t", [0.0, 1.0])
        .unknown("u")
        .equation("u_tt + 400*u = 0")
        .form("u", "1 + t^2*u")
        .build()
        .unwrap();
    let pinn = Pinn {
        network: parts,
        points: Counts {
            inside: 120,
            ..Counts::default()
        },
        stages: vec![Stage::levenberg_marquardt(60)],
        ..Pinn::default()
    };
    let solution = pinn.solve::<f64, _>(&problem, &mut ()).unwrap();
    let grid = solution.grid(&[201]).unwrap();
    let error = solution
        .error_against(&grid, |p| vec![(20.0 * p[0]).cos()])
        .unwrap();
    assert!(error.relative < 1e-2, "{error}");
}

fn cut(coordinate: &str, interface: Interface) -> Subdomains {
    Subdomains {
        coordinate: coordinate.into(),
        cuts: vec![0.5],
        network: Network::mlp(&[12, 12]),
        interface,
        points: Counts {
            inside: 400,
            on_conditions: 80,
            ..Counts::default()
        },
        stages: vec![Stage::levenberg_marquardt(60)],
        ..Subdomains::default()
    }
}

#[test]
fn cuts_with_fluxes() {
    let problem = Problem::new()
        .coordinate("x", [0.0, 1.0])
        .coordinate("y", [0.0, 1.0])
        .unknown("u")
        .constant("k", 2.0)
        .equation("k*(u_xx + u_yy) = -4*pi^2*sin(pi*x)*sin(pi*y)")
        .condition("boundary", "u = 0")
        .build()
        .unwrap();
    let exact = |p: &[f64]| vec![(PI * p[0]).sin() * (PI * p[1]).sin()];
    let solve = |interface| {
        let solution = cut("y", interface)
            .solve::<f64, _>(&problem, &mut ())
            .unwrap();
        // No jump at the cut.
        let [a, b] = [0.5 - 1e-12, 0.5].map(|y| solution.values(&[0.3, y]).unwrap()[0]);
        assert!((a - b).abs() < 5e-3);
        let grid = solution.grid(&[31, 31]).unwrap();
        let error = solution.error_against(&grid, exact).unwrap();
        (
            error.relative,
            solution
                .report
                .terms
                .iter()
                .map(|t| t.fitted)
                .fold(0.0, f64::max),
        )
    };
    let (error, _) = solve(Interface::Flux(vec!["k*u_y".into()]));
    assert!(error < 1e-3, "{error}");
    // Residuals alone leave the slope free: all terms vanish for a solution with a bend.
    let (error, residual) = solve(Interface::Residual);
    assert!(error > 0.05 && residual < 1e-3, "{error} {residual}");
}

#[test]
fn cuts_in_time_with_residuals() {
    let problem = Problem::new()
        .coordinate("x", [0.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .equation("u_t = 0.2*u_xx")
        .condition("start", "u = sin(pi*x)")
        .condition("boundary", "u = 0")
        .build()
        .unwrap();
    let solution = cut("t", Interface::Residual)
        .solve::<f64, _>(&problem, &mut ())
        .unwrap();
    let grid = solution.grid(&[31, 31]).unwrap();
    let exact = |p: &[f64]| vec![(-0.2 * PI * PI * p[1]).exp() * (PI * p[0]).sin()];
    let error = solution.error_against(&grid, exact).unwrap();
    assert!(error.relative < 1e-3, "{error}");
}

#[test]
fn what_is_refused() {
    let solve = |method: Subdomains| method.solve::<f64, _>(&oscillator(), &mut ()).unwrap_err();
    let at = |cuts: &[f64]| Subdomains {
        coordinate: "t".into(),
        cuts: cuts.to_vec(),
        ..Subdomains::default()
    };
    assert!(matches!(solve(at(&[1.5])), PdeError::Option { .. }));
    assert!(matches!(solve(at(&[0.7, 0.3])), PdeError::Option { .. }));
    let nowhere = Subdomains {
        coordinate: "z".into(),
        ..at(&[0.5])
    };
    assert!(matches!(solve(nowhere), PdeError::Unknown { .. }));
    let flux = Subdomains {
        interface: Interface::Flux(vec!["w".into()]),
        ..at(&[0.5])
    };
    assert!(matches!(solve(flux), PdeError::Text { .. }));
    let parts = |levels| {
        Network::Parts(Box::new(PartsOptions {
            levels,
            overlap: 0.9,
            window: Window::Cosine,
            network: Network::mlp(&[2]),
        }))
    };
    for levels in [vec![], vec![vec![4]]] {
        let pinn = Pinn {
            network: parts(levels),
            ..Pinn::default()
        };
        let error = pinn.solve::<f64, _>(&oscillator(), &mut ()).unwrap_err();
        assert!(
            matches!(error, PdeError::Nothing { .. } | PdeError::Domain(_)),
            "{error}"
        );
    }
}
