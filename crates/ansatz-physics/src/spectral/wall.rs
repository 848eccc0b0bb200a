//! Reaction and diffusion between two walls.

use faer::{Mat, Side};
use num_complex::Complex64;

use crate::PhysicsError;
use crate::reference::{all_finite, check_times, finite, inside, positive};
use crate::special::gauss_legendre;

use super::trajectory::Snapshot;
use super::{Check, Semilinear, SpectralOptions, Trajectory, march};

/// u_t = νu_xx + Σ_m p_m u^m on [start, end] with u = `walls` at the ends.
///
/// Less the line through the values at the walls, u is a combination of ψ_k = (L_k − L_{k+2})/√(4k + 6), with
/// Legendre's polynomials: (ψ_j', ψ_k') is the identity and (ψ_j, ψ_k) = M links k with k ± 2 only (Shen 1994). The
/// eigenvectors of M diagonalise both, and the stepper of this module applies: L = −ν/μ for eigenvalues μ of M. The
/// nonlinear term is integrated with two Gauss points per mode, which is exact for cubic ones. Even and odd
/// functions are treated apart, at half the cost. `modes` of the options is the number of polynomials; [`SpectralOptions::dealiasing`]
/// has no meaning here.
///
/// Cost: O(n²) per evaluation of the nonlinear term, O(n³) once.
///
/// J. Shen, *Efficient spectral-Galerkin method I*, SIAM J. Sci. Comput. 15, 1994.
///
/// ```
/// use ansatz_physics::spectral::{SpectralOptions, WallEquation};
///
/// let pi = std::f64::consts::PI;
/// let options = SpectralOptions { modes: 256, step: 0.01, ..SpectralOptions::default() };
/// let u = WallEquation::allen_cahn(1e-3, 5.0, [-1.0, -1.0])?
///     .solve([-1.0, 1.0], |x| x * x * (pi * x).cos(), &[0.5], &options)?;
/// assert!((u.value(0.4, 0.5)? - 0.49746143).abs() < 1e-5);
/// # Ok::<(), ansatz_physics::PhysicsError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct WallEquation {
    /// ν.
    pub diffusivity: f64,
    /// p₀, p₁, ….
    pub reaction: Vec<f64>,
    /// u at the ends.
    pub walls: [f64; 2],
}

impl WallEquation {
    /// u_t = ν·u_xx + r(u − u³).
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for ν ≤ 0 or numbers that are not finite.
    pub fn allen_cahn(nu: f64, rate: f64, walls: [f64; 2]) -> Result<Self, PhysicsError> {
        positive("diffusivity nu", nu)?;
        finite("rate", rate)?;
        Ok(Self {
            diffusivity: nu,
            reaction: vec![0.0, rate, 0.0, -rate],
            walls,
        })
    }

    /// The solution from u₀ at t = 0, at `times`, which do not fall.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for modes that are odd or fewer than 8, a step, diffusivity or interval that is not
    /// positive, times that fall or are negative; [`PhysicsError::NotFinite`] for u₀; [`PhysicsError::BlowUp`].
    pub fn solve(
        &self,
        [start, end]: [f64; 2],
        initial: impl Fn(f64) -> f64,
        times: &[f64],
        options: &SpectralOptions,
    ) -> Result<Trajectory<LegendreSum>, PhysicsError> {
        options.validate()?;
        check_times(times)?;
        finite("start", start)?;
        positive("length", end - start)?;
        positive("diffusivity nu", self.diffusivity)?;
        all_finite("coefficients of the reaction", &self.reaction)?;
        all_finite("values at the walls", &self.walls)?;
        let run = |options| self.run([start, end], &initial, times, options);
        let mut fine = run(options)?;
        if options.check == Check::Coarser {
            let count = 2 * options.modes;
            let place = |i: usize| start + (end - start) * i as f64 / count as f64;
            let gap = |a: &LegendreSum, b: &LegendreSum| {
                let points = (0..=count).map(place);
                points
                    .map(|x| (a.derivative(x, 0) - b.derivative(x, 0)).abs())
                    .fold(0.0, f64::max)
            };
            fine.accuracy = run(&options.coarser()).map_or(f64::INFINITY, |coarse| {
                let pairs = fine.states.iter().zip(&coarse.states);
                pairs.map(|(a, b)| gap(a, b)).fold(0.0, f64::max)
            });
        }
        Ok(fine)
    }

