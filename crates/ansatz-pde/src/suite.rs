//! Problems that physics-informed methods are judged by, each with a reference that states its own accuracy.
//!
//! Every entry is data: the problem as text, where its solution comes from, the error grid and a method that solves it on two
//! cores within a minute, for those by windows of time within some. References are closed forms or solvers of `ansatz-physics` that share nothing with networks.
//! Some published reference files are less accurate than the methods that are compared by them (Burgers 8.5e-5,
//! Allen-Cahn 1.7e-4, the cavity 1.4e-2): none is used here.
//!
//! References: M. Raissi, P. Perdikaris, G. Karniadakis, *Physics-informed neural networks*, 2019; L. Lu, X. Meng, Z. Mao,
//! G. Karniadakis, *DeepXDE: a deep learning library for solving differential equations*, 2021; S. Wang, S. Sankaran,
//! H. Wang, P. Perdikaris, *An expert's guide to training physics-informed neural networks*, 2023.

mod cavity;
mod periodic;
mod plane;
mod transport;

use ansatz_autodiff::Element;
use ansatz_core::Observer;
use ansatz_physics::exact::{Helmholtz, KleinGordonLine, Kovasznay, Reaction, SineProduct, Wave};
use ansatz_physics::spectral::{SpectralOptions, WallEquation};
use ansatz_physics::{Reference, burgers::ColeHopf};

use crate::{
    Counts, Curriculum, Density, ErrorReport, GaussiansOptions, Marching, Moment, Network,
    PdeError, Pinn, Problem, ProblemBuilder, Refine, Refinement, Solution, Stage, relative_error,
};

/// A problem with its reference and a method.
pub struct Benchmark {
    /// Its name in lists.
    pub id: &'static str,
    /// The problem.
    pub problem: Problem,
    /// Its solution.
    pub reference: Box<dyn Reference + Send + Sync>,
    /// What the reference gives: expressions of the unknowns.
    pub fields: Vec<&'static str>,
    /// Points along each coordinate of the grid for errors.
    pub grid: Vec<usize>,
    /// Which points of the grid are judged: those where the reference is good.
    pub judged: fn(&[f64]) -> bool,
    /// A method that solves it.
    pub method: Method,
    /// The relative error that the method stays below.
    pub reached: f64,
}

impl std::fmt::Debug for Benchmark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Benchmark({}: {})",
            self.id,
            self.problem.equations().join("; ")
        )
    }
}

/// How a benchmark is solved.
#[derive(Debug, Clone)]
pub enum Method {
    /// One network for the whole domain.
    Alone(Box<Pinn>),
    /// Windows of time, with the problem as it was written.
    Marching(Box<(Marching, ProblemBuilder)>),
    /// A constant raised in levels, with the problem as it was written.
    Levels(Box<(Curriculum, ProblemBuilder)>),
}

impl Method {
    fn alone(pinn: Pinn) -> Self {
        Self::Alone(Box::new(pinn))
    }

    fn windows(windows: usize, pinn: Pinn, problem: ProblemBuilder) -> Self {
        let marching = Marching {
            pinn,
            windows,
            ..Marching::default()
        };
        Self::Marching(Box::new((marching, problem)))
    }

    /// The network and its training.
    #[must_use]
    pub fn pinn(&self) -> &Pinn {
        match self {
            Self::Alone(pinn) => pinn,
            Self::Marching(method) => &method.0.pinn,
            Self::Levels(method) => &method.0.pinn,
        }
    }

    /// Number of trainings, one after the other.
    #[must_use]
    pub fn legs(&self) -> usize {
        match self {
            Self::Alone(_) => 1,
            Self::Marching(method) => method.0.windows,
            Self::Levels(method) => method.0.levels.len(),
        }
    }
}

/// How a benchmark is made.
type Make = fn() -> Result<Benchmark, PdeError>;

/// All benchmarks by name.
pub const ALL: [(&str, Make); 15] = [
    ("poisson", poisson),
    ("helmholtz", helmholtz),
    ("burgers", burgers),
    ("allen-cahn", allen_cahn),
    ("klein-gordon", klein_gordon),
    ("convection", transport::convection),
    ("wave", wave),
    ("korteweg-de-vries", periodic::korteweg_de_vries),
    ("kuramoto-sivashinsky", periodic::kuramoto_sivashinsky),
    ("kovasznay", kovasznay),
    ("reaction", reaction),
    ("cavity", cavity::benchmark),
    ("klein-gordon-plane", plane::klein_gordon),
    ("nonlinear-diffusion", plane::nonlinear_diffusion),
    ("inverse-burgers", transport::inverse_burgers),
];

