//! Statistics of the noise, and independence of keys, streams and counters.

use ansatz_core::{Key, stream};
use ansatz_testkit::laws;

const N: usize = 1 << 20;

fn normals(key: Key, stream: u64) -> Vec<f64> {
    let mut x = vec![0.0; N];
    key.fill_normal(stream, &mut x);
    x
}

/// Mean of a function of the numbers, in units of its standard error.
fn z_score(x: &[f64], f: impl Fn(f64) -> f64, mean: f64, variance: f64) -> f64 {
    let got = x.iter().map(|v| f(*v)).sum::<f64>() / x.len() as f64;
    (got - mean) / (variance / x.len() as f64).sqrt()
}

/// All bounds are 5 standard errors; the keys are fixed, so the test cannot fail by chance twice.
#[test]
fn normals_have_the_moments_of_the_normal_distribution() {
    for key in [Key::new(0), Key::new(1), Key::new(u64::MAX).fold_in(3)] {
        let x = normals(key, stream::INITIAL);
        for (k, mean, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let z = z_score(&x, |v| v.powi(k), mean, variance);
            assert!(z.abs() < 5.0, "moment {k}: {z} standard errors");
        }
        // Tails: P(|x| > 3) and the median of |x|.
        for (limit, p) in [(3.0, 0.002_699_796_063), (0.674_489_750_196, 0.5)] {
            let z = z_score(
                &x,
                |v| f64::from(u8::from(v.abs() > limit)),
                p,
                p * (1.0 - p),
            );
            assert!(z.abs() < 5.0, "beyond {limit}: {z} standard errors");
        }
        let largest = x.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        assert!((4.5..7.0).contains(&largest), "largest of 2²⁰: {largest}");
    }
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len());
    x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>() / (n as f64).sqrt()
}

#[test]
fn keys_streams_and_neighbours_are_independent() {
    let key = Key::new(42);
    let x = normals(key, stream::INITIAL);
    for (what, y) in [
        ("next key", normals(Key::new(43), stream::INITIAL)),
        ("folded key", normals(key.fold_in(0), stream::INITIAL)),
        ("step 0", normals(key, stream::step(0))),
        ("step 1", normals(key, stream::step(1))),
        ("corrector 0", normals(key, stream::corrector(0))),
        ("high stream", normals(key, 1 << 40)),
        ("neighbour", x[1..].to_vec()),
        ("next pair", x[2..].to_vec()),
        ("next chunk", x[4096..].to_vec()),
    ] {
        let z = correlation(&x, &y);
        assert!(z.abs() < 5.0, "{what}: {z} standard errors");
        let squares: Vec<f64> = y.iter().map(|v| (v * v - 1.0) / 2.0_f64.sqrt()).collect();
        let own: Vec<f64> = x.iter().map(|v| (v * v - 1.0) / 2.0_f64.sqrt()).collect();
        let z = correlation(&own, &squares);
        assert!(z.abs() < 5.0, "{what}, squares: {z} standard errors");
    }
}

#[test]
fn streams_have_different_numbers() {
    let mut all: Vec<u64> = vec![stream::INITIAL];
    all.extend((0..100).flat_map(|i| [stream::step(i), stream::corrector(i)]));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 201);
}

#[test]
fn uniforms_fill_the_unit_interval() {
    let key = Key::new(5);
    let mut cells = [0_u32; 64];
    for counter in 0..1 << 17 {
        for u in key.uniform(0, counter) {
            assert!((0.0..1.0).contains(&u));
            cells[(u * 64.0) as usize] += 1;
        }
    }
    let expected = f64::from(1 << 18) / 64.0;
    let chi2: f64 = cells
        .iter()
        .map(|c| (f64::from(*c) - expected).powi(2) / expected)
        .sum();
    // 63 degrees of freedom: mean 63, standard deviation 11.2.
    assert!((20.0..120.0).contains(&chi2), "χ² = {chi2}");
}

/// Every output bit is set half of the time.
#[test]
fn bits_are_balanced() {
    let mut ones = [0_i32; 128];
    for counter in 0..1 << 16 {
        for (w, word) in Key::new(17).bits(3, counter).into_iter().enumerate() {
            for b in 0..32 {
                ones[32 * w + b] += i32::from(word >> b & 1 == 1);
            }
        }
    }
    for (b, count) in ones.into_iter().enumerate() {
        // Standard deviation 128.
        assert!((count - (1 << 15)).abs() < 640, "bit {b}: {count} of 65536");
    }
}

#[test]
fn single_precision_is_the_double_rounded() {
    let (mut x, mut y) = (vec![0.0_f32; 9001], vec![0.0_f64; 9001]);
    Key::new(8).fill_normal(2, &mut x);
    Key::new(8).fill_normal(2, &mut y);
    assert!(
        x.iter()
            .zip(&y)
            .all(|(x, y)| x.to_bits() == (*y as f32).to_bits())
    );
    assert_eq!(y[..2], Key::new(8).normal(2, 0));
}

#[test]
fn noise_has_the_same_bits_for_any_number_of_threads() {
    laws::same_for_threads(|| normals(Key::new(1), 7)[..100_001].to_vec());
}