    fn run(
        &self,
        domain: [f64; 2],
        initial: &impl Fn(f64) -> f64,
        times: &[f64],
        options: &SpectralOptions,
    ) -> Result<Trajectory<LegendreSum>, PhysicsError> {
        let mut problem = WallProblem::new(self, domain, options.modes)?;
        let [start, end] = domain;
        let mut v = vec![Complex64::ZERO; problem.len()];
        let middle = 0.5 * (start + end);
        let half = 0.5 * (end - start);
        let nodes = problem.nodes.clone();
        let line = self.line();
        for (i, x) in nodes.iter().enumerate() {
            let at = |x: f64| initial(middle + half * x) - line(x);
            problem.values[i] = [at(*x), at(-x)];
        }
        all_finite("initial values", problem.values.as_flattened())?;
        problem.project(&mut v);
        let (mut states, mut slopes) = (Vec::new(), Vec::new());
        let steps = march(&mut problem, &mut v, times, options.step, |problem, v| {
            let mut slope = vec![Complex64::ZERO; v.len()];
            problem.nonlinear(v, &mut slope);
            for ((s, v), mu) in slope.iter_mut().zip(v).zip(&problem.mu) {
                *s -= v * (problem.nu / mu);
            }
            states.push(problem.sum(v, self.walls, domain));
            slopes.push(problem.sum(&slope, [0.0; 2], domain));
        })?;
        Ok(Trajectory {
            times: times.to_vec(),
            states,
            slopes,
            accuracy: f64::INFINITY,
            steps,
        })
    }

    /// The line through the values at the walls, over [−1, 1].
    fn line(&self) -> impl Fn(f64) -> f64 {
        let [a, b] = self.walls;
        move |x| 0.5 * (a + b) + 0.5 * (b - a) * x
    }
}

struct WallProblem<'a> {
    equation: &'a WallEquation,
    /// ν on [−1, 1].
    nu: f64,
    modes: usize,
    /// Eigenvalues of the mass matrix, of even functions first.
    mu: Vec<f64>,
    /// Coefficients of ψ of one parity, row by row for each eigenfunction.
    vectors: [Vec<f64>; 2],
    /// Positive Gauss points and their weights.
    nodes: Vec<f64>,
    weights: Vec<f64>,
    /// Eigenfunctions at the nodes, row by row.
    tables: [Vec<f64>; 2],
    /// Values at x and −x.
    values: Vec<[f64; 2]>,
    /// Even and odd parts.
    parts: [Vec<f64>; 2],
}

impl<'a> WallProblem<'a> {
    fn new(
        equation: &'a WallEquation,
        [start, end]: [f64; 2],
        modes: usize,
    ) -> Result<Self, PhysicsError> {
        let rule = gauss_legendre(2 * modes);
        let positive = rule.iter().map(|(x, w)| (2.0 * x - 1.0, 2.0 * w));
        let (nodes, weights): (Vec<f64>, Vec<f64>) = positive.filter(|(x, _)| *x > 0.0).unzip();
        let count = nodes.len();
        // ψ_k at the nodes.
        let mut shapes = vec![0.0; (modes - 2) * count];
        for (i, x) in nodes.iter().enumerate() {
            let legendre = legendre(*x, modes);
            for k in 0..modes - 2 {
                shapes[k * count + i] = (legendre[k] - legendre[k + 2]) / scale(k);
            }
        }
        let mut mu = Vec::new();
        let mut vectors = [Vec::new(), Vec::new()];
        let mut tables = [Vec::new(), Vec::new()];
        for parity in 0..2 {
            let size = (modes - 2 - parity).div_ceil(2);
            let mass = Mat::from_fn(size, size, |i, j| {
                let (k, l) = (2 * i.min(j) + parity, 2 * i.max(j) + parity);
                let f = |k: usize| 2.0 / (2 * k + 1) as f64;
                match l - k {
                    0 => (f(k) + f(k + 2)) / (scale(k) * scale(k)),
                    2 => -f(l) / (scale(k) * scale(l)),
                    _ => 0.0,
                }
            });
            let eigen = mass.self_adjoint_eigen(Side::Lower).map_err(|_| {
                ansatz_linalg::LinalgError::Breakdown {
                    iteration: 0,
                    what: "eigenvalues of the mass matrix",
                    value: f64::NAN,
                }
            })?;
            let (values, basis) = (eigen.S().column_vector(), eigen.U());
            for i in 0..size {
                mu.push(values[i]);
                let mut row = vec![0.0; count];
                for j in 0..size {
                    let y = basis[(j, i)];
                    vectors[parity].push(y);
                    let shape = &shapes[(2 * j + parity) * count..][..count];
                    for (r, s) in row.iter_mut().zip(shape) {
                        *r += y * s;
                    }
                }
                tables[parity].extend(row);
            }
        }
        let half = 0.5 * (end - start);
        Ok(Self {
            equation,
            nu: equation.diffusivity / (half * half),
            modes,
            mu,
            vectors,
            values: vec![[0.0; 2]; count],
            parts: [vec![0.0; count], vec![0.0; count]],
            nodes,
            weights,
            tables,
        })
    }

    fn sizes(&self) -> [usize; 2] {
        [(self.modes - 2).div_ceil(2), (self.modes - 2) / 2]
    }