/// A benchmark by its name.
///
/// ```
/// let poisson = ansatz_pde::suite::get("poisson")?;
/// assert_eq!(poisson.problem.unknowns(), ["u"]);
/// assert!(ansatz_pde::suite::get("fusion").is_err());
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
///
/// # Errors
/// [`PdeError::Unknown`] with all names, [`PdeError::Physics`] when a reference cannot be made.
pub fn get(id: &str) -> Result<Benchmark, PdeError> {
    let found = ALL.iter().find(|(name, _)| *name == id);
    let (_, make) = found.ok_or_else(|| PdeError::Unknown {
        what: "benchmark",
        name: id.to_owned(),
        known: ALL.iter().map(|(name, _)| (*name).to_owned()).collect(),
    })?;
    make()
}

impl Benchmark {
    /// Trains the method, and how far its solution is from the reference on the grid.
    ///
    /// # Errors
    /// As [`Pinn::solve`] and [`Benchmark::error`].
    pub fn run<T, O>(&self, observer: &mut O) -> Result<(Solution<T>, ErrorReport), PdeError>
    where
        T: Element,
        O: for<'a> Observer<Moment<'a, T>> + ?Sized,
    {
        let solution = self.train(observer)?;
        let error = self.error(&solution)?;
        Ok((solution, error))
    }

    /// Trains the method.
    ///
    /// # Errors
    /// As [`Pinn::solve`].
    pub fn train<T, O>(&self, observer: &mut O) -> Result<Solution<T>, PdeError>
    where
        T: Element,
        O: for<'a> Observer<Moment<'a, T>> + ?Sized,
    {
        match &self.method {
            Method::Alone(pinn) => pinn.solve(&self.problem, observer),
            Method::Marching(method) => method.0.solve(&method.1, observer),
            Method::Levels(method) => method.0.solve(&method.1, observer),
        }
    }

    /// What a solution has at points for [`Benchmark::fields`].
    ///
    /// # Errors
    /// As [`Solution::expressions`].
    pub fn found<T: Element>(
        &self,
        solution: &Solution<T>,
        points: &[f64],
    ) -> Result<Vec<f64>, PdeError> {
        solution.expressions(points, &self.fields)
    }

    /// The reference at points: rows of [`Benchmark::fields`].
    ///
    /// # Errors
    /// [`PdeError::Physics`] for points outside.
    pub fn exact(&self, points: &[f64]) -> Result<Vec<f64>, PdeError> {
        let (inputs, outputs) = (self.reference.inputs(), self.reference.outputs());
        let mut values = vec![0.0; points.len() / inputs * outputs];
        for (point, out) in points.chunks(inputs).zip(values.chunks_mut(outputs)) {
            self.reference.evaluate(point, out)?;
        }
        Ok(values)
    }

    /// How far a solution is from the reference at those points of the grid that are judged.
    ///
    /// # Errors
    /// As [`Benchmark::found`] and [`Benchmark::exact`].
    pub fn error<T: Element>(&self, solution: &Solution<T>) -> Result<ErrorReport, PdeError> {
        let points = solution.grid(&self.grid)?;
        let rows = points.chunks(self.grid.len());
        let points: Vec<f64> = rows
            .filter(|x| (self.judged)(x))
            .flatten()
            .copied()
            .collect();
        let (found, exact) = (self.found(solution, &points)?, self.exact(&points)?);
        let off = found.iter().zip(&exact).map(|(u, v)| (u - v).abs());
        Ok(ErrorReport {
            relative: relative_error(&found, &exact)?,
            largest: off.fold(0.0, f64::max),
        })
    }
}

/// All points.
fn everywhere(_: &[f64]) -> bool {
    true
}

