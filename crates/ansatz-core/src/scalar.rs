//! The two floating-point types that states are made of.
//!
//! Schedules, coefficients, norms and dot products are `f64` everywhere; [`Scalar`] is only the
//! type in which a state is *stored*.

use std::fmt::{Debug, Display};
use std::iter::Sum;

use num_traits::{Float, NumAssign};

mod sealed {
    /// Keeps [`super::Scalar`] closed, so that kernels may rely on there being two types.
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32` or `f64`. Sealed: kernels, fixtures and device code know that there are exactly two.
///
/// ```
/// use ansatz_core::Scalar;
/// fn mean<T: Scalar>(x: &[T]) -> f64 {
///     x.iter().map(|v| v.f64()).sum::<f64>() / x.len() as f64
/// }
/// assert_eq!(mean(&[1.0_f32, 2.0]), 1.5);
/// ```
pub trait Scalar:
    sealed::Sealed + Float + NumAssign + Sum + Default + Debug + Display + Send + Sync + 'static
{
    /// Distance from 1 to the next larger number (2⁻²³ or 2⁻⁵²).
    const EPS: Self;
    /// Name used in records and fixtures: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// Whether the product of a [`Scalar::coefficient`] and a value of this type is exact in `f64`.
    #[doc(hidden)]
    const EXACT_PRODUCTS: bool;

    /// A coefficient as the kernels use it: for `f32`, rounded to 29 significant bits (an error of
    /// 2⁻³⁰, a sixty-fourth of the state's own). Its product with a 24-bit value is then exact, so
    /// fused and separate multiply-add give the same bits, and processors with the fused form may
    /// use it.
    #[doc(hidden)]
    fn coefficient(c: f64) -> f64;

    /// Whether no element is NaN or infinite, as a loop that becomes vector instructions.
    #[doc(hidden)]
    fn all_finite(x: &[Self]) -> bool;

    /// The nearest value of this type.
    fn of(x: f64) -> Self;

    /// The same number in `f64`; exact.
    fn f64(self) -> f64;
}

impl Scalar for f32 {
    const EPS: Self = f32::EPSILON;
    const NAME: &'static str = "f32";
    const EXACT_PRODUCTS: bool = true;

    #[inline]
    fn coefficient(c: f64) -> f64 {
        const DROP: u64 = 1 << 24;
        f64::from_bits((c.to_bits() + DROP / 2) & !(DROP - 1))
    }

    #[inline(always)]
    fn all_finite(x: &[Self]) -> bool {
        // Finite numbers have smaller bits than infinity; a maximum is one instruction.
        let largest = x
            .iter()
            .fold(0, |m: u32, v| m.max(v.to_bits() & (u32::MAX >> 1)));
        largest < f32::INFINITY.to_bits()
    }

    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }

    #[inline(always)]
    fn f64(self) -> f64 {
        f64::from(self)
    }
}

impl Scalar for f64 {
    const EPS: Self = f64::EPSILON;
    const NAME: &'static str = "f64";
    const EXACT_PRODUCTS: bool = false;

    #[inline]
    fn coefficient(c: f64) -> f64 {
        c
    }

    #[inline(always)]
    fn all_finite(x: &[Self]) -> bool {
        // No early exit: a fold without branches becomes a vector loop.
        x.iter().fold(true, |ok, v| ok & v.is_finite())
    }

    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn f64(self) -> f64 {
        self
    }
}
