//! Colours: the series palette and a perceptually uniform map.

/// Series colours of Okabe and Ito (2008), "Color universal design", told apart by every common form of colour
/// blindness; a style sheet replaces them through `--viz-1` … `--viz-6`.
pub(crate) const SERIES: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b88100", "#56b4e9",
];

/// The colour of series `index` for a `style` attribute.
pub(crate) fn series(index: usize) -> String {
    let i = index % SERIES.len();
    format!("var(--viz-{},{})", i + 1, SERIES[i])
}

/// The same as RGB bytes, for pictures.
pub(crate) fn series_rgb(index: usize) -> [u8; 3] {
    let hex = SERIES[index % SERIES.len()];
    let byte = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap_or(0);
    [byte(1), byte(3), byte(5)]
}

/// Sixth-degree least-squares fit of matplotlib's viridis (van der Walt and Smith, CC0), coefficients by M. Zucker (CC0):
/// row k multiplies t^k, columns are red, green, blue.
const VIRIDIS: [[f64; 3]; 7] = [
    [
        0.277_727_327_223_417_7,
        0.005_407_344_544_966_578,
        0.334_099_805_335_306_1,
    ],
    [
        0.105_093_043_108_577_4,
        1.404_613_529_898_575,
        1.384_590_162_594_685,
    ],
    [
        -0.330_861_828_725_556_3,
        0.214_847_559_468_213,
        0.095_095_163_028_236_59,
    ],
    [
        -4.634_230_498_983_486,
        -5.799_100_973_351_585,
        -19.332_440_956_279_87,
    ],
    [
        6.228_269_936_347_081,
        14.179_933_366_805_09,
        56.690_552_600_681_05,
    ],
    [
        4.776_384_997_670_288,
        -13.745_145_377_746_01,
        -65.353_032_633_372_34,
    ],
    [
        -5.435_455_855_934_631,
        4.645_852_612_178_535,
        26.312_435_249_583_2,
    ],
];

/// The viridis colour at `t`, which is clamped to `[0, 1]`; NaN gives mid grey.
#[must_use]
pub fn viridis(t: f64) -> [u8; 3] {
    if t.is_nan() {
        return [128; 3];
    }
    let t = t.clamp(0.0, 1.0);
    let mut rgb = [0u8; 3];
    for (channel, out) in rgb.iter_mut().enumerate() {
        let value = VIRIDIS
            .iter()
            .rev()
            .fold(0.0, |sum, row| sum * t + row[channel]);
        *out = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viridis_has_the_published_ends() {
        for (t, published) in [
            (0.0, [68, 1, 84]),
            (0.5, [33, 145, 140]),
            (1.0, [253, 231, 37]),
        ] {
            let ours = viridis(t);
            for channel in 0..3 {
                let difference = i32::from(ours[channel]) - published[channel];
                assert!(
                    difference.abs() <= 6,
                    "t = {t}: {ours:?} against {published:?}"
                );
            }
        }
    }

    #[test]
    fn viridis_brightens_all_the_way() {
        let luminance = |t: f64| {
            let [r, g, b] = viridis(t).map(f64::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        for i in 0..50 {
            let t = f64::from(i) / 50.0;
            assert!(luminance(t + 0.02) > luminance(t) - 0.5, "t = {t}");
        }
    }

    #[test]
    fn palette_parses() {
        assert_eq!(series_rgb(0), [0, 0x72, 0xb2]);
        assert_eq!(series_rgb(7), series_rgb(1));
    }
}
