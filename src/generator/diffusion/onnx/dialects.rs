//! What can be tested of the CUDA dialect without a GPU.
//!
//! ONNX Runtime knows the schemas of its CUDA operators in every build: it checks types and infers shapes through a
//! whole graph before it looks for kernels. So on a CPU a graph of this dialect must be refused for want of a kernel,
//! and for no other cause. Where a CPU has kernels too, the dialect's numbers are held against those of the CPU's.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use ort::session::builder::SessionBuilder;
use ort::value::TensorElementType;

use super::call::Call;
use super::draw::{self, Drawing};
use super::graph::{Dialect, Named, Value, Writer};
use super::shape::{Number, Shape, TEXT};
use crate::domain::Device;
use crate::generator::diffusion::engine::NetworkError;
use crate::generator::diffusion::model::{Activation, Block, ModelConfig, Weights};
use crate::generator::diffusion::network::{Attention, Decoder, Kernel, Layers, LinearShape, Norm, TextEncoder, Unet};
use crate::onnx::Runtime;

/// Operators that only the CUDA provider has.
const OF_CUDA_ALONE: [&str; 3] = ["NhwcConv", "GroupNorm", "BiasSplitGelu"];
/// The same sums in another order: six digits of f32, of numbers around 1.
const NEAR_IN_F32: f32 = 1e-5;
/// Weights and intermediate values rounded to halves, 11 bits, a dozen times over.
const NEAR_IN_F16: f32 = 2e-2;

/// A model to write graphs for.
struct Model {
    config: ModelConfig,
    text: Arc<Weights>,
    unet: Arc<Weights>,
    decoder: Arc<Weights>,
}

/// Which of a model's networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    Text,
    Unet,
    Decoder,
}

impl Model {
    /// The small model with diffusers' numbers. Its attentions have sizes that no fused kernel takes.
    fn small() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sd-second");
        let config = ModelConfig::open(&folder).unwrap();
        let weights = |part| Arc::new(config.weights(part).unwrap());
        let (text, unet, decoder) = (weights("text_encoder"), weights("unet"), weights("vae"));
        Self { config, text, unet, decoder }
    }

    /// Stable Diffusion 1.5 in width, with a layer where it has two, and weights of zeros.
    fn wide(folder: &Path) -> Self {
        let mut config = Self::small().config;
        let text = &mut config.text;
        (text.vocabulary, text.width, text.hidden_width) = (1000, 768, 3072);
        (text.layers, text.heads, text.activation) = (1, 12, Activation::QuickGelu);
        let block = |channels| Block {
            channels,
            layers: 1,
            heads: 8,
            transformer_layers: 1,
            attention_down: true,
            attention_up: true,
        };
        config.unet.blocks = [320, 640, 1280].map(block).to_vec();
        (config.unet.context_width, config.unet.groups, config.unet.linear_projection) = (768, 32, false);
        (config.vae.channels, config.vae.layers, config.vae.groups) = (vec![128, 256, 512, 512], 1, 32);
        let text = zeros(folder, "text", |names| drop(TextEncoder::load(&config.text, names)));
        let unet = zeros(folder, "unet", |names| drop(Unet::load(&config.unet, names)));
        let decoder = zeros(folder, "decoder", |names| drop(Decoder::load(&config.vae, names)));
        Self { config, text, unet, decoder }
    }

    fn draw(&self, network: Network, dialect: Dialect, shape: Shape) -> Drawing {
        let writer = |weights: &Arc<Weights>| Writer::new(Arc::clone(weights), dialect).unwrap();
        let drawn = match network {
            Network::Text => draw::text(&self.config, writer(&self.text)),
            Network::Unet => draw::unet(&self.config, writer(&self.unet), shape),
            Network::Decoder => draw::decoder(&self.config, writer(&self.decoder), shape),
        };
        drawn.unwrap()
    }
}

/// Names and shapes of the weights that a network loads.
#[derive(Default)]
struct Names(Vec<(String, Vec<usize>)>);

