//! Values of networks at many points, by a program that is compiled once.

use ansatz_autodiff::{Array, Graph, Options, Program};
use ansatz_nn::{Layout, Mode, Parameters, Pass};

use crate::PdeError;
use crate::error::expect;

/// A function of a network's parameters and of a fixed number of points.
#[derive(Debug)]
pub(crate) struct Probe {
    program: Program<f64>,
    /// Numbers in a row of points.
    columns: usize,
    points: usize,
    /// Numbers in a row of values.
    width: usize,
}

impl Probe {
    /// Compiles `function`, rows of values `[points, width]` for rows of points `[points, columns]`.
    pub(crate) fn compile<F>(
        layout: &Layout,
        (points, columns): (usize, usize),
        function: F,
    ) -> Result<Self, PdeError>
    where
        F: for<'g> FnOnce(&Pass<'g>, Array<'g>) -> Result<Array<'g>, PdeError>,
    {
        let graph = Graph::new();
        let pass = Pass::new(&graph, layout, (Mode::Evaluate, Some(points)));
        let x = graph.batch(&[points, columns]);
        let y = function(&pass, x)?;
        expect("rows of values", points, y.shape()[0])?;
        Ok(Self {
            width: y.shape().len() / points,
            program: Program::compile(&graph.finish(&[y]), &Options::default())?,
            columns,
            points,
        })
    }

    /// Numbers in a row of values.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Writes the values at `x`, row by row.
    pub(crate) fn run(
        &self,
        parameters: &Parameters<f64>,
        x: &[f64],
        out: &mut Vec<f64>,
    ) -> Result<(), PdeError> {
        expect("coordinates of points", self.points * self.columns, x.len())?;
        out.resize(self.points * self.width, 0.0);
        let entries = parameters.layout().entries().iter();
        let mut inputs: Vec<&[f64]> = entries.map(|e| &parameters.values()[e.range()]).collect();
        inputs.push(x);
        Ok(self.program.run(&inputs, &mut [out])?)
    }
}

/// Rows of several tables side by side; each table is given with the length of its rows.
pub(crate) fn side_by_side(tables: &[(&[f64], usize)]) -> Vec<f64> {
    let rows = tables.first().map_or(0, |(t, w)| t.len() / w);
    let row = |i: usize| {
        let parts = tables.iter();
        parts.flat_map(move |(t, w)| t[i * w..(i + 1) * w].iter().copied())
    };
    (0..rows).flat_map(row).collect()
}
