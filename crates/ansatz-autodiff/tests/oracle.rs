//! Derivatives of order 0 to 4 beside JAX, by every mode.
//!
//! `fixtures/derivatives.py` writes the numbers. Each case here is a function under the name that it has there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use ansatz_autodiff::op::{Range, Side};
use ansatz_autodiff::{Array, Graph, gradient, jet, jvp, laplacian, vjp};
use common::{agree, run};

type Function = for<'g> fn(Array<'g>) -> Array<'g>;

const TURNED: [usize; 2] = [4, 3];

/// Functions of a 3×4 array.
const PRIMITIVES: [(&str, Function); 62] = [
    ("neg", |x| -x),
    ("recip", |x| x.recip()),
    ("recip of negatives", |x| x.recip()),
    ("sqrt", |x| x.sqrt()),
    ("rsqrt", |x| x.rsqrt()),
    ("exp", |x| x.exp()),
    ("expm1", |x| x.expm1()),
    ("ln", |x| x.ln()),
    ("ln1p", |x| x.ln1p()),
    ("sin", |x| x.sin()),
    ("cos", |x| x.cos()),
    ("tanh", |x| x.tanh()),
    ("sigmoid", |x| x.sigmoid()),
    ("softplus", |x| x.softplus()),
    ("silu", |x| x.silu()),
    ("gelu", |x| x.gelu()),
    ("erf", |x| x.erf()),
    ("abs", |x| x.abs()),
    ("relu", |x| x.relu()),
    ("scale", |x| x * -2.5),
    ("shift", |x| (x + 1.5) * x),
    ("powi 0", |x| x.powi(0) * x.sin()),
    ("powi 1", |x| x.powi(1) * x.sin()),
    ("powi 2", |x| x.powi(2)),
    ("powi 3", |x| x.powi(3)),
    ("powi 7", |x| x.powi(7)),
    ("powi -1", |x| x.powi(-1)),
    ("powi -3", |x| x.powi(-3)),
    ("powf 1.7", |x| x.powf(1.7)),
    ("powf -0.5", |x| x.powf(-0.5)),
    ("add", |x| x.sin() + x),
    ("sub", |x| x.sin() - x.exp()),
    ("mul", |x| x.sin() * x.exp()),
    ("div", |x| x.sin() / (x * x + 1.0)),
    ("select", |x| x.less(x.filled(0.3)).select(x.sin(), x.exp())),
    ("max", |x| x.sin().max(x * x - 0.5)),
    ("min", |x| x.sin().min(x * x - 0.5)),
    ("sum", |x| x.powi(3).sum()),
    ("sum of rows", |x| x.powi(3).sum_axes(&[0]) * x),
    ("sum of columns", |x| {
        x.powi(3).sum_axes(&[1]).reshape(&[3, 1]) * x
    }),
    ("mean", |x| x.sin().mean() * x),
    ("log_sum_exp of rows", |x| x.log_sum_exp(&[0])),
    ("log_sum_exp of columns", |x| (x * 0.01).log_sum_exp(&[1])),
    ("softmax of rows", |x| x.softmax(&[0])),
    ("softmax of columns", |x| x.softmax(&[1]) * x),
    ("broadcast of a row", |x| x.sin() * x.narrow(0, 1, 2)),
    ("broadcast of a column", |x| x.sin() * x.narrow(1, 2, 3)),
    ("broadcast of a number", |x| {
        x.sin() * x.narrow(0, 1, 2).narrow(1, 1, 2)
    }),
    ("reshape", |x| x.reshape(&TURNED).sin()),
    ("transpose", |x| {
        x.sin().transpose(&[1, 0]) * x.reshape(&TURNED)
    }),
    ("transpose of three axes", |x| {
        x.reshape(&[3, 2, 2]).transpose(&[1, 2, 0]).exp()
    }),
    ("narrow", |x| x.narrow(1, 1, 3).sin() * x.narrow(1, 2, 4)),
    ("slice", |x| {
        let every_second = |start, length| Range {
            start,
            length,
            step: 2,
        };
        x.slice(&[every_second(0, 2), every_second(1, 2)]).exp()
    }),
    ("pad", |x| {
        let at = Range {
            start: 1,
            length: 4,
            step: 2,
        };
        x.sin().pad(&[3, 9], &[Range::all(3), at]) + 1.0
    }),
    ("concatenate", |x| {
        Array::concatenate(&[x.sin(), x * x, x.narrow(0, 0, 1)], 0)
    }),
    ("concatenate in a row", |x| {
        Array::concatenate(&[x.sin(), x * x, x.narrow(1, 0, 1)], 1)
    }),
    ("matmul", |x| x.matmul(x.reshape(&TURNED)).sin()),
    ("matmul, left transposed", |x| {
        x.matmul_by(x.square(), Side::Transposed, Side::Plain).sin()
    }),
    ("matmul, right transposed", |x| {
        x.matmul_by(x.square(), Side::Plain, Side::Transposed).sin()
    }),
    ("matmul, both transposed", |x| {
        let y = x.reshape(&TURNED);
        x.matmul_by(y, Side::Transposed, Side::Transposed).sin()
    }),
    ("matmul of stacks", |x| {
        let y = x.square().reshape(&[3, 2, 2]);
        x.reshape(&[3, 2, 2]).matmul(y).sin()
    }),
    ("matmul of stacks, transposed", |x| {
        let y = x.square().reshape(&[3, 2, 2]);
        let x = x.reshape(&[3, 2, 2]);
        x.matmul_by(y, Side::Transposed, Side::Transposed).sin()
    }),
];

