//! The samplers by name, and the class of diffusers that each corresponds to.
//!
//! Does not configure them; a model's scheduler_config.json does.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

const KINDS: [(SamplerKind, &str, &str); 7] = [
    (SamplerKind::Ddim, "ddim", "DDIMScheduler"),
    (SamplerKind::Pndm, "pndm", "PNDMScheduler"),
    (SamplerKind::Euler, "euler", "EulerDiscreteScheduler"),
    (SamplerKind::EulerAncestral, "euler-ancestral", "EulerAncestralDiscreteScheduler"),
    (SamplerKind::DpmSolverPp2M, "dpmpp-2m", "DPMSolverMultistepScheduler"),
    (SamplerKind::UniPc, "unipc", "UniPCMultistepScheduler"),
    // Found by name only, because it shares its class with the plain sampler and only the noise levels differ.
    (SamplerKind::DpmSolverPp2MKarras, "dpmpp-2m-karras", "DPMSolverMultistepScheduler"),
];

/// A method that turns noise into an image step by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SamplerKind {
    /// DDIM without noise (eta = 0).
    Ddim,
    /// PLMS: PNDM without its Runge-Kutta steps.
    Pndm,
    /// Euler without churn.
    Euler,
    /// Euler with fresh noise at each step.
    EulerAncestral,
    /// DPM-Solver++ (2M).
    DpmSolverPp2M,
    /// UniPC, predictor and corrector.
    UniPc,
    /// DPM-Solver++ (2M) at the noise levels of Karras et al. 2022.
    DpmSolverPp2MKarras,
}

/// Not the name of a sampler.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("`{0}` is not a sampler; write one of {names}", names = SamplerKind::NAMES)]
pub struct UnknownSampler(pub String);

impl SamplerKind {
    /// All names, for messages.
    pub const NAMES: &str = "ddim, pndm, euler, euler-ancestral, dpmpp-2m, unipc, dpmpp-2m-karras";

    /// The name in recipes and tables.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The class in diffusers.
    pub fn class_name(self) -> &'static str {
        self.row().2
    }

    /// The sampler that a class of diffusers implements.
    pub fn of_class(class_name: &str) -> Option<Self> {
        KINDS.into_iter().find(|row| row.2 == class_name).map(|row| row.0)
    }

    fn row(self) -> (Self, &'static str, &'static str) {
        KINDS[self as usize]
    }
}

impl fmt::Display for SamplerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SamplerKind {
    type Err = UnknownSampler;

    fn from_str(text: &str) -> Result<Self, UnknownSampler> {
        let known = KINDS.into_iter().find(|row| row.1 == text);
        known.map(|row| row.0).ok_or_else(|| UnknownSampler(text.to_owned()))
    }
}

impl TryFrom<String> for SamplerKind {
    type Error = UnknownSampler;

    fn try_from(text: String) -> Result<Self, UnknownSampler> {
        text.parse()
    }
}

impl From<SamplerKind> for String {
    fn from(kind: SamplerKind) -> Self {
        kind.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_finds_its_own_row_by_name_and_by_class() {
        for (kind, name, class_name) in KINDS {
            assert_eq!((kind.name(), kind.class_name()), (name, class_name));
            assert_eq!(name.parse(), Ok(kind));
            let of_class = if kind == SamplerKind::DpmSolverPp2MKarras { SamplerKind::DpmSolverPp2M } else { kind };
            assert_eq!(SamplerKind::of_class(class_name), Some(of_class));
        }
        assert_eq!(SamplerKind::NAMES, KINDS.map(|row| row.1).join(", "));
        assert_eq!("DDIM".parse::<SamplerKind>(), Err(UnknownSampler("DDIM".into())));
    }
}
