//! What an examination of a diffusion model finds: differences from a reference, and times.

/// One comparison with the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// What was compared.
    pub what: String,
    /// The measure: `differ`, `max abs`, `rel L2`, `levels`, `unequal`.
    pub measure: &'static str,
    /// What was found.
    pub found: f64,
    /// The most that is allowed.
    pub allowed: f64,
}

impl Compared {
    /// Whether the difference is allowed; a NaN is not.
    pub fn ok(&self) -> bool {
        self.found <= self.allowed
    }
}

/// How long the parts of a model take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Benchmark {
    /// Reading the weights.
    pub load_secs: f64,
    /// Both prompts' embeddings.
    pub text_secs: f64,
    /// One call of the UNet for one image with guidance (a batch of two), mean of all calls but the first.
    pub unet_secs: f64,
    /// Decoding one image.
    pub vae_secs: f64,
    /// Images per second, all in all.
    pub images_per_sec: f64,
}
