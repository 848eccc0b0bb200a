//! All integration tests in one program: it links once.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::type_complexity,
    reason = "a test fails by panicking, compares with exact numbers, and holds tables of rows"
)]

mod adaptive;
mod common;
mod deis;
mod discrete;
mod dpm;
mod edm;
mod evodiff;
mod files;
mod flow;
mod gradient;
mod inversion;
mod laws;
mod lcm;
mod mrs;
mod pndm;
mod preset;
mod properties;
mod rddm;
mod score_sde;
mod tb1;
