//! Diffusion with sorption for any start: a network of basis functions whose mixture solves the equation, beside a
//! network that is punished for not solving it.
//!
//! R(u)·u_t = D·u_xx on (0, 1) × (0, 500], u(0, t) = 1, u(1, t) = −D·u_x(1, t), from a constant u₀ in [0, 0.2]. The hard network
//! gives 16 functions of (x, t, u₀); a problem of least squares finds the mixture that satisfies equation and conditions at
//! sampled points, and training, through the solutions, lowers the residual between them. The soft network, of the same size,
//! gives u and minimises the same residuals for as long: it takes eight steps where the other takes one, and on an equation as
//! tame as this that outweighs what the layer knows. With the domain in four parts, a mixture each, the error is 0.2: a part
//! that does not touch the side where u is held has no way to know what comes from there.
//! The reference is a classical solver. Run it with `cargo run --release -p ansatz-pde --example hard_constraints`.
//!
//! gallery: An equation as a layer that solves it, and a network that knows of it
//! gallery: expect error with hard constraints in 0..0.15
//! gallery: expect error with soft constraints in 0..0.1
//! gallery: picture hard_constraints.svg u at the end for a start that was not trained on

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ansatz_pde::autodiff::Array;
use ansatz_pde::core::Key;
use ansatz_pde::experts::{Backward, Constraint, ConstraintOptions, Equations};
use ansatz_pde::nn::{
    Adam, Data, Layer, Layout, Loss, Mlp, MlpOptions, Mode, Objective, Optimizer, Parameters, Pass,
};
use ansatz_pde::{PdeError, Term, Terms, Weighting, partials, relative_error, sample};
use ansatz_physics::sorption::Sorption;
use ansatz_viz::{Axis, Chart, Series};

const D: f64 = 5e-4;
const END: f64 = 500.0;
/// Samples of a batch, parts of the domain, basis functions.
const BATCH: usize = 3;
const PARTS: usize = 1;
const BASIS: usize = 16;
/// Points of an expert: equation, start, either side.
const INSIDE: usize = 300;
const EDGE: usize = 60;

/// R(u) of Freundlich's isotherm.
fn retardation(u: Array<'_>) -> Array<'_> {
    let factor = 0.71 / 0.29 * 2880.0 * 3.5e-4 * 0.874;
    (u.relu() + 1e-6).powf(0.874 - 1.0) * factor + 1.0
}

/// Points (x, t, u₀) with the time in units of the end, for each sample and part.
fn points(
    key: Key,
    starts: &[f64],
    per_part: usize,
    place: impl Fn(f64, [f64; 2]) -> [f64; 2],
) -> Vec<f64> {
    let mut rows = Vec::new();
    for (s, u0) in starts.iter().enumerate() {
        for part in 0..PARTS {
            for i in 0..per_part {
                let key = key.fold_in((s * PARTS + part) as u64);
                let draw = key.uniform(0, i as u64);
                let [x, t] = place(part as f64, draw);
                rows.extend([x, t, *u0]);
            }
        }
    }
    rows
}

fn inside(key: Key, starts: &[f64], count: usize) -> Vec<f64> {
    points(key, starts, count, |part, [u, v]| {
        [(part + u) / PARTS as f64, v]
    })
}

fn starts(key: Key) -> Vec<f64> {
    (0..BATCH as u64)
        .map(|i| 0.2 * key.uniform(9, i)[0])
        .collect()
}

/// The equation, divided by 10.
fn equation<'g>(u: Array<'g>, u_t: Array<'g>, u_xx: Array<'g>) -> Array<'g> {
    (retardation(u) * u_t - u_xx * (D * END)) * 0.1
}

struct Hard {
    net: Mlp,
    layer: Constraint,
}

impl Hard {
    fn new(layout: &mut Layout) -> Result<Self, PdeError> {
        let net = Mlp::new(
            &mut layout.root(),
            &[3, 32, 32, BASIS],
            &MlpOptions::default(),
        );
        let options = ConstraintOptions {
            experts: BATCH * PARTS,
            basis: BASIS,
            iterations: 30,
            start: 0.0,
            // Early functions leave residuals whose curvature is not positive.
            backward: Backward::GaussNewton,
            ..ConstraintOptions::default()
        };
        let kinds = vec![
            Equations::new([INSIDE, 3, 0], |u, _| equation(u[0], u[1], u[2])),
            Equations::new([EDGE, 1, 1], |u, u0| u[0] - u0[0]),
            Equations::new([EDGE, 1, 0], |u, _| u[0] - 1.0),
            Equations::new([EDGE, 2, 0], |u, _| u[0] + u[1] * D),
        ];
        Ok(Self {
            net,
            layer: Constraint::new(kinds, &options)?,
        })
    }

