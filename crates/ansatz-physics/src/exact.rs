//! Solutions in closed form, with exact derivatives.
//!
//! Each problem is a small value that writes its formula once, over any [`Number`]; values, directional derivatives to order
//! four and Laplacians follow. Coordinates of space come first, the time last.
//!
//! | | equation | outputs |
//! |---|---|---|
//! | [`SineProduct`] | −Δu = dπ²u, u = Π sin πx_i | u |
//! | [`TwoBody`] | Δu given, in the unit ball of any dimension | u |
//! | [`Helmholtz`] | Δu + k²u = q | u |
//! | [`KleinGordon`], [`KleinGordonLine`], [`KleinGordonCubic`] | u_tt − Δu + u² (u³) = q | u |
//! | [`Convection`] | u_t + βu_x = 0 | u |
//! | [`Wave`] | u_tt = c²u_xx | u |
//! | [`Soliton`], [`TwoSolitons`] | u_t + 6uu_x + u_xxx = 0 | u |
//! | [`Kovasznay`] | u·∇u + ∇p = Δu/Re, ∇·u = 0 | u, v, p |
//! | [`FlowMixing`] | u_t + a(x, y)u_x + b(x, y)u_y = 0 | u |
//! | [`Reaction`] | u_t = ρu(1 − u) | u |
//! | [`Heat`] | u_t = u_xx | u |
//! | [`Oscillator`] | u'' + 2du' + ω₀²u = 0 | u |
//!
//! Tests put every one into its equation.
//!
//! L. I. G. Kovasznay, *Laminar flow behind a two-dimensional grid*, Proc. Camb. Phil. Soc. 44, 1948; R. Hirota, *Exact solution of
//! the Korteweg-de Vries equation for multiple collisions of solitons*, Phys. Rev. Lett. 27, 1971; P. Tamamidis, D. N.
//! Assanis, *Evaluation of various high-order-accuracy schemes with and without flux limiters*, Int. J. Numer. Meth. Fluids
//! 16, 1993 (mixing); Z. Hu, K. Shukla, G. E. Karniadakis, K. Kawaguchi, *Tackling the curse of dimensionality with
//! physics-informed neural networks*, Neural Networks 176, 2024 (two-body).

mod flow;
mod line;
mod number;
mod space;

pub use flow::{FlowMixing, Kovasznay};
pub use line::{
    Convection, Heat, KleinGordonCubic, KleinGordonLine, Oscillator, Reaction, Soliton,
    TwoSolitons, Wave,
};
pub use number::{Number, Taylor};
pub use space::{Helmholtz, KleinGordon, SineProduct, TwoBody};

use crate::reference::{check_length, inside};
use crate::{PhysicsError, Reference};
use number::TERMS;

/// A solution in closed form.
pub trait Exact {
    /// Coordinates: name, least, greatest.
    fn domain(&self) -> Vec<(&'static str, f64, f64)>;

    /// Numbers at a point.
    fn components(&self) -> usize {
        1
    }

    /// The formula, for a point inside and as many outputs as there are components.
    fn formula<N: Number>(&self, point: &[N], out: &mut [N]);

    /// Whether the point is inside, beyond its coordinates' bounds.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`].
    fn check(&self, point: &[f64]) -> Result<(), PhysicsError> {
        let domain = self.domain();
        check_length("point", point.len(), domain.len())?;
        domain
            .iter()
            .zip(point)
            .try_for_each(|((name, low, high), x)| inside(name, *x, *low, *high))
    }

    /// The first output.
    ///
    /// # Errors
    /// [`PhysicsError::OutsideDomain`]; [`PhysicsError::Parameter`] for a point of another dimension.
    fn value(&self, point: &[f64]) -> Result<f64, PhysicsError> {
        Ok(self.values(point)?[0])
    }

    /// All outputs.
    ///
    /// # Errors
    /// Those of [`Self::value`].
    fn values(&self, point: &[f64]) -> Result<Vec<f64>, PhysicsError> {
        self.check(point)?;
        let mut out = vec![0.0; self.components()];
        self.formula(point, &mut out);
        Ok(out)
    }

    /// The derivatives d^k/ds^k u(point + s·direction), k = 0 to 4, of every output.
    ///
    /// # Errors
    /// Those of [`Self::value`].
    fn along(&self, point: &[f64], direction: &[f64]) -> Result<Vec<[f64; TERMS]>, PhysicsError> {
        self.check(point)?;
        check_length("direction", direction.len(), point.len())?;
        let ray = |(x, d): (&f64, &f64)| {
            let mut z = [0.0; TERMS];
            (z[0], z[1]) = (*x, *d);
            Taylor(z)
        };
        let ray: Vec<Taylor> = point.iter().zip(direction).map(ray).collect();
        let mut out = vec![Taylor::constant(0.0); self.components()];
        self.formula(&ray, &mut out);
        let factorials = [1.0, 1.0, 2.0, 6.0, 24.0];
        let scaled = |y: &Taylor| std::array::from_fn(|k| y.0[k] * factorials[k]);
        Ok(out.iter().map(scaled).collect())
    }

    /// ∂^order of output `component` in coordinate number `axis`, order ≤ 4.
    ///
    /// # Errors
    /// Those of [`Self::value`]; [`PhysicsError::Parameter`] for an axis, an output or an order that is not there.
    fn derivative(
        &self,
        point: &[f64],
        component: usize,
        axis: usize,
        order: usize,
    ) -> Result<f64, PhysicsError> {
        let within = |name, value: usize, most: usize| {
            if value < most {
                return Ok(());
            }
            Err(PhysicsError::Parameter {
                name,
                value: value as f64,
                needed: "must be below the number there is; orders go to 4",
            })
        };
        within("axis", axis, point.len())?;
        within("component", component, self.components())?;
        within("order", order, TERMS)?;
        let mut direction = vec![0.0; point.len()];
        direction[axis] = 1.0;
        Ok(self.along(point, &direction)?[component][order])
    }

    /// Σ∂² over the first `axes` coordinates, of output `component`. Cost: one evaluation for each.
    ///
    /// # Errors
    /// Those of [`Self::derivative`].
    fn laplacian(&self, point: &[f64], component: usize, axes: usize) -> Result<f64, PhysicsError> {
        (0..axes)
            .map(|axis| self.derivative(point, component, axis, 2))
            .sum()
    }
}

impl<T: Exact> Reference for T {
    fn inputs(&self) -> usize {
        self.domain().len()
    }

    fn outputs(&self) -> usize {
        self.components()
    }

    fn evaluate(&self, point: &[f64], out: &mut [f64]) -> Result<(), PhysicsError> {
        self.check(point)?;
        check_length("outputs", out.len(), self.components())?;
        self.formula(point, out);
        Ok(())
    }

    /// Rounding, of formulas with arguments up to some hundreds.
    fn accuracy(&self) -> f64 {
        1e-13
    }
}
