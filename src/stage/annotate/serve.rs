//! annotate serve: the sheets of all rounds on a web page, until the process is asked to stop.
//!
//! Does not speak HTTP: `server` does. Holds always: the server gets sheets without their sentinels, because what it
//! does not know it cannot reveal.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::AnnotateError;
use super::export::sheet_of;
use super::pack::Packer;
use super::rounds::{self, Wanted};
use crate::domain::{ItemId, Secret, Task};
use crate::people::Round;
use crate::pool::Pool;
use crate::server::{self, Links, Site};
use crate::store::{Lock, write_whole};

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
    let ballots = ctx.run.ballots();
    let folder = ballots.parent().unwrap_or(ctx.run.path());
    let _one_server = Lock::take_new(folder)?;
    ctx.run.start_ballots()?;
    let tasks: Vec<Task> = rounds.iter().flat_map(|round| round.tasks.iter().cloned()).collect();
    let packer = Packer::open(pool, tasks.iter().map(|task| &task.image))?;
    let sheets: Vec<&[Task]> = rounds.iter().flat_map(Round::sheets).collect();
    let image = |task: &Task| format!("/images/{}.jpg", task.name);
    let secret = ctx.run.secret()?;
    let site = Site {
        title: spec.name.clone(),
        sheets: sheets.iter().map(|sheet| sheet_of(spec, sheet, image)).collect(),
        wanted: sheets.iter().map(|sheet| sheet[0].people).collect(),
        judged: sheets.iter().map(|sheet| judged(&secret, sheet)).collect(),
        images: images(pool, packer, tasks),
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

/// JPEGs by task, each made at the first call and kept in `batches/images/<side in px>/`.
fn images(pool: &Pool, packer: Packer, tasks: Vec<Task>) -> server::Images {
    let run = pool.ctx().run.clone();
    let folder = run.batches().join("images").join(pool.spec().annotate.image_px.to_string());
    let tasks: HashMap<String, Task> = tasks.into_iter().map(|task| (task.name.clone(), task)).collect();
    Box::new(move |name| {
        let task = tasks.get(name).ok_or("there is no such task")?;
        let path = folder.join(format!("{name}.jpg"));
        if let Ok(jpeg) = std::fs::read(&path) {
            return Ok(jpeg);
        }
        let picture = packer.picture(&task.image);
        let Ok(jpeg) = picture.and_then(|picture| packer.jpeg(task, &picture).map_err(|e| e.to_string())) else {
            run.add_blanks("server", &[task.name.clone()].into()).map_err(|e| e.to_string())?;
            return packer.blank(task).map_err(|e| e.to_string());
        };
        // An error is ignored, because a full disk must not keep people from seeing an image.
        let _ = write_whole(&path, &jpeg);
        Ok(jpeg)
    })
}
