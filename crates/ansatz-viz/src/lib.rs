#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod colour;
mod enlarge;
mod error;
pub mod number;
mod picture;
mod raster;
mod surface;
mod svg;
mod ticks;

pub use colour::viridis;
pub use enlarge::enlarge;
pub use error::VizError;
pub use picture::Picture;
pub use raster::{
    GridOptions, HeatOptions, PointSet, Range, ScatterOptions, heat_map, image_grid, scatter,
};
pub use surface::{SurfaceOptions, beside, surface};
pub use svg::{Axis, Bar, BarChart, Chart, Point, Reference, Scale, Series, Spread, escape};
pub use ticks::{Tick, linear_ticks, log_ticks};
