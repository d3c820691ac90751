//! From a checked configuration to the sampler that it describes.

use super::{Method, Sampler, SamplerConfig, SamplerError, ddim, dpm, euler, pndm, unipc};

/// A sampler that takes `steps` steps; 1 to the number of training steps.
pub fn build(config: &SamplerConfig, steps: u32) -> Result<Box<dyn Sampler>, SamplerError> {
    if steps == 0 || steps > config.train_steps {
        return Err(SamplerError::Steps { steps, train_steps: config.train_steps });
    }
    Ok(match &config.method {
        Method::Ddim { final_alpha, clip } => Box::new(ddim::Ddim::new(config, *final_alpha, *clip, steps)?),
        Method::Pndm { final_alpha } => Box::new(pndm::Pndm::new(config, *final_alpha, steps)?),
        Method::Euler { sigmas } => Box::new(euler::Euler::new(config, sigmas, steps)?),
        Method::EulerAncestral => Box::new(euler::EulerAncestral::new(config, steps)?),
        Method::DpmSolverPp2M(form) => Box::new(dpm::DpmSolver::new(config, form, steps)?),
        Method::UniPc(form) => Box::new(unipc::UniPc::new(config, form, steps)?),
    })
}
