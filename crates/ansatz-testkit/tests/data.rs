//! Checksums of the bundled data sets.

use ansatz_testkit::data::{self, Digits};

/// Records per class, and sums of raw pixels (0 to 16) per class.
const COUNTS: [usize; 10] = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180];
const PIXELS: [f32; 10] = [
    56415.0, 57007.0, 55566.0, 56151.0, 56239.0, 55915.0, 56336.0, 54289.0, 57408.0, 56392.0,
];

#[test]
fn digits_have_the_published_checksums() {
    let digits = data::digits();
    assert_eq!(digits.labels.len(), Digits::COUNT);
    assert_eq!(digits.images.len(), Digits::COUNT * Digits::DIM);
    assert!(digits.images.iter().all(|v| (-1.0..=1.0).contains(v)));
    for label in 0..10_u8 {
        let images = digits.of_class(label);
        let k = usize::from(label);
        assert_eq!(images.len() / Digits::DIM, COUNTS[k]);
        let sum: f32 = images.iter().map(|v| 8.0 * (v + 1.0)).sum();
        assert!((sum - PIXELS[k]).abs() < 0.5, "class {label}: {sum}");
    }
    assert_eq!(digits.image(1796).map(<[f32]>::len), Some(64));
    assert!(digits.image(1797).is_none());
}
