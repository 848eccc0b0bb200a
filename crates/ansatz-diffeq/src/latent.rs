//! Latent stochastic equations: paths drawn from a posterior, and what leaving the prior costs.
//!
//! A prior dz = f_p(t, z) dt + g(t, z) dW and a posterior dz = f_q(t, z) dt + g(t, z) dW share the diagonal
//! diffusion g > 0. The divergence of their path measures is E ∫ ½‖(f_q − f_p)/g‖² dt (Girsanov), so it is one more
//! state per sample: [`Latent`] is the equation of (z, ℓ) with dℓ = ½‖(f_q − f_p)/g‖² dt, and any stochastic method
//! and gradient takes it. The evidence bound of data x is E[log p(x | z) − ℓ(t₁)] − KL(q(z₀) ‖ p(z₀)); the last
//! term is [`normal_divergence`]'s for normal starts.
//!
//! Itô and Stratonovich differ in both drifts by the same term, so ℓ means the same in either calculus.
//! Cost: one call of f_q, f_p and g each. The variance of ℓ's gradient grows as g falls: keep g away from 0.
//!
//! Reference: X. Li, T.-K. L. Wong, R. Chen, D. Duvenaud, *Scalable gradients for stochastic differential
//! equations*, 2020, section 5 (eq. 8 to 10).

use std::sync::{Mutex, PoisonError};

use ansatz_core::{
    ControlField, EvalError, HostState, NoiseKind, Scalar, Sde, VectorField, VjpControlField,
    VjpField,
};

/// The posterior with the running divergence: states (z, ℓ), z `[samples, width]` and ℓ `[samples]`, both 0 or more
/// numbers of one kind; noise of the shape of z.
///
/// `diffusion` gives g(t, z), one number per component. Gradients have the parameters of posterior, prior and
/// diffusion, in this order.
///
/// # Errors
/// Calls fail with [`EvalError::OutOfRange`] where g is not positive, and with [`EvalError::Length`] when z does not
/// hold one row for each number of ℓ.
///
/// ```
/// use ansatz_core::{Key, NoiseKind};
/// use ansatz_diffeq::brownian::{LevyArea, VirtualBrownianTree};
/// use ansatz_diffeq::latent::Latent;
/// use ansatz_diffeq::{Control, sde};
/// type V = Vec<f64>;
/// let posterior = |_: f64, z: &V, dz: &mut V| { dz[0] = 1.0 - z[0]; Ok(()) };
/// let prior = |_: f64, z: &V, dz: &mut V| { dz[0] = -z[0]; Ok(()) };
/// let diffusion = |_: f64, _: &V, g: &mut V| { g[0] = 0.5; Ok(()) };
/// let equation = Latent::new(&posterior, &prior, &diffusion, NoiseKind::Additive);
/// let mut path = VirtualBrownianTree::new(Key::new(0), (0.0, 1.0), &vec![0.0], LevyArea::None, 1e-3)?;
/// let mut state = (vec![0.3], vec![0.0]);
/// sde::solve(&equation, &mut path, (0.0, 1.0), &mut state, &sde::HEUN, &Control::fixed(16), &mut ())?;
/// assert!((state.1[0] - 2.0).abs() < 1e-14); // ½·(1/½)²
/// # Ok::<(), ansatz_diffeq::StepError>(())
/// ```
pub struct Latent<'a, S, Q: ?Sized, P: ?Sized, G: ?Sized> {
    posterior: &'a Q,
    prior: &'a P,
    diffusion: &'a G,
    noise: NoiseKind,
    pool: Mutex<Vec<[S; 5]>>,
}

impl<'a, S: HostState, Q: ?Sized, P: ?Sized, G: ?Sized> Latent<'a, S, Q, P, G> {
    /// `noise` says what g depends on: [`NoiseKind::Additive`] for the time alone, [`NoiseKind::Diagonal`] if
    /// each entry sees its own component only, else [`NoiseKind::General`].
    pub fn new(posterior: &'a Q, prior: &'a P, diffusion: &'a G, noise: NoiseKind) -> Self {
        Self {
            posterior,
            prior,
            diffusion,
            noise,
            pool: Mutex::default(),
        }
    }

