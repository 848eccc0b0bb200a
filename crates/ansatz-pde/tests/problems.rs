//! Problems written as text: what they read, what they refuse, solutions beside exact ones.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::f64::consts::PI;
use std::sync::Arc;

use ansatz_pde::core::Key;
use ansatz_pde::nn::{Activation, Lbfgs, Schedule};
use ansatz_pde::{
    Ball, BoxDomain, Counts, Csg, Network, PdeError, Pinn, Place, Points, Polygon, Problem,
    ProblemBuilder, Refine, Refinement, Stage,
};
use ansatz_physics::poisson::{FivePoint, l_shape};

fn small(hidden: &[usize], steps: usize) -> Pinn {
    Pinn {
        network: Network::mlp(hidden),
        points: Counts {
            inside: 256,
            on_conditions: 40,
            ..Counts::default()
        },
        stages: vec![Stage::levenberg_marquardt(steps)],
        key: Key::new(3),
        ..Pinn::default()
    }
}

#[test]
fn poisson_on_an_interval() {
    let problem = Problem::new()
        .coordinate("x", [0.0, 1.0])
        .unknown("u")
        .equation("u_xx = -pi^2*sin(pi*x)")
        .condition("boundary", "u = 0")
        .build()
        .unwrap();
    let solution = small(&[12], 60).solve::<f64, _>(&problem, &mut ()).unwrap();
    let grid = solution.grid(&[101]).unwrap();
    let error = solution
        .error_against(&grid, |x| vec![(PI * x[0]).sin()])
        .unwrap();
    assert!(error.relative < 1e-4, "{error}");
    // The ends are two points.
    assert_eq!(solution.report.terms[1].points, 2);
}

#[test]
fn neumann_on_a_disc() {
    // Δu = 4 on the unit disc, u_n = 2 on its edge, u = 0 in the middle: u = x² + y².
    let problem = Problem::new()
        .space(&["x", "y"], Ball::new(vec![0.0, 0.0], 1.0).unwrap())
        .unknown("u")
        .equation("laplacian(u, x, y) = 4")
        .condition("boundary", "u_n = 2")
        .condition(Points::new(2, vec![0.0, 0.0]).unwrap(), "u = 0")
        .build()
        .unwrap();
    let solution = small(&[12], 60).solve::<f64, _>(&problem, &mut ()).unwrap();
    let points = [0.1, 0.2, -0.5, 0.6, 0.0, -0.9];
    let exact = |x: &[f64]| vec![x[0] * x[0] + x[1] * x[1]];
    let error = solution.error_against(&points, exact).unwrap();
    assert!(error.largest < 1e-3, "{error}");
}

/// −Δu = 1 on an L, beside finite differences with 128 cells a unit: within 2 % in the middle of an arm, for three keys.
#[test]
fn poisson_on_an_l() {
    let corners = [
        [0.0, 0.0],
        [1.0, 0.0],
        [1.0, -1.0],
        [-1.0, -1.0],
        [-1.0, 1.0],
        [0.0, 1.0],
    ];
    let corners: Vec<[f64; 2]> = corners.into_iter().rev().collect();
    let problem = Problem::new()
        .space(&["x", "y"], Polygon::new(&corners).unwrap())
        .unknown("u")
        .equation("-laplacian(u, x, y) = 1")
        .condition("boundary", "u = 0")
        .build()
        .unwrap();
    let square = FivePoint {
        low: -1.0,
        high: 1.0,
        cells: 256,
    };
    let reference = square.solve(l_shape, |_, _| 1.0, |_, _| 0.0).unwrap();
    let exact = reference.value(-0.5, 0.25).unwrap();
    for key in 3..6 {
        let pinn = Pinn {
            points: Counts {
                inside: 800,
                on_conditions: 400,
                ..Counts::default()
            },
            // Where the solution bends at the corner the equation is never met; at weight 1 it outweighs the edge, and the
            // error is 2 to 3 %.
            equations: 0.1,
            key: Key::new(key),
            ..small(&[20, 20], 60)
        };
        let solution = pinn.solve::<f64, _>(&problem, &mut ()).unwrap();
        let middle = solution.values(&[-0.5, 0.25]).unwrap()[0];
        let off = middle / exact - 1.0;
        println!("middle of an arm: {middle:.6}, by differences {exact:.6}, off {off:.4}");
        assert!(off.abs() < 0.02, "{middle} {exact}");
    }
}

