//! Networks beside JAX (`fixtures/networks.py`): values, derivatives, gradients; how they start; tensor grids.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ansatz_pde::autodiff::{Array, Graph, Options, Program, gradient};
use ansatz_pde::core::Key;
use ansatz_pde::nn::{
    Activation, Bounded, Factorisation, FourierFeatures, GridSide, Interval, Layer, Layout, Mlp,
    MlpOptions, Mode, ModifiedMlp, Parameters, Pass, PirateNet, ResidualMlp, Schedule, Separable,
    Trained, linear_least_squares,
};
use ansatz_pde::{
    Ball, CausalTime, Counts, GridAt, Network, PdeError, Pinn, Problem, Refine, Refinement,
    Sampler, Stage, grid_partials, partials, sample,
};

type Apply = Box<dyn for<'g> Fn(&Pass<'g>, Array<'g>) -> Array<'g>>;

fn layer(layer: impl Layer + 'static) -> Apply {
    Box::new(move |pass, x| layer.apply(pass, x))
}

fn options(activation: Activation, factorised: bool, adaptive: Option<f64>) -> MlpOptions {
    MlpOptions {
        activation,
        factorised: factorised.then(Factorisation::default),
        adaptive,
        ..MlpOptions::default()
    }
}

fn network(name: &str, layout: &mut Layout) -> Apply {
    let root = &mut layout.root();
    let tanh = Activation::Tanh;
    match name {
        "factorised" => layer(Mlp::new(root, &[2, 5, 4, 2], &options(tanh, true, None))),
        "adaptive" => {
            let options = options(Activation::Sine(2.0), false, Some(5.0));
            layer(Mlp::new(root, &[2, 5, 4, 2], &options))
        }
        "modified" => {
            let options = options(tanh, true, Some(2.0));
            layer(ModifiedMlp::new(root, (2, 2), (5, 2), &options))
        }
        "residual" => {
            let options = options(tanh, false, Some(3.0));
            layer(ResidualMlp::new(root, (2, 2), (5, 1), &options))
        }
        "pirate" => {
            let how = (1.0, Trained::Trained);
            let features = FourierFeatures::new(&mut root.scope("embedding"), 2, 3, how);
            let net = PirateNet::new(root, (6, 2), 2, &MlpOptions::default());
            Box::new(move |pass, x| net.apply(pass, features.apply(pass, x)))
        }
        "separable" => {
            let options = MlpOptions::default();
            layer(Separable::new(root, (2, 2), 3, &[4], &options))
        }
        _ => panic!("no network {name}"),
    }
}

/// The numbers of the fixtures.
fn filled(layout: &Layout) -> Parameters<f64> {
    let mut parameters = Parameters::<f64>::new(layout, Key::new(0));
    for entry in layout.entries() {
        let name = &entry.name;
        let c = name.bytes().map(u32::from).sum::<u32>() % 97;
        let fan = if entry.shape.rank() > 1 {
            entry.shape.len() / entry.shape[0]
        } else {
            1
        };
        let extra = match name.rsplit('.').next().unwrap() {
            "scale" | "slope" => 1.0,
            "alpha" => 0.4,
            _ => 0.0,
        };
        let values = parameters.get_mut(name).unwrap();
        for (i, v) in values.iter_mut().enumerate() {
            *v = (0.37 * i as f64 + f64::from(c)).sin() / (fan as f64).sqrt() + extra;
        }
    }
    parameters
}

fn numbers(text: &str) -> Vec<f64> {
    text.split(' ').map(|v| v.parse().unwrap()).collect()
}

fn close(what: &str, ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let size = theirs.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() < 1e-12 * size, "{what}: {a} and {b}");
    }
}

