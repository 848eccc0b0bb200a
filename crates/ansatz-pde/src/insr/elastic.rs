//! An elastic body: each step is the least energy.

use ansatz_autodiff::Array;
use ansatz_core::Key;
use ansatz_nn::{Layout, Parameters, Pass};

use super::step::{Minimiser, StepReport, StepSolver};
use super::{PointSource, columns};
use crate::error::{expect, within};
use crate::probe::{Probe, side_by_side};
use crate::{Model, PdeError, Term, partials};

/// A part of the body that is held at given places.
#[derive(Clone)]
pub struct Anchor {
    /// Points of the body `[n, d]`.
    pub points: Vec<f64>,
    /// Where they are held, `[n, d]`.
    pub places: Vec<f64>,
}

/// What a body cannot enter.
#[derive(Debug, Clone, PartialEq)]
pub enum Contact {
    /// The half-space where the last coordinate is less than this.
    Floor(f64),
    /// A ball.
    Ball {
        /// Its centre.
        centre: Vec<f64>,
        /// Its radius.
        radius: f64,
    },
}

/// Options of an [`Elastic`] body: means over points take the place of integrals over the body at rest.
#[derive(Debug, Clone, PartialEq)]
pub struct ElasticOptions {
    /// Δt > 0.
    pub dt: f64,
    /// k_a of Σ(σᵢ − 1)², σ the principal stretches: as rigid as possible.
    pub rigidity: f64,
    /// k_v of (det F − 1)².
    pub volume: f64,
    /// k_k of |q̇ − q̇ₙ|²; 0 for a body at rest in each step.
    pub inertia: f64,
    /// Force on each point, f; needs inertia.
    pub force: Vec<f64>,
    /// k_c of anchors.
    pub anchor: f64,
    /// k of ½k·depth².
    pub contact: f64,
    /// What is in the way.
    pub contacts: Vec<Contact>,
    /// How a step is solved.
    pub solver: StepSolver,
    /// Decides on points.
    pub key: Key,
}

impl Default for ElasticOptions {
    /// Δt = 0.05, k_a = 1, k_v = 10³, k_c = 10⁴, no inertia, force or contact (of 10³), 50 iterations of least squares.
    fn default() -> Self {
        let solver = ansatz_nn::LevenbergMarquardt {
            steps: 50,
            damping: 1e-6,
            ..ansatz_nn::LevenbergMarquardt::default()
        };
        Self {
            dt: 0.05,
            rigidity: 1.0,
            volume: 1e3,
            inertia: 0.0,
            force: Vec::new(),
            anchor: 1e4,
            contact: 1e3,
            contacts: Vec::new(),
            solver: StepSolver::LeastSquares(solver),
            key: Key::new(0),
        }
    }
}

/// The deformation φ(X) = X + net(X) of a body in two or three dimensions, whose next state minimises
///
/// ```text
/// ⟨k_a Σ(σᵢ − 1)² + k_v(det F − 1)² + k_k|q̇ − q̇ₙ|² − Δt·q̇·f + ½k·depth²⟩ + k_c⟨|φ − place|²⟩,   F = ∂φ/∂X,  q̇ = (φ − φₙ)/Δt
/// ```
///
/// with means ⟨·⟩ over points. All of it is a sum of squares, as least squares need: Σ(σᵢ − 1)² = ‖F − R‖² with R the
/// rotation nearest to F, and k_k|q̇ − q̇ₙ|² − Δt·q̇·f = k_k|q̇ − q̇ₙ − Δt·f/(2k_k)|² up to a constant. No singular value is
/// differentiated, so that F = I at the start, where they repeat, is a point like others. In three dimensions R is a
/// constant to derivatives, which leaves the gradient exact, since R is where ‖F − R‖² is least.
// Deviation: the published program's contact forces are linear in q̇ with a factor that is differentiated too, which is the
// gradient of no energy, and its balls push by the distance to the centre; depth is taken here.
pub struct Elastic {
    model: Model,
    dims: usize,
    options: ElasticOptions,
    source: PointSource,
    anchors: Vec<Anchor>,
    places: Probe,
    step: Minimiser,
    /// φ̇ₙ as the parameters of φₙ₋₁.
    before: Option<Parameters<f64>>,
    steps: usize,
}

impl std::fmt::Debug for Elastic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Elastic({:?}, {} steps)", self.options, self.steps)
    }
}

impl std::fmt::Debug for Anchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Anchor({} numbers)", self.points.len())
    }
}

/// φ = X + net(X).
fn deformed<'g>(model: &Model, pass: &Pass<'g>, x: Array<'g>) -> Array<'g> {
    x + model.apply(pass, x)
}

/// Elements Fᵢⱼ = ∂φᵢ/∂Xⱼ, each `[n, 1]`, row by row.
fn gradients<'g>(phi: Array<'g>, x: Array<'g>, dims: usize) -> Result<Vec<Array<'g>>, PdeError> {
    let unit = |axis: usize| (0..dims).map(|i| usize::from(i == axis)).collect();
    let slopes = partials(phi, x, &(0..dims).map(unit).collect::<Vec<_>>())?;
    let element = |k: usize| slopes[k % dims].narrow(1, k / dims, k / dims + 1);
    Ok((0..dims * dims).map(element).collect())
}

