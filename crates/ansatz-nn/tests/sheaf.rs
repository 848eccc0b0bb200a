//! Sheaf Laplacians in reference spectra, their families of maps, gradients, and diffusion against its closed form.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::type_complexity,
    reason = "a test may stop at any failure, compares with exact numbers, and holds tables of rows"
)]

use ansatz_autodiff::{Array, Graph, Options, Program, gradient};
use ansatz_core::{Key, VectorField};
use ansatz_nn::sheaf::{
    EdgeWeights, Fixed, Frame, Learner, MapFamily, Maps, Normalisation, Refresh, SheafDiffusion,
    SheafGraph, SheafLaplacian, SheafNetwork, SheafOptions,
};
use ansatz_nn::{Activation, Layer, Layout, Mode, NetworkError, Parameters, Pass};
use faer::{Mat, Side};

const EDGES: [(usize, usize); 5] = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2)];
const NODES: usize = 4;

fn square() -> SheafGraph {
    SheafGraph::new(NODES, &EDGES).unwrap()
}

/// The maps of all ends: those of first ends, then those of second ones.
fn all_maps(map: impl Fn(f64, f64) -> Vec<f64>) -> Vec<f64> {
    let edges = EDGES.iter().enumerate();
    let first = edges
        .clone()
        .flat_map(|(e, ends)| map(ends.0 as f64, e as f64));
    let second = edges.flat_map(|(e, ends)| map(ends.1 as f64, e as f64));
    first.chain(second).collect()
}

fn run(g: &Graph, outputs: &[Array<'_>], inputs: &[&[f64]]) -> Vec<Vec<f64>> {
    let program = Program::<f64>::compile(&g.finish(outputs), &Options::default()).unwrap();
    let mut results: Vec<Vec<f64>> = outputs.iter().map(|o| vec![0.0; o.shape().len()]).collect();
    let mut outs: Vec<&mut [f64]> = results.iter_mut().map(|r| &mut r[..]).collect();
    program.run(inputs, &mut outs).unwrap();
    results
}

type Make = for<'g> fn(Array<'g>) -> Maps<'g>;

const DIAGONAL: Make = |x| Maps::Diagonal(x);
const ORTHOGONAL: Make = |x| Maps::Orthogonal(x);
const GENERAL: Make = |x| Maps::General(x);

/// The operator as a matrix, from its columns: one channel for each unit vector.
fn matrix(
    graph: &SheafGraph,
    (make, shape, values): (Make, &[usize], &[f64]),
    normalisation: Normalisation,
) -> Mat<f64> {
    let g = Graph::new();
    let maps = make(g.input(shape));
    let d = maps.stalk();
    let n = graph.nodes() * d;
    let laplacian = SheafLaplacian::new(graph, maps, None, normalisation);
    let one = |k: usize| f64::from(u8::from(k / n == k % n));
    let units = g.constant(&[graph.nodes(), d, n], (0..n * n).map(one).collect());
    let y = &run(&g, &[laplacian.apply(units)], &[values])[0];
    Mat::from_fn(n, n, |i, j| y[i * n + j])
}

/// Eigenvalues, rising, of a matrix that must be symmetric.
fn spectrum(m: &Mat<f64>) -> Vec<f64> {
    for i in 0..m.nrows() {
        for j in 0..i {
            assert!((m[(i, j)] - m[(j, i)]).abs() < 1e-12, "{i}, {j}");
        }
    }
    m.self_adjoint_eigenvalues(Side::Lower).unwrap()
}

#[track_caller]
fn close(ours: &[f64], known: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), known.len(), "{ours:?}");
    for (a, b) in ours.iter().zip(known) {
        assert!((a - b).abs() < tolerance, "{ours:?} and {known:?}");
    }
}

/// F_{v,e}[a, b] = sin(1 + v + 2e + 2a + b) + δ_ab.
fn general() -> Vec<f64> {
    all_maps(|v, e| {
        (0..4)
            .map(|k| {
                let (a, b) = (f64::from(k / 2), f64::from(k % 2));
                (1.0 + v + 2.0 * e + 2.0 * a + b).sin() + f64::from(u8::from(k / 2 == k % 2))
            })
            .collect()
    })
}

fn rotation(angle: f64) -> Vec<f64> {
    vec![angle.cos(), -angle.sin(), angle.sin(), angle.cos()]
}

