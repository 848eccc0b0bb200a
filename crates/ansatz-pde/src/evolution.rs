//! Many losses at once: NSGA-III.
//!
//! Of two points one dominates the other if none of its losses is larger and one is smaller. A population is moved
//! towards the points that nothing dominates, and kept spread over them by directions given beforehand. Each generation
//! parents breed children ([`Variation`]), and of both together as many survive as there were ([`Survival`]): whole
//! fronts of points that dominate the next ones, and of the last front those whose directions are least occupied.
//! Losses are scaled by the ideal point and the plane through the extreme points, so that their units do not matter.
//!
//! Cost of a generation, with N points, m losses and D directions: N evaluations, O(m·N²) to sort, O(m·N·D) to assign
//! directions.
//!
//! When to use it: two to ten losses that contradict each other. For one loss, or a weighted sum, gradients are better
//! by orders of magnitude.
//!
//! Reference: K. Deb, H. Jain, *An evolutionary many-objective optimization algorithm using reference-point-based
//! nondominated sorting approach, part I*, 2014.

mod directions;
mod sort;
mod survival;
mod variation;

use ansatz_core::Key;
use rayon::prelude::*;

use crate::PdeError;
use crate::error::{expect, finite, within};

pub use directions::{das_dennis, inverted_generational_distance};
pub use sort::{dominates, non_dominated_sort};
pub use survival::Survival;
pub use variation::{InBox, OfLayers, Variation};

/// Points with their losses.
#[derive(Debug, Clone, PartialEq)]
pub struct Population {
    /// Numbers of each point, rows.
    pub genes: Vec<f64>,
    /// Losses of each point, rows.
    pub losses: Vec<f64>,
    /// Number of points.
    pub count: usize,
}

impl Population {
    /// The points, each with its losses.
    pub fn iter(&self) -> impl Iterator<Item = (&[f64], &[f64])> {
        let [wide, narrow] = [&self.genes, &self.losses].map(|rows| rows.len() / self.count.max(1));
        self.genes
            .chunks(wide.max(1))
            .zip(self.losses.chunks(narrow.max(1)))
    }

    /// Numbers of the points that no other one dominates.
    #[must_use]
    pub fn front(&self) -> Vec<usize> {
        let losses = self.losses.len() / self.count.max(1);
        let fronts = non_dominated_sort(&self.losses, losses);
        fronts.into_iter().next().unwrap_or_default()
    }
}

/// NSGA-III.
///
/// ```
/// use ansatz_pde::core::Key;
/// use ansatz_pde::evolution::{InBox, Nsga3, das_dennis};
/// // Two parabolas: the front is every point between their minima.
/// let nsga = Nsga3 { directions: das_dennis(2, 9)?, generations: 60, ..Nsga3::default() };
/// let variation = InBox::new(vec![[-4.0, 4.0]; 2])?;
/// let found = nsga.minimise(2, &variation, Key::new(1), |x, f| {
///     f[0] = (x[0] - 1.0).powi(2) + x[1] * x[1];
///     f[1] = (x[0] + 1.0).powi(2) + x[1] * x[1];
/// })?;
/// assert!(found.iter().all(|(x, _)| x[1].abs() < 0.1 && x[0].abs() < 1.1));
/// # Ok::<(), ansatz_pde::PdeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Nsga3 {
    /// Directions, rows of as many numbers as there are losses.
    pub directions: Vec<f64>,
    /// Points; 0 for as many as there are directions.
    pub population: usize,
    /// Generations.
    pub generations: usize,
}

impl Default for Nsga3 {
    /// 91 directions of three losses, as many points, 250 generations.
    fn default() -> Self {
        Self {
            directions: das_dennis(3, 12).unwrap_or_default(),
            population: 0,
            generations: 250,
        }
    }
}

/// Streams of the draws of a generation.
const PAIRS: u64 = 1;

