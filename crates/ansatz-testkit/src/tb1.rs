//! Test bed TB1: a mixture in the plane with reference numbers for diffusion solvers.
//!
//! The mixture is [`Mixture::tb1`](crate::Mixture::tb1); runs start at the seed-free points of
//! [`points`], scaled by σ of the first level, and end at the tables below. All numbers come from
//! an integration in λ = ln(α/σ) by an embedded method of order 8 at relative tolerance 1e-13 in
//! another language, and are rounded to the digits shown.
//!
//! Schedules: *VP-linear*, `ln α = −t²(β₁ − β₀)/4 − tβ₀/2` with β₀ = 0.1, β₁ = 20, α² + σ² = 1, from
//! t = 1 to t = 1e-3; *EDM*, α = 1 and σ = t from 80 to 0.002.

/// Weight, mean and covariance of each component.
pub const COMPONENTS: [(f64, [f64; 2], [[f64; 2]; 2]); 3] = [
    (0.5, [1.2, -0.4], [[0.30, 0.10], [0.10, 0.20]]),
    (0.3, [-0.8, 0.9], [[0.15, -0.05], [-0.05, 0.25]]),
    (0.2, [-0.3, -1.1], [[0.10, 0.0], [0.0, 0.10]]),
];

/// First and last time of a VP-linear run.
pub const VP_TIMES: (f64, f64) = (1.0, 1e-3);

/// First and last time (and σ) of an EDM run.
pub const EDM_TIMES: (f64, f64) = (80.0, 0.002);

/// Lengthscale of the kernel in the tables of squared maximum mean discrepancies.
pub const LENGTHSCALE: f64 = 0.5;

/// Closed forms at [`SPOT`] under VP-linear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Time.
    pub t: f64,
    /// α(t).
    pub alpha: f64,
    /// σ(t).
    pub sigma: f64,
    /// λ(t).
    pub lambda: f64,
    /// log p(x).
    pub log_density: f64,
    /// ∇ log p(x).
    pub score: [f64; 2],
    /// E[x₀ | x].
    pub posterior_mean: [f64; 2],
    /// Δ log p(x).
    pub laplacian: f64,
}

/// Where the spot values are taken.
pub const SPOT: [f64; 2] = [0.3, -0.2];

/// Spot values at four times, 12 decimals.
pub const SPOTS: [Spot; 4] = [
    Spot {
        t: 0.001,
        alpha: 0.999_945_026_511,
        sigma: 0.010_485_416_335,
        lambda: 4.557_714_932_730,
        log_density: -3.079_596_893_710,
        score: [3.477_457_238_609, -2.926_246_937_496],
        posterior_mean: [0.300_398_839_377, -0.200_332_736_153],
        laplacian: -3.331_092_170_723,
    },
    Spot {
        t: 0.1,
        alpha: 0.946_721_798_821,
        sigma: 0.322_052_535_525,
        lambda: 1.078_290_592_942,
        log_density: -2.386_414_010_182,
        score: [1.550_230_101_958, -1.559_605_992_141],
        posterior_mean: [0.486_717_968_774, -0.382_117_490_485],
        laplacian: -0.121_223_289_993,
    },
    Spot {
        t: 0.5,
        alpha: 0.281_182_880_797,
        sigma: 0.959_654_202_068,
        lambda: -1.227_567_734_411,
        log_density: -1.863_632_405_823,
        score: [-0.205_501_873_332, 0.148_636_633_184],
        posterior_mean: [0.393_857_150_642, -0.224_462_974_159],
        laplacian: -2.016_798_361_351,
    },
    Spot {
        t: 1.0,
        alpha: 0.006_571_586_495,
        sigma: 0.999_978_406_892,
        lambda: -5.024_978_406_659,
        log_density: -1.902_085_719_291,
        score: [-0.298_025_106_489, 0.199_012_457_372],
        posterior_mean: [0.302_478_549_082, -0.151_582_442_025],
        laplacian: -2.000_009_024_356,
    },
];

/// Exact VP-linear end points of `points(16)`, 10 decimals.
pub const VP_ENDS: [[f64; 2]; 16] = [
    [2.491_517_661_6, -0.137_714_262_3],
    [-0.720_959_582_3, -1.376_059_181_7],
    [-0.538_988_476_3, 1.519_186_922_8],
    [1.365_045_905_2, -0.956_700_035_3],
    [-1.185_003_929_9, 0.755_387_343_3],
    [1.703_632_828_7, 0.078_323_702_6],
    [-0.130_021_605_6, -1.289_988_391_8],
    [-0.812_309_754_1, 1.140_221_454_1],
    [1.489_141_458_9, -0.487_534_611_4],
    [-0.484_128_402_1, -0.811_443_851_8],
    [0.987_800_575_5, 0.078_488_486_3],
    [0.772_127_162_3, -0.824_858_292_6],
    [-0.659_455_493_8, 0.556_911_601_0],
    [1.184_670_794_6, -0.298_591_380_6],
    [0.106_410_698_8, -0.794_437_580_5],
    [0.558_235_142_7, -0.264_760_838_8],
];

/// Sum of the 32 numbers of [`VP_ENDS`] before rounding, 10 decimals.
pub const VP_ENDS_SUM: f64 = 3.014_146_067_7;

/// Exact EDM end points of the first three of `points(16)`, started at 80 times them; 8 decimals.
pub const EDM_ENDS: [[f64; 2]; 3] = [
    [2.490_350_84, -0.137_462_32],
    [-0.721_450_48, -1.375_549_67],
    [-0.540_413_73, 1.520_044_04],
];

/// Mean of the exact VP-linear end points of `points(512)`, 8 decimals.
pub const VP_MEAN_512: [f64; 2] = [0.301_177_28, -0.150_463_94];

/// Covariance (divided by n) of the same, 8 decimals.
pub const VP_COVARIANCE_512: [[f64; 2]; 2] =
    [[1.057_956_11, -0.306_477_28], [-0.306_477_28, 0.734_616_22]];

/// Squared maximum mean discrepancy of the same against the exact distribution, 5 digits.
pub const VP_MMD_SQUARED_512: f64 = 7.4207e-6;

/// `n` points spread like a standard normal distribution in the plane, without randomness.
///
/// `rᵢ = sqrt(−2 ln((i + ½)/n))`, `θᵢ = 2π·frac(0.6180339887498949·i)`; flat `[n, 2]`.
///
/// ```
/// let p = ansatz_testkit::tb1::points(16);
/// assert!((p[0] - 2.632_768_847_7).abs() < 1e-10 && p[1] == 0.0);
/// ```
#[must_use]
pub fn points(n: usize) -> Vec<f64> {
    (0..n)
        .flat_map(|i| {
            let radius = (-2.0 * ((i as f64 + 0.5) / n as f64).ln()).sqrt();
            let angle = std::f64::consts::TAU * (0.618_033_988_749_894_9 * i as f64).fract();
            [radius * angle.cos(), radius * angle.sin()]
        })
        .collect()
}