#[test]
fn robin_and_predicates_on_a_box() {
    // u = e^x: u'' = u, u_n + u = 2e at x = 1, and u = 1 at x = 0.
    let problem = Problem::new()
        .space(&["x"], BoxDomain::interval(0.0, 1.0).unwrap())
        .unknown("u")
        .equation("u_xx = u")
        .condition("right", "u_n + u = 2*e")
        .condition(Place::predicate("wall", |x| x[0] < 0.5), "u = 1")
        .build()
        .unwrap();
    let solution = small(&[8], 60).solve::<f64, _>(&problem, &mut ()).unwrap();
    let error = solution
        .error_against(&[0.3, 0.9], |x| vec![x[0].exp()])
        .unwrap();
    assert!(error.largest < 1e-4, "{error}");
}

#[test]
fn a_periodic_wave_with_two_unknowns() {
    // u_t = v_x, v_t = u_x, with u = sin(x + t) = v.
    let problem = Problem::new()
        .coordinate("x", [0.0, 2.0 * PI])
        .time("t", [0.0, 0.5])
        .unknown("u")
        .unknown("v")
        .equation("u_t = v_x")
        .equation("v_t = u_x")
        .periodic("x")
        .condition("start", "u = sin(x)")
        .condition("t = 0", "v = sin(x)")
        .build()
        .unwrap();
    let solution = small(&[10], 80).solve::<f64, _>(&problem, &mut ()).unwrap();
    let grid = solution.grid(&[21, 11]).unwrap();
    let exact = |x: &[f64]| vec![(x[0] + x[1]).sin(); 2];
    let error = solution.error_against(&grid, exact).unwrap();
    assert!(error.relative < 1e-3, "{error}");
    // Periodic to the bit of rounding, with its slope.
    let ends = solution.values(&[0.0, 0.3, 2.0 * PI, 0.3]).unwrap();
    assert!((ends[0] - ends[2]).abs() < 1e-13);
    let slopes = solution
        .derivatives(&[0.0, 0.3, 2.0 * PI, 0.3], &[1, 0])
        .unwrap();
    assert!((slopes[0] - slopes[2]).abs() < 1e-13);
}

#[test]
fn forms_meet_conditions_exactly() {
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .time("t", [0.0, 1.0])
        .constant("nu", 0.3)
        .unknown("u")
        .equation("u_t = nu*u_xx")
        .form("u", "sin(pi*x) + t*(1 - x^2)*u")
        .build()
        .unwrap();
    let solution = small(&[12], 80).solve::<f64, _>(&problem, &mut ()).unwrap();
    let start = solution.values(&[0.25, 0.0, 1.0, 0.7]).unwrap();
    assert!((start[0] - (PI * 0.25).sin()).abs() < 1e-15 && start[1].abs() < 1e-15);
    let grid = solution.grid(&[21, 11]).unwrap();
    let exact = |x: &[f64]| vec![(-0.3 * PI * PI * x[1]).exp() * (PI * x[0]).sin()];
    let error = solution.error_against(&grid, exact).unwrap();
    assert!(error.relative < 1e-3, "{error}");
}

