//! Lyndon words: those that come before all their own rotations in the alphabet.

/// Lyndon words of up to `depth` letters 0..channels, shorter ones first, each length in alphabetical order.
///
/// Source: J. Duval, *Génération d'une section des classes de conjugaison et arbre des mots de Lyndon de longueur
/// bornée*, 1988.
///
/// ```
/// let words = ansatz_diffeq::signature::lyndon_words(2, 3);
/// assert_eq!(words, [vec![0], vec![1], vec![0, 1], vec![0, 0, 1], vec![0, 1, 1]]);
/// ```
#[must_use]
pub fn lyndon_words(channels: usize, depth: usize) -> Vec<Vec<usize>> {
    let mut words = Vec::new();
    if channels == 0 || depth == 0 {
        return words;
    }
    let mut w = vec![0];
    loop {
        words.push(w.clone());
        // Repeat to full length, then the last letter that can grow grows.
        let period = w.len();
        while w.len() < depth {
            w.push(w[w.len() - period]);
        }
        while w.last() == Some(&(channels - 1)) {
            w.pop();
        }
        match w.last_mut() {
            Some(last) => *last += 1,
            None => break,
        }
    }
    // Stable: the order within a length stays alphabetical.
    words.sort_by_key(Vec::len);
    words
}

/// Their number, without making them: Σ_{k≤depth} (1/k)Σ_{d|k} μ(d)·channels^{k/d} (Witt).
///
/// ```
/// use ansatz_diffeq::signature::lyndon_count;
/// assert_eq!(lyndon_count(3, 4), 32);
/// ```
#[must_use]
pub fn lyndon_count(channels: usize, depth: usize) -> usize {
    // All cᵏ words are powers of Lyndon words of the lengths that divide k: cᵏ = Σ_{d|k} d·L(d).
    let mut by_length: Vec<usize> = Vec::with_capacity(depth);
    for k in 1..=depth {
        let shorter: usize = (1..k)
            .filter(|d| k % d == 0)
            .map(|d| d * by_length[d - 1])
            .sum();
        by_length.push((channels.saturating_pow(k as u32) - shorter) / k);
    }
    by_length.iter().sum()
}
