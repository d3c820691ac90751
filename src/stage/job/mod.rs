//! job: one run on many machines. `submit` writes what an engine needs, `worker` does one rank, `finish` joins what the
//! ranks have made; `status` tells how far they are.
//!
//! hardset schedules nothing: engines start ranks, once or several times, also at the same time. Holds always: complete
//! is what records say, never what an engine says; workers take no lock, delete nothing and write only their own units;
//! commands on a login node read what grows with the ranks, workers what grows with their own shards.

mod beat;
mod error;
mod finish;
mod lacking;
mod status;
mod submit;
mod worker;

pub use error::JobError;
pub use finish::{FinishedJob, finish};
pub use status::{JobStatus, job_status, refuse_while_at_work};
pub use submit::{JobAsk, Submitted, start, submit, submit_missing};
pub use worker::{Worked, WorkerAsk, share, work};