#[test]
fn general_maps_in_numbers() {
    let (graph, values) = (square(), general());
    let of = |normalisation| {
        let maps: (Make, &[usize], &[f64]) = (GENERAL, &[10, 2, 2], &values);
        spectrum(&matrix(&graph, maps, normalisation))
    };
    let known = [
        0.1763878989,
        0.7224379572,
        1.8423249318,
        2.7011670787,
        3.5365970627,
        5.6001258382,
        11.2637442463,
        15.0373425803,
    ];
    close(&of(Normalisation::Plain), &known, 1e-9);
    let normal = of(Normalisation::Symmetric);
    close(&[normal[0], normal[7]], &[0.0807653569, 1.9213373861], 1e-9);
    let augmented = of(Normalisation::Augmented);
    close(
        &[augmented[0], augmented[7]],
        &[0.0555859622, 1.5794701592],
        1e-9,
    );
    // As orthogonal maps would be: the same L, in blocks.
    assert!(
        normal
            .iter()
            .chain(&augmented)
            .all(|v| (0.0..=2.0).contains(v))
    );
}

#[test]
fn bundles_in_numbers() {
    let graph = square();
    let of = |values: &[f64], normalisation| {
        spectrum(&matrix(
            &graph,
            (ORTHOGONAL, &[10, 2, 2], values),
            normalisation,
        ))
    };
    // Transport that is trivial around each cycle: two global sections.
    let flat = all_maps(|v, _| rotation(0.3 * v));
    let normal = of(&flat, Normalisation::Symmetric);
    let third = 1.0 / 3.0;
    let known = [
        0.0,
        0.0,
        1.0,
        1.0,
        4.0 * third,
        4.0 * third,
        5.0 * third,
        5.0 * third,
    ];
    close(&normal, &known, 1e-13);
    let kernel = of(&flat, Normalisation::Plain);
    assert!(kernel[1].abs() < 1e-13 && kernel[2] > 0.5, "{kernel:?}");
    // Transport that is not: none.
    let turned = all_maps(|v, e| rotation((3.0 * v + 5.0 * e).sin()));
    let normal = of(&turned, Normalisation::Symmetric);
    close(&normal[..1], &[0.1483365041], 1e-10);
    // Blocks as for any matrices give the same as degrees.
    let as_general = matrix(
        &graph,
        (GENERAL, &[10, 2, 2], &turned),
        Normalisation::Symmetric,
    );
    close(&spectrum(&as_general), &normal, 1e-13);
}

#[test]
fn ones_are_the_graph_laplacian() {
    let graph = square();
    let ones: (Make, &[usize], &[f64]) = (DIAGONAL, &[10, 1], &[1.0; 10]);
    let l = matrix(&graph, ones, Normalisation::Plain);
    let known = [
        [3.0, -1.0, -1.0, -1.0],
        [-1.0, 2.0, -1.0, 0.0],
        [-1.0, -1.0, 3.0, -1.0],
        [-1.0, 0.0, -1.0, 2.0],
    ];
    let normal = matrix(&graph, ones, Normalisation::Symmetric);
    let augmented = matrix(&graph, ones, Normalisation::Augmented);
    for i in 0..4 {
        for j in 0..4 {
            assert_eq!(l[(i, j)], known[i][j]);
            let degrees: f64 = known[i][i] * known[j][j];
            assert!((normal[(i, j)] - known[i][j] / degrees.sqrt()).abs() < 1e-15);
            let degrees: f64 = (known[i][i] + 1.0) * (known[j][j] + 1.0);
            assert!((augmented[(i, j)] - known[i][j] / degrees.sqrt()).abs() < 1e-15);
        }
    }
}