/// Cofactors of a 3×3 matrix: the inverse's transpose times the determinant.
fn cofactors<'g>(f: &[Array<'g>]) -> Vec<Array<'g>> {
    let at = |i: usize, j: usize| f[3 * (i % 3) + j % 3];
    let minor = |k: usize| {
        let (i, j) = (k / 3, k % 3);
        at(i + 1, j + 1) * at(i + 2, j + 2) - at(i + 1, j + 2) * at(i + 2, j + 1)
    };
    (0..9).map(minor).collect()
}

fn determinant<'g>(f: &[Array<'g>]) -> Array<'g> {
    if let [a, b, c, d] = f {
        return *a * *d - *b * *c;
    }
    let cofactors = cofactors(f);
    f[0] * cofactors[0] + f[1] * cofactors[1] + f[2] * cofactors[2]
}

/// Newton's iterations for the polar factor of a 3×3 matrix: R ← ½(R + R⁻ᵀ). Quadratic from stretches of one size; eight
/// bring stretches of 1/30 to 30 to rounding.
const NEWTON: usize = 10;

/// The rotation nearest to F.
fn rotation<'g>(f: &[Array<'g>]) -> Vec<Array<'g>> {
    if let [a, b, c, d] = f {
        // Of F + cof F, which is a rotation times a number; where that is 0 any rotation is nearest.
        let (cos, sin) = (*a + *d, *c - *b);
        let length = (cos.square() + sin.square() + f64::MIN_POSITIVE).sqrt();
        let (cos, sin) = (cos / length, sin / length);
        return vec![cos, -sin, sin, cos];
    }
    let mut r: Vec<Array<'g>> = f.iter().map(|v| v.stop_gradient()).collect();
    for _ in 0..NEWTON {
        let cofactors = cofactors(&r);
        let det = determinant(&r);
        r = r
            .iter()
            .zip(&cofactors)
            .map(|(r, c)| (*r + *c / det) * 0.5)
            .collect();
    }
    r
}

impl Elastic {
    /// A body of d = 2 or 3 dimensions on the points that `source` draws, as many each time, with its anchors.
    ///
    /// # Errors
    /// [`PdeError::Option`] for Δt ≤ 0, coefficients below 0, another number of dimensions, or a force without inertia;
    /// [`PdeError::Width`] for anchors and forces of other lengths; [`PdeError::NoPoints`].
    pub fn new<S>(
        (model, layout): (Model, &Layout),
        dims: usize,
        source: S,
        anchors: Vec<Anchor>,
        options: &ElasticOptions,
    ) -> Result<Self, PdeError>
    where
        S: Fn(Key) -> Vec<f64> + Send + Sync + 'static,
    {
        options.check(dims)?;
        let points = source(options.key);
        let n = points.len() / dims;
        expect("coordinates of points", n * dims, points.len())?;
        let (net, own, d) = (model.clone(), options.clone(), dims);
        // Points, φₙ and q̇ₙ there.
        let body = Term::new("body", 3 * d, vec![0.0; n * 3 * d], move |pass, data| {
            let x = columns(data, 0, d);
            let phi = deformed(&net, pass, x);
            own.residuals(
                phi,
                x,
                [data.narrow(1, d, 2 * d), data.narrow(1, 2 * d, 3 * d)],
            )
        });
        let mut terms = vec![body];
        for (i, anchor) in anchors.iter().enumerate() {
            expect(
                "places of anchors",
                anchor.points.len(),
                anchor.places.len(),
            )?;
            let rows = side_by_side(&[(&anchor.points, d), (&anchor.places, d)]);
            let net = model.clone();
            let term = Term::new(format!("anchor {i}"), 2 * d, rows, move |pass, data| {
                let phi = deformed(&net, pass, columns(data, 0, d));
                Ok(phi - data.narrow(1, d, 2 * d))
            });
            terms.push(term.weighted(options.anchor));
        }
        let net = model.clone();
        Ok(Self {
            places: Probe::compile(layout, (n.max(1), d), |pass, x| Ok(deformed(&net, pass, x)))?,
            step: Minimiser::new(layout, terms, &options.solver)?,
            source: std::sync::Arc::new(source),
            options: options.clone(),
            before: None,
            steps: 0,
            model,
            dims,
            anchors,
        })
    }

    /// Moves an anchor: its points are held at `places` from now on.
    ///
    /// # Errors
    /// [`PdeError::Width`] for another number of places or an anchor that is not there.
    pub fn hold(&mut self, anchor: usize, places: Vec<f64>) -> Result<(), PdeError> {
        let count = self.anchors.len();
        expect(
            "anchor, of those there are",
            anchor.min(count.saturating_sub(1)),
            anchor,
        )?;
        expect(
            "places of anchors",
            self.anchors[anchor].places.len(),
            places.len(),
        )?;
        self.anchors[anchor].places = places;
        Ok(())
    }