    /// `out` ← (values, e_i)/μ_i.
    fn project(&mut self, out: &mut [Complex64]) {
        for (i, [a, b]) in self.values.iter().enumerate() {
            let w = self.weights[i];
            self.parts[0][i] = w * (a + b);
            self.parts[1][i] = w * (a - b);
        }
        let count = self.nodes.len();
        let split = self.sizes()[0];
        for (i, (o, mu)) in out.iter_mut().zip(&self.mu).enumerate() {
            let (parity, row) = if i < split { (0, i) } else { (1, i - split) };
            let table = &self.tables[parity][row * count..][..count];
            *o = Complex64::from(dot(table, &self.parts[parity]) / mu);
        }
    }

    /// A state as a sum of Legendre's polynomials.
    fn sum(&self, v: &[Complex64], walls: [f64; 2], [start, end]: [f64; 2]) -> LegendreSum {
        let mut coefficients = vec![0.0; self.modes];
        coefficients[0] = 0.5 * (walls[0] + walls[1]);
        coefficients[1] = 0.5 * (walls[1] - walls[0]);
        let sizes = self.sizes();
        for parity in 0..2 {
            let (size, first) = (sizes[parity], parity * sizes[0]);
            for i in 0..size {
                for j in 0..size {
                    let k = 2 * j + parity;
                    let c = v[first + i].re * self.vectors[parity][i * size + j] / scale(k);
                    coefficients[k] += c;
                    coefficients[k + 2] -= c;
                }
            }
        }
        LegendreSum {
            start,
            end,
            coefficients,
        }
    }
}

/// √(4k + 6), the norm of L_k' − L_{k+2}'.
fn scale(k: usize) -> f64 {
    ((4 * k + 6) as f64).sqrt()
}

/// Sums in eight lanes, which the compiler can keep in registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8
        .remainder()
        .iter()
        .zip(b8.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a8.zip(b8) {
        for (l, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *l += a * b;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// L₀ to L_{n−1} at x.
fn legendre(x: f64, n: usize) -> Vec<f64> {
    let mut values = vec![1.0; n];
    if n > 1 {
        values[1] = x;
    }
    for k in 2..n {
        let m = k as f64;
        values[k] = ((2.0 * m - 1.0) * x * values[k - 1] - (m - 1.0) * values[k - 2]) / m;
    }
    values
}

impl Semilinear for WallProblem<'_> {
    fn len(&self) -> usize {
        self.mu.len()
    }

    fn symbol(&self, out: &mut [Complex64]) {
        for (o, mu) in out.iter_mut().zip(&self.mu) {
            *o = Complex64::from(-self.nu / mu);
        }
    }

    fn nonlinear(&mut self, v: &[Complex64], out: &mut [Complex64]) {
        let count = self.nodes.len();
        let split = self.sizes()[0];
        for part in &mut self.parts {
            part.fill(0.0);
        }
        for (i, c) in v.iter().enumerate() {
            let (parity, row) = if i < split { (0, i) } else { (1, i - split) };
            let table = &self.tables[parity][row * count..][..count];
            for (p, t) in self.parts[parity].iter_mut().zip(table) {
                *p += c.re * t;
            }
        }
        let line = self.equation.line();
        let reaction = &self.equation.reaction;
        let rate = |u: f64| reaction.iter().rev().fold(0.0, |sum, p| sum * u + p);
        for (i, value) in self.values.iter_mut().enumerate() {
            let (even, odd, x) = (self.parts[0][i], self.parts[1][i], self.nodes[i]);
            *value = [rate(even + odd + line(x)), rate(even - odd + line(-x))];
        }
        self.project(out);
    }
}

/// Σ c_k L_k over an interval.
#[derive(Debug, Clone, PartialEq)]
pub struct LegendreSum {
    start: f64,
    end: f64,
    coefficients: Vec<f64>,
}

impl LegendreSum {
    /// c₀, c₁, ….
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// u(x).
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    pub fn value(&self, x: f64) -> Result<f64, PhysicsError> {
        inside("x", x, self.start, self.end)?;
        Ok(self.derivative(x, 0))
    }

    /// Derivative number `order` at x, where it makes sense to a polynomial.
    pub fn derivative(&self, x: f64, order: u32) -> f64 {
        let half = 0.5 * (self.end - self.start);
        let s = (x - 0.5 * (self.start + self.end)) / half;
        // L_k^{(m)} = (2k − 1)L_{k−1}^{(m−1)} + L_{k−2}^{(m)}.
        let n = self.coefficients.len();
        let mut values = legendre(s, n);
        for _ in 0..order {
            let before = values.clone();
            values[0] = 0.0;
            if n > 1 {
                values[1] = before[0];
            }
            for k in 2..n {
                values[k] = (2 * k - 1) as f64 * before[k - 1] + values[k - 2];
            }
        }
        dot(&values, &self.coefficients) / half.powi(order.cast_signed())
    }
}

impl Snapshot for LegendreSum {
    const SPACE: usize = 1;

    fn at(&self, point: &[f64]) -> Result<f64, PhysicsError> {
        self.value(point[0])
    }
}

impl Trajectory<LegendreSum> {
    /// u(x, t); see [`Self::at`].
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    pub fn value(&self, x: f64, t: f64) -> Result<f64, PhysicsError> {
        self.at(&[x], t)
    }
}
