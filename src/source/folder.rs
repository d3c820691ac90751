//! Photographs in a folder: they are read where they are, and stay there.

use std::path::Path;

use super::Source;
use crate::domain::{CategorySet, EngineChoice, FolderSource, GenerateSpec};
use crate::generator::{self, Generator, GeneratorError, Listing, Means};
use crate::imaging::DecodeLimits;
use crate::render::release::SourceFacts;

impl Source for FolderSource {
    fn list(&self, categories: &CategorySet, seed: u64) -> Result<Listing, GeneratorError> {
        generator::list(&GenerateSpec::Folder(self.clone()), categories, seed)
    }

    fn generator(&self, means: &Means) -> Result<Box<dyn Generator>, GeneratorError> {
        generator::build(&GenerateSpec::Folder(self.clone()), means)
    }

    fn stored_bytes(&self, _items: u64) -> u64 {
        0
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.root)
    }

    fn check_there(&self) -> Result<(), GeneratorError> {
        match std::fs::read_dir(&self.root) {
            Ok(_) => Ok(()),
            Err(source) => Err(GeneratorError::Gone { path: self.root.clone(), source }),
        }
    }

    fn limits(&self) -> DecodeLimits {
        DecodeLimits { max_pixels: self.max_pixels, max_file_bytes: self.max_file_bytes }
    }

    /// The folder's name alone: the page may be shown to people whom the rest of the path does not concern.
    fn words(&self, _engine: Option<EngineChoice>) -> String {
        format!("folder {}", self.root.file_name().unwrap_or_default().display())
    }

    fn facts(&self) -> SourceFacts {
        SourceFacts::Photographs {
            folder_name: self.root.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }
}
