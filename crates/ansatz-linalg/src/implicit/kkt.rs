//! The Karush-Kuhn-Tucker conditions.

use ansatz_core::EvalError;

use super::{Derivative, ParametricMap, Point, check};
use crate::LinalgError;
use crate::error::shape;

/// The optimality of min f(z, θ) subject to G(z, θ) = 0, H(z, θ) ≤ 0, as a map of x = (z, ν, λ):
///
/// ```text
/// F = (∇f + (∂G)ᵀν + (∂H)ᵀλ,  G,  λ⊙H)
/// ```
///
/// Whoever has f, G and H as programs has the first part as one gradient; so it is one map here, of z with the arguments
/// [ν, λ, θ…], and G and H are maps of z with the arguments θ. λ ≥ 0 is not part of F. Where λᵢ = 0 = Hᵢ the derivative is
/// singular.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kkt<L, G, H> {
    pub(super) lagrangian: L,
    pub(super) equalities: G,
    pub(super) inequalities: H,
}

impl<L: ParametricMap, G: ParametricMap, H: ParametricMap> Kkt<L, G, H> {
    /// From the gradient of the Lagrangian and both constraints, which may have no output.
    ///
    /// # Errors
    /// [`LinalgError::Shape`] for parts that do not fit.
    pub fn new(lagrangian: L, equalities: G, inequalities: H) -> Result<Self, LinalgError> {
        let n = lagrangian.unknowns();
        shape(
            "outputs of the Lagrangian's gradient",
            n,
            lagrangian.outputs(),
        )?;
        let args = lagrangian.arguments();
        let multipliers = [equalities.outputs(), inequalities.outputs()];
        for (what, map) in [
            ("equalities", &equalities as &dyn ParametricMap),
            ("inequalities", &inequalities),
        ] {
            shape(what, n, map.unknowns())?;
            let mut all = multipliers.to_vec();
            all.extend(map.arguments());
            super::check_lengths(what, &args, all.iter().copied())?;
        }
        Ok(Self {
            lagrangian,
            equalities,
            inequalities,
        })
    }
}

impl<L: ParametricMap, G: ParametricMap, H: ParametricMap> ParametricMap for Kkt<L, G, H> {
    fn unknowns(&self) -> usize {
        self.lagrangian.unknowns() + self.equalities.outputs() + self.inequalities.outputs()
    }

    fn arguments(&self) -> Vec<usize> {
        self.equalities.arguments()
    }

    fn linearise<'a>(
        &'a self,
        at: Point<'_>,
        out: &mut [f64],
    ) -> Result<Box<dyn Derivative + 'a>, LinalgError> {
        check(self, at, out)?;
        let sizes = [self.lagrangian.unknowns(), self.equalities.outputs()];
        let [z, nu, lambda] = cut(at.x, sizes);
        let [first, second, third] = cut_mut(out, sizes);
        let mut args = vec![nu, lambda];
        args.extend(at.args);
        let with_multipliers = Point { x: z, args: &args };
        let plain = Point {
            x: z,
            args: at.args,
        };
        let lagrangian = self.lagrangian.linearise(with_multipliers, first)?;
        let equalities = self.equalities.linearise(plain, second)?;
        let inequalities = self.inequalities.linearise(plain, third)?;
        let slack = third.to_vec();
        for (out, lambda) in third.iter_mut().zip(lambda) {
            *out *= lambda;
        }
        Ok(Box::new(Conditions {
            lagrangian,
            equalities,
            inequalities,
            sizes,
            lambda: lambda.to_vec(),
            slack,
            lengths: self.arguments(),
        }))
    }
}

fn cut(x: &[f64], [n, e]: [usize; 2]) -> [&[f64]; 3] {
    let (z, rest) = x.split_at(n);
    let (nu, lambda) = rest.split_at(e);
    [z, nu, lambda]
}

fn cut_mut(x: &mut [f64], [n, e]: [usize; 2]) -> [&mut [f64]; 3] {
    let (z, rest) = x.split_at_mut(n);
    let (nu, lambda) = rest.split_at_mut(e);
    [z, nu, lambda]
}

