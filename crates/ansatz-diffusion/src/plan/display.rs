//! A plan as text: one line an operation, coefficients and levels written out.

use std::fmt;

use super::{Operation, Plan, Value};

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Display for Plan {
    /// Lines such as `v4 = 0.75*v2 - 0.5*v3`, after a summary of the cost.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "plan: {} steps, {} evaluations, {} draws, {} slots",
            self.steps(),
            self.nfe(),
            self.draws(),
            self.slots
        )?;
        let mut marks = self.marks.iter().enumerate().peekable();
        for (i, operation) in self.operations.iter().enumerate() {
            while let Some((step, m)) = marks.next_if(|(_, m)| m.after == i) {
                writeln!(
                    f,
                    "-- step {} ends at t = {}",
                    step + 1,
                    self.levels[m.level].t
                )?;
            }
            write!(f, "{} = ", Value(i as u32))?;
            match operation {
                Operation::Input { index } => writeln!(f, "input {index}")?,
                Operation::Eval { x, level, want } => {
                    let l = &self.levels[*level];
                    writeln!(
                        f,
                        "{want:?}({x}; t = {}, alpha = {}, sigma = {})",
                        l.t, l.alpha, l.sigma
                    )?;
                }
                Operation::Combine { terms } => {
                    for (k, (c, v)) in terms.iter().enumerate() {
                        let sign = match (k, *c < 0.0) {
                            (0, false) => "",
                            (0, true) => "-",
                            (_, false) => " + ",
                            (_, true) => " - ",
                        };
                        write!(f, "{sign}{}*{v}", c.abs())?;
                    }
                    writeln!(f)?;
                }
                Operation::Vjp { x, level, w, .. } => {
                    writeln!(f, "vjp({x}, {w}; t = {})", self.levels[*level].t)?;
                }
                Operation::Cotangent { output, x } => {
                    writeln!(f, "cotangent of output {output} = {x}")?;
                }
                Operation::Normal { draw, stream } => {
                    writeln!(f, "normal draw {draw} of stream {stream}")?;
                }
            }
        }
        for v in &self.outputs {
            writeln!(f, "output {v}")?;
        }
        Ok(())
    }
}