/// The same, of more than one primitive.
const COMPOSED: [(&str, Function); 2] = [
    ("attention", |x| {
        let scores = x.matmul_by(x.sin(), Side::Plain, Side::Transposed);
        scores.softmax(&[1]).matmul(x)
    }),
    ("normalised rows", |x| {
        let mean = x.square().sum_axes(&[1]).reshape(&[3, 1]) * 0.25;
        x / (mean + 0.1).sqrt()
    }),
];

const ACTIVATIONS: [(&str, Function); 14] = [
    ("tanh", |x| x.tanh()),
    ("sigmoid", |x| x.sigmoid()),
    ("softplus", |x| x.softplus()),
    ("silu", |x| x.silu()),
    ("gelu", |x| x.gelu()),
    ("erf", |x| x.erf()),
    ("sin", |x| x.sin()),
    ("cos", |x| x.cos()),
    ("gaussian", |x| (-(x * x)).exp()),
    ("rational", |x| x / (x * x + 1.0)),
    ("root", |x| (x * x + 1.0).sqrt()),
    ("expm1", |x| (x * 0.5).expm1()),
    ("ln1p", |x| (x * x).ln1p()),
    ("cube", |x| x.powi(3)),
];

const WIDTHS: [usize; 4] = [2, 8, 8, 1];
const POINTS: usize = 5;

/// Elements by case and by what they are.
type Table = BTreeMap<(&'static str, &'static str), Vec<f64>>;

fn table() -> Table {
    let lines = include_str!("../fixtures/derivatives.txt").lines();
    lines
        .map(|line| {
            let mut fields = line.split('\t');
            let key = (fields.next().unwrap(), fields.next().unwrap());
            (key, fields.map(|f| f.parse().unwrap()).collect())
        })
        .collect()
}

#[test]
fn primitives_to_fourth_order() {
    let table = table();
    for (name, f) in PRIMITIVES.iter().chain(&COMPOSED) {
        let of = |what| table[&(*name, what)].as_slice();
        let g = Graph::new();
        let (x, v) = (g.input(&[3, 4]), g.input(&[3, 4]));
        let y = f(x);
        let w = g.input(&y.shape());
        // Derivatives of each element by nested tangents and by one series; of Σ w·y by nested cotangents and by
        // tangents of cotangents.
        let number = (y * w).sum();
        let (mut tangents, mut cotangents) = (vec![y], vec![number]);
        let mut mixed = vec![number];
        for k in 0..4 {
            tangents.push(jvp(&[tangents[k]], &[(x, v)])[0]);
            cotangents.push((vjp(&[(cotangents[k], g.number(1.0))], &[x])[0] * v).sum());
            mixed.push(if k == 0 {
                cotangents[1]
            } else {
                jvp(&[mixed[k]], &[(x, v)])[0]
            });
        }
        let series = jet(&[y], &[(x, &[v])], 4).remove(0);
        let mut outputs = tangents;
        outputs.extend(cotangents.iter().chain(&mixed).chain(&series));
        let got = run::<f64>(&g, &outputs, &[of("x"), of("v"), of("w")]);
        let mut factorial = 1.0;
        let orders = ["order 0", "order 1", "order 2", "order 3", "order 4"];
        for (k, order) in orders.iter().enumerate() {
            let expected = of(order);
            let weighted: f64 = expected.iter().zip(of("w")).map(|(a, b)| a * b).sum();
            agree(&format!("{name}: jvp, {order}"), &got[k], expected);
            // What a sum loses to cancellation is measured by its terms.
            let terms: f64 = expected
                .iter()
                .zip(of("w"))
                .map(|(a, b)| (a * b).abs())
                .sum();
            for (mode, at) in [("vjp", 5), ("jvp of vjp", 10)] {
                let error = (got[at + k][0] - weighted).abs();
                assert!(
                    error <= 1e-10 * weighted.abs() + 1e-12 * terms,
                    "{name}, {mode}, {order}: {}, by JAX {weighted}",
                    got[at + k][0]
                );
            }
            let derivative: Vec<f64> = got[15 + k].iter().map(|c| c * factorial).collect();
            agree(&format!("{name}: jet, {order}"), &derivative, expected);
            factorial *= (k + 1) as f64;
        }
    }
}

/// What a network's derivatives are called, with each mode that gives them.
struct Modes<'g> {
    laplacian: Vec<(&'static str, Array<'g>)>,
    third: Vec<(&'static str, Array<'g>)>,
    fourth: Vec<(&'static str, Array<'g>)>,
}