#[test]
fn coefficients_from_measurements() {
    // y' = −k·y + c from values of y = (y0 − c/k)·e^(−kt) + c/k.
    let exact = |t: f64| (2.0 - 0.25) * (-4.0 * t).exp() + 0.25;
    let times: Vec<f64> = (0..12).map(|i| f64::from(i) / 11.0).collect();
    let values: Vec<f64> = times.iter().map(|t| exact(*t)).collect();
    let problem = Problem::new()
        .time("t", [0.0, 1.0])
        .unknown("y")
        .positive_coefficient("k", 1.0)
        .coefficient("c", 0.0)
        .equation("y_t = c - k*y")
        .measured("y", Points::new(1, times).unwrap(), values)
        .build()
        .unwrap();
    let solution = small(&[12], 150)
        .solve::<f64, _>(&problem, &mut ())
        .unwrap();
    let found = solution.coefficients();
    assert_eq!((&found[0].0[..], &found[1].0[..]), ("k", "c"));
    assert!(
        (found[0].1 - 4.0).abs() < 1e-3 && (found[1].1 - 1.0).abs() < 1e-3,
        "{found:?}"
    );
}

#[test]
fn points_follow_the_residual() {
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .unknown("u")
        .equation("u_xx = 100*tanh(10*x)*(tanh(10*x)^2 - 1)*2")
        .condition("x = -1", "u = -tanh(10)")
        .condition("x = 1", "u = tanh(10)")
        .build()
        .unwrap();
    let pinn = Pinn {
        refine: Some(Refine {
            method: Refinement::RarG { add: 5 },
            rounds: 2,
            candidates: 500,
        }),
        points: Counts {
            inside: 40,
            ..Counts::default()
        },
        ..small(&[16], 40)
    };
    let solution = pinn.solve::<f64, _>(&problem, &mut ()).unwrap();
    assert_eq!(solution.report.terms[0].points, 50);
    let grid = solution.grid(&[201]).unwrap();
    let error = solution
        .error_against(&grid, |x| vec![(10.0 * x[0]).tanh()])
        .unwrap();
    assert!(error.relative < 1e-2, "{error}");
}