    /// Functions with their derivatives at rows of points.
    fn basis<'g>(
        &self,
        pass: &Pass<'g>,
        x: Array<'g>,
        orders: &[Vec<usize>],
    ) -> Result<Vec<Array<'g>>, PdeError> {
        let shift = x.graph().constant(&[1, 3], vec![-1.0, -1.0, -1.0]);
        let scale = x.graph().constant(&[1, 3], vec![2.0, 2.0, 10.0]);
        let b = self.net.apply(pass, x * scale + shift);
        partials(b, x, orders)
    }

    /// The mixture of each expert, from points of the four kinds.
    fn weights<'g>(&self, pass: &Pass<'g>, data: &[Array<'g>]) -> Result<Array<'g>, PdeError> {
        let experts = BATCH * PARTS;
        let orders = [
            vec![vec![0, 0, 0], vec![0, 1, 0], vec![2, 0, 0]],
            vec![vec![0, 0, 0]],
            vec![vec![0, 0, 0]],
            vec![vec![0, 0, 0], vec![1, 0, 0]],
        ];
        let mut args = Vec::new();
        for (k, (x, orders)) in data.iter().zip(&orders).enumerate() {
            let count = x.shape()[0] / experts;
            let all = self.basis(pass, x.variable(), orders)?;
            args.extend(all.iter().map(|b| b.reshape(&[experts, count, BASIS])));
            if k == 1 {
                args.push(x.narrow(1, 2, 3).reshape(&[experts, count, 1]));
            }
        }
        self.layer.apply(&args)
    }

    /// Σ bω of each row, for each order of derivatives.
    fn mixed<'g>(
        &self,
        pass: &Pass<'g>,
        (x, omega): (Array<'g>, Array<'g>),
        orders: &[Vec<usize>],
    ) -> Result<Vec<Array<'g>>, PdeError> {
        let (experts, rows) = (BATCH * PARTS, x.shape()[0]);
        let omega = omega.reshape(&[experts, BASIS, 1]);
        let all = self.basis(pass, x.variable(), orders)?;
        let mix = |b: &Array<'g>| {
            let b = b.reshape(&[experts, rows / experts, BASIS]);
            b.matmul(omega).reshape(&[rows, 1])
        };
        Ok(all.iter().map(mix).collect())
    }

    fn draw(key: Key, starts: &[f64]) -> [Vec<f64>; 4] {
        [
            inside(key.fold_in(1), starts, INSIDE),
            points(key.fold_in(2), starts, EDGE, |part, [u, _]| {
                [(part + u) / PARTS as f64, 0.0]
            }),
            points(key.fold_in(3), starts, EDGE, |_, [_, v]| [0.0, v]),
            points(key.fold_in(4), starts, EDGE, |_, [_, v]| [1.0, v]),
        ]
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let time = Duration::from_secs(20);
    let places: Vec<f64> = (0..100).map(|i| (f64::from(i) + 0.5) / 100.0).collect();
    let tests = [0.02, 0.1, 0.17];
    let mut exact = Vec::new();
    for u0 in tests {
        let solution = Sorption::default().solve(|_| u0, &[END])?;
        exact.push(
            places
                .iter()
                .map(|x| solution.value(*x, END))
                .collect::<Result<Vec<f64>, _>>()?,
        );
    }

    // Hard: the loss is the residual at other points than those that were solved at.
    let mut layout = Layout::new();
    let hard = Arc::new(Hard::new(&mut layout)?);
    let sizes = [INSIDE, EDGE, EDGE, EDGE, INSIDE];
    let rows = |per: usize| per * BATCH * PARTS;
    let data: Vec<Data> = sizes
        .iter()
        .map(|m| Data::Whole(vec![rows(*m), 3]))
        .collect();
    let own = hard.clone();
    let mut objective = Objective::<f64>::compile(&layout, &data, |pass, data| {
        let loss = || -> Result<Array<'_>, PdeError> {
            let omega = own.weights(pass, &data[..4])?;
            let orders = [vec![0, 0, 0], vec![0, 1, 0], vec![2, 0, 0]];
            let u = own.mixed(pass, (data[4], omega), &orders)?;
            Ok(equation(u[0], u[1], u[2]).square().mean())
        };
        loss().expect("shapes are those of the options")
    })?;
    let mut parameters = Parameters::<f64>::new(&layout, Key::new(1));
    let mut adam = Optimizer::new(Adam::default(), parameters.values().len());
    let mut slopes = vec![0.0; parameters.values().len()];
    let (began, mut step) = (Instant::now(), 0);
    while began.elapsed() < time {
        let key = Key::new(2).fold_in(step);
        let starts = starts(key);
        let mut data = Hard::draw(key, &starts).to_vec();
        data.push(inside(key.fold_in(5), &starts, INSIDE));
        let data: Vec<&[f64]> = data.iter().map(|d| &d[..]).collect();
        let loss = objective.gradient(&parameters, &data, key, &mut slopes)?;
        if !loss.is_finite() {
            return Err(format!("{:?}", hard.layer.failure()).into());
        }
        let rate = 2e-3 * 0.1_f64.powf(began.elapsed().as_secs_f64() / time.as_secs_f64());
        adam.step(rate, &slopes, parameters.values_mut())?;
        step += 1;
        if step % 100 == 0 {
            let reports = hard.layer.reports();
            let most = reports.iter().map(|r| r.iterations).max().unwrap_or(0);
            println!(
                "{step} steps: residual {:.2e}, at most {most} iterations",
                loss.sqrt()
            );
        }
    }
    // The network's functions at the places of the end, after the mixture was solved for.
    let key = Key::new(3);
    let mut data = Hard::draw(key, &tests).concat();
    let fixed = data.len() / 3;
    for u0 in tests {
        data.extend(places.iter().flat_map(|x| [*x, 1.0, u0]));
    }
    let all = rows(INSIDE);
    let found = sample(&parameters, 3, &data, |pass, x| {
        let mut from = 0;
        let kinds = [all, rows(EDGE), rows(EDGE), rows(EDGE)].map(|n| {
            from += n;
            x.narrow(0, from - n, from)
        });
        let omega = hard.weights(pass, &kinds)?;
        let end = x.narrow(0, fixed, x.shape()[0]);
        Ok(hard.mixed(pass, (end, omega), &[vec![0, 0, 0]])?.remove(0))
    })?;
    let hard_error = relative_error(&found, &exact.concat())?;
    println!("error with hard constraints = {hard_error:.3} after {step} steps");

    // Soft: the same points and residuals, u itself from the network.
    let mut layout = Layout::new();
    let net = Arc::new(Mlp::new(
        &mut layout.root(),
        &[3, 32, 32, 1],
        &MlpOptions::default(),
    ));
    let terms = soft_terms(&net);
    let mut terms = Terms::<f64>::compile(&layout, terms, (Weighting::Fixed, Mode::Train))?;
    let mut parameters = Parameters::new(terms.layout(), Key::new(1));
    let mut adam = Optimizer::new(Adam::default(), parameters.values().len());
    let mut slopes = vec![0.0; parameters.values().len()];
    let (began, mut step) = (Instant::now(), 0);
    while began.elapsed() < time {
        let key = Key::new(2).fold_in(step);
        for (i, points) in Hard::draw(key, &starts(key)).into_iter().enumerate() {
            terms.set_points(i, points)?;
        }
        let data = terms.data();
        let data: Vec<&[f64]> = data.iter().map(|d| &d[..]).collect();
        terms.gradient(&parameters, &data, key, &mut slopes)?;
        let rate = 2e-3 * 0.1_f64.powf(began.elapsed().as_secs_f64() / time.as_secs_f64());
        adam.step(rate, &slopes, parameters.values_mut())?;
        step += 1;
    }
    let ends: Vec<f64> = tests
        .iter()
        .flat_map(|u0| places.iter().flat_map(move |x| [*x, 1.0, *u0]))
        .collect();
    let soft = sample(&parameters, 3, &ends, |pass, x| {
        Ok(soft_field(&net, pass, x))
    })?;
    let soft_error = relative_error(&soft, &exact.concat())?;
    println!("error with soft constraints = {soft_error:.3} after {step} steps");
    println!("soft over hard = {:.2}", soft_error / hard_error);

    let n = places.len();
    let line = |values: &[f64]| {
        places
            .iter()
            .copied()
            .zip(values[n..2 * n].to_vec())
            .collect::<Vec<_>>()
    };
    let axis = |label: &str| Axis {
        label: label.into(),
        ..Axis::default()
    };
    let chart = Chart {
        title: "u after 500 units of time from u₀ = 0.1".into(),
        x: axis("x"),
        y: axis("u"),
        series: vec![
            Series::line("reference", line(&exact.concat())),
            Series::dots("hard", line(&found)),
            Series::line("soft", line(&soft)),
        ],
        ..Chart::default()
    };
    let folder = Path::new("target/gallery");
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("hard_constraints.svg"), chart.to_svg()?)?;
    println!("wrote target/gallery/hard_constraints.svg");
    Ok(())
}