    /// Runs `f` with states like `z`.
    fn with<R>(&self, z: &S, f: impl FnOnce(&mut [S; 5]) -> R) -> R {
        let lock = || self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = lock().pop().filter(|kept| kept[0].same_shape(z));
        let mut work = kept.unwrap_or_else(|| std::array::from_fn(|_| z.zeros_like()));
        let result = f(&mut work);
        lock().push(work);
        result
    }

    /// `u ← (f_q − f_p)/g` from the three values.
    fn excess(q: &S, p: &S, g: &S, u: &mut S) -> Result<(), EvalError> {
        let terms = q.as_slice().iter().zip(p.as_slice()).zip(g.as_slice());
        for (u, ((q, p), g)) in u.as_mut_slice().iter_mut().zip(terms) {
            positive("diffusion of a latent equation", g.f64())?;
            *u = S::Scalar::of((q.f64() - p.f64()) / g.f64());
        }
        Ok(())
    }
}

/// An error unless `value` is above 0; NaN is not.
fn positive(what: &'static str, value: f64) -> Result<(), EvalError> {
    if value > 0.0 {
        return Ok(());
    }
    let (min, max) = (f64::MIN_POSITIVE, f64::INFINITY);
    Err(EvalError::OutOfRange {
        what,
        value,
        min,
        max,
    })
}

/// Components of a sample.
fn width<S: HostState>(z: &S, l: &S) -> Result<usize, EvalError> {
    let width = z.len() / l.len().max(1);
    if width * l.len() == z.len() {
        return Ok(width.max(1));
    }
    Err(EvalError::Length {
        what: "latent state, a row for each divergence",
        expected: width * l.len(),
        got: z.len(),
    })
}

impl<S, Q, P, G> VectorField<(S, S)> for Latent<'_, S, Q, P, G>
where
    S: HostState,
    Q: VectorField<S> + ?Sized,
    P: VectorField<S> + ?Sized,
    G: VectorField<S> + ?Sized,
{
    fn eval(&self, t: f64, (z, l): &(S, S), (dz, dl): &mut (S, S)) -> Result<(), EvalError> {
        let width = width(z, l)?;
        self.with(z, |[p, g, u, ..]| {
            self.posterior.eval(t, z, dz)?;
            self.prior.eval(t, z, p)?;
            self.diffusion.eval(t, z, g)?;
            Self::excess(dz, p, g, u)?;
            let rows = u.as_slice().chunks(width);
            for (dl, row) in dl.as_mut_slice().iter_mut().zip(rows) {
                let square: f64 = row.iter().map(|u| u.f64() * u.f64()).sum();
                *dl = S::Scalar::of(0.5 * square);
            }
            Ok(())
        })
    }
}

impl<S, Q, P, G> VjpField<(S, S)> for Latent<'_, S, Q, P, G>
where
    S: HostState,
    Q: VjpField<S> + ?Sized,
    P: VjpField<S> + ?Sized,
    G: VjpField<S> + ?Sized,
{
    fn params(&self) -> usize {
        self.posterior.params() + self.prior.params() + self.diffusion.params()
    }

    fn vjp(
        &self,
        t: f64,
        (z, l): &(S, S),
        (w, v): &(S, S),
        (z_bar, l_bar): &mut (S, S),
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let width = width(z, l)?;
        let (q_params, rest) = p_bar.split_at_mut(self.posterior.params());
        let (p_params, g_params) = rest.split_at_mut(self.prior.params());
        l_bar.lincomb(0.0, &[]);
        self.with(z, |[q, p, g, u, bar]| {
            self.posterior.eval(t, z, q)?;
            self.prior.eval(t, z, p)?;
            self.diffusion.eval(t, z, g)?;
            Self::excess(q, p, g, u)?;
            // With ℓ' = ½Σu²: q̄ = w + v·u/g, p̄ = −v·u/g, ḡ = −v·u²/g.
            let values = u.as_slice().iter().zip(g.as_slice());
            for (i, (bar, (u, g))) in bar.as_mut_slice().iter_mut().zip(values).enumerate() {
                let v = v.as_slice()[i / width].f64();
                *bar = S::Scalar::of(-v * u.f64() / g.f64());
            }
            q.lincomb(0.0, &[(1.0, w), (-1.0, bar)]);
            self.posterior.vjp(t, z, q, z_bar, q_params)?;
            self.prior.vjp(t, z, bar, q, p_params)?;
            z_bar.lincomb(1.0, &[(1.0, q)]);
            for (bar, u) in bar.as_mut_slice().iter_mut().zip(u.as_slice()) {
                *bar *= *u;
            }
            self.diffusion.vjp(t, z, bar, q, g_params)?;
            z_bar.lincomb(1.0, &[(1.0, q)]);
            Ok(())
        })
    }
}

