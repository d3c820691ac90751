//! What an examination of a diffusion model finds beside differences from a reference: times.

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
