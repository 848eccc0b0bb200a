//! Checksums of the bundled data sets.

use ansatz_core::Key;
use ansatz_testkit::DataError;
use ansatz_testkit::data::{self, Digits, Vowels};

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

/// Utterances per speaker in the test part, from the description of the data set; 4274 and 5687
/// observations in all.
#[test]
fn vowels_have_the_published_sizes() {
    let vowels = data::vowels();
    let counts = |part: &[data::Series]| {
        let mut counts = [0; Vowels::CLASSES];
        for series in part {
            counts[usize::from(series.label)] += 1;
        }
        counts
    };
    assert_eq!(counts(&vowels.train), [30; 9]);
    assert_eq!(counts(&vowels.test), [31, 35, 88, 44, 29, 24, 40, 50, 29]);
    let mut observations = 0;
    for series in vowels.train.iter().chain(&vowels.test) {
        let length = series.values.len() / Vowels::CHANNELS;
        assert!(series.values.len().is_multiple_of(12) && (7..=29).contains(&length));
        assert!(series.values.iter().all(|v| v.abs() < 2.3));
        observations += length;
    }
    assert_eq!(observations, 4274 + 5687);
    // The first observation of the file, as printed there.
    let first = [1.860936, -0.207383, 0.261557];
    for (v, exact) in vowels.train[0].values.iter().zip(first) {
        assert!((f64::from(*v) - exact).abs() <= 0.5 / 8192.0);
    }
}

/// Whole observations go missing at the rate asked for, never the first or the last.
#[test]
fn observations_go_missing() {
    let vowels = data::vowels();
    for rate in [0.0, 0.3, 0.5, 0.7, 1.0] {
        let (mut gone, mut inner) = (0, 0);
        for (i, series) in vowels.train.iter().enumerate() {
            let part = series.with_missing(12, rate, Key::new(5).fold_in(i as u64));
            let rows: Vec<bool> = part.values.chunks(12).map(|r| r[0].is_nan()).collect();
            assert!(!rows[0] && !rows[rows.len() - 1]);
            for (row, missing) in part.values.chunks(12).zip(&rows) {
                assert!(row.iter().all(|v| v.is_nan() == *missing));
            }
            gone += rows.iter().filter(|r| **r).count();
            inner += rows.len() - 2;
        }
        let seen = gone as f64 / inner as f64;
        // Some 3700 draws: three standard deviations are 0.025.
        assert!((seen - rate).abs() < 0.025, "{rate}: {seen}");
    }
}

/// Two images of 2×3 pixels as MNIST's files hold them; cut, foreign and missing files, and files of different sets.
#[test]
fn images_from_files() {
    let folder = std::env::temp_dir().join(format!("ansatz-idx-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let image_file = folder.join("train-images-idx3-ubyte");
    let label_file = folder.join("train-labels-idx1-ubyte");
    assert!(matches!(data::mnist(&folder), Err(DataError::File { .. })));
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3];
    images.extend([0, 255, 51, 102, 0, 0, 255, 255, 255, 0, 0, 0]);
    let labels = [0, 0, 8, 1, 0, 0, 0, 2, 7, 4];
    std::fs::write(&image_file, &images).unwrap();
    assert!(matches!(data::mnist(&folder), Err(DataError::File { .. })));
    std::fs::write(&label_file, labels).unwrap();
    let read = data::mnist(&folder).unwrap();
    assert_eq!((read.size, &read.labels[..]), ((2, 3), &[7, 4][..]));
    let known = [
        -1.0, 1.0, -0.6, -0.2, -1.0, -1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0,
    ];
    assert_eq!(read.images.len(), 12);
    for (a, b) in read.images.iter().zip(known) {
        assert!((a - b).abs() < 1e-6);
    }
    for end in [0, 3, 4, 10, 16, 27] {
        std::fs::write(&image_file, &images[..end]).unwrap();
        let refused = data::mnist(&folder).unwrap_err();
        match end {
            0 | 3 => assert!(matches!(refused, DataError::Foreign { .. }), "{refused}"),
            4 | 10 => assert!(
                matches!(refused, DataError::Truncated { expected: 16, .. }),
                "{refused}"
            ),
            _ => assert!(
                matches!(refused, DataError::Truncated { expected: 28, .. }),
                "{refused}"
            ),
        }
    }
    // Longer than it says; lengths that overflow; another kind; labels of another set.
    let mut long = images.clone();
    long.push(0);
    let mut vast = images.clone();
    vast[4..16].fill(255);
    for wrong in [long, vast] {
        std::fs::write(&image_file, wrong).unwrap();
        assert!(matches!(
            data::mnist(&folder),
            Err(DataError::Truncated { .. })
        ));
    }
    std::fs::write(&image_file, b"\x1f\x8b\x08 packed").unwrap();
    assert!(matches!(
        data::mnist(&folder),
        Err(DataError::Foreign { .. })
    ));
    std::fs::write(&image_file, &images).unwrap();
    std::fs::write(&label_file, [0, 0, 8, 1, 0, 0, 0, 1, 7]).unwrap();
    let refused = data::mnist(&folder).unwrap_err();
    assert!(
        matches!(
            refused,
            DataError::Count {
                images: 2,
                labels: 1,
                ..
            }
        ),
        "{refused}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
}
