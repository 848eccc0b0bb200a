//! - `{"op": "network", "images": 32}` gives `{"data": [[…], …], "parameters": [{"name": …, "shape": […], "values": […]}, …]}`,
//!   the U-Net and its batch;
//! - `{"op": "train", "images": 32, "element": "f32", "threads": 2, "rate": 1e-4, "count": 1}` gives `{"seconds": […],
//!   "values": […]}`: of a step, the seconds of its gradient and of Adam, and as many numbers of loss and gradient.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::Deserialize;
use serde_json::json;

use super::{Partner, Pools, line};
use crate::suites::SuiteError;
use crate::unet;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    Network {
        images: usize,
    },
    Train {
        images: usize,
        element: String,
        threads: usize,
        rate: f64,
        count: usize,
    },
}

#[derive(Default)]
pub(super) struct Networks(BTreeMap<(usize, String), Box<dyn unet::Training>>);

impl Partner for Networks {
    fn answer(&mut self, asked: &str, pools: &mut Pools) -> Result<String, SuiteError> {
        match serde_json::from_str(asked)? {
            Request::Network { images } => line(&unet::Problem::new(images).describe()),
            Request::Train {
                images,
                element,
                threads,
                rate,
                count,
            } => {
                let training = match self.0.entry((images, element.clone())) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => {
                        let problem = unet::Problem::new(images);
                        place.insert(match element.as_str() {
                            "f32" => unet::training::<f32>(&problem)?,
                            _ => unet::training::<f64>(&problem)?,
                        })
                    }
                };
                let spent = pools.of(threads)?.install(|| training.step(rate))?;
                let seconds = [spent.gradient, spent.optimizer];
                line(&json!({ "seconds": seconds, "values": training.values(count) }))
            }
        }
    }
}