impl Names {
    fn note(&mut self, name: &str, what: &str, shape: &[usize]) -> Result<(), NetworkError> {
        self.0.push((format!("{name}{what}"), shape.to_vec()));
        Ok(())
    }
}

/// Only loads: nothing is ever applied.
impl Layers for Names {
    type Tensor = ();
    type Conv = ();
    type Linear = ();
    type GroupNorm = ();
    type LayerNorm = ();
    type Table = ();
    type Error = NetworkError;

    fn has(&self, _: &str) -> bool {
        false
    }

    fn load_conv(&mut self, name: &str, kernel: Kernel) -> Result<(), NetworkError> {
        self.note(name, ".bias", &[kernel.outputs])?;
        self.note(name, ".weight", &[kernel.outputs, kernel.inputs, kernel.side, kernel.side])
    }

    fn load_linear(&mut self, name: &str, shape: LinearShape) -> Result<(), NetworkError> {
        let stored = [shape.outputs, shape.inputs, 1, 1];
        self.note(name, ".weight", if shape.kept_as_conv { &stored } else { &stored[..2] })?;
        if shape.bias { self.note(name, ".bias", &[shape.outputs]) } else { Ok(()) }
    }

    fn load_group_norm(&mut self, name: &str, channels: usize, _: Norm) -> Result<(), NetworkError> {
        self.load_layer_norm(name, channels, 0.0)
    }

    fn load_layer_norm(&mut self, name: &str, width: usize, _: f64) -> Result<(), NetworkError> {
        self.note(name, ".weight", &[width])?;
        self.note(name, ".bias", &[width])
    }

    fn load_table(&mut self, name: &str, shape: [usize; 2]) -> Result<(), NetworkError> {
        self.note(name, "", &shape)
    }

    fn conv(&self, (): &(), (): &(), _: Option<&()>) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn linear(&self, (): &(), (): &()) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn linear_to_picture(&self, (): &(), (): &(), (): &()) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn group_norm(&self, (): &(), (): &(), _: bool) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn layer_norm(&self, (): &(), (): &()) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn attention(&self, _: Attention, (): &(), (): &(), (): &()) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn activate(&self, (): &(), _: Activation) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn linear_geglu(&self, (): &(), (): &()) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn add(&self, (): &(), (): &()) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn concat_channels(&self, (): &(), (): &()) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn pad_end(&self, (): &()) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn twice_the_size(&self, (): &()) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn pixels_as_rows(&self, (): &()) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }

    fn embed(&self, (): &(), (): &(), (): &(), _: usize) -> Result<(), NetworkError> {
        unreachable!("only loads")
    }
}

