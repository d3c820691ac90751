//! What `doctor` finds out about one model.

use std::collections::BTreeMap;

use crate::domain::Compared;
use crate::generator::Benchmark;

/// A diffusion model or a surrogate: its facts, and the results of its checks.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelReport {
    /// Facts about the model, as (name, value).
    pub facts: Vec<(&'static str, String)>,
    /// What ran the model: engine, its version, device, precision.
    pub ran: BTreeMap<String, String>,
    /// Comparisons with the reference; empty without one.
    pub compared: Vec<Compared>,
    /// The speed on this machine, if it was measured.
    pub benchmark: Option<Benchmark>,
}