fn modes<'g>(u: Array<'g>, x: Array<'g>, d: Array<'g>) -> Modes<'g> {
    let g = x.graph();
    let unit = |i: usize| {
        let e = [[1.0, 0.0], [0.0, 1.0]][i].to_vec();
        g.constant(&[2], e).broadcast(&[POINTS, 2])
    };
    let units = [unit(0), unit(1)];
    let forward = |order: usize, d: Array<'g>| (0..order).fold(u, |y, _| jvp(&[y], &[(x, d)])[0]);
    // Points are independent: the cotangent of all ones gives each its own gradient.
    let backward = |order: usize, d: Array<'g>| {
        (0..order).fold(u, |y, _| {
            let slope = vjp(&[(y, y.ones())], &[x])[0];
            (slope * d).sum_axes(&[1]).reshape(&[POINTS, 1])
        })
    };
    let series = |order: usize, d: Array<'g>| {
        let factorial: usize = (1..=order).product();
        jet(&[u], &[(x, &[d])], order).remove(0)[order] * factorial as f64
    };
    let second = |f: &dyn Fn(usize, Array<'g>) -> Array<'g>| f(2, units[0]) + f(2, units[1]);
    let each = |order| {
        vec![
            ("jvp", forward(order, d)),
            ("vjp", backward(order, d)),
            ("jet", series(order, d)),
        ]
    };
    Modes {
        laplacian: vec![
            ("laplacian", laplacian(u, x, &units).second),
            ("jvp", second(&forward)),
            ("vjp", second(&backward)),
            ("jet", second(&series)),
        ],
        third: each(3),
        fourth: each(4),
    }
}

#[test]
fn networks_to_fourth_order_and_their_gradients() {
    let table = table();
    let given = |what| table[&("network", what)].as_slice();
    for (name, activation) in ACTIVATIONS {
        let of = |what| table[&(name, what)].as_slice();
        let g = Graph::new();
        let x = g.batch(&[POINTS, 2]);
        let d = g.input(&[2]);
        let shapes: Vec<Vec<usize>> = WIDTHS
            .windows(2)
            .flat_map(|w| [vec![w[0], w[1]], vec![w[1]]])
            .collect();
        let p: Vec<Array<'_>> = shapes.iter().map(|s| g.input(s)).collect();
        let q: Vec<Array<'_>> = shapes.iter().map(|s| g.input(s)).collect();
        let u = p.chunks(2).enumerate().fold(x, |h, (i, layer)| {
            let z = h.matmul(layer[0]) + layer[1];
            if i + 1 < shapes.len() / 2 {
                activation(z)
            } else {
                z
            }
        });
        let modes = modes(u, x, d.broadcast(&[POINTS, 2]));
        let mut outputs = vec![u];
        let mut expected = vec![("u".to_owned(), "u")];
        let lists = [
            ("laplacian", "gradient of laplacian", modes.laplacian),
            ("third", "gradient of third", modes.third),
            ("fourth", "gradient of fourth", modes.fourth),
        ];
        let flat = |arrays: Vec<Array<'_>>| -> Vec<usize> {
            arrays.iter().map(|a| a.shape().len()).collect()
        };
        let lengths = flat(p.clone());
        for (what, slopes, list) in lists {
            for (mode, y) in list {
                outputs.push(y);
                expected.push((mode.to_owned(), what));
                let loss = y.square().mean();
                let gradients = gradient(loss, &p);
                outputs.extend(&gradients);
                expected.push((mode.to_owned(), slopes));
                if what == "laplacian" {
                    let directions: Vec<_> = p.iter().copied().zip(q.iter().copied()).collect();
                    outputs.extend(jvp(&gradients, &directions));
                    expected.push((mode.to_owned(), "hessian of laplacian"));
                }
            }
        }
        let mut inputs: Vec<&[f64]> = vec![given("x"), given("d")];
        for all in [given("p"), given("q")] {
            let mut start = 0;
            for n in &lengths {
                inputs.push(&all[start..start + n]);
                start += n;
            }
        }
        let mut got = run::<f64>(&g, &outputs, &inputs).into_iter();
        for (mode, what) in expected {
            let many = what.contains("of laplacian") || what.starts_with("gradient");
            let parts = got.by_ref().take(if many { lengths.len() } else { 1 });
            let values: Vec<f64> = parts.flatten().collect();
            agree(&format!("{name}: {what} by {mode}"), &values, of(what));
        }
    }
}

/// Every case of the file is tested here.
#[test]
fn no_case_is_left_out() {
    let here = PRIMITIVES.iter().chain(&COMPOSED).chain(&ACTIVATIONS);
    let mut here: BTreeSet<&str> = here.map(|(name, _)| *name).collect();
    here.extend(["network", "matrices"]);
    let there: BTreeSet<&str> = table().keys().map(|(case, _)| *case).collect();
    assert_eq!(here, there);
}