/// Least squares on points drawn once.
fn least_squares(hidden: &[usize], inside: usize, steps: usize) -> Pinn {
    Pinn {
        network: Network::mlp(hidden),
        points: Counts {
            inside,
            ..Counts::default()
        },
        stages: vec![Stage::levenberg_marquardt(steps)],
        ..Pinn::default()
    }
}

/// Points drawn anew in proportion to the residual before each of `rounds` more rounds.
fn following(pinn: Pinn, rounds: usize) -> Pinn {
    let density = Density::default();
    Pinn {
        refine: Some(Refine {
            method: Refinement::Rad { density },
            rounds,
            candidates: 20_000,
        }),
        ..pinn
    }
}

/// −Δu = 2π²·sin πx·sin πy on the unit square, u = 0 on its edge.
fn poisson() -> Result<Benchmark, PdeError> {
    let problem = Problem::new()
        .coordinate("x", [0.0, 1.0])
        .coordinate("y", [0.0, 1.0])
        .unknown("u")
        .equation("-laplacian(u, x, y) = 2*pi^2*sin(pi*x)*sin(pi*y)")
        .form("u", "x*(1 - x)*y*(1 - y)*u")
        .build()?;
    Ok(Benchmark {
        id: "poisson",
        problem,
        reference: Box::new(SineProduct { dimension: 2 }),
        fields: vec!["u"],
        grid: vec![51, 51],
        judged: everywhere,
        method: Method::alone(least_squares(&[16, 16], 400, 60)),
        reached: 2e-5,
    })
}

/// Δu + u = q on [−1, 1]² with u = sin 4πx·sin πy.
fn helmholtz() -> Result<Benchmark, PdeError> {
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .coordinate("y", [-1.0, 1.0])
        .unknown("u")
        // In the size of its largest term, so that the conditions weigh as much.
        .equation("(laplacian(u, x, y) + u)/100 = (1 - 17*pi^2)*sin(4*pi*x)*sin(pi*y)/100")
        .condition("boundary", "u = 0")
        .build()?;
    let method = Pinn {
        network: Network::Gaussians(GaussiansOptions::default()),
        points: Counts {
            inside: 800,
            on_conditions: 200,
            ..Counts::default()
        },
        ..least_squares(&[], 800, 149)
    };
    Ok(Benchmark {
        id: "helmholtz",
        problem,
        reference: Box::new(Helmholtz::new(4.0, 1.0)?),
        fields: vec!["u"],
        grid: vec![101, 101],
        judged: everywhere,
        method: Method::alone(method),
        reached: 2e-3,
    })
}

/// u_t + u·u_x = (0.01/π)·u_xx on [−1, 1] from −sin πx.
fn burgers() -> Result<Benchmark, PdeError> {
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .equation("u_t + u*u_x = (0.01/pi)*u_xx")
        .form("u", "-sin(pi*x) + t*(1 - x^2)*u")
        .build()?;
    Ok(Benchmark {
        id: "burgers",
        problem,
        reference: Box::new(ColeHopf::new(0.01 / std::f64::consts::PI)?),
        fields: vec!["u"],
        grid: vec![256, 100],
        judged: everywhere,
        method: Method::alone(following(least_squares(&[20, 20, 20], 2000, 50), 5)),
        reached: 2e-3,
    })
}

/// u_t = 10⁻³·u_xx + 5(u − u³) on [−1, 1], u = −1 at the ends, from x²·cos πx.
fn allen_cahn() -> Result<Benchmark, PdeError> {
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .equation("u_t = 0.001*u_xx + 5*(u - u^3)")
        .form("u", "x^2*cos(pi*x) + t*(1 - x^2)*u")
        .build()?;
    let options = SpectralOptions {
        modes: 512,
        step: 0.002,
        ..SpectralOptions::default()
    };
    let start = |x: f64| x * x * (std::f64::consts::PI * x).cos();
    let times: Vec<f64> = (0..=100).map(|k| f64::from(k) / 100.0).collect();
    let reference = WallEquation::allen_cahn(1e-3, 5.0, [-1.0; 2])?.solve(
        [-1.0, 1.0],
        start,
        &times,
        &options,
    )?;
    Ok(Benchmark {
        id: "allen-cahn",
        problem,
        reference: Box::new(reference),
        fields: vec!["u"],
        grid: vec![201, 101],
        judged: everywhere,
        method: Method::alone(following(least_squares(&[20, 20, 20], 2000, 60), 5)),
        reached: 5e-3,
    })
}

