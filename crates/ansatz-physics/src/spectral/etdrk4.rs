//! The stepper: exponential time differencing of Runge-Kutta type, fourth order.

use std::f64::consts::PI;

use num_complex::Complex64;

use crate::PhysicsError;
use crate::reference::positive;

/// v' = Lv + N(v) with a diagonal L: coefficients of a solution in a basis of eigenfunctions.
pub trait Semilinear {
    /// Number of coefficients.
    fn len(&self) -> usize;

    /// Whether there are no coefficients.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The diagonal of L.
    fn symbol(&self, out: &mut [Complex64]);

    /// `out` ← N(v).
    fn nonlinear(&mut self, v: &[Complex64], out: &mut [Complex64]);
}

/// Points on the circle for the means; the error falls like 1/M!.
const MEANS: usize = 64;

/// Coefficients for one step size, and memory for the stages.
///
/// ```text
/// a = E₂v + QN(v),   b = E₂v + QN(a),   c = E₂a + Q(2N(b) − N(v)),
/// v ← Ev + f₁N(v) + 2f₂(N(a) + N(b)) + f₃N(c),
/// E = e^{hL}, E₂ = e^{hL/2}, Q = (E₂ − 1)/L,
/// f₁ = h(−4 − z + e^z(4 − 3z + z²))/z³,  f₂ = h(2 + z + e^z(z − 2))/z³,  f₃ = h(−4 − 3z − z² + e^z(4 − z))/z³,  z = hL.
/// ```
///
/// The quotients lose all digits near z = 0; being entire functions they equal their means over the unit circle about z,
/// where nothing cancels (Kassam, Trefethen 2005, section 3).
#[derive(Debug, Clone)]
pub struct Etdrk4 {
    step: f64,
    /// (E, E₂, Q, f₁, 2f₂, f₃) of each coefficient.
    factors: Vec<[Complex64; 6]>,
    stages: [Vec<Complex64>; 6],
}

impl Etdrk4 {
    /// Coefficients for steps of length `step`. Cost: 64 exponentials per coefficient.
    ///
    /// # Errors
    /// [`PhysicsError::Parameter`] for a step that is not positive and finite; [`PhysicsError::NotFinite`] for factors that
    /// overflow: the equation is not well posed at this resolution.
    pub fn new(problem: &impl Semilinear, step: f64) -> Result<Self, PhysicsError> {
        positive("step", step)?;
        let n = problem.len();
        let zeros = || vec![Complex64::ZERO; n];
        let mut symbol = zeros();
        problem.symbol(&mut symbol);
        let factors: Vec<_> = symbol.iter().map(|l| factors(step, *l)).collect();
        let broken = |f: &[Complex64; 6]| f.iter().any(|v| !v.is_finite());
        if let Some(index) = factors.iter().position(broken) {
            return Err(PhysicsError::NotFinite {
                what: "exponentials of the linear part",
                index,
                value: symbol[index].re,
            });
        }
        Ok(Self {
            step,
            factors,
            stages: [zeros(), zeros(), zeros(), zeros(), zeros(), zeros()],
        })
    }

    /// The length of a step.
    pub fn step_size(&self) -> f64 {
        self.step
    }

    /// One step of `v`: four nonlinear terms.
    pub fn step(&mut self, problem: &mut impl Semilinear, v: &mut [Complex64]) {
        let [a, b, nv, na, nb, nc] = &mut self.stages;
        let factors = &self.factors;
        problem.nonlinear(v, nv);
        for (k, [_, half, q, ..]) in factors.iter().enumerate() {
            a[k] = half * v[k] + q * nv[k];
        }
        problem.nonlinear(a, na);
        for (k, [_, half, q, ..]) in factors.iter().enumerate() {
            b[k] = half * v[k] + q * na[k];
        }
        problem.nonlinear(b, nb);
        for (k, [_, half, q, ..]) in factors.iter().enumerate() {
            a[k] = half * a[k] + q * (2.0 * nb[k] - nv[k]);
        }
        problem.nonlinear(a, nc);
        for (k, [whole, _, _, f1, f2, f3]) in factors.iter().enumerate() {
            v[k] = whole * v[k] + f1 * nv[k] + f2 * (na[k] + nb[k]) + f3 * nc[k];
        }
    }
}