/// Weights of zeros in halves under the names that `load` asks for; the file is a hole, which takes no room on a disk.
fn zeros(folder: &Path, name: &str, load: impl FnOnce(&mut Names)) -> Arc<Weights> {
    let mut names = Names::default();
    load(&mut names);
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for (name, shape) in names.0 {
        let start = end;
        end += 2 * shape.iter().product::<usize>();
        header.insert(name, serde_json::json!({ "dtype": "F16", "shape": shape, "data_offsets": [start, end] }));
    }
    let mut header = serde_json::Value::Object(header).to_string();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let path = folder.join(format!("{name}.safetensors"));
    let mut file = File::create(&path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len((8 + header.len() + end) as u64).unwrap();
    Arc::new(Weights::open(&[path]).unwrap())
}

/// Options under which a shape that does not fit is an error, not a warning.
fn strict(runtime: &Runtime) -> SessionBuilder {
    let options = runtime.options(Device::Cpu, 1).unwrap();
    options.with_config_entry("session.strict_shape_type_inference", "1").unwrap()
}

/// Why a CPU makes no session of a graph; `None`: it makes one.
fn refusal(runtime: &Runtime, drawing: Drawing) -> Option<String> {
    drawing.session(strict(runtime)).err().map(|error| error.to_string())
}

/// The operator that a refusal names as having no kernel; `None`: the refusal has another cause. In halves ONNX Runtime
/// first puts casts around it and then uses other words.
fn without_kernel(refusal: &str) -> Option<&str> {
    let words = ["Could not find an implementation for ", "Failed to find kernel for com.microsoft."];
    let (_, operator) = words.iter().find_map(|words| refusal.split_once(words))?;
    operator.split('(').next()
}

/// The networks of one model in the CUDA dialect, at sizes that are run.
fn check(runtime: &Runtime, model: &Model, latents: Shape) {
    for (network, shape) in [(Network::Text, TEXT), (Network::Unet, latents), (Network::Decoder, latents)] {
        for number in [Number::F32, Number::F16] {
            let dialect = Dialect::Cuda(number);
            let refused = refusal(runtime, model.draw(network, dialect, shape));
            let operator = refused.as_deref().and_then(without_kernel);
            let case = format!("{network:?} in {number:?}: {refused:?}");
            match network {
                // Where a CPU has no kernel for halves, it computes in f32.
                Network::Text => assert_eq!(refused, None, "{case}"),
                _ => assert!(operator.is_some_and(|operator| OF_CUDA_ALONE.contains(&operator)), "{case}"),
            }
            let (longer, halves) = (1, TensorElementType::Float16);
            for (wrong, part) in [((longer, TensorElementType::Float32), "shape"), ((0, halves), "type")] {
                // Types and shapes are known up to the output: otherwise this would be refused for its kernels or not
                // at all.
                let mut drawing = model.draw(network, dialect, shape);
                *drawing.output.shape.last_mut().unwrap() += wrong.0;
                drawing.output.number = wrong.1;
                let refused = refusal(runtime, drawing).expect("an output of another kind is refused");
                assert!(
                    without_kernel(&refused).is_none() && refused.to_lowercase().contains(part),
                    "{case}: {refused}"
                );
            }
        }
    }
}

#[test]
fn a_small_models_graphs_for_cuda_lack_nothing_but_kernels() {
    let Some(runtime) = Runtime::of_this_machine() else { return };
    check(&runtime, &Model::small(), Shape { count: 2, height: 16, width: 24 });
}

#[test]
fn graphs_for_cuda_as_wide_as_stable_diffusion_lack_nothing_but_kernels() {
    let Some(runtime) = Runtime::of_this_machine() else { return };
    let folder = tempfile::tempdir().unwrap();
    check(&runtime, &Model::wide(folder.path()), Shape { count: 16, height: 64, width: 64 });
}

/// Runs on a CPU what `draw` writes in each dialect: the numbers must be near those of the CPU's dialect.
fn compare(weights: &Arc<Weights>, draw: impl Fn(Writer) -> Drawing, inputs: &[&[f32]]) {
    let Some(runtime) = Runtime::of_this_machine() else { return };
    let run = |dialect| {
        let drawing = draw(Writer::new(Arc::clone(weights), dialect).unwrap());
        let finished = drawing.session(strict(&runtime)).unwrap();
        Call::new(finished, Arc::clone(weights), Device::Cpu).unwrap().run(inputs).unwrap()
    };
    let expected = run(Dialect::Cpu);
    let largest = expected.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
    assert!(largest > 0.1 && largest < 100.0, "numbers up to {largest} show nothing");
    for (number, near) in [(Number::F32, NEAR_IN_F32), (Number::F16, NEAR_IN_F16)] {
        let found = run(Dialect::Cuda(number));
        assert_eq!(found.len(), expected.len());
        let apart = found.iter().zip(&expected).fold(0.0, |most: f32, (a, b)| most.max((a - b).abs()));
        eprintln!("{number:?}: {apart:e} apart, of numbers up to {largest}");
        assert!(apart <= near, "{number:?}: {apart} apart, of numbers up to {largest}");
    }
}

/// Numbers between -1 and 1 without a simple pattern.
fn noise(count: usize) -> Vec<f32> {
    (0..count).map(|at| ((at * at + 7 * at) % 199) as f32 / 99.5 - 1.0).collect()
}

#[test]
fn the_text_encoder_in_the_cuda_dialect_gives_the_same_numbers() {
    let model = Model::small();
    let ids: Vec<f32> =
        (0..model.config.text.positions).map(|at| (at * 31 % model.config.text.vocabulary) as f32).collect();
    compare(&model.text, |writer| draw::text(&model.config, writer).unwrap(), &[&ids]);
}

/// A transformer's layer on 2 x 6 rows of 16 and prompts of 5 rows of 24.
fn transformer(mut l: Writer) -> Drawing {
    const AT: &str = "down_blocks.1.attentions.0.transformer_blocks.0";
    let mut linear = |name: &str, shape| l.load_linear(&format!("{AT}.{name}"), shape).unwrap();
    let square = LinearShape::without_bias(16, 16);
    let [q, k, v] = ["attn1.to_q", "attn1.to_k", "attn1.to_v"].map(|name| linear(name, square));
    let q2 = linear("attn2.to_q", square);
    let [k2, v2] = ["attn2.to_k", "attn2.to_v"].map(|name| linear(name, LinearShape::without_bias(24, 16)));
    let widen = linear("ff.net.0.proj", LinearShape::new(16, 128));
    let narrow = linear("ff.net.2", LinearShape::new(64, 16));
    let norms = [1, 2, 3].map(|at| l.load_layer_norm(&format!("{AT}.norm{at}"), 16, 1e-5).unwrap());
    let how = Attention { heads: 4, causal: false, upcast: true };
    let x = l.input_rows("x", &[2, 6, 16]).unwrap();
    let prompts = l.input_rows("prompts", &[2, 5, 24]).unwrap();
    let on = |layer, x: &Value| l.linear(layer, x).unwrap();

    let h = l.layer_norm(&norms[0], &x).unwrap();
    let h = l.attention(how, &on(&q, &h), &on(&k, &h), &on(&v, &h)).unwrap();
    let (x, h) = l.add_then_norm(&norms[1], &h, &x).unwrap();
    let h = l.attention(how, &on(&q2, &h), &on(&k2, &prompts), &on(&v2, &prompts)).unwrap();
    let (x, h) = l.add_then_norm(&norms[2], &h, &x).unwrap();
    let h = on(&narrow, &l.linear_geglu(&widen, &h).unwrap());
    l.output(&l.add(&h, &x).unwrap(), "rows").unwrap();
    let port = |name, shape: [usize; 2]| Named::new(name, &shape);
    Drawing { writer: l, inputs: vec![port("x", [12, 16]), port("prompts", [10, 24])], output: port("rows", [12, 16]) }
}

#[test]
fn a_transformer_in_the_cuda_dialect_gives_the_same_numbers() {
    compare(&Model::small().unet, transformer, &[&noise(12 * 16), &noise(10 * 24)]);
}

/// The operations on pictures between convolutions, and a normalisation that has no fused operator.
fn pictures(mut l: Writer) -> Drawing {
    let norm = Norm { groups: 8, epsilon: 1e-6 };
    let norm = l.load_group_norm("down_blocks.0.resnets.0.norm1", 8, norm).unwrap();
    let mix = l.load_linear("down_blocks.1.attentions.0.proj_in", LinearShape::new(16, 16)).unwrap();
    let x = l.input_picture("x", &[2, 8, 3, 4]).unwrap();

    let normal = l.group_norm(&norm, &x, true).unwrap();
    let both = l.concat_channels(&normal, &x).unwrap();
    let large = l.twice_the_size(&l.pad_end(&both).unwrap()).unwrap();
    let rows = l.pixels_as_rows(&large).unwrap();
    let mixed = l.linear_to_picture(&mix, &rows, &large).unwrap();
    l.output(&l.add(&mixed, &large).unwrap(), "y").unwrap();
    let port = |name, shape: [usize; 4]| Named::new(name, &shape);
    Drawing { writer: l, inputs: vec![port("x", [2, 8, 3, 4])], output: port("y", [2, 16, 8, 10]) }
}

#[test]
fn pictures_with_channels_last_give_the_same_numbers() {
    compare(&Model::small().unet, pictures, &[&noise(2 * 8 * 3 * 4)]);
}
