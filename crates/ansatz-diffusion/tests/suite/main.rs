//! All integration tests in one program: it links once.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::type_complexity,
    reason = "a test fails by panicking, compares with exact numbers, and holds tables of rows"
)]

mod adaptive;
mod adjoint_dpm;
mod common;
mod deis;
mod diffusers;
mod discrete;
mod dmcmc;
mod dpm;
mod dpm_ot;
mod edm;
mod evodiff;
mod files;
mod flow;
mod fokker_planck;
mod gradient;
mod interpolant;
mod inversion;
mod laws;
mod lcm;
mod mrs;
mod pndm;
mod preset;
mod principles;
mod programs;
mod properties;
mod rddm;
mod samplers;
mod score_sde;
mod tb1;