impl Nsga3 {
    /// Minimises `losses` losses, which `f` writes for a point, from points drawn in the box of `variation`. Points are
    /// evaluated in parallel.
    ///
    /// # Errors
    /// As [`Nsga3::evolve`].
    pub fn minimise<F>(
        &self,
        losses: usize,
        variation: &InBox,
        key: Key,
        f: F,
    ) -> Result<Population, PdeError>
    where
        F: Fn(&[f64], &mut [f64]) + Sync,
    {
        let count = self.count(losses)?;
        let genes = variation.draw(count, key.fold_in(u64::MAX));
        self.evolve(losses, genes, variation, key, f)
    }

    /// The same from points of one's own, rows of `genes`, with any variation.
    ///
    /// # Errors
    /// [`PdeError::Option`] for less than two points or losses or no direction, [`PdeError::Width`] for incomplete rows,
    /// [`PdeError::NotFinite`] for losses that are not.
    pub fn evolve<V, F>(
        &self,
        losses: usize,
        genes: Vec<f64>,
        variation: &V,
        key: Key,
        f: F,
    ) -> Result<Population, PdeError>
    where
        V: Variation + Sync + ?Sized,
        F: Fn(&[f64], &mut [f64]) + Sync,
    {
        let count = self.count(losses)?;
        let width = genes.len() / count;
        within("numbers of a point", width as f64, 1.0.., "1 or more")?;
        expect("numbers in rows of points", count * width, genes.len())?;
        let mut survival = Survival::new(losses, self.directions.clone())?;
        let evaluate = |genes: &[f64]| {
            let mut values = vec![0.0; genes.len() / width * losses];
            let rows = values.par_chunks_mut(losses);
            let rows = rows.zip(genes.par_chunks(width));
            rows.for_each(|(values, genes)| f(genes, values));
            finite(|| "losses of points".into(), &values).map(|()| values)
        };
        let mut all = Population {
            losses: evaluate(&genes)?,
            genes,
            count,
        };
        for generation in 0..self.generations as u64 {
            let key = key.fold_in(generation);
            let children = breed(&all.genes, count, variation, key);
            let values = evaluate(&children)?;
            all.genes.extend(children);
            all.losses.extend(values);
            let kept = survival.select(&all.losses, count, key)?;
            all.genes = rows(&all.genes, width, &kept);
            all.losses = rows(&all.losses, losses, &kept);
        }
        Ok(all)
    }

    fn count(&self, losses: usize) -> Result<usize, PdeError> {
        within("losses", losses as f64, 2.0.., "2 or more")?;
        let directions = self.directions.len() / losses;
        let count = if self.population == 0 {
            directions
        } else {
            self.population
        };
        within("points of the population", count as f64, 2.0.., "2 or more")?;
        Ok(count)
    }
}

/// As many children as parents, the rows of `genes`: pairs of a random order breed two each.
pub fn breed<V: Variation + Sync + ?Sized>(
    genes: &[f64],
    count: usize,
    variation: &V,
    key: Key,
) -> Vec<f64> {
    let width = genes.len() / count.max(1);
    let order = permutation(count, key);
    let parent = |i: usize| {
        let i = order[i % count];
        &genes[i * width..(i + 1) * width]
    };
    let pairs = (0..count).flat_map(|i| parent(i).iter().copied());
    let mut children: Vec<f64> = pairs.collect();
    if width == 0 {
        return children;
    }
    let pairs = children.par_chunks_mut(2 * width).enumerate();
    pairs.for_each(|(pair, children)| {
        let key = key.fold_in(pair as u64);
        if children.len() > width {
            let (a, b) = children.split_at_mut(width);
            variation.vary([a, b], key);
        } else {
            // The last of an odd number: its partner's child is not kept.
            let mut partner = parent(count).to_vec();
            variation.vary([children, &mut partner], key);
        }
    });
    children
}

/// Numbers below `n` in a random order.
fn permutation(n: usize, key: Key) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        let [u, _] = key.uniform(PAIRS, i as u64);
        order.swap(i, (u * (i + 1) as f64) as usize);
    }
    order
}

/// Some rows of a matrix.
fn rows(from: &[f64], width: usize, kept: &[usize]) -> Vec<f64> {
    let row = |i: &usize| from[i * width..(i + 1) * width].iter().copied();
    kept.iter().flat_map(row).collect()
}
