//! The error function and the normal distribution's: both from one table of
//! N(z) = Φ(−z)·exp(z²/2)·(z + K), a smooth function of t = (z − K)/(z + K) over all z ≥ 0.

use super::block::{BLOCK, Block, Kernel};
use super::exponential::{expm1_reduced, reduce};
use super::real::{Real, at_most, polynomial};

/// x + x·P(x²) up to 0.75, 1 − 2Φ(−√2·x) beyond.
pub(super) struct Erf;

impl<T: Real> Kernel<T, 1> for Erf {
    #[inline(always)]
    fn block(&self, [x]: [&Block<T>; 1], out: &mut Block<T>) {
        let one = T::one();
        let magnitude = |x: T| at_most(x.abs(), T::ERF_ONE);
        let (mut r, mut scale) = ([T::zero(); BLOCK], [T::zero(); BLOCK]);
        for i in 0..BLOCK {
            let a = magnitude(x[i]);
            let (shifted, rest, _) = reduce(-(a * a), T::ROUND_BIASED);
            (scale[i], r[i]) = (T::power_of_two(shifted), rest);
        }
        for i in 0..BLOCK {
            scale[i] = (one + expm1_reduced(r[i])) * scale[i];
        }
        for i in 0..BLOCK {
            let z = magnitude(x[i]) * T::of(std::f64::consts::SQRT_2);
            let inverse = one / (z + T::NORMAL_K);
            r[i] = (z - T::NORMAL_K) * inverse;
            scale[i] *= inverse;
        }
        for i in 0..BLOCK {
            let tail = polynomial(T::NORMAL, r[i]) * scale[i];
            out[i] = one - (tail + tail);
        }
        for i in 0..BLOCK {
            let a = magnitude(x[i]);
            let small = a + a * polynomial(T::ERF, a * a);
            out[i] = (if a < T::of(0.75) { small } else { out[i] }).copysign(x[i]);
        }
    }
}

/// x·Φ(x), Φ with its relative accuracy on both sides: z·Φ(−z) = u·N·exp(−z²/2), u = z/(z + K).
pub(super) struct Gelu;

impl<T: Real> Kernel<T, 1> for Gelu {
    #[inline(always)]
    fn block(&self, [x]: [&Block<T>; 1], out: &mut Block<T>) {
        let (one, half) = (T::one(), T::of(0.5));
        let (mut shifted, mut tail) = ([T::zero(); BLOCK], [T::zero(); BLOCK]);
        for i in 0..BLOCK {
            let z = at_most(x[i].abs(), T::NORMAL_ZERO);
            // z² = head² exactly + the rest, which would be lost in the exponential.
            let head = z.head();
            let rest = half * (z - head) * (z + head);
            let (n, r, _) = reduce(-half * head * head, T::ROUND_TWICE);
            (shifted[i], out[i]) = (n, r - rest);
        }
        let mut t = [T::zero(); BLOCK];
        for i in 0..BLOCK {
            let z = at_most(x[i].abs(), T::NORMAL_ZERO);
            let sum = z + T::NORMAL_K;
            let u = z / sum;
            let far = (z - T::NORMAL_K) / sum;
            // t, in the form that loses less.
            t[i] = if z < T::NORMAL_K { u + u - one } else { far };
            tail[i] = u;
        }
        for i in 0..BLOCK {
            tail[i] *= polynomial(T::NORMAL, t[i]);
        }
        for i in 0..BLOCK {
            out[i] = tail[i] + tail[i] * expm1_reduced(out[i]);
        }
        for i in 0..BLOCK {
            let (a, b) = T::power_of_two_halves(shifted[i]);
            // The powers last of all, that small results keep their digits.
            let part = out[i] * a * b;
            out[i] = if x[i] < T::zero() { -part } else { x[i] - part };
        }
    }
}