/// (E, E₂, Q, f₁, 2f₂, f₃) for one value of L.
fn factors(h: f64, l: Complex64) -> [Complex64; 6] {
    let center = h * l;
    let mut sums = [Complex64::ZERO; 4];
    for m in 0..MEANS {
        let z = center + Complex64::cis(2.0 * PI * (m as f64 + 0.5) / MEANS as f64);
        let (e, half, cube) = (z.exp(), (0.5 * z).exp(), z * z * z);
        sums[0] += (half - 1.0) / z;
        sums[1] += (-4.0 - z + e * (4.0 - 3.0 * z + z * z)) / cube;
        sums[2] += (2.0 + z + e * (z - 2.0)) / cube;
        sums[3] += (-4.0 - 3.0 * z - z * z + e * (4.0 - z)) / cube;
    }
    let mut mean = sums.map(|s| s * (h / MEANS as f64));
    if l.im == 0.0 {
        for v in &mut mean {
            v.im = 0.0;
        }
    }
    [
        center.exp(),
        (0.5 * center).exp(),
        mean[0],
        mean[1],
        2.0 * mean[2],
        mean[3],
    ]
}

/// Steps from t = 0 through all `times`, with a whole number of equal steps of at most `step` between two of them;
/// `visit` sees the coefficients at each. Returns the number of steps.
pub(crate) fn march<P: Semilinear>(
    problem: &mut P,
    v: &mut [Complex64],
    times: &[f64],
    step: f64,
    mut visit: impl FnMut(&mut P, &[Complex64]),
) -> Result<usize, PhysicsError> {
    positive("step", step)?;
    let (mut now, mut taken) = (0.0, 0);
    let mut stepper: Option<Etdrk4> = None;
    for &t in times {
        let span = t - now;
        // A span that is a multiple of the step up to rounding takes no extra one.
        let count = (span / step - 1e-9).ceil().max(0.0) as usize;
        if count > 0 {
            let h = span / count as f64;
            let kept = stepper.take().filter(|s| (s.step / h - 1.0).abs() < 1e-12);
            let mut current = match kept {
                Some(s) => s,
                None => Etdrk4::new(problem, h)?,
            };
            for k in 0..count {
                current.step(problem, v);
                if !v.iter().fold(Complex64::ZERO, |s, v| s + v).is_finite() {
                    return Err(PhysicsError::BlowUp {
                        time: now + (k + 1) as f64 * h,
                        step: h,
                    });
                }
            }
            taken += count;
            stepper = Some(current);
        }
        now = t;
        visit(problem, v);
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// v' = λv + v² with the exact solution of Bernoulli's equation.
    struct Bernoulli(f64);

    impl Semilinear for Bernoulli {
        fn len(&self) -> usize {
            1
        }

        fn symbol(&self, out: &mut [Complex64]) {
            out[0] = self.0.into();
        }

        fn nonlinear(&mut self, v: &[Complex64], out: &mut [Complex64]) {
            out[0] = v[0] * v[0];
        }
    }

    #[test]
    fn factors_are_those_of_the_series_near_zero() {
        // f₁ = h(1/6 + z/6 + 3z²/40 + …), f₂ = h(1/6 + z/12 + z²/40 + …), f₃ = h(1/6 − z²/120 − …).
        let z: f64 = 1e-3;
        let f = factors(1.0, z.into());
        let expected = [
            0.5 + z / 8.0 + z * z / 48.0,
            1.0 / 6.0 + z / 6.0 + 3.0 * z * z / 40.0,
            1.0 / 3.0 + z / 6.0 + z * z / 20.0,
            1.0 / 6.0 - z * z / 120.0,
        ];
        for (a, b) in f[2..].iter().zip(expected) {
            assert!((a.re - b).abs() < 1e-10, "{a} {b}");
        }
    }

    #[test]
    fn order_is_four() {
        // 1/v = (1/v₀ + 1/λ)e^{−λt} − 1/λ.
        for lambda in [-1.0, -20.0] {
            let exact =
                |t: f64| 1.0 / ((1.0 / 0.5 + 1.0 / lambda) * (-lambda * t).exp() - 1.0 / lambda);
            let error = |h: f64| {
                let mut v = [Complex64::from(0.5)];
                march(&mut Bernoulli(lambda), &mut v, &[0.5], h, |_, _| ()).expect("steps");
                (v[0].re - exact(0.5)).abs()
            };
            let order = (error(0.025) / error(0.0125)).log2();
            assert!((order - 4.0).abs() < 0.4, "{lambda}: {order}");
        }
    }

    #[test]
    fn bad_steps_are_refused() {
        for h in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Etdrk4::new(&Bernoulli(-1.0), h).is_err());
        }
        assert!(matches!(
            Etdrk4::new(&Bernoulli(1e6), 1.0),
            Err(PhysicsError::NotFinite { .. })
        ));
    }
}
