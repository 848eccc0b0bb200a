//! Functions and rules that collocation needs.

use libm::tgamma;

/// Bernoulli numbers B₂ₖ/(2k)! for k = 1..=8.
const BERNOULLI: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 720.0,
    1.0 / 30240.0,
    -1.0 / 1209600.0,
    1.0 / 47900160.0,
    -691.0 / 1307674368000.0,
    1.0 / 74724249600.0,
    -3617.0 / 10670622842880000.0,
];

/// Terms that are summed before the tail.
const TERMS: usize = 12;

/// Hurwitz' zeta function Σ (l + a)⁻ˢ for s > 0, s ≠ 1 and a > 0, for s < 1 as continued (Euler and Maclaurin), to a few units
/// of the last place.
pub(crate) fn hurwitz(s: f64, a: f64) -> f64 {
    let sum: f64 = (0..TERMS).map(|l| (l as f64 + a).powf(-s)).sum();
    let end = TERMS as f64 + a;
    let mut tail = end.powf(1.0 - s) / (s - 1.0) + 0.5 * end.powf(-s);
    // s(s + 1)…(s + 2k − 2)·B₂ₖ/(2k)!·end^{−s−2k+1}
    let mut factor = s * end.powf(-s - 1.0);
    for (k, b) in BERNOULLI.iter().enumerate() {
        tail += b * factor;
        let k = 2.0 * k as f64 + 1.0;
        factor *= (s + k) * (s + k + 1.0) / (end * end);
    }
    sum + tail
}

/// Γ(x), with its poles as infinities.
pub(crate) fn gamma(x: f64) -> f64 {
    tgamma(x)
}

/// Points and weights of Gauss and Legendre on (0, 1): zeros of the polynomial by Newton's iteration.
pub(crate) fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    (0..n)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..8 {
                let (mut now, mut before) = (1.0, 0.0);
                for k in 1..=n {
                    let k = k as f64;
                    (now, before) = (((2.0 * k - 1.0) * x * now - (k - 1.0) * before) / k, now);
                }
                slope = n as f64 * (x * now - before) / (x * x - 1.0);
                x -= now / slope;
            }
            let weight = 1.0 / ((1.0 - x * x) * slope * slope);
            (0.5 * (1.0 + x), weight)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn zeta_has_its_known_values() {
        assert!((hurwitz(2.0, 1.0) - PI * PI / 6.0).abs() < 1e-14);
        assert!((hurwitz(2.0, 0.5) - PI * PI / 2.0).abs() < 1e-13);
        // ζ(3/2) and ζ(1/2).
        assert!((hurwitz(1.5, 1.0) - 2.612375348685488).abs() < 1e-13);
        assert!((hurwitz(0.5, 1.0) + 1.4603545088095868).abs() < 1e-13);
        // ζ(s, a) − ζ(s, a + 1) = a⁻ˢ.
        let (s, a) = (2.7, 0.3);
        assert!((hurwitz(s, a) - hurwitz(s, a + 1.0) - a.powf(-s)).abs() < 1e-12);
    }

    #[test]
    fn quadrature_is_exact_for_polynomials() {
        let rule = gauss_legendre(24);
        for degree in [0, 1, 5, 47] {
            let sum: f64 = rule.iter().map(|(x, w)| w * x.powi(degree)).sum();
            assert!((sum - 1.0 / (f64::from(degree) + 1.0)).abs() < 1e-15);
        }
    }
}