/// A node without edges, and maps that are no inverse of anything: rows of zeros, not NaN.
#[test]
fn isolated_nodes_and_singular_maps() {
    let graph = SheafGraph::new(3, &[(0, 1)]).unwrap();
    // An edge alone is bipartite: the largest eigenvalue is 1 + the cosine between the images of its maps.
    let cases: [(f64, (Make, &[usize], &[f64])); 3] = [
        (2.0, (DIAGONAL, &[2, 2], &[1.0, 0.0, 2.0, 0.0])),
        (
            1.0 + 0.5_f64.sqrt(),
            (
                GENERAL,
                &[2, 2, 2],
                &[1.0, 1.0, 1.0, 1.0, 2.0, 0.0, 0.0, 0.0],
            ),
        ),
        (
            2.0,
            (
                ORTHOGONAL,
                &[2, 2, 2],
                &[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0],
            ),
        ),
    ];
    for (largest, maps) in cases {
        for normalisation in [
            Normalisation::Plain,
            Normalisation::Symmetric,
            Normalisation::Augmented,
        ] {
            let m = matrix(&graph, maps, normalisation);
            let values = spectrum(&m);
            assert!(
                values.iter().all(|v| v.is_finite() && *v > -1e-12),
                "{values:?}"
            );
            for k in 0..6 {
                assert_eq!((m[(4, k)], m[(5, k)]), (0.0, 0.0));
            }
            if normalisation == Normalisation::Symmetric {
                assert!((values[5] - largest).abs() < 1e-12, "{values:?}");
            }
        }
    }
}

#[test]
fn frames_are_orthogonal() {
    for (frame, d) in [
        (Frame::Householder, 2),
        (Frame::Householder, 5),
        (Frame::Cayley, 2),
        (Frame::Cayley, 4),
        (Frame::Exponential, 3),
        (Frame::Exponential, 5),
        (Frame::Euler, 2),
        (Frame::Euler, 3),
    ] {
        let family = MapFamily::Orthogonal(frame);
        let n = family.numbers(d);
        let values: Vec<f64> = (0..6 * n).map(|k| 3.0 * (1.7 * k as f64).sin()).collect();
        let g = Graph::new();
        let maps = family.maps(d, g.input(&[6, n])).unwrap();
        let q = &run(&g, &[maps.array()], &[&values])[0];
        for (m, q) in q.chunks(d * d).enumerate() {
            for i in 0..d {
                for j in 0..d {
                    let dot: f64 = (0..d).map(|k| q[i * d + k] * q[j * d + k]).sum();
                    let one = f64::from(u8::from(i == j));
                    assert!((dot - one).abs() < 1e-12, "{frame:?} {d} {m}: {dot}");
                }
            }
            let q = Mat::from_fn(d, d, |i, j| q[i * d + j]);
            let turns = frame != Frame::Householder || d % 2 == 0;
            let sign = if turns { 1.0 } else { -1.0 };
            assert!((q.determinant() - sign).abs() < 1e-12, "{frame:?} {d}");
        }
    }
}

/// One angle a: the exponential and Euler's angle turn by it, Cayley's by 2·atan(a/2); a reflection and −e₂ by its formula.
/// In three dimensions Rodrigues' formula, and a product of rotations about the axes.
#[test]
fn frames_in_closed_form() {
    let at = |frame: Frame, d: usize, p: &[f64]| {
        let g = Graph::new();
        let maps = MapFamily::Orthogonal(frame)
            .maps(d, g.input(&[1, p.len()]))
            .unwrap();
        run(&g, &[maps.array()], &[p]).remove(0)
    };
    for a in [0.0, 0.3, -2.0, 3.0] {
        close(&at(Frame::Exponential, 2, &[a]), &rotation(a), 1e-14);
        close(
            &at(Frame::Cayley, 2, &[a]),
            &rotation(2.0 * (0.5 * a).atan()),
            1e-14,
        );
        close(
            &at(Frame::Euler, 2, &[a / std::f64::consts::TAU]),
            &rotation(a),
            1e-14,
        );
        let s = 1.0 + a * a;
        let known = [1.0 - 2.0 / s, 2.0 * a / s, -2.0 * a / s, 1.0 - 2.0 / s];
        close(&at(Frame::Householder, 2, &[a]), &known, 1e-14);
    }
    // A = [[0, −p, −q], [p, 0, −r], [q, r, 0]]: turns by θ = ‖(p, q, r)‖; e^A = 1 + sin θ/θ·A + (1 − cos θ)/θ²·A².
    let (p, q, r): (f64, f64, f64) = (0.7, -1.1, 0.4);
    let a = Mat::from_fn(3, 3, |i, j| [0.0, -p, -q, p, 0.0, -r, q, r, 0.0][3 * i + j]);
    let theta: f64 = (p * p + q * q + r * r).sqrt();
    let square = &a * &a;
    let one = |i: usize, j: usize| f64::from(u8::from(i == j));
    let known: Vec<f64> = (0..9)
        .map(|k| (k / 3, k % 3))
        .map(|(i, j)| {
            one(i, j)
                + theta.sin() / theta * a[(i, j)]
                + (1.0 - theta.cos()) / (theta * theta) * square[(i, j)]
        })
        .collect();
    close(&at(Frame::Exponential, 3, &[p, q, r]), &known, 1e-14);
    let turn = |axis: usize, angle: f64| {
        let (c, s) = (angle.cos(), angle.sin());
        let (i, j) = ((axis + 1) % 3, (axis + 2) % 3);
        Mat::from_fn(3, 3, |a, b| match (a, b) {
            _ if (a, b) == (i, i) || (a, b) == (j, j) => c,
            _ if (a, b) == (i, j) => -s,
            _ if (a, b) == (j, i) => s,
            _ => one(a, b),
        })
    };
    let known = turn(2, 0.5) * turn(1, -1.2) * turn(0, 2.0);
    let known: Vec<f64> = (0..9).map(|k| known[(k / 3, k % 3)]).collect();
    let angles = [0.5, -1.2, 2.0].map(|a| a / std::f64::consts::TAU);
    close(&at(Frame::Euler, 3, &angles), &known, 1e-14);
}