fn soft_field<'g>(net: &Mlp, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
    let shift = x.graph().constant(&[1, 3], vec![-1.0, -1.0, -1.0]);
    let scale = x.graph().constant(&[1, 3], vec![2.0, 2.0, 10.0]);
    net.apply(pass, x * scale + shift)
}

fn soft_terms(net: &Arc<Mlp>) -> Vec<Term> {
    let [a, b, c, d] = [(); 4].map(|()| net.clone());
    let empty = |per: usize| vec![0.0; per * BATCH * PARTS * 3];
    vec![
        Term::new("equation", 3, empty(INSIDE), move |pass, x| {
            let u = soft_field(&a, pass, x);
            let u = partials(u, x, &[vec![0, 0, 0], vec![0, 1, 0], vec![2, 0, 0]])?;
            Ok(equation(u[0], u[1], u[2]))
        }),
        Term::new("start", 3, empty(EDGE), move |pass, x| {
            Ok(soft_field(&b, pass, x) - x.narrow(1, 2, 3))
        }),
        Term::new("left", 3, empty(EDGE), move |pass, x| {
            Ok(soft_field(&c, pass, x) - 1.0)
        }),
        Term::new("right", 3, empty(EDGE), move |pass, x| {
            let u = partials(soft_field(&d, pass, x), x, &[vec![0, 0, 0], vec![1, 0, 0]])?;
            Ok(u[0] + u[1] * D)
        }),
    ]
}