fn check(name: &str, lines: &[&str]) {
    let mut layout = Layout::new();
    let net = network(name, &mut layout);
    let parameters = filled(&layout);
    let points: Vec<f64> = (0..12).map(|k| (0.23 * f64::from(k)).cos()).collect();
    // The products of gradients that the fixture holds.
    let graph = Graph::new();
    let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
    let x = graph.batch(&[6, 2]);
    let u = net(&pass, x);
    let second = partials(u, x, &[vec![2, 0]]).unwrap()[0];
    let weights = |c: f64| -> Vec<f64> { (0..12).map(|j| (c * f64::from(j)).cos()).collect() };
    let loss = (u.reshape(&[12]) * graph.constant(&[12], weights(0.11))).sum()
        + (second.reshape(&[12]) * graph.constant(&[12], weights(0.07))).sum();
    let slopes = gradient(loss, pass.arrays());
    let program = Program::<f64>::compile(&graph.finish(&slopes), &Options::default()).unwrap();
    let mut found: Vec<Vec<f64>> = layout
        .entries()
        .iter()
        .map(|e| vec![0.0; e.shape.len()])
        .collect();
    let each = parameters.iter().map(|(_, v)| v);
    let inputs: Vec<&[f64]> = each.chain([&points[..]]).collect();
    let mut views: Vec<&mut [f64]> = found.iter_mut().map(Vec::as_mut_slice).collect();
    program.run(&inputs, &mut views).unwrap();

    let mut seen = 0;
    for line in lines {
        let (kind, rest) = line.split_once(' ').unwrap();
        match kind {
            "y" => {
                let ours = sample(&parameters, 2, &points, |pass, x| Ok(net(pass, x))).unwrap();
                close(name, &ours, &numbers(rest));
            }
            "d" => {
                let mut parts = rest.splitn(3, ' ');
                let mut order = || parts.next().unwrap().parse::<usize>().unwrap();
                let orders = vec![order(), order()];
                let ours = sample(&parameters, 2, &points, |pass, x| {
                    Ok(partials(net(pass, x), x, std::slice::from_ref(&orders))?[0])
                });
                let what = format!("{name} {orders:?}");
                close(&what, &ours.unwrap(), &numbers(parts.next().unwrap()));
            }
            _ => {
                let (entry, value) = rest.split_once(' ').unwrap();
                let place = layout.entries().iter().position(|e| e.name == entry);
                let g = &found[place.unwrap()];
                let product = g
                    .iter()
                    .enumerate()
                    .map(|(i, g)| g * (0.61 * i as f64).cos());
                let size = g.iter().map(|g| g.abs()).sum::<f64>().max(1.0);
                let theirs: f64 = value.parse().unwrap();
                let off = (product.sum::<f64>() - theirs).abs();
                assert!(off < 1e-12 * size, "{name} {entry}: off by {off}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, layout.entries().len(), "{name}: all parameters");
}

#[test]
fn beside_jax() {
    let text = include_str!("fixtures/networks.txt");
    let cases: Vec<&str> = text.split("case ").filter(|c| !c.is_empty()).collect();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let mut lines = case.lines();
        let name = lines.next().unwrap();
        check(name, &lines.collect::<Vec<_>>());
    }
}

/// Factors and slopes leave the network that is drawn as it is, up to rounding; they are what they say.
#[test]
fn other_parameters_start_the_same() {
    let points: Vec<f64> = (0..40).map(|k| (0.31 * f64::from(k)).sin()).collect();
    let start = |options: MlpOptions| {
        let mut layout = Layout::new();
        let net = Network::mlp(&[32, 32]).with_layers(options);
        let net = net.place(&mut layout.root(), 2, 1).unwrap();
        let parameters = Parameters::<f64>::new(&layout, Key::new(7));
        let y = sample(&parameters, 2, &points, |pass, x| Ok(net.apply(pass, x))).unwrap();
        (y, parameters)
    };
    let (plain, drawn) = start(MlpOptions::default());
    let tanh = Activation::Tanh;
    let (factorised, parameters) = start(options(tanh, true, None));
    for (a, b) in factorised.iter().zip(&plain) {
        assert!((a - b).abs() < 1e-14, "{a} {b}");
    }
    // s·V is W to the last bit but one, and ln s is normal about 0.5 with deviation 0.1.
    let scale = parameters.get("1.scale").unwrap();
    let (v, w) = (
        parameters.get("1.weight").unwrap(),
        drawn.get("1.weight").unwrap(),
    );
    for (k, (v, w)) in v.iter().zip(w).enumerate() {
        assert!((v * scale[k / 32] - w).abs() <= f64::EPSILON * w.abs());
    }
    let logs: Vec<f64> = scale.iter().map(|s| s.ln()).collect();
    let mean = logs.iter().sum::<f64>() / 32.0;
    let deviation = (logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 31.0).sqrt();
    assert!(
        (mean - 0.5).abs() < 0.07 && (deviation - 0.1).abs() < 0.05,
        "{mean} {deviation}"
    );

    let (adaptive, parameters) = start(options(tanh, false, Some(10.0)));
    for (a, b) in adaptive.iter().zip(&plain) {
        assert!((a - b).abs() < 1e-14, "{a} {b}");
    }
    assert_eq!(parameters.get("0.slope").unwrap(), [0.1]);
    assert!(parameters.get("2.slope").is_none());
    let refused = Network::mlp(&[4]).with_layers(options(tanh, false, Some(0.0)));
    let refused = refused.place(&mut Layout::new().root(), 1, 1);
    assert!(matches!(refused, Err(PdeError::Option { .. })));
    let siren = Network::Siren { hidden: vec![4] };
    let refused = siren
        .with_layers(MlpOptions::default())
        .place(&mut Layout::new().root(), 1, 1);
    assert!(matches!(refused, Err(PdeError::Nothing { .. })));
}

/// At the start a network of skipped blocks is linear in its embedding, and its last layer meets given values of a function of
/// that span to rounding; nonlinear equations are left out of the fit.
#[test]
fn pirates_start_linear() {
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .equation("u_t + u*u_x = 0.01*u_xx")
        .periodic("x")
        .condition("t = 0", "u = cos(pi*x)*exp(sin(pi*x))")
        .build()
        .unwrap();
    let pinn = Pinn {
        network: Network::Pirate {
            count: 32,
            sigma: 1.0,
            blocks: 2,
        },
        points: Counts {
            inside: 64,
            on_conditions: 200,
            ..Counts::default()
        },
        stages: vec![Stage::last_layer()],
        ..Pinn::default()
    };
    let solution = pinn.solve::<f64, _>(&problem, &mut ()).unwrap();
    let points: Vec<f64> = (0..50)
        .flat_map(|i| [f64::from(i) / 25.0 - 1.0, 0.0])
        .collect();
    let u = solution.values(&points).unwrap();
    for (u, p) in u.iter().zip(points.chunks(2)) {
        let a = std::f64::consts::PI * p[0];
        assert!((u - a.cos() * a.sin().exp()).abs() < 1e-6, "{u} at {p:?}");
    }
    // 64 weights and a bias, four probes.
    assert_eq!(solution.report.evaluations, 69);

    // Other inner weights change nothing while the blocks are skipped.
    let mut moved = solution.clone();
    for name in ["u.weight", "blocks.0.1.bias", "blocks.1.2.weight"] {
        let values = moved.parameters.get_mut(&format!("net.{name}")).unwrap();
        for v in values {
            *v += 0.7;
        }
    }
    assert_eq!(u, moved.values(&points).unwrap());
    moved.parameters.get_mut("net.blocks.0.alpha").unwrap()[0] = 0.5;
    assert_ne!(u, moved.values(&points).unwrap());

    let pinn = Pinn {
        stages: vec![Stage::LastLayer {
            scope: "net.final".into(),
            ridge: 0.0,
        }],
        ..pinn
    };
    let refused = pinn.solve::<f64, _>(&problem, &mut ()).unwrap_err();
    assert!(matches!(refused, PdeError::Unknown { what: "layer", .. }));
}

/// On a tensor grid: the values and derivatives of the points one by one, from Σn coordinates in place of Πn points.
#[test]
fn separable_on_grids() {
    let mut layout = Layout::new();
    let options = MlpOptions::default();
    let net = Separable::new(&mut layout.root(), (3, 2), 5, &[6, 6], &options);
    let parameters = filled(&layout);
    let counts = [4, 3, 5];
    let axes: Vec<Vec<f64>> = counts
        .iter()
        .map(|n| (0..*n).map(|i| (f64::from(i) + 0.3).sin()).collect())
        .collect();
    let mut points = Vec::new();
    for x in &axes[0] {
        for y in &axes[1] {
            for z in &axes[2] {
                points.extend([*x, *y, *z]);
            }
        }
    }
    let orders = [vec![0, 0, 0], vec![2, 0, 0], vec![1, 0, 1], vec![0, 4, 0]];
    let graph = Graph::new();
    let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
    let places: Vec<Array<'_>> = axes.iter().map(|a| graph.input(&[a.len(), 1])).collect();
    let values = net.on_grid(&pass, &GridSide::each(&places));
    let mut all = grid_partials(values, &places, &orders).unwrap();
    all.push(values);
    assert_eq!(&all[1].shape()[..], [4, 3, 5, 2]);
    let program = Program::<f64>::compile(&graph.finish(&all), &Options::default()).unwrap();
    let mut found = vec![vec![0.0; 120]; all.len()];
    let each = parameters.iter().map(|(_, v)| v);
    let inputs: Vec<&[f64]> = each.chain(axes.iter().map(|a| &a[..])).collect();
    let mut views: Vec<&mut [f64]> = found.iter_mut().map(Vec::as_mut_slice).collect();
    program.run(&inputs, &mut views).unwrap();
    assert_eq!(found[0], found[4]);
    for (orders, ours) in orders.iter().zip(&found) {
        let one = sample(&parameters, 3, &points, |pass, x| {
            Ok(partials(net.apply(pass, x), x, std::slice::from_ref(orders))?[0])
        });
        close(&format!("{orders:?}"), ours, &one.unwrap());
    }
    let wrong = grid_partials(values, &places, &[vec![1, 0]]);
    assert!(matches!(wrong, Err(PdeError::Width { .. })));
}

/// Residuals, and training by gradients and by Jacobians, on a tensor grid and at the same points one by one: with periods, forms,
/// coefficients, mixed derivatives, several unknowns, time last.
#[test]
fn training_on_grids_is_training_at_points() {
    let problem = Problem::new()
        .coordinate("x", [0.0, 4.0])
        .coordinate("y", [0.0, 3.0])
        .time("t", [0.0, 5.0])
        .unknown("u")
        .unknown("v")
        .coefficient("k", 0.7)
        .equation("u_t + k*v*u_xx = x*sin(t)")
        .equation("v_xt - u_yy = y*u")
        .periodic("x")
        .form("u", "y*u + t")
        .condition("t = 0", "v = sin(2*pi*x/4)")
        .build()
        .unwrap();
    let separable = Network::Separable {
        rank: 3,
        hidden: vec![5],
    };
    let networks = [
        separable.clone(),
        Network::Each(Box::new(separable)),
        Network::mlp(&[6]),
    ];
    for network in networks {
        let rate = Schedule::Constant(1e-2);
        let on_grid = Pinn {
            network,
            grid: Some(vec![4, 3, 5]),
            points: Counts {
                inside: 60,
                on_conditions: 9,
                sampler: Sampler::Grid(GridAt::Centres),
            },
            stages: vec![Stage::adam(10, rate), Stage::levenberg_marquardt(3)],
            ..Pinn::default()
        };
        let at_points = Pinn {
            grid: None,
            ..on_grid.clone()
        };
        let [a, b] = [on_grid, at_points].map(|p| p.solve::<f64, _>(&problem, &mut ()).unwrap());
        let (ours, theirs) = (&a.report.terms[0], &b.report.terms[0]);
        assert_eq!((ours.points, theirs.points), (60, 60));
        assert!((ours.fitted / theirs.fitted - 1.0).abs() < 1e-9);
        close("parameters", a.parameters.values(), b.parameters.values());
    }
}

/// Chunks in time are slabs of a grid; what has no box, or moves its points, has no grid.
#[test]
fn grids_refuse_and_wait() {
    let heat = |disk: Option<Ball>| {
        let space = match disk {
            None => Problem::new()
                .coordinate("x", [0.0, 1.0])
                .coordinate("y", [0.0, 1.0]),
            Some(disk) => Problem::new().space(&["x", "y"], disk),
        };
        space
            .time("t", [0.0, 1.0])
            .unknown("u")
            .equation("u_t = laplacian(u, x, y)")
            .condition("t = 0", "u = sin(pi*x)*sin(pi*y)")
            .condition("boundary", "u = 0")
            .build()
            .unwrap()
    };
    let pinn = Pinn {
        network: Network::Separable {
            rank: 2,
            hidden: vec![4],
        },
        grid: Some(vec![3, 4, 8]),
        causal: Some(CausalTime {
            chunks: 4,
            tolerance: 1.0,
        }),
        stages: vec![Stage::adam(2, Schedule::Constant(1e-3))],
        ..Pinn::default()
    };
    assert!(pinn.solve::<f64, _>(&heat(None), &mut ()).is_ok());
    let refused =
        |pinn: &Pinn, problem: &Problem| pinn.solve::<f64, _>(problem, &mut ()).unwrap_err();
    let disk = Ball::new(vec![0.5, 0.5], 0.5).unwrap();
    assert!(matches!(
        refused(&pinn, &heat(Some(disk))),
        PdeError::Unsuited { .. }
    ));
    let with = |grid: &[usize]| Pinn {
        grid: Some(grid.to_vec()),
        ..pinn.clone()
    };
    assert!(matches!(
        refused(&with(&[3, 4]), &heat(None)),
        PdeError::Width {
            expected: 3,
            got: 2,
            ..
        }
    ));
    assert!(matches!(
        refused(&with(&[3, 0, 8]), &heat(None)),
        PdeError::Option { .. }
    ));
    // Eight times in three chunks.
    let mut uneven = pinn.clone();
    uneven.causal = Some(CausalTime {
        chunks: 3,
        tolerance: 1.0,
    });
    assert!(matches!(
        refused(&uneven, &heat(None)),
        PdeError::Width { .. }
    ));
    let mut moving = pinn;
    moving.refine = Some(Refine {
        method: Refinement::RarG { add: 5 },
        rounds: 1,
        candidates: 100,
    });
    assert!(matches!(
        refused(&moving, &heat(None)),
        PdeError::Unsuited { .. }
    ));
}

/// The multiplications of a grid of 40³ are far fewer than those of its points.
#[test]
fn grids_cost_their_axes() {
    let mut layout = Layout::new();
    let options = MlpOptions::default();
    let net = Separable::new(&mut layout.root(), (3, 1), 16, &[64, 64], &options);
    let parameters = Parameters::<f64>::new(&layout, Key::new(0));
    let axis: Vec<f64> = (0..40).map(|i| f64::from(i) / 39.0).collect();
    let points: Vec<f64> = (0..64_000)
        .flat_map(|k| [axis[k / 1600], axis[k / 40 % 40], axis[k % 40]])
        .collect();
    let graph = Graph::new();
    let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
    let axes = [0; 3].map(|_| graph.input(&[40, 1]));
    let y = net.on_grid(&pass, &GridSide::each(&axes));
    let program = Program::<f64>::compile(&graph.finish(&[y]), &Options::default()).unwrap();
    let each = parameters.iter().map(|(_, v)| v);
    let inputs: Vec<&[f64]> = each.chain([&axis[..]; 3]).collect();
    let mut found = vec![0.0; 64_000];
    program.run(&inputs, &mut [&mut found]).unwrap();
    let one = sample(&parameters, 3, &points, |pass, x| Ok(net.apply(pass, x))).unwrap();
    close("40³", &found, &one);
    // 120 evaluations of networks for 192,000; what is left on a grid are the sums of products.
    let graph = Graph::new();
    let pass = Pass::new(&graph, &layout, (Mode::Evaluate, None));
    let y = net.apply(&pass, graph.input(&[64_000, 3]));
    let pointwise = graph.finish(&[y]).flops();
    let grid = program.flops();
    assert!(100 * grid < pointwise, "{grid} and {pointwise}");
}

/// Each dense network of the front door solves a problem.
#[test]
fn all_at_the_front_door() {
    let problem = Problem::new()
        .coordinate("x", [0.0, 1.0])
        .coordinate("y", [0.0, 1.0])
        .unknown("u")
        .equation("-laplacian(u, x, y) = 2*pi^2*sin(pi*x)*sin(pi*y)")
        .form("u", "x*(1 - x)*y*(1 - y)*u")
        .build()
        .unwrap();
    let tanh = Activation::Tanh;
    let nets = [
        Network::Pirate {
            count: 6,
            sigma: 0.3,
            blocks: 1,
        },
        Network::Separable {
            rank: 3,
            hidden: vec![12],
        },
        Network::mlp(&[12, 12]).with_layers(options(tanh, true, Some(2.0))),
    ];
    for network in nets {
        let pinn = Pinn {
            network,
            points: Counts {
                inside: 300,
                ..Counts::default()
            },
            stages: vec![Stage::levenberg_marquardt(40)],
            ..Pinn::default()
        };
        let solution = pinn.solve::<f64, _>(&problem, &mut ()).unwrap();
        let grid = solution.grid(&[21, 21]).unwrap();
        let pi = std::f64::consts::PI;
        let exact = |p: &[f64]| vec![(pi * p[0]).sin() * (pi * p[1]).sin()];
        let error = solution.error_against(&grid, exact).unwrap();
        assert!(error.relative < 1e-3, "{:?}: {error}", pinn.network);
    }
}

/// Bounds of a network with factors and slopes are those of the same function in plain weights.
#[test]
fn bounds_see_factors_and_slopes() {
    let relu = Activation::Relu;
    let widths = [3, 6, 5, 2];
    let (mut layout, mut plain) = (Layout::new(), Layout::new());
    let net = Mlp::new(&mut layout.root(), &widths, &options(relu, true, Some(4.0)));
    let same = Mlp::new(&mut plain.root(), &widths, &options(relu, false, None));
    let parameters = filled(&layout);
    let mut folded = Parameters::<f64>::new(&plain, Key::new(0));
    for i in 0..3 {
        let own = |what: &str| parameters.get(&format!("{i}.{what}"));
        let slope = own("slope").map_or(1.0, |a| 4.0 * a[0]);
        let (scale, inputs) = (own("scale").unwrap(), widths[i]);
        let weight = folded.get_mut(&format!("{i}.weight")).unwrap();
        for (k, (w, v)) in weight.iter_mut().zip(own("weight").unwrap()).enumerate() {
            *w = slope * scale[k / inputs] * v;
        }
        let bias = folded.get_mut(&format!("{i}.bias")).unwrap();
        for (b, v) in bias.iter_mut().zip(own("bias").unwrap()) {
            *b = slope * v;
        }
    }
    let points: Vec<f64> = (0..12).map(|k| (0.7 * f64::from(k)).sin()).collect();
    let bounds = |net: &Mlp, layout: &Layout, parameters: &Parameters<f64>| {
        let graph = Graph::new();
        let pass = Pass::new(&graph, layout, (Mode::Evaluate, None));
        let x = graph.input(&[4, 3]);
        let labels = graph.constant(&[4, 2], [1.0, 0.0, 0.0, 1.0].repeat(2));
        let within = Interval::about(x, x.filled(0.05), None);
        let found = net.bound(&pass, within).unwrap();
        let all = [
            found.low(),
            found.high(),
            net.margins(&pass, within, labels).unwrap(),
            net.tightness(&pass, x, None).unwrap(),
            net.tightness(&pass, x, Some(labels)).unwrap(),
        ];
        let program = Program::<f64>::compile(&graph.finish(&all), &Options::default()).unwrap();
        let mut results = vec![vec![0.0; 8]; 5];
        let each = parameters.iter().map(|(_, v)| v);
        let inputs: Vec<&[f64]> = each.chain([&points[..]]).collect();
        let mut views: Vec<&mut [f64]> = results.iter_mut().map(Vec::as_mut_slice).collect();
        program.run(&inputs, &mut views).unwrap();
        results.concat()
    };
    let ours = bounds(&net, &layout, &parameters);
    close("bounds", &ours, &bounds(&same, &plain, &folded));
    assert!(ours.iter().any(|v| v.abs() > 0.1));
}

/// Columns that nearly depend on each other, as the squares of a Vandermonde matrix' condition would lose.
#[test]
fn linear_fits() {
    // x = 1 for 12 powers on [0, 1]: a condition of 1e8, of AᵀA 1e16.
    let n = 40;
    let at = |i: usize| i as f64 / (n - 1) as f64;
    let columns: Vec<f64> = (0..12)
        .flat_map(|j| (0..n).map(move |i| at(i).powi(j)))
        .collect();
    let b: Vec<f64> = (0..n)
        .map(|i| (0..12).map(|j| at(i).powi(j)).sum())
        .collect();
    let x = linear_least_squares(&columns, &b, 0.0).unwrap();
    assert!(x.iter().all(|x| (x - 1.0).abs() < 1e-6), "{x:?}");
    // The same column twice: refused, shared out with a ridge.
    let twice = [1.0, 2.0, 2.0, 1.0, 2.0, 2.0];
    assert!(linear_least_squares(&twice, &[2.0, 4.0, 4.0], 0.0).is_err());
    let x = linear_least_squares(&twice, &[2.0, 4.0, 4.0], 1e-8).unwrap();
    assert!(
        (x[0] - 1.0).abs() < 1e-6 && (x[1] - 1.0).abs() < 1e-6,
        "{x:?}"
    );
    // Ridge regression in one unknown: x = a·b/(a·a + μ), √μ = ridge·|a|.
    let x = linear_least_squares(&[3.0, 4.0], &[1.0, 2.0], 0.5).unwrap();
    assert!((x[0] - 11.0 / (25.0 * 1.25)).abs() < 1e-14);
    for (a, b, ridge) in [
        (&[1.0, 2.0, 3.0][..], &[1.0, 2.0][..], 0.0),
        (&[], &[], 0.0),
        (&[1.0, 2.0], &[1.0, 2.0], -1.0),
        (&[1.0, f64::NAN], &[1.0, 2.0], 1.0),
        (&[1.0, 2.0], &[1.0, f64::INFINITY], 1.0),
    ] {
        assert!(linear_least_squares(a, b, ridge).is_err());
    }
}