struct Conditions<'a> {
    lagrangian: Box<dyn Derivative + 'a>,
    equalities: Box<dyn Derivative + 'a>,
    inequalities: Box<dyn Derivative + 'a>,
    sizes: [usize; 2],
    lambda: Vec<f64>,
    /// H.
    slack: Vec<f64>,
    /// Of θ.
    lengths: Vec<usize>,
}

impl Conditions<'_> {
    fn zeros(&self) -> Vec<Vec<f64>> {
        self.lengths.iter().map(|n| vec![0.0; *n]).collect()
    }

    fn weigh(&self, v: &[f64]) -> Vec<f64> {
        v.iter().zip(&self.lambda).map(|(v, l)| v * l).collect()
    }
}

fn add(out: &mut [f64], more: &[f64]) {
    for (out, more) in out.iter_mut().zip(more) {
        *out += more;
    }
}

impl Derivative for Conditions<'_> {
    fn jvp_x(&self, w: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        let [z, nu, lambda] = cut(w, self.sizes);
        let [first, second, third] = cut_mut(out, self.sizes);
        let zeros = self.zeros();
        let mut args = vec![nu, lambda];
        args.extend(zeros.iter().map(Vec::as_slice));
        self.lagrangian.jvp_x(z, first)?;
        let mut more = vec![0.0; z.len()];
        self.lagrangian.jvp_args(&args, &mut more)?;
        add(first, &more);
        self.equalities.jvp_x(z, second)?;
        self.inequalities.jvp_x(z, third)?;
        for (i, out) in third.iter_mut().enumerate() {
            *out = self.lambda[i] * *out + self.slack[i] * lambda[i];
        }
        Ok(())
    }

    fn vjp_x(&self, v: &[f64], out: &mut [f64]) -> Result<(), EvalError> {
        let [a, b, c] = cut(v, self.sizes);
        let [z, nu, lambda] = cut_mut(out, self.sizes);
        let mut zeros = self.zeros();
        let mut args = vec![&mut *nu, &mut *lambda];
        args.extend(zeros.iter_mut().map(Vec::as_mut_slice));
        self.lagrangian.vjp_args(a, &mut args)?;
        self.lagrangian.vjp_x(a, z)?;
        let mut more = vec![0.0; z.len()];
        self.equalities.vjp_x(b, &mut more)?;
        add(z, &more);
        self.inequalities.vjp_x(&self.weigh(c), &mut more)?;
        add(z, &more);
        for (i, out) in lambda.iter_mut().enumerate() {
            *out += self.slack[i] * c[i];
        }
        Ok(())
    }

    fn jvp_args(&self, w: &[&[f64]], out: &mut [f64]) -> Result<(), EvalError> {
        let [first, second, third] = cut_mut(out, self.sizes);
        let zeros = [vec![0.0; second.len()], vec![0.0; third.len()]];
        let mut args = vec![&zeros[0][..], &zeros[1]];
        args.extend(w);
        self.lagrangian.jvp_args(&args, first)?;
        self.equalities.jvp_args(w, second)?;
        self.inequalities.jvp_args(w, third)?;
        for (out, lambda) in third.iter_mut().zip(&self.lambda) {
            *out *= lambda;
        }
        Ok(())
    }

    fn vjp_args(&self, v: &[f64], out: &mut [&mut [f64]]) -> Result<(), EvalError> {
        let [a, b, c] = cut(v, self.sizes);
        let mut unused = [vec![0.0; b.len()], vec![0.0; c.len()]];
        let mut args: Vec<&mut [f64]> = unused.iter_mut().map(Vec::as_mut_slice).collect();
        args.extend(out.iter_mut().map(|out| &mut **out));
        self.lagrangian.vjp_args(a, &mut args)?;
        let mut more = self.zeros();
        for (map, v) in [
            (&self.equalities, b),
            (&self.inequalities, &self.weigh(c)[..]),
        ] {
            let mut parts: Vec<&mut [f64]> = more.iter_mut().map(Vec::as_mut_slice).collect();
            map.vjp_args(v, &mut parts)?;
            for (out, more) in out.iter_mut().zip(&more) {
                add(out, more);
            }
        }
        Ok(())
    }
}
