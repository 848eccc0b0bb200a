//! How much memory a plan must move, however it is executed.

use super::{Operation, Plan, Value};

impl Plan {
    /// States that a full run loads and stores between model evaluations, at the least.
    ///
    /// What lies between two evaluations counts as one sweep over memory: every value from before that
    /// it reads is loaded once, and every value that somebody reads later is stored once. Values that
    /// live and die inside a sweep never touch memory, a draw of noise is stored once, and the model's
    /// own traffic is not counted. Times the bytes of a state and over the bandwidth of a copy, which
    /// loads one state and stores one, this is the floor under the time of a solver.
    ///
    /// ```
    /// use ansatz_diffusion::{Ddim, Solver, Spacing, TimeGrid, VpLinear};
    /// let schedule = VpLinear::default();
    /// let grid = TimeGrid::new(&schedule, Spacing::LogSnr, 10)?;
    /// let plan = Ddim::default().plan(&schedule, &grid)?;
    /// assert_eq!(plan.traffic(), 30); // a step reads the state and the noise and writes the state
    /// # Ok::<(), ansatz_diffusion::PlanError>(())
    /// ```
    #[must_use]
    pub fn traffic(&self) -> usize {
        let sweep = self.sweeps();
        let sweep_of = |v: Value| sweep[v.0 as usize];
        let mut states = 0;
        let mut loaded: Vec<(usize, Value)> = Vec::new();
        // Whether a value is wanted after its own sweep.
        let mut kept = vec![false; self.operations.len()];
        for (index, operation) in self.operations.iter().enumerate() {
            match operation {
                Operation::Combine { terms } => {
                    for (_, v) in terms {
                        if sweep_of(*v) != sweep[index] {
                            kept[v.0 as usize] = true;
                            loaded.push((sweep[index], *v));
                        }
                    }
                }
                Operation::Eval { x, .. } | Operation::Cotangent { x, .. } => {
                    kept[x.0 as usize] = true;
                }
                Operation::Vjp { x, w, .. } => {
                    kept[x.0 as usize] = true;
                    kept[w.0 as usize] = true;
                }
                Operation::Normal { .. } => states += 1,
                Operation::Input { .. } => {}
            }
        }
        let shown = self.marks.iter().flat_map(|m| &m.states);
        for v in shown.chain(&self.outputs) {
            kept[v.0 as usize] = true;
        }
        loaded.sort_unstable();
        loaded.dedup();
        let stored = self
            .operations
            .iter()
            .zip(&kept)
            .filter(|(o, kept)| matches!(o, Operation::Combine { .. }) && **kept);
        states + loaded.len() + stored.count()
    }

    /// For each operation the number of its sweep; inputs, evaluations and draws stand alone.
    fn sweeps(&self) -> Vec<usize> {
        let mut number = 0;
        let mut inside = false;
        self.operations
            .iter()
            .map(|o| {
                let combines = matches!(o, Operation::Combine { .. });
                if !(combines && inside) {
                    number += 1;
                }
                inside = combines;
                number
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use ansatz_core::{NoiseLevel, Prediction};

    use crate::Plan;

    /// Two lines share what they read; what dies between them is free; a second sweep loads again.
    #[test]
    fn each_state_counts_once_a_sweep() {
        let at = NoiseLevel::new(1.0, 0.6, 0.8);
        let mut p = Plan::builder();
        let x = p.input();
        let e = p.eval(x, &at, Prediction::Noise);
        let inner = p.combine(0.5 * x + 0.25 * e);
        let next = p.combine(2.0 * inner + 1.0 * x);
        let z = p.normal(7);
        let noisy = p.combine(1.0 * next + 0.1 * z);
        p.step(&at, &[noisy]);
        let plan = p.finish(&[noisy]).unwrap();
        // First sweep: loads x and e, stores next. The draw: one. Second: loads next and z, stores one.
        assert_eq!(plan.traffic(), 3 + 1 + 3);
    }
}
