//! The images for the sentinels of a round: those of which the surrogates are sure, or those that are known to be good.
//!
//! Does not choose among them: `people` does. Holds always: no image is asked about under two categories, over all
//! rounds.

use std::collections::{BTreeSet, HashMap};

use rayon::prelude::*;

use super::{AnnotateError, known_good};
use crate::domain::{Secret, Sha256, TaskImage};
use crate::people::{Asked, Candidate, Round, Supply, Survey, shuffle};
use crate::pool::Pool;
use crate::store::hash_file;

/// Largest number of shards in which sentinels are looked for.
const SURVEYED: usize = 64;

/// The images for sentinels of a round that asks about these candidates after `earlier` rounds.
pub fn supply(
    pool: &Pool,
    secret: &Secret,
    earlier: &[Round],
    candidates: &[Candidate],
) -> Result<Supply, AnnotateError> {
    let (ctx, spec) = (pool.ctx(), pool.spec());
    let names = &spec.mine.select.surrogates;
    let spaces = names.iter().map(|name| pool.space(name)).collect::<Result<Vec<_>, _>>()?;
    let mut survey = Survey::new(&spec.categories, &spec.annotate.sentinels, &spaces);
    let mut shards = shuffle((0..pool.shards()).collect(), secret.seed("survey", ""));
    shards.truncate(SURVEYED);
    ctx.progress.start("sentinels", shards.len() as u64);
    for shard in shards {
        ctx.check_stop()?;
        let predictions = names.iter().map(|name| pool.predictions(name, shard)).collect::<Result<Vec<_>, _>>()?;
        survey.add(&pool.items(shard)?, &predictions);
        ctx.progress.advance(1);
    }
    ctx.progress.finish();
    let known = match &spec.annotate.sentinels.known_good {
        Some(folder) => Some(known_good::list(folder, &spec.categories)?),
        None => None,
    };
    let candidates: Vec<(&str, TaskImage)> =
        candidates.iter().map(|candidate| (&*candidate.category, TaskImage::Item(candidate.item_id))).collect();
    let before = || earlier.iter().flat_map(|round| &round.tasks);
    let images = candidates.iter().map(|(_, image)| image.clone());
    let images = images.chain(survey.images()).chain(before().map(|task| task.image.clone()));
    let images = images.chain(known.iter().flatten().map(|(_, image)| image.clone())).collect();
    let mut asked = Asked::new(hashes(pool, images)?);
    before().for_each(|task| asked.note(&task.image, &task.category));
    candidates.iter().for_each(|(category, image)| asked.note(image, category));
    let mut supply = survey.supply(secret, &asked);
    if let Some(known) = known {
        supply.positives = known;
        supply = supply.shuffled(secret);
    }
    supply.one_category_each(&asked, &candidates.into_iter().map(|(_, image)| image).collect::<Vec<_>>());
    Ok(supply)
}

/// Hashes of the files of images; one that cannot be read has none.
fn hashes(pool: &Pool, images: BTreeSet<TaskImage>) -> Result<HashMap<TaskImage, Sha256>, AnnotateError> {
    let items = pool.find_images(&images.iter().filter_map(TaskImage::item).collect())?;
    let folder = pool.spec().annotate.sentinels.known_good.as_deref();
    let hash = |image: TaskImage| {
        let hash = match &image {
            TaskImage::Item(item) => items.get(item).map(|found| found.row.sha256),
            TaskImage::Known(path) => {
                folder.and_then(|folder| hash_file(&folder.join(path)).ok()).map(|(_, hash)| hash)
            }
        };
        hash.map(|hash| (image, hash))
    };
    Ok(pool.ctx().thread_pool()?.install(|| images.into_par_iter().filter_map(hash).collect()))
}