/// u_tt − u_xx + u² = x²·cos²t − x·cos t on [−1, 1] × [0, 10]: u = x·cos t.
fn klein_gordon() -> Result<Benchmark, PdeError> {
    let problem = Problem::new()
        .coordinate("x", [-1.0, 1.0])
        .time("t", [0.0, 10.0])
        .unknown("u")
        .equation("u_tt - u_xx + u^2 = x^2*cos(t)^2 - x*cos(t)")
        .condition("start", "u = x")
        .condition("start", "u_t = 0")
        .condition("x = -1", "u = -cos(t)")
        .condition("x = 1", "u = cos(t)")
        .build()?;
    Ok(Benchmark {
        id: "klein-gordon",
        problem,
        reference: Box::new(KleinGordonLine),
        fields: vec!["u"],
        grid: vec![51, 201],
        judged: everywhere,
        method: Method::alone(least_squares(&[20, 20], 1000, 100)),
        reached: 1e-3,
    })
}

/// u_tt = 4·u_xx on [0, 1]: sin πx·cos 2πt + ½·sin 4πx·cos 8πt, two scales, of which one network on fixed points does not find the
/// second.
fn wave() -> Result<Benchmark, PdeError> {
    let problem = Problem::new()
        .coordinate("x", [0.0, 1.0])
        .time("t", [0.0, 1.0])
        .unknown("u")
        // So that the conditions weigh as much.
        .equation("(u_tt - 4*u_xx)/10 = 0")
        .form("u", "x*(1 - x)*u")
        .condition("start", "u = sin(pi*x) + 0.5*sin(4*pi*x)")
        .condition("start", "u_t = 0");
    let pinn = Pinn {
        equations: 0.1,
        ..least_squares(&[24, 24], 800, 120)
    };
    Ok(Benchmark {
        id: "wave",
        problem: problem.clone().build()?,
        reference: Box::new(Wave::two_scales()),
        fields: vec!["u"],
        grid: vec![101, 101],
        judged: everywhere,
        method: Method::windows(10, pinn, problem),
        reached: 3e-3,
    })
}

/// Flow behind a grid at Re = 20.
fn kovasznay() -> Result<Benchmark, PdeError> {
    let exact = Kovasznay::new(20.0)?;
    let problem = Problem::new()
        .coordinate("x", [-0.5, 1.0])
        .coordinate("y", [-0.5, 1.5])
        .unknown("u")
        .unknown("v")
        .unknown("p")
        .constant("lambda", exact.lambda())
        .equation("u*u_x + v*u_y + p_x = (u_xx + u_yy)/20")
        .equation("u*v_x + v*v_y + p_y = (v_xx + v_yy)/20")
        .equation("u_x + v_y = 0")
        .condition("boundary", "u = 1 - exp(lambda*x)*cos(2*pi*y)")
        .condition("boundary", "v = lambda/(2*pi)*exp(lambda*x)*sin(2*pi*y)")
        .condition("x = 1", "p = 0.5*(1 - exp(2*lambda*x))")
        .build()?;
    Ok(Benchmark {
        id: "kovasznay",
        problem,
        reference: Box::new(exact),
        fields: vec!["u", "v", "p"],
        grid: vec![61, 81],
        judged: everywhere,
        method: Method::alone(least_squares(&[24, 24], 800, 80)),
        reached: 3e-3,
    })
}

/// u_t = 5u(1 − u), periodic, from a bell.
fn reaction() -> Result<Benchmark, PdeError> {
    let problem = Problem::new()
        .coordinate("x", [0.0, std::f64::consts::TAU])
        .time("t", [0.0, 1.0])
        .unknown("u")
        .equation("u_t = 5*u*(1 - u)")
        .form("u", "exp(-(x - pi)^2/(2*(pi/4)^2)) + t*u")
        .build()?;
    Ok(Benchmark {
        id: "reaction",
        problem,
        reference: Box::new(Reaction { rate: 5.0 }),
        fields: vec!["u"],
        grid: vec![101, 101],
        judged: everywhere,
        method: Method::alone(least_squares(&[20, 20], 1000, 100)),
        reached: 5e-3,
    })
}
