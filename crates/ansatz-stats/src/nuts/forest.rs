//! All chains, leaf by leaf in one batch.

use ansatz_core::{Key, Scalar, stream};
use rayon::prelude::*;

use super::tree::{End, Row, Setting, Tree};
use super::{Nuts, NutsReport};
use crate::adapt::Kernel;
use crate::ensemble::{Ensemble, Points, integrate};
use crate::{ChainError, Mass, Target};

/// Elements of a batch from which trees are grown on several threads.
const WORTH_SHARING: usize = 1 << 14;

pub(super) struct Forest<'a, T> {
    /// Its proposal and momentum are the batch of the chains under way, in the order of `trees`.
    ensemble: Ensemble<'a, Vec<T>>,
    trees: Vec<Tree<T>>,
    max_depth: usize,
    max_energy_change: f64,
    rows: u64,
    accepted: f64,
    divergences: u64,
    saturations: u64,
}

impl<'a, T: Scalar> Forest<'a, T> {
    pub(super) fn new(
        options: &Nuts,
        target: &'a dyn Target<Vec<T>>,
        x: &Vec<T>,
        chains: usize,
    ) -> Result<Self, ChainError> {
        let ensemble = Ensemble::new(target, x, chains, &options.mass)?;
        let tree = |chain| Tree::new(chain, ensemble.dim, options.max_depth);
        Ok(Self {
            trees: (0..chains).map(tree).collect(),
            ensemble,
            max_depth: options.max_depth,
            max_energy_change: options.max_energy_change,
            rows: chains as u64,
            accepted: 0.0,
            divergences: 0,
            saturations: 0,
        })
    }

    pub(super) fn nfe(&self) -> usize {
        self.ensemble.nfe
    }

    pub(super) fn into_chains(self) -> Vec<T> {
        self.ensemble.now.x
    }

    pub(super) fn report(&self) -> NutsReport {
        let steps = self.ensemble.steps;
        NutsReport {
            nfe: self.ensemble.nfe,
            rows: self.rows,
            steps,
            acceptance: self.accepted / steps.max(1) as f64,
            divergences: self.divergences,
            saturations: self.saturations,
            stopped_early: false,
        }
    }

    /// Calls with every tree under way and its row.
    fn each(&mut self, f: impl Fn(&mut Tree<T>, &mut Row<'_, T>) + Sync) {
        let Ensemble {
            proposal,
            momentum,
            dim,
            ..
        } = &mut self.ensemble;
        let (dim, active) = (*dim, proposal.log_density.len());
        let row = |x, p, score, log_density: &f64| Row {
            x,
            p,
            score,
            log_density: *log_density,
        };
        let trees = &mut self.trees[..active];
        if active * dim >= WORTH_SHARING {
            trees
                .par_iter_mut()
                .zip(proposal.x.par_chunks_mut(dim))
                .zip(momentum.par_chunks_mut(dim))
                .zip(proposal.score.par_chunks_mut(dim))
                .zip(&proposal.log_density)
                .for_each(|((((tree, x), p), score), log)| f(tree, &mut row(x, p, score, log)));
        } else {
            trees
                .iter_mut()
                .zip(proposal.x.chunks_mut(dim))
                .zip(momentum.chunks_mut(dim))
                .zip(proposal.score.chunks_mut(dim))
                .zip(&proposal.log_density)
                .for_each(|((((tree, x), p), score), log)| f(tree, &mut row(x, p, score, log)));
        }
    }

    /// One leap of all that are under way.
    fn leap(&mut self, step: f64, mass: &Mass) -> Result<(), ChainError> {
        let ensemble = &mut self.ensemble;
        let Points {
            x,
            score,
            log_density,
        } = &mut ensemble.proposal;
        self.rows += log_density.len() as u64;
        ensemble.nfe += 1;
        let drift = |x: &mut Vec<T>, p: &Vec<T>| mass.drift(x, p, step);
        let state = (x, &mut ensemble.momentum, &mut log_density[..], score);
        integrate(ensemble.target, drift, state, step, 1).map_err(|source| ChainError::Eval {
            step: ensemble.steps,
            source,
        })
    }

    /// Takes ended trees out of the batch; the last of the batch takes the place of each.
    fn harvest(&mut self) {
        let Ensemble {
            now,
            proposal,
            momentum,
            dim,
            ..
        } = &mut self.ensemble;
        let dim = *dim;
        let (mut k, mut active) = (0, proposal.log_density.len());
        while k < active {
            let tree = &self.trees[k];
            let Some(end) = tree.end else {
                k += 1;
                continue;
            };
            let row = tree.chain * dim..(tree.chain + 1) * dim;
            now.x[row.clone()].copy_from_slice(&tree.draw.x);
            now.score[row].copy_from_slice(&tree.draw.score);
            now.log_density[tree.chain] = tree.draw.log_density;
            self.divergences += u64::from(end == End::Divergence);
            self.saturations += u64::from(end == End::Depth);
            active -= 1;
            self.trees.swap(k, active);
            for rows in [&mut proposal.x, momentum, &mut proposal.score] {
                rows.copy_within(active * dim..(active + 1) * dim, k * dim);
            }
        }
        proposal.log_density.truncate(active);
        for rows in [&mut proposal.x, momentum, &mut proposal.score] {
            rows.truncate(active * dim);
        }
    }

    /// The batch is all chains again.
    fn gather(&mut self) {
        let Points {
            x,
            score,
            log_density,
        } = &mut self.ensemble.proposal;
        let now = &self.ensemble.now;
        x.clone_from(&now.x);
        score.clone_from(&now.score);
        log_density.clone_from(&now.log_density);
        self.ensemble.momentum.resize(now.x.len(), T::zero());
        for (chain, tree) in self.trees.iter_mut().enumerate() {
            tree.chain = chain;
        }
    }
}

impl<T: Scalar> Kernel for Forest<'_, T> {
    type State = Vec<T>;

    fn advance(&mut self, step: f64, mass: &Mass, key: Key) -> Result<f64, ChainError> {
        self.gather();
        let number = self.ensemble.steps as u64;
        let at = Setting {
            mass,
            key,
            stream: stream::corrector(number),
            max_depth: self.max_depth,
            max_energy_change: self.max_energy_change,
        };
        mass.draw(&mut self.ensemble.momentum, key, stream::step(number));
        self.each(|tree, row| tree.plant(row, at));
        while !self.ensemble.proposal.log_density.is_empty() {
            self.leap(step, mass)?;
            self.each(|tree, row| tree.grow(row, at));
            self.harvest();
        }
        // In the order of chains, whatever order they ended in.
        self.trees.sort_unstable_by_key(|tree| tree.chain);
        let sum: f64 = self
            .trees
            .iter()
            .map(|t| t.accepted / t.leaves as f64)
            .sum();
        let mean = sum / self.trees.len() as f64;
        self.accepted += mean;
        self.ensemble.steps += 1;
        Ok(mean)
    }

    fn try_leap(&mut self, step: f64, mass: &Mass, key: Key) -> Result<f64, ChainError> {
        self.gather();
        self.rows += self.ensemble.chains() as u64;
        self.ensemble.try_leap(step, mass, key)
    }

    fn chains(&self) -> &Vec<T> {
        &self.ensemble.now.x
    }
}
