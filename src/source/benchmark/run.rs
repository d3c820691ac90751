//! A run of hardset as a pool: the images that it has, by its plan and its tables of images.

use super::error::BenchmarkError;
use super::parquet::source_of;
use crate::domain::{BenchmarkSource, GenerateSpec, ImageRow, Key, RunSpec, Sha256, SurrogateRecord};
use crate::source::listing::{Listing, Rows};
use crate::store::RunDir;
use crate::table::{PlanTable, images_table};
use std::path::PathBuf;

/// What is known of a run before its images are listed.
pub struct Found {
    /// Its recipe.
    pub spec: RunSpec,
    /// Hash of the records of its plan and its images.
    pub contents: Sha256,
    /// Its folder of photographs, if it has one.
    pub photographs: Option<PathBuf>,
    /// The voters of its mining.
    pub voters: Vec<SurrogateRecord>,
}

/// Reads the records of a run, which must have all of its images.
pub fn find(run: &RunDir) -> Result<Found, BenchmarkError> {
    let spec = run.spec()?;
    let photographs = match &spec.generate {
        GenerateSpec::Folder(source) => Some(source.root.clone()),
        GenerateSpec::Benchmark(source) => {
            return Err(BenchmarkError::Layout {
                path: run.path().to_owned(),
                found: format!("its images are those of another pool, {}", source.name()),
                remedy: format!("give {} itself", source.root.display()),
            });
        }
        GenerateSpec::Diffusion(_) | GenerateSpec::Fake(_) => None,
    };
    let Some(plan) = run.plan().record()? else { return Err(unfinished(run, "it has no plan")) };
    let shards = shards(plan.rows.kept, &spec);
    let mut records = vec![plan.hash()];
    for shard in 0..shards {
        let Some(record) = run.images(shard).record()? else {
            return Err(unfinished(run, &format!("{} of its {shards} shards have images", records.len() - 1)));
        };
        records.push(record.hash());
    }
    let contents = Key::new("contents of a run", 1).field("records", records.as_slice()).finish();
    let voters = voters(run, &spec, shards)?;
    Ok(Found { spec, contents, photographs, voters })
}

fn unfinished(run: &RunDir, found: &str) -> BenchmarkError {
    let path = run.path().to_owned();
    let remedy = format!("make them first: hardset generate {}", path.display());
    BenchmarkError::Layout { path, found: format!("the images of the run are not all made: {found}"), remedy }
}

fn shards(rows: u64, spec: &RunSpec) -> usize {
    rows.div_ceil(u64::from(spec.shard_items.max(1))) as usize
}

/// The voters, with the images on which they are right, by the records of their predictions.
fn voters(run: &RunDir, spec: &RunSpec, shards: usize) -> Result<Vec<SurrogateRecord>, BenchmarkError> {
    let mut voters = Vec::new();
    for voter in spec.voters() {
        let mut right_on_pool = 0;
        for shard in 0..shards {
            let record = run.predictions(&voter.name, shard).record()?;
            right_on_pool += record.and_then(|record| record.sums).map_or(0, |sums| sums.right);
        }
        let (name, weights_sha256) = (voter.name.clone(), voter.weights_sha256());
        voters.push(SurrogateRecord { name, weights_sha256, right_on_pool });
    }
    Ok(voters)
}

/// The rows of the images of shard `shard`, items ascending.
pub fn image_rows(run: &RunDir, shard: usize) -> Result<Vec<ImageRow>, BenchmarkError> {
    let unit = run.images(shard);
    let record = unit.existing()?;
    Ok(images_table::decode(&unit.checked(&record, "parquet")?)?)
}

/// All images; items keep the numbers that they have in the run.
pub fn list(source: &BenchmarkSource) -> Result<Listing, BenchmarkError> {
    let run = RunDir::at(&source.root);
    let spec = run.spec()?;
    let unit = run.plan();
    let plan = PlanTable::open(&unit.checked(&unit.existing()?, "parquet")?)?;
    let mut rows = Vec::new();
    for shard in 0..shards(plan.len() as u64, &spec) {
        let start = shard * spec.shard_items as usize;
        let planned = plan.rows(start..plan.len().min(start + spec.shard_items as usize))?;
        let images = image_rows(&run, shard)?;
        for mut row in planned {
            // What the run itself has lost has no image.
            if let Ok(at) = images.binary_search_by_key(&row.item_id, |image| image.item_id) {
                let path = &images[at].path;
                row.source = Some(match source.photographs {
                    Some(_) => path.clone(),
                    None => source_of(path, row.item_id.0.into()),
                });
                rows.push(row);
            }
        }
    }
    Ok(Listing::of(Rows::Listed(rows)))
}
