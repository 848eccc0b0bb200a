//! Functions of single elements, comparisons and choices.

use crate::Array;
use crate::op::{Compare, Comparison, Select, Unary};

impl Array<'_> {
    /// 1/x.
    #[must_use]
    pub fn recip(self) -> Self {
        self.unary(Unary::Recip)
    }

    /// √x.
    #[must_use]
    pub fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }

    /// eˣ.
    #[must_use]
    pub fn exp(self) -> Self {
        self.unary(Unary::Exp)
    }

    /// ln x.
    #[must_use]
    pub fn ln(self) -> Self {
        self.unary(Unary::Ln)
    }

    /// eˣ − 1, exact near 0.
    #[must_use]
    pub fn expm1(self) -> Self {
        self.unary(Unary::Expm1)
    }

    /// ln(1 + x), exact near 0.
    #[must_use]
    pub fn ln1p(self) -> Self {
        self.unary(Unary::Ln1p)
    }

    /// 1/√x.
    #[must_use]
    pub fn rsqrt(self) -> Self {
        self.unary(Unary::Rsqrt)
    }

    /// sin x.
    #[must_use]
    pub fn sin(self) -> Self {
        self.unary(Unary::Sin)
    }

    /// cos x.
    #[must_use]
    pub fn cos(self) -> Self {
        self.unary(Unary::Cos)
    }

    /// tanh x.
    #[must_use]
    pub fn tanh(self) -> Self {
        self.unary(Unary::Tanh)
    }

    /// 1/(1 + e⁻ˣ).
    #[must_use]
    pub fn sigmoid(self) -> Self {
        self.unary(Unary::Sigmoid)
    }

    /// ln(1 + eˣ).
    #[must_use]
    pub fn softplus(self) -> Self {
        self.unary(Unary::Softplus)
    }

    /// x/(1 + e⁻ˣ).
    #[must_use]
    pub fn silu(self) -> Self {
        self.unary(Unary::Silu)
    }

    /// The error function.
    #[must_use]
    pub fn erf(self) -> Self {
        self.unary(Unary::Erf)
    }

    /// tan x.
    #[must_use]
    pub fn tan(self) -> Self {
        self.unary(Unary::Tan)
    }

    /// arcsin x.
    #[must_use]
    pub fn asin(self) -> Self {
        self.unary(Unary::Asin)
    }

    /// arccos x.
    #[must_use]
    pub fn acos(self) -> Self {
        self.unary(Unary::Acos)
    }

    /// arctan x.
    #[must_use]
    pub fn atan(self) -> Self {
        self.unary(Unary::Atan)
    }

    /// sinh x.
    #[must_use]
    pub fn sinh(self) -> Self {
        self.unary(Unary::Sinh)
    }

    /// cosh x.
    #[must_use]
    pub fn cosh(self) -> Self {
        self.unary(Unary::Cosh)
    }

    /// arsinh x.
    #[must_use]
    pub fn asinh(self) -> Self {
        self.unary(Unary::Asinh)
    }

    /// arcosh x.
    #[must_use]
    pub fn acosh(self) -> Self {
        self.unary(Unary::Acosh)
    }

    /// artanh x.
    #[must_use]
    pub fn atanh(self) -> Self {
        self.unary(Unary::Atanh)
    }

    /// 2ˣ.
    #[must_use]
    pub fn exp2(self) -> Self {
        self.unary(Unary::Exp2)
    }

    /// The logarithm of x to base 2.
    #[must_use]
    pub fn log2(self) -> Self {
        self.unary(Unary::Log2)
    }

    /// The logarithm of x to base 10.
    #[must_use]
    pub fn log10(self) -> Self {
        self.unary(Unary::Log10)
    }

    /// x·Φ(x) with the normal distribution function Φ.
    #[must_use]
    pub fn gelu(self) -> Self {
        self.unary(Unary::Gelu)
    }

    /// max(x, 0), with derivative 0 at 0.
    #[must_use]
    pub fn relu(self) -> Self {
        let positive = self.zeros().less(self);
        positive.select(self, self.zeros())
    }

    /// |x|, with derivative 0 at 0.
    #[must_use]
    pub fn abs(self) -> Self {
        self.unary(Unary::Abs)
    }

    /// −1, 0 or 1.
    #[must_use]
    pub fn sign(self) -> Self {
        self.unary(Unary::Sign)
    }

    /// x².
    #[must_use]
    pub fn square(self) -> Self {
        self * self
    }

    /// xⁿ.
    #[must_use]
    pub fn powi(self, n: i32) -> Self {
        match n {
            0 => self.ones(),
            1 => self,
            2 => self * self,
            _ => self.unary(Unary::Powi(n)),
        }
    }

    /// xᶜ for x > 0.
    #[must_use]
    pub fn powf(self, c: f64) -> Self {
        self.unary(Unary::Powf(c))
    }

    /// 1 where it is less than `other`, else 0.
    ///
    /// # Panics
    /// When shapes do not broadcast; [`Array::try_stretched`] says whether they do.
    #[must_use]
    #[track_caller]
    pub fn less(self, other: Self) -> Self {
        self.compare(other, Comparison::Less)
    }

    /// A comparison, 1 or 0.
    ///
    /// # Panics
    /// When shapes do not broadcast; [`Array::try_stretched`] says whether they do.
    #[must_use]
    #[track_caller]
    pub fn compare(self, other: Self, comparison: Comparison) -> Self {
        let (a, b) = self.stretched(other);
        self.make(Compare(comparison), &[a, b])
    }

    /// `a` where this array is not 0, else `b`.
    ///
    /// # Panics
    /// When shapes do not broadcast; [`Array::try_stretched`] says whether they do.
    #[must_use]
    #[track_caller]
    pub fn select(self, a: Self, b: Self) -> Self {
        let (a, b) = a.stretched(b);
        let (condition, a) = self.stretched(a);
        let (condition, b) = condition.stretched(b);
        self.make(Select, &[condition, a, b])
    }

    /// The larger of two; the derivative is that of the one taken, of `other` where they are equal.
    ///
    /// # Panics
    /// When shapes do not broadcast; [`Array::try_stretched`] says whether they do.
    #[must_use]
    #[track_caller]
    pub fn max(self, other: Self) -> Self {
        other.less(self).select(self, other)
    }

    /// The smaller of two; the derivative is that of the one taken, of `other` where they are equal.
    ///
    /// # Panics
    /// When shapes do not broadcast; [`Array::try_stretched`] says whether they do.
    #[must_use]
    #[track_caller]
    pub fn min(self, other: Self) -> Self {
        self.less(other).select(self, other)
    }

    /// The nearest number in [low, high]; the derivative is 1 in the interval and 0 outside. NaN stays.
    #[must_use]
    pub fn clamp(self, low: f64, high: f64) -> Self {
        let (low, high) = (self.filled(low), self.filled(high));
        let above = high.less(self).select(high, self);
        self.less(low).select(low, above)
    }
}