fn heat() -> ProblemBuilder {
    Problem::new()
        .coordinate("x", [0.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
}

fn message(builder: ProblemBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

#[test]
fn wrong_problems_are_refused_by_name() {
    let unknown = message(heat().equation("u_t = nu*u_xx"));
    assert!(
        unknown.contains("u_t = nu*u_xx") && unknown.contains("`nu`"),
        "{unknown}"
    );
    let derivative = message(heat().equation("u_t = u_yy"));
    assert!(derivative.contains("u_yy"), "{derivative}");
    let syntax = message(heat().equation("u_t = "));
    assert!(syntax.contains("u_t ="), "{syntax}");
    let start = message(heat().equation("u_t = u_xx").condition("boundary", "u = 0"));
    assert!(start.contains("`u` is of order 1 in `t`"), "{start}");
    let edge = message(heat().equation("u_t = u_xx").condition("start", "u = 0"));
    assert!(edge.contains("`u` is of order 2 in `x`"), "{edge}");
    let second = message(
        heat()
            .equation("u_tt = u_xx")
            .condition("start", "u = 0")
            .condition("boundary", "u = 0"),
    );
    assert!(second.contains("asks for 2 condition"), "{second}");
    let order = message(heat().equation("u_t = diff(u, x, 9)"));
    assert!(
        order.contains("order 9") && order.contains("diff(u, x, 9)"),
        "{order}"
    );
    let normal = message(heat().equation("u_t = u_n"));
    assert!(normal.contains("u_n"), "{normal}");
    let place = message(heat().equation("u_t = u_xx").condition("z = 0", "u = 0"));
    assert!(place.contains("`z`"), "{place}");
    let face = message(heat().equation("u_t = u_xx").condition("ceiling", "u = 0"));
    assert!(face.contains("ceiling") && face.contains("left"), "{face}");
    let nowhere = message(heat().equation("u_t = u_xx").condition("x = 7", "u = 0"));
    assert!(nowhere.contains("x = 7"), "{nowhere}");
    assert!(message(heat()).contains("no equation"));
    assert!(message(Problem::new().unknown("u").equation("u = 0")).contains("no coordinate"));
    assert!(message(heat().constant("x", 1.0).equation("u = x")).contains("`x`"));
    assert!(message(heat().positive_coefficient("k", -1.0).equation("u = k")).contains("-1"));
    let points = Points::new(2, vec![0.0, 0.0]).unwrap();
    let values = message(
        heat()
            .equation("u = 0")
            .measured("u", points, vec![1.0, 2.0]),
    );
    assert!(values.contains("2 given, 1 needed"), "{values}");
}

#[test]
fn what_nothing_speaks_of_is_refused() {
    let full = || {
        heat()
            .condition("boundary", "u = 0")
            .condition("start", "u = 0")
    };
    let idle = message(full().unknown("v").equation("u_t = u_xx"));
    assert!(
        idle.contains("`v`") && idle.contains("no equation"),
        "{idle}"
    );
    let still = message(full().coefficient("k", 1.0).equation("u_t = u_xx"));
    assert!(still.contains("`k`") && still.contains("start"), "{still}");
    // In a condition it is enough.
    let edge = full().coefficient("k", 1.0).equation("u_t = u_xx");
    assert!(edge.condition("x = 1", "u_n = k").build().is_ok());
    let few = message(full().unknown("v").equation("u_t = v"));
    assert!(few.contains("1 given, 2 needed"), "{few}");
    let idle = full().unknown("v").equation("u_t = u_xx").incomplete();
    assert!(idle.build().is_ok());
}

#[test]
fn what_is_given_in_vain_is_refused() {
    let line = || BoxDomain::interval(0.0, 1.0).unwrap();
    let beside = message(heat().space(&["y"], line()).equation("u_t = u_yy"));
    assert!(
        beside.contains("`x`") && beside.contains("`space`"),
        "{beside}"
    );
    let spaces = Problem::new().space(&["x"], line()).space(&["y"], line());
    let again = message(spaces.unknown("u").equation("u = 0"));
    assert!(again.contains("`y`"), "{again}");
    let times = message(heat().time("s", [0.0, 1.0]).equation("u_s = u_xx"));
    assert!(times.contains("`s`") && times.contains("`time`"), "{times}");
    let forms = heat().equation("u_t = u_xx").form("u", "t*u");
    let forms = message(forms.form("u", "x*u"));
    assert!(forms.contains("`u`") && forms.contains("`form`"), "{forms}");
    let known = heat().equation("u_t = u_xx").form("u", "x*t");
    let known = message(known);
    assert!(
        known.contains("`u`") && known.contains("holds no unknown"),
        "{known}"
    );
    let number = message(heat().constant("nu", f64::NAN).equation("u_t = u_xx"));
    assert!(
        number.contains("`nu`") && number.contains("finite"),
        "{number}"
    );
}

#[test]
fn names_are_names() {
    for name in ["pi", "2u", "my nu", "sin", "", "n"] {
        let refused = message(heat().coefficient(name, 1.0).equation("u_t = u_xx"));
        assert!(refused.contains(&format!("`{name}`")), "{refused}");
        let refused = heat().unknown(name).equation("u_t = u_xx").build();
        assert!(matches!(refused, Err(PdeError::Misfit { part, .. }) if part == name));
    }
    let call = message(heat().equation("u(x, t) = 0"));
    assert!(
        call.contains("u(x, t) = 0") && call.contains("without arguments"),
        "{call}"
    );
}

/// Measured values beside the domain; a period reaches as far as one likes.
#[test]
fn points_outside_are_refused() {
    let at = |x: f64, t: f64| {
        let points = Points::new(2, vec![0.5, 0.5, x, t]).unwrap();
        heat()
            .equation("u_t = u_xx")
            .measured("u", points, vec![0.0; 2])
    };
    assert!(at(1.0, 1.0).build().is_ok());
    // Coordinates in the wrong order, say.
    for (x, t) in [(0.5, 7.0), (-0.25, 0.5)] {
        let error = at(x, t).build().unwrap_err();
        assert!(
            matches!(error, PdeError::OutsideDomain { index: 1, .. }),
            "{error}"
        );
    }
    assert!(at(3.25, 0.5).periodic("x").build().is_ok());
    let none = Points::new(2, Vec::new()).unwrap();
    let none = heat()
        .equation("u_t = u_xx")
        .measured("u", none, Vec::new());
    assert!(matches!(none.build(), Err(PdeError::NoPoints { .. })));
    let hole = Csg::difference(
        Arc::new(BoxDomain::rectangle([-1.0, 1.0], [-1.0, 1.0]).unwrap()),
        vec![Arc::new(Ball::new(vec![0.0, 0.0], 0.5).unwrap())],
    );
    let problem = Problem::new()
        .space(&["x", "y"], hole.unwrap())
        .unknown("u")
        .equation("laplacian(u, x, y) = 0");
    let middle = Points::new(2, vec![0.1, 0.0]).unwrap();
    let error = problem
        .measured("u", middle, vec![1.0])
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("point 0 lies 4"), "{error}");
}

#[test]
fn no_points_and_no_values_are_refused() {
    let problem = heat()
        .equation("u_t = u_xx")
        .form("u", "t*u/x")
        .build()
        .unwrap();
    let nowhere = Pinn {
        points: Counts {
            inside: 0,
            ..Counts::default()
        },
        ..small(&[4], 1)
    };
    let error = nowhere.solve::<f64, _>(&problem, &mut ()).unwrap_err();
    assert!(matches!(error, PdeError::NoPoints { .. }), "{error}");
    // What has no value is named with its point, whoever trains.
    let singular = heat()
        .equation("u_t = u_xx + ln(x - 0.5)")
        .form("u", "t*u")
        .build()
        .unwrap();
    let adam = Stage::adam(3, Schedule::Constant(1e-3));
    let lbfgs = Stage::Lbfgs(Lbfgs::default());
    for stage in [Stage::levenberg_marquardt(3), adam, lbfgs] {
        let pinn = Pinn {
            stages: vec![stage],
            ..small(&[4], 1)
        };
        let error = pinn.solve::<f64, _>(&singular, &mut ()).unwrap_err();
        assert!(
            matches!(&error, PdeError::NotFinite { what, .. } if what.contains("`u_t = u_xx + ln(x - 0.5)` at [")),
            "{error}"
        );
    }
    let narrow = small(&[4, 0], 1).solve::<f64, _>(&problem, &mut ());
    assert!(matches!(narrow, Err(PdeError::Option { .. })));
    // The form has no value at x = 0.
    let solution = small(&[4], 1).solve::<f64, _>(&problem, &mut ()).unwrap();
    assert!(solution.values(&[0.5, 0.5]).is_ok());
    let error = solution.values(&[0.5, 0.5, 0.0, 0.5]).unwrap_err();
    assert!(
        error.to_string().contains("the point [0.0, 0.5]"),
        "{error}"
    );
    let incomplete = solution.values(&[0.5, 0.5, 0.1]).unwrap_err();
    let said = incomplete.to_string();
    assert!(
        said.contains("3 numbers") && said.contains("2 coordinates"),
        "{said}"
    );
    assert!(solution.expressions(&[0.5, 0.5], &[]).is_err());
    assert!(solution.mean_residual(0, Key::new(1)).is_err());
    assert!(solution.error(&[], &[]).is_err());
}

#[test]
fn networks_that_cannot_be_differentiated_are_refused() {
    let problem = heat()
        .equation("u_t = u_xx")
        .condition("boundary", "u = 0")
        .condition("start", "u = sin(pi*x)")
        .build()
        .unwrap();
    let pinn = Pinn {
        network: Network::Mlp {
            hidden: vec![8],
            activation: Activation::Relu,
        },
        ..small(&[8], 1)
    };
    let error = pinn.solve::<f64, _>(&problem, &mut ()).unwrap_err();
    assert!(matches!(error, PdeError::Kink { order: 2, .. }), "{error}");
}