    /// One step, from the shape of the parameters; the body is at rest at first.
    ///
    /// # Errors
    /// [`PdeError::Diverged`], [`PdeError::Network`]; the parameters are then unchanged.
    pub fn step(&mut self, parameters: &mut Parameters<f64>) -> Result<StepReport, PdeError> {
        let (old, d, dt) = (parameters.clone(), self.dims, self.options.dt);
        let (places, source, anchors) = (&self.places, &self.source, &self.anchors);
        let earlier = self.before.as_ref().unwrap_or(&old);
        let (mut now, mut speed) = (Vec::new(), Vec::new());
        let mut draw = |key: Key| {
            let points = source(key);
            places.run(&old, &points, &mut now)?;
            places.run(earlier, &points, &mut speed)?;
            for (v, x) in speed.iter_mut().zip(&now) {
                *v = (x - *v) / dt;
            }
            let mut all = vec![side_by_side(&[(&points, d), (&now, d), (&speed, d)])];
            all.extend(
                anchors
                    .iter()
                    .map(|a| side_by_side(&[(&a.points, d), (&a.places, d)])),
            );
            Ok(all)
        };
        let number = self.steps + 1;
        let key = self.options.key.fold_in(number as u64);
        let report = self.step.run(parameters, (number, key), &mut draw)?;
        self.steps = number;
        self.before = Some(old);
        Ok(report)
    }

    /// φ at `points`.
    ///
    /// # Errors
    /// As [`sample`](crate::sample).
    pub fn places(
        &self,
        parameters: &Parameters<f64>,
        points: &[f64],
    ) -> Result<Vec<f64>, PdeError> {
        crate::sample(parameters, self.dims, points, |pass, x| {
            Ok(deformed(&self.model, pass, x))
        })
    }

    /// det F at `points`.
    ///
    /// # Errors
    /// As [`sample`](crate::sample).
    pub fn volumes(
        &self,
        parameters: &Parameters<f64>,
        points: &[f64],
    ) -> Result<Vec<f64>, PdeError> {
        crate::sample(parameters, self.dims, points, |pass, x| {
            let f = gradients(deformed(&self.model, pass, x), x, self.dims)?;
            Ok(determinant(&f))
        })
    }
}

impl ElasticOptions {
    fn check(&self, dims: usize) -> Result<(), PdeError> {
        within("dt", self.dt, f64::MIN_POSITIVE.., "a number above 0")?;
        within("dimensions", dims as f64, 2.0..=3.0, "2 or 3")?;
        for (name, value) in [
            ("rigidity", self.rigidity),
            ("volume", self.volume),
            ("inertia", self.inertia),
            ("anchor", self.anchor),
            ("contact", self.contact),
        ] {
            within(name, value, 0.0.., "a number not below 0")?;
        }
        if !self.force.is_empty() {
            expect("components of the force", dims, self.force.len())?;
            let least = f64::MIN_POSITIVE..;
            within(
                "inertia",
                self.inertia,
                least,
                "above 0 where there is a force",
            )?;
        }
        for contact in &self.contacts {
            if let Contact::Ball { centre, radius } = contact {
                expect("coordinates of a centre", dims, centre.len())?;
                within("radius", *radius, f64::MIN_POSITIVE.., "a number above 0")?;
            }
        }
        Ok(())
    }

    /// The square roots of the energy's parts, side by side.
    fn residuals<'g>(
        &self,
        phi: Array<'g>,
        x: Array<'g>,
        [now, speed]: [Array<'g>; 2],
    ) -> Result<Array<'g>, PdeError> {
        let d = x.shape()[1];
        let f = gradients(phi, x, d)?;
        let mut parts = Vec::new();
        for (f, r) in f.iter().zip(rotation(&f)) {
            parts.push((*f - r) * self.rigidity.sqrt());
        }
        parts.push((determinant(&f) - 1.0) * self.volume.sqrt());
        if self.inertia > 0.0 {
            let mut gain = (phi - now) / self.dt - speed;
            if !self.force.is_empty() {
                let push = self
                    .force
                    .iter()
                    .map(|f| self.dt * f / (2.0 * self.inertia));
                gain = gain - x.graph().constant(&[1, d], push.collect());
            }
            parts.push(gain * self.inertia.sqrt());
        }
        for contact in &self.contacts {
            let depth = match contact {
                Contact::Floor(height) => -phi.narrow(1, d - 1, d) + *height,
                Contact::Ball { centre, radius } => {
                    let off = phi - x.graph().constant(&[1, d], centre.clone());
                    let n = x.shape()[0];
                    -off.square().sum_axes(&[1]).reshape(&[n, 1]).sqrt() + *radius
                }
            };
            parts.push(depth.relu() * (0.5 * self.contact).sqrt());
        }
        Ok(Array::concatenate(&parts, 1))
    }
}