fn families() -> Vec<(MapFamily, usize)> {
    vec![
        (MapFamily::Diagonal, 1),
        (MapFamily::Diagonal, 3),
        (MapFamily::Orthogonal(Frame::Householder), 3),
        (MapFamily::Orthogonal(Frame::Cayley), 3),
        (MapFamily::Orthogonal(Frame::Exponential), 3),
        (MapFamily::Orthogonal(Frame::Euler), 2),
        (MapFamily::General, 2),
    ]
}

/// Gradients of whole networks in all parameters and the input, against central differences.
#[test]
fn gradients_as_differences() {
    let graph = square();
    for (k, (family, learnt)) in families().into_iter().enumerate() {
        let options = SheafOptions {
            family,
            learnt,
            fixed: [vec![], vec![Fixed::Low], vec![Fixed::High, Fixed::Low]][k % 3].clone(),
            channels: 3,
            learner: [Learner::Full, Learner::Summed][k % 2],
            weights: [EdgeWeights::Learnt, EdgeWeights::One][k % 2],
            normalisation: [
                Normalisation::Augmented,
                Normalisation::Symmetric,
                Normalisation::Plain,
            ][k % 3],
            activation: Activation::Tanh,
            layers: 2,
            refresh: [Refresh::EachLayer, Refresh::Once][k / 2 % 2],
            ..SheafOptions::default()
        };
        let mut layout = Layout::new();
        let net = SheafNetwork::new(&mut layout.root(), &graph, (5, 2), &options).unwrap();
        let mut parameters = Parameters::<f64>::new(&layout, Key::new(k as u64));
        for (i, v) in parameters.values_mut().iter_mut().enumerate() {
            *v += 0.3 * (0.9 * i as f64).sin();
        }
        let g = Graph::new();
        let pass = Pass::new(&g, &layout, (Mode::Train, None));
        let x = g.input(&[NODES, 5]);
        let y = net.apply(&pass, x);
        let probe = g.constant(&[NODES, 2], (0..8).map(|k| f64::from(k).cos()).collect());
        let loss = (y * probe).sum();
        let mut arrays = pass.arrays().to_vec();
        arrays.push(x);
        let mut outputs = vec![loss];
        outputs.extend(gradient(loss, &arrays));
        let program = Program::<f64>::compile(&g.finish(&outputs), &Options::default()).unwrap();
        let mut values: Vec<Vec<f64>> = parameters.iter().map(|(_, v)| v.to_vec()).collect();
        values.push((0..NODES * 5).map(|k| (1.1 * k as f64).sin()).collect());
        let at = |values: &[Vec<f64>]| {
            let inputs: Vec<&[f64]> = values.iter().map(|v| &v[..]).collect();
            let mut results: Vec<Vec<f64>> =
                outputs.iter().map(|o| vec![0.0; o.shape().len()]).collect();
            let mut outs: Vec<&mut [f64]> = results.iter_mut().map(|r| &mut r[..]).collect();
            program.run(&inputs, &mut outs).unwrap();
            results
        };
        let slopes = at(&values);
        let mut moves = 0;
        for a in 0..values.len() {
            for i in 0..values[a].len() {
                let value = values[a][i];
                // Differences of order 4.
                let h = 1e-4;
                let mut moved = |by: f64| {
                    values[a][i] = value + by * h;
                    at(&values)[0][0]
                };
                let near = moved(1.0) - moved(-1.0);
                let difference = (8.0 * near - (moved(2.0) - moved(-2.0))) / (12.0 * h);
                values[a][i] = value;
                let slope = slopes[1 + a][i];
                assert!(
                    (slope - difference).abs() < 1e-7 * (1.0 + difference.abs()),
                    "{family:?}, array {a}, {i}: {slope} and {difference}"
                );
                moves += usize::from(slope.abs() > 1e-4);
            }
        }
        assert!(
            moves > layout.len() / 2,
            "{family:?}: {moves} of {}",
            layout.len()
        );
    }
}