/// `out ← x·y`, element by element.
fn multiply<S: HostState>(x: &S, y: &S, out: &mut S) {
    let factors = x.as_slice().iter().zip(y.as_slice());
    for (out, (x, y)) in out.as_mut_slice().iter_mut().zip(factors) {
        *out = *x * *y;
    }
}

impl<S, Q, P, G> ControlField<(S, S), S> for Latent<'_, S, Q, P, G>
where
    S: HostState,
    Q: VectorField<S> + ?Sized,
    P: VectorField<S> + ?Sized,
    G: VectorField<S> + ?Sized,
{
    fn apply(&self, t: f64, x: &(S, S), u: &S, out: &mut (S, S)) -> Result<(), EvalError> {
        self.with(&x.0, |[g, ..]| {
            self.diffusion.eval(t, &x.0, g)?;
            multiply(g, u, &mut out.0);
            out.1.lincomb(0.0, &[]);
            Ok(())
        })
    }
}

impl<S, Q, P, G> VjpControlField<(S, S), S> for Latent<'_, S, Q, P, G>
where
    S: HostState,
    Q: VjpField<S> + ?Sized,
    P: VjpField<S> + ?Sized,
    G: VjpField<S> + ?Sized,
{
    fn control_params(&self) -> usize {
        VjpField::params(self)
    }

    fn control_vjp(
        &self,
        t: f64,
        x: &(S, S),
        u: &S,
        w: &(S, S),
        x_bar: &mut (S, S),
        u_bar: &mut S,
        p_bar: &mut [f64],
    ) -> Result<(), EvalError> {
        let first = p_bar.len() - self.diffusion.params();
        x_bar.1.lincomb(0.0, &[]);
        self.with(&x.0, |[g, bar, ..]| {
            self.diffusion.eval(t, &x.0, g)?;
            multiply(g, &w.0, u_bar);
            multiply(u, &w.0, bar);
            self.diffusion
                .vjp(t, &x.0, bar, &mut x_bar.0, &mut p_bar[first..])
        })
    }
}

impl<S, Q, P, G> Sde<(S, S), S> for Latent<'_, S, Q, P, G>
where
    S: HostState,
    Q: VectorField<S> + ?Sized,
    P: VectorField<S> + ?Sized,
    G: VectorField<S> + ?Sized,
{
    fn noise(&self) -> NoiseKind {
        match self.noise {
            // There are fewer noises than states, so the matrix is not square, but its columns still commute.
            NoiseKind::Diagonal => NoiseKind::Commutative,
            kind => kind,
        }
    }
}

/// KL(N(m_q, s_q²) ‖ N(m_p, s_p²)) = log(s_p/s_q) + (s_q² + (m_q − m_p)²)/(2 s_p²) − ½ of two normal numbers, each
/// given as mean and standard deviation, and its derivatives with respect to m_q, s_q, m_p and s_p.
///
/// # Errors
/// [`EvalError::OutOfRange`] for a standard deviation that is not positive.
///
/// ```
/// let (divergence, _) = ansatz_diffeq::latent::normal_divergence([1.0, 2.0], [0.0, 2.0])?;
/// assert_eq!(divergence, 0.125);
/// # Ok::<(), ansatz_core::EvalError>(())
/// ```
pub fn normal_divergence(q: [f64; 2], p: [f64; 2]) -> Result<(f64, [f64; 4]), EvalError> {
    let ([m, s], [mean, scale]) = (q, p);
    for value in [s, scale] {
        positive("standard deviation", value)?;
    }
    let (d, r) = ((m - mean) / scale, s / scale);
    let value = 0.5 * (r * r + d * d - 1.0) - r.ln();
    let slopes = [
        d / scale,
        r / scale - 1.0 / s,
        -d / scale,
        (1.0 - r * r - d * d) / scale,
    ];
    Ok((value, slopes))
}
