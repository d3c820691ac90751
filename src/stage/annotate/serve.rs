//! annotate serve: the sheets of all rounds on a web page, until the process is asked to stop.
//!
//! Does not speak HTTP: `server` does. Holds always: the server gets sheets without their sentinels, because what it
//! does not know it cannot reveal.

use std::net::SocketAddr;
use std::sync::Arc;

use super::AnnotateError;
use super::export::sheet_of;
use super::rounds::{self, Wanted};
use super::shelf::Shelf;
use crate::domain::{ItemId, Secret, Task};
use crate::people::{Round, apart};
use crate::pool::Pool;
use crate::server::{self, Links, Site};
use crate::store::Lock;

/// Where and for whom the page is served.
#[derive(Debug, Clone)]
pub struct ServeAt {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names under which the server may be addressed.
    pub hosts: Vec<String>,
    /// People to admit.
    pub people: Vec<String>,
}

/// Serves until the process is asked to stop; the run's lock is held only while sheets are made.
pub fn serve(pool: &Pool, at: ServeAt, ready: impl FnOnce(&Links)) -> Result<(), AnnotateError> {
    let (ctx, spec) = (pool.ctx(), pool.spec());
    let rounds = {
        let _lock = ctx.run.lock()?;
        ctx.run.sweep()?;
        rounds(pool)?
    };
    // Only a hint: sheets are served without a mining too.
    let unasked = rounds::on_no_sheet(pool, &rounds).unwrap_or(0);
    if unasked > 0 {
        ctx.progress.note(&format!(
            "{unasked} hard image(s) are on no sheet yet: stop, and run `hardset annotate export {} --to html --out \
             DIR` to make sheets for them",
            ctx.run_name()
        ));
    }
    let ballots = ctx.run.ballots();
    let folder = ballots.parent().unwrap_or(ctx.run.path());
    let _one_server = Lock::take_new(folder)?;
    ctx.run.start_ballots()?;
    let sheets: Vec<&[Task]> = rounds.iter().flat_map(Round::sheets).collect();
    let image = |task: &Task| format!("/images/{}.jpg", task.name);
    let secret = ctx.run.secret()?;
    let site = Site {
        title: spec.name.clone(),
        sheets: sheets.iter().map(|sheet| sheet_of(spec, sheet, image)).collect(),
        wanted: sheets.iter().map(|sheet| sheet[0].people).collect(),
        judged: sheets.iter().map(|sheet| judged(&secret, sheet)).collect(),
        apart: apart(&rounds),
        images: Arc::new(Shelf::open(pool, &rounds)?),
        secret,
        ballots,
        people: at.people,
        listen: at.listen,
        hosts: at.hosts,
    };
    server::serve(site, ready, |text| ctx.progress.note(text), ctx.stop)?;
    Ok(ctx.run.close_ballots()?)
}

/// All rounds; the first one is made if there is none.
fn rounds(pool: &Pool) -> Result<Vec<Round>, AnnotateError> {
    if pool.ctx().run.rounds_to_continue()? == 0 {
        rounds::round(pool, Wanted::Hard)?;
    }
    rounds::read_all(pool.ctx())
}

/// Opaque numbers for the images of a sheet that are to be judged.
fn judged(secret: &Secret, sheet: &[Task]) -> Vec<u64> {
    let number = |item: ItemId| secret.seed("judged item", &item.to_string());
    sheet.iter().filter_map(Task::judged).map(number).collect()
}
