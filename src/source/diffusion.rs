//! Images that a diffusion model makes from a grid of prompts.
//!
//! Does not run the model: `generator::diffusion` does.

use std::collections::BTreeMap;

use super::error::SourceError;
use super::grid::Grid;
use super::kind::{Source, even_shard};
use super::listing::{Listing, Rows};
use crate::domain::{CategorySet, DiffusionSource, EngineChoice, Provenance};
use crate::generator::{self, Generator, Means};
use crate::render::release::SourceFacts;

impl Source for DiffusionSource {
    fn list(&self, categories: &CategorySet, seed: u64) -> Result<Listing, SourceError> {
        let grid = Grid::new(&self.prompts, categories, seed);
        if grid.len() > u64::from(u32::MAX) {
            return Err(SourceError::TooMany);
        }
        Ok(Listing::of(Rows::Grid(grid)))
    }

    fn by_number(&self, categories: &CategorySet, seed: u64) -> Result<Option<Rows>, SourceError> {
        Ok(Some(self.list(categories, seed)?.rows))
    }

    fn check(&self) -> Result<(), SourceError> {
        Ok(generator::check_model(self)?)
    }

    fn generator(&self, means: &Means) -> Result<Box<dyn Generator>, SourceError> {
        Ok(generator::load_generator(self, means)?)
    }

    /// From 64 to 1,024: the images cost much, so that little work is lost, and all of a shard are in memory until it
    /// is written.
    fn default_shard_items(&self, items: usize) -> u32 {
        even_shard(items).clamp(64, 1024) as u32
    }

    /// PNGs of natural pictures take about two thirds of their pixels.
    fn stored_bytes(&self, items: u64) -> u64 {
        items * 2 * u64::from(self.width_px) * u64::from(self.height_px)
    }

    fn diffusion(&self) -> Option<&DiffusionSource> {
        Some(self)
    }

    fn provenance(&self, facts: &BTreeMap<String, String>) -> Option<Provenance> {
        let fact = |name: &str| facts.get(name).cloned().unwrap_or_default();
        Some(Provenance {
            model_sha256: self.model.sha256?,
            engine: fact("engine"),
            sampler: fact("sampler"),
            steps: self.steps,
            guidance: self.guidance,
            warning: None,
        })
    }

    fn words(&self, engine: Option<EngineChoice>) -> String {
        let kinds: Vec<&str> = self.prompts.nuisances.iter().map(|set| set.kind.as_str()).collect();
        let engine = engine.map_or_else(String::new, |engine| format!(", on {}", engine.name()));
        let (model, steps) = (self.model.short_name(), self.steps);
        format!("diffusion model {model}, {steps} steps{engine}, over {}", kinds.join(", "))
    }

    fn facts(&self) -> SourceFacts {
        SourceFacts::Diffusion {
            model: self.model.short_name(),
            model_sha256: self.model.sha256.map_or_else(String::new, |hash| hash.to_string()),
            model_licence: self.model.licence.clone(),
            sampler: self.sampler.map_or("of the model", |sampler| sampler.name()).to_owned(),
            steps: self.steps,
            guidance: self.guidance,
            width_px: self.width_px,
            height_px: self.height_px,
        }
    }
}
