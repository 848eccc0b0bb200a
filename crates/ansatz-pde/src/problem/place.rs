//! Where conditions hold.

use std::fmt;
use std::sync::Arc;

use ansatz_core::Key;
use ansatz_expr::Pool;

use super::Condition;
use crate::geometry::SpaceTime;
use crate::{Boundary, Geometry, PdeError, Points, Sampler, Where};

/// Where a condition holds.
#[derive(Clone)]
pub enum Place {
    /// In words: `"boundary"` of space at all times, `"start"`, `"t = 0"`, `"x = 2*pi"`, or the name of a face.
    Text(String),
    /// A part of the boundary of the domain, by a predicate of its points or as [`Where`] says.
    Part(String, Where),
    /// At points.
    Points(Points),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Part(name, _) => f.write_str(name),
            Self::Points(points) => write!(f, "{} points", points.len()),
        }
    }
}

impl From<&str> for Place {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Points> for Place {
    fn from(points: Points) -> Self {
        Self::Points(points)
    }
}

impl Place {
    /// The points of the boundary of which a function says so.
    pub fn predicate(
        name: impl Into<String>,
        predicate: impl Fn(&[f64]) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::Part(name.into(), Where::predicate(predicate))
    }
}

/// A place that was found.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Boundary {
        part: Arc<Boundary>,
        /// A coordinate that is the same everywhere, with its value.
        fixed: Option<(usize, f64)>,
        /// All of the boundary of space.
        whole: bool,
    },
    Points(Points),
}

/// The domain of a problem, with time apart.
pub(super) struct Domain<'a> {
    pub(super) coordinates: &'a [String],
    pub(super) all: &'a Arc<dyn Geometry>,
    pub(super) time: Option<&'a SpaceTime>,
    pub(super) pool: &'a Pool,
}

impl Domain<'_> {
    pub(super) fn find(&self, place: &Place) -> Result<Part, PdeError> {
        let boundary = |part: Boundary| Part::Boundary {
            part: Arc::new(part),
            fixed: None,
            whole: false,
        };
        match place {
            Place::Points(points) => {
                let dims = self.coordinates.len();
                crate::error::expect("coordinates of points", dims, points.dims())?;
                Ok(Part::Points(points.clone()))
            }
            Place::Part(name, part) => {
                let found = Boundary::new(name, self.all.clone(), part.clone())?;
                Ok(boundary(found))
            }
            Place::Text(text) => match (text.trim(), self.time) {
                ("boundary", time) => Ok(Part::Boundary {
                    part: Arc::new(match time {
                        Some(time) => time.side(),
                        None => Boundary::new("boundary", self.all.clone(), Where::Everywhere)?,
                    }),
                    fixed: None,
                    whole: true,
                }),
                ("start", Some(time)) => {
                    let value = time.time()[0];
                    Ok(Part::Boundary {
                        part: Arc::new(time.initial()),
                        fixed: Some((time.time_axis(), value)),
                        whole: false,
                    })
                }
                (text, _) => {
                    if let Some((name, value)) = text.split_once('=') {
                        return self.coordinate(text, name.trim(), value);
                    }
                    let face = Where::face(text);
                    Ok(boundary(Boundary::new(text, self.all.clone(), face)?))
                }
            },
        }
    }

    /// `x = 2*pi`.
    fn coordinate(&self, text: &str, name: &str, value: &str) -> Result<Part, PdeError> {
        let term = |source| PdeError::Text {
            term: text.to_owned(),
            source: Box::new(source),
        };
        let axis = super::check::known("coordinate", name, self.coordinates)?;
        let number = self.pool.parse(value).map_err(term)?;
        let value = number.evaluate(&[]).map_err(term)?;
        let place = Where::Coordinate { axis, value };
        let part = Boundary::new(text, self.all.clone(), place)?;
        Ok(Part::Boundary {
            part: Arc::new(part),
            fixed: Some((axis, value)),
            whole: false,
        })
    }
}

impl Condition {
    /// What reports call it.
    pub(super) fn name(&self) -> String {
        format!("{} at {}", self.text, self.place)
    }

    /// Whether its points are drawn; the ends of an interval are what they are.
    pub(super) fn draws(&self) -> bool {
        match &self.part {
            Part::Points(_) => false,
            Part::Boundary { part, .. } => part.geometry().dims() > 1,
        }
    }

    /// Rows of points as its residual takes them: coordinates, the normal, the measured value.
    pub(super) fn source(
        &self,
        sampler: Sampler,
    ) -> impl Fn(Key, usize) -> Result<Vec<f64>, PdeError> + Send + Sync + 'static {
        let (part, values) = (self.part.clone(), self.values.clone());
        let has_normal = self.lowered.has_normal;
        move |key, n| match &part {
            Part::Points(points) => Ok(match &values {
                None => points.as_slice().to_vec(),
                Some(values) => {
                    let rows = points.rows().zip(values);
                    rows.flat_map(|(x, v)| x.iter().chain([v]).copied().collect::<Vec<f64>>())
                        .collect()
                }
            }),
            Part::Boundary { part, .. } => {
                let found = part.sample(n, &sampler, key)?;
                let rows = found.points.rows().zip(found.normals.rows());
                let mut rows: Vec<Vec<f64>> = rows
                    .map(|(x, normal)| {
                        let normal = if has_normal { normal } else { &[] };
                        [x, normal].concat()
                    })
                    .collect();
                // The ends of an interval are two points, however many are asked for.
                if found.points.dims() == 1 {
                    rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
                    rows.dedup();
                }
                Ok(rows.concat())
            }
        }
    }
}
