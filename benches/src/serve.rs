//! Our side of a comparison: answers a peer's requests, one JSON object a line, until its input ends.
//!
//! The peer decides the order, so that both sides take turns on the same machine in the same minute. A request names what it
//! asks for as `op`; the modules of this folder say which there are and what they give. What cannot be done is answered with
//! `{"error": …}`.

mod ensemble;
mod expr;
mod fisher;
mod gp;
mod mesh;
mod network;
mod ode;
mod pinn;
mod poisson;
mod programs;
mod samplers;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::suites::{SuiteError, pool};

/// One suite's side, with whatever it keeps between requests: making that is not what is measured.
trait Partner {
    /// Answers a line, whose `op` is one of this partner's.
    fn answer(&mut self, line: &str, pools: &mut Pools) -> Result<String, SuiteError>;
}

/// What each partner answers, and how it starts.
type Make = fn() -> Box<dyn Partner>;
const PARTNERS: [(&[&str], Make); 11] = [
    (&["end", "time"], || Box::<samplers::Samplers>::default()),
    (&["ensemble"], || Box::new(ensemble::Ensemble)),
    (&["expr"], || Box::new(expr::Symbols)),
    (&["fisher"], || Box::<fisher::Fishers>::default()),
    (&["gp"], || Box::<gp::Processes>::default()),
    (&["grid", "mesh", "peak"], || {
        Box::<mesh::Surfaces>::default()
    }),
    (&["inputs", "gradient"], || {
        Box::<programs::Programs>::default()
    }),
    (&["network", "train"], || {
        Box::<network::Networks>::default()
    }),
    (&["problem", "steps", "error", "second"], || {
        Box::<pinn::Trainings>::default()
    }),
    (&["poisson"], || Box::<poisson::Solvers>::default()),
    (&["setting", "ode"], || Box::new(ode::Equations)),
];

/// Pools of threads by their size, each made once.
#[derive(Default)]
struct Pools(BTreeMap<usize, rayon::ThreadPool>);

impl Pools {
    fn of(&mut self, threads: usize) -> Result<&rayon::ThreadPool, SuiteError> {
        Ok(match self.0.entry(threads) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(pool(threads)?),
        })
    }
}

/// Seconds and the first numbers of a result: what most partners answer.
#[derive(Serialize)]
struct Timed {
    seconds: f64,
    values: Vec<f64>,
}

fn line(answer: &impl Serialize) -> Result<String, SuiteError> {
    Ok(serde_json::to_string(answer)?)
}

/// Answers until the input ends.
///
/// # Errors
/// If a line cannot be read or written.
pub fn serve(input: impl BufRead, mut out: impl Write) -> io::Result<()> {
    let mut pools = Pools::default();
    let mut partners: BTreeMap<usize, Box<dyn Partner>> = BTreeMap::new();
    for asked in input.lines() {
        let answer = answer(&asked?, &mut partners, &mut pools);
        let answer = match answer {
            Ok(answer) => answer,
            Err(e) => serde_json::json!({ "error": e.to_string() }).to_string(),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn answer(
    asked: &str,
    partners: &mut BTreeMap<usize, Box<dyn Partner>>,
    pools: &mut Pools,
) -> Result<String, SuiteError> {
    #[derive(Deserialize)]
    struct Head {
        op: String,
    }
    let Head { op } = serde_json::from_str(asked)?;
    let place = PARTNERS.iter().position(|(ops, _)| ops.contains(&&*op));
    let place = place.ok_or_else(|| SuiteError::Unknown {
        name: op,
        known: PARTNERS.map(|(ops, _)| ops.join(", ")).join(", "),
    })?;
    let partner = partners.entry(place).or_insert_with(PARTNERS[place].1);
    partner.answer(asked, pools)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> serde_json::Value {
        let mut out = Vec::new();
        serve(line.as_bytes(), &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    /// First coordinate after 10 leading DDIM steps on TB1, from the discrete-schedule reference in `f64`.
    #[test]
    fn end_points_are_those_of_the_reference() {
        let answer = ask(r#"{"op":"end","method":"DDIM","steps":10}"#);
        assert!(
            (answer["x"][0].as_f64().unwrap() - 2.150_674_775).abs() < 1e-8,
            "{answer}"
        );
        let answer = ask(r#"{"op":"end","method":"DPM-Solver++(2M)","steps":20}"#);
        assert!(
            (answer["x"][0].as_f64().unwrap() - 2.443_725_250).abs() < 1e-8,
            "{answer}"
        );
    }

    /// A loss, a slope for each parameter, and the problem that they belong to.
    #[test]
    fn gradients_are_served() {
        let request = r#"{"op":"gradient","workload":"pinn","points":20,"element":"f64","threads":1,"count":99999}"#;
        let answer = ask(request);
        let values = answer["values"].as_array().unwrap();
        assert_eq!(values.len(), 12_738);
        assert!(values.iter().all(serde_json::Value::is_f64), "{answer}");
        let inputs = ask(r#"{"op":"inputs","workload":"pinn","points":20}"#);
        let lengths: Vec<usize> = inputs["inputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|x| x.as_array().unwrap().len())
            .collect();
        assert_eq!(lengths[..4], [40, 20, 128, 64]);
        assert_eq!(lengths[2..].iter().sum::<usize>(), 12_737);
    }

    /// A slope for each parameter of the network, in its order.
    #[test]
    fn a_network_and_its_training_are_served() {
        let network = ask(r#"{"op":"network","images":1}"#);
        let parameters = network["parameters"].as_array().unwrap();
        let length = |p: &serde_json::Value| p["values"].as_array().unwrap().len();
        let lengths: Vec<usize> = parameters.iter().map(length).collect();
        let request =
            r#"{"op":"train","images":1,"element":"f32","threads":1,"rate":0,"count":999999}"#;
        let values = ask(request)["values"].as_array().unwrap().len();
        assert_eq!(values, 1 + lengths.iter().sum::<usize>());
    }

    #[test]
    fn times_are_positive_and_errors_are_answers() {
        let answer = ask(r#"{"op":"time","method":"Heun","elements":1024,"threads":1}"#);
        assert!(answer["seconds"].as_f64().unwrap() > 0.0, "{answer}");
        assert!(ask(r#"{"op":"end","method":"nope","steps":10}"#)["error"].is_string());
        assert!(ask("hello")["error"].is_string());
    }
}
