//! What classifiers are trained and judged by.

/// Mean over rows of −log softmax(logits)`[label]`, and its gradient in `bar`; logits are `[rows, classes]`.
///
/// # Panics
/// When lengths do not fit or a label is no class.
///
/// ```
/// let mut bar = [0.0; 4];
/// let loss = ansatz_testkit::net::cross_entropy(&[0.0, 0.0, 5.0, 5.0], &[0, 1], &mut bar);
/// assert!((loss - 2.0_f64.ln()).abs() < 1e-15);
/// assert_eq!(bar, [-0.25, 0.25, 0.25, -0.25]);
/// ```
pub fn cross_entropy(logits: &[f64], labels: &[usize], bar: &mut [f64]) -> f64 {
    assert_eq!(logits.len(), bar.len(), "a cotangent per logit");
    let (n, classes) = (labels.len(), logits.len() / labels.len().max(1));
    assert_eq!(n * classes, logits.len(), "whole rows");
    let mut loss = 0.0;
    for ((row, bar), label) in logits
        .chunks(classes)
        .zip(bar.chunks_mut(classes))
        .zip(labels)
    {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = row.iter().map(|z| (z - top).exp()).sum();
        loss -= row[*label] - top - total.ln();
        for (b, z) in bar.iter_mut().zip(row) {
            *b = (z - top).exp() / total / n as f64;
        }
        bar[*label] -= 1.0 / n as f64;
    }
    loss / n as f64
}

/// The share of rows whose largest logit is that of their label.
///
/// # Panics
/// When lengths do not fit.
#[must_use]
pub fn accuracy(logits: &[f64], labels: &[usize]) -> f64 {
    let classes = logits.len() / labels.len().max(1);
    assert_eq!(labels.len() * classes, logits.len(), "whole rows");
    let right = logits.chunks(classes).zip(labels).filter(|(row, label)| {
        let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        best.is_some_and(|(i, _)| i == **label)
    });
    right.count() as f64 / labels.len() as f64
}
