//! The three networks as graphs: what goes in, what comes out, all in f32 and with channels first.

use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::graph::{Named, Writer};
use super::shape::Shape;
use crate::generator::diffusion::engine::NetworkError;
use crate::generator::diffusion::model::ModelConfig;
use crate::generator::diffusion::network::{Decoder, TextEncoder, Unet};

/// A graph that is written, before it is a session.
pub struct Drawing {
    pub writer: Writer,
    pub inputs: Vec<Named>,
    pub output: Named,
}

/// A session, and what goes in and out.
pub struct Finished {
    pub session: Session,
    pub inputs: Vec<Named>,
    pub output: Named,
}

type Drawn = Result<Drawing, NetworkError>;

/// `ids` `[1, positions]` -> `embeddings` `[positions, width]`.
pub fn text(config: &ModelConfig, mut writer: Writer) -> Drawn {
    let (positions, width) = (config.text.positions, config.text.width);
    let network = TextEncoder::load(&config.text, &mut writer)?;
    let ids = writer.input_ids("ids", &[1, positions])?;
    let embeddings = network.forward(&writer, &ids)?;
    writer.output(&embeddings, "embeddings")?;
    Ok(Drawing {
        writer,
        inputs: vec![Named::new("ids", &[1, positions])],
        output: Named::new("embeddings", &[positions, width]),
    })
}

/// `latents` `[n, c, h, w]`, `waves` `[1, width]`, `prompts` `[n * positions, width]` -> `answer`, as the latents.
pub fn unet(config: &ModelConfig, mut writer: Writer, shape: Shape) -> Drawn {
    let Shape { count, height, width } = shape;
    let latents = [count, config.unet.in_channels, height, width];
    let (waves, positions) = (config.unet.blocks[0].channels, config.text.positions);
    let network = Unet::load(&config.unet, &mut writer)?;
    let seen = writer.input_picture("latents", &latents)?;
    let time = writer.input_rows("waves", &[1, 1, waves])?;
    let prompts = writer.input_rows("prompts", &[count, positions, config.unet.context_width])?;
    let answer = network.forward(&writer, &seen, &time, &prompts)?;
    writer.output(&answer, "answer")?;
    let prompts = Named::new("prompts", &[count * positions, config.unet.context_width]);
    let inputs = vec![Named::new("latents", &latents), Named::new("waves", &[1, waves]), prompts];
    Ok(Drawing { writer, inputs, output: Named::new("answer", &answer.shape) })
}

/// `latents` `[n, c, h, w]` in the autoencoder's own scale -> `pictures` `[n, 3, h', w']`.
pub fn decoder(config: &ModelConfig, mut writer: Writer, shape: Shape) -> Drawn {
    let latents = [shape.count, config.vae.latent_channels, shape.height, shape.width];
    let network = Decoder::load(&config.vae, &mut writer)?;
    let pictures = network.forward(&writer, &writer.input_picture("latents", &latents)?)?;
    writer.output(&pictures, "pictures")?;
    Ok(Drawing {
        writer,
        inputs: vec![Named::new("latents", &latents)],
        output: Named::new("pictures", &pictures.shape),
    })
}

impl Drawing {
    /// Has ONNX Runtime check the graph, optimise it and find kernels.
    pub fn session(self, options: SessionBuilder) -> Result<Finished, NetworkError> {
        let Self { writer, inputs, output } = self;
        Ok(Finished { session: writer.finish(&inputs, &output, options)?, inputs, output })
    }
}
