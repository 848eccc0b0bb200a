//! - `{"op": "grid", "field": "sphere", "samples": 128, "path": …}` writes 128³ numbers of four bytes, the lowest first, z
//!   fastest, and gives `{"count": …}`;
//! - `{"op": "mesh", "field": "sphere", "samples": 128, "method": "marching cubes", "threads": 1}` gives
//!   `{"seconds": …, "values": […]}`: vertices, triangles and area;
//! - `{"op": "peak", "field": "sphere", "samples": 128, "method": "marching cubes", "threads": 1}` gives `{"bytes": …}`: the
//!   greatest memory beside the samples of an extraction that finds no memory made before, or null.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;

use super::{Partner, Pools, Timed, line};
use crate::memory;
use crate::mesh::{Extraction, Field};
use crate::suites::SuiteError;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    Grid {
        field: String,
        samples: usize,
        path: PathBuf,
    },
    Mesh {
        field: String,
        samples: usize,
        method: String,
        threads: usize,
    },
    Peak {
        field: String,
        samples: usize,
        method: String,
        threads: usize,
    },
}

#[derive(Default)]
pub(super) struct Surfaces(BTreeMap<(String, usize), Extraction>);

impl Surfaces {
    fn of(&mut self, field: &str, samples: usize) -> Result<&mut Extraction, SuiteError> {
        Ok(match self.0.entry((field.to_owned(), samples)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Extraction::new(Field::new(field, samples)?)),
        })
    }
}

impl Partner for Surfaces {
    fn answer(&mut self, asked: &str, pools: &mut Pools) -> Result<String, SuiteError> {
        match serde_json::from_str(asked)? {
            Request::Grid {
                field,
                samples,
                path,
            } => {
                let bytes = self.of(&field, samples)?.field().bytes();
                std::fs::write(path, &bytes)?;
                line(&json!({ "count": bytes.len() / 4 }))
            }
            Request::Mesh {
                field,
                samples,
                method,
                threads,
            } => {
                let extraction = self.of(&field, samples)?;
                let seconds = pools.of(threads)?.install(|| extraction.run(&method))?;
                let values = extraction.summary()?.to_vec();
                line(&Timed { seconds, values })
            }
            Request::Peak {
                field,
                samples,
                method,
                threads,
            } => {
                let extraction = self.of(&field, samples)?;
                extraction.clear();
                let pool = pools.of(threads)?;
                let begin = memory::restart_peak();
                pool.install(|| extraction.run(&method))?;
                let bytes = memory::peak().zip(begin).map(|(peak, begin)| peak - begin);
                line(&json!({ "bytes": bytes }))
            }
        }
    }
}