/// Coordinates that are not learnt: a stalk of one high coordinate beside a low one has D + A beside D − A.
#[test]
fn fixed_coordinates() {
    let graph = square();
    let options = SheafOptions {
        learnt: 1,
        fixed: vec![Fixed::Low, Fixed::High],
        channels: 12,
        normalisation: Normalisation::Plain,
        ..SheafOptions::default()
    };
    let mut layout = Layout::new();
    let layer = SheafDiffusion::new(&mut layout.root(), &graph, &options).unwrap();
    let g = Graph::new();
    let pass = Pass::new(&g, &layout, (Mode::Evaluate, None));
    let features = g.constant(&[4, 3, 12], vec![0.5; 144]);
    let laplacian = layer.laplacian(&pass, features).unwrap();
    let units = g.constant(
        &[4, 3, 12],
        (0..144)
            .map(|k| f64::from(u8::from(k / 12 == k % 12)))
            .collect(),
    );
    let parameters = Parameters::<f64>::new(&layout, Key::new(0));
    let inputs: Vec<&[f64]> = parameters.iter().map(|(_, v)| v).collect();
    let l = &run(&g, &[laplacian.apply(units)], &inputs)[0];
    for u in 0..4 {
        for v in 0..4 {
            let joined = EDGES.iter().any(|e| *e == (u, v) || *e == (v, u));
            let degree = EDGES.iter().filter(|e| e.0 == u || e.1 == u).count() as f64;
            let (diagonal, off) = (
                if u == v { degree } else { 0.0 },
                f64::from(u8::from(joined)),
            );
            assert_eq!(l[(3 * u + 1) * 12 + 3 * v + 1], diagonal - off);
            assert_eq!(l[(3 * u + 2) * 12 + 3 * v + 2], diagonal + off);
        }
    }
}

/// dX/dt = −Δ·X with W₁ = W₂ = 1 on a sheaf that stays: X(t) = e^(−tΔ)·X(0), and e^(−tΔ) by eigenvectors. The layer itself, with
/// ε = 0 and no activation, is one step of Euler with h = 1.
#[test]
fn diffusion_in_time() {
    let graph = square();
    let options = SheafOptions {
        family: MapFamily::General,
        channels: 3,
        activation: Activation::Identity,
        ..SheafOptions::default()
    };
    let mut layout = Layout::new();
    let layer = SheafDiffusion::new(&mut layout.root(), &graph, &options).unwrap();
    let mut parameters = Parameters::<f64>::new(&layout, Key::new(0));
    let unit: Vec<f64> = (0..9).map(|k| f64::from(u8::from(k % 4 == 0))).collect();
    parameters.get_mut("right").unwrap().copy_from_slice(&unit);
    let values = general();
    let field = parameters
        .field(&[NODES, 2, 3], |pass, _, x| {
            let maps = Maps::General(x.graph().constant(&[10, 2, 2], values.clone()));
            layer.flow(
                pass,
                &SheafLaplacian::new(&graph, maps, None, Normalisation::Augmented),
                x,
            )
        })
        .unwrap();
    let start: Vec<f64> = (0..24).map(|k| (0.8 * f64::from(k)).sin()).collect();
    let mut x = start.clone();
    let t = 2.0;
    let options = ansatz_diffeq::Options::tolerance(1e-11, 1e-11);
    ansatz_diffeq::solve(&field, (0.0, t), &mut x, &options, &mut ()).unwrap();
    let delta = matrix(
        &graph,
        (GENERAL, &[10, 2, 2], &values),
        Normalisation::Augmented,
    );
    let eigen = delta.self_adjoint_eigen(Side::Lower).unwrap();
    let (u, s) = (eigen.U(), eigen.S().column_vector());
    let flow = Mat::from_fn(8, 8, |i, j| {
        (0..8)
            .map(|k| u[(i, k)] * (-t * s[k]).exp() * u[(j, k)])
            .sum::<f64>()
    });
    for i in 0..8 {
        for c in 0..3 {
            let exact: f64 = (0..8).map(|j| flow[(i, j)] * start[3 * j + c]).sum();
            assert!(
                (x[3 * i + c] - exact).abs() < 1e-9,
                "{} and {exact}",
                x[3 * i + c]
            );
        }
    }
    // Its own sheaf: the layer is X + velocity.
    let own = parameters
        .field(&[NODES, 2, 3], |pass, _, x| {
            layer.velocity(pass, x).unwrap()
        })
        .unwrap();
    let step = parameters
        .field(&[NODES, 2, 3], |pass, _, x| layer.apply(pass, x))
        .unwrap();
    let (mut velocity, mut next) = (vec![0.0; 24], vec![0.0; 24]);
    own.eval(0.0, &start, &mut velocity).unwrap();
    step.eval(0.0, &start, &mut next).unwrap();
    for ((x, v), y) in start.iter().zip(&velocity).zip(&next) {
        assert!((x + v - y).abs() < 1e-14);
    }
    assert!(velocity.iter().any(|v| v.abs() > 0.01));
    // A layer that is given its sheaf has none of its own.
    let options = SheafOptions {
        refresh: Refresh::Once,
        ..SheafOptions::default()
    };
    let mut layout = Layout::new();
    let net = SheafNetwork::new(&mut layout.root(), &square(), (5, 2), &options).unwrap();
    let g = Graph::new();
    let pass = Pass::new(&g, &layout, (Mode::Evaluate, None));
    let x = g.input(&[NODES, 2, 16]);
    assert!(net.layers()[0].velocity(&pass, x).is_ok());
    assert!(matches!(
        net.layers()[1].velocity(&pass, x),
        Err(NetworkError::Size {
            expected: 1,
            got: 0,
            ..
        })
    ));
}

#[test]
fn what_cannot_be_is_refused() {
    for (edges, problem) in [
        (
            vec![(0, 1), (1, 3)],
            "edge 1, (1, 3) of 3 nodes: one of its ends is no node",
        ),
        (
            vec![(2, 2)],
            "edge 0, (2, 2) of 3 nodes: it joins a node to itself",
        ),
        (
            vec![(0, 1), (1, 2), (1, 0)],
            "edge 2, (1, 0) of 3 nodes: it is there twice",
        ),
    ] {
        assert_eq!(SheafGraph::new(3, &edges).unwrap_err().to_string(), problem);
    }
    let graph = square();
    let refused = |family, learnt| {
        let mut layout = Layout::new();
        let options = SheafOptions {
            family,
            learnt,
            ..SheafOptions::default()
        };
        let error = SheafNetwork::new(&mut layout.root(), &graph, (3, 2), &options).unwrap_err();
        assert!(layout.is_empty());
        assert!(
            matches!(error, NetworkError::Option { name: "stalk", .. }),
            "{error}"
        );
    };
    refused(MapFamily::Diagonal, 0);
    refused(MapFamily::General, 1);
    refused(MapFamily::Orthogonal(Frame::Cayley), 1);
    refused(MapFamily::Orthogonal(Frame::Euler), 1);
    refused(MapFamily::Orthogonal(Frame::Euler), 4);
    let mut layout = Layout::new();
    let empty = SheafGraph::new(3, &[]).unwrap();
    let error = SheafNetwork::new(&mut layout.root(), &empty, (3, 2), &SheafOptions::default());
    assert!(matches!(error, Err(NetworkError::Size { .. })));
    for dropout in [(1.0, 0.0), (0.0, f64::NAN)] {
        let options = SheafOptions {
            dropout,
            ..SheafOptions::default()
        };
        let error = SheafNetwork::new(&mut layout.root(), &graph, (3, 2), &options);
        assert!(matches!(error, Err(NetworkError::Option { .. })));
    }
}
