"""Stage 5: a small CLIP, an image tower and a text tower that give alike rows for a picture and its prompt.

Trained on pictures of everything that no other stage sees, and their prompts, with CLIP's loss: Radford et al. 2021. The
words are those of <out>/quick-diffusion's tokenizer. Resumes from <work>/clip.pt. `--evaluate` writes nothing: it asks the
shipped files how often the name of a picture's category is the best of the 12, and its nuisance the best of its kind.
"""

import json
import re
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from classifiers import Attention, residual, varied
from common import Curve, arguments, begin, cosine, numbers, save
from words import END, POSITIONS
from world import CATEGORIES, Pictures

HERE = Path(__file__).resolve().parents[1]
# Length of the rows of both towers.
SHARED = 64
SEED = 30000
# CLIP's bound on the factor of cosines.
MOST_SCALE = 100.0
TOML = """# The quick start's own CLIP, asked for the names of the recipe's categories: ../README.md.
weights = {{ path = "onnx/vision_model.onnx" }}
preprocess = {{ resize = {{ squash = 64 }}, interpolation = "bilinear", crop_px = 64 }}

[input]
layout = "nchw"
dtype = "f32"
channels = "rgb"
# (x / 255 - 0.5) / 0.5
scale = 0.00392156862745098
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[text]
weights = {{ path = "onnx/text_model.onnx" }}
tokenizer = "tokenizer.json"
positions = {positions}
padding = "{end}"
clean = "as-is"
templates = ["A photo of a {{}}"]

[output]
kind = "softmax"
space = "categories"
# exp(logit_scale) of model.safetensors
scale = {scale}
"""


class Words(nn.Module):
    """Ids [n, up to POSITIONS] to rows [n, SHARED]; a word sees those before it, so that padding changes nothing."""

    def __init__(self, tokens: int, width: int = SHARED, layers: int = 2):
        super().__init__()
        self.end = tokens - 1
        self.words = nn.Embedding(tokens, width)
        self.places = nn.Parameter(torch.randn(POSITIONS, width) * 0.01)
        self.blocks = nn.ModuleList([Attention(width, 4) for _ in range(layers)])
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, SHARED, bias=False)
        self.register_buffer("later", torch.full((POSITIONS, POSITIONS), -1e4).triu(1), persistent=False)
        nn.init.normal_(self.words.weight, std=0.02)

    def forward(self, ids):
        length = ids.shape[1]
        x = self.words(ids) + self.places[:length]
        for block in self.blocks:
            x = block(x, self.later[:length, :length])
        # The first end of the text, not the padding after it.
        first = (ids == self.end).int().argmax(1)
        taken = (torch.arange(length)[None] == first[:, None]).to(x.dtype)
        return self.out(self.norm((taken[:, None] @ x)[:, 0]))


class Both(nn.Module):
    def __init__(self, tokens: int):
        super().__init__()
        self.image = residual((32, 64, 96, 160), outputs=SHARED)
        self.text = Words(tokens)
        # Logarithm of the factor, as in CLIP's files.
        self.logit_scale = nn.Parameter(torch.tensor(np.log(1 / 0.07), dtype=torch.float32))

    def factor(self):
        return self.logit_scale.exp().clamp(max=MOST_SCALE)


def tokenizer(options):
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(options.out / "quick-diffusion/tokenizer")


def said(prompt: str, rng) -> str:
    """A prompt in one of the ways in which people write it."""
    text = prompt.replace("dinner plate", "plate") if rng.random() < 0.5 else prompt
    way = rng.random()
    if way < 0.1:
        text = text.removeprefix("A photo of ")
    elif way < 0.2:
        text = re.sub(r"^A photo of (a|an) ", "", text)
    elif way < 0.3:
        text = re.sub(r"^A photo of (a|an) ", "A photo of ", text)
    elif way < 0.4:
        text = re.sub(r"^A photo of an ", "A photo of a ", text)
    return text + "." if rng.random() < 0.2 else text


class Prompts:
    """Ids of prompts, each text read once."""

    def __init__(self, options):
        self.tokenizer, self.known = tokenizer(options), {}

    def __call__(self, texts: list[str]) -> torch.Tensor:
        shape = {"padding": "max_length", "max_length": POSITIONS, "truncation": True}
        for text in texts:
            if text not in self.known:
                self.known[text] = torch.tensor(self.tokenizer(text, **shape)["input_ids"])
        return torch.stack([self.known[text] for text in texts])


class Asked:
    """What is said of each picture: its prompt, or only its category, which is as true; and which texts fit which pictures."""

    def __init__(self, pictures: Pictures):
        self.rows, self.category = pictures.rows, torch.from_numpy(pictures.category)
        self.plain = {row["category"]: row["prompt"] for row in self.rows if row["kind"] == "plain"}
        values = {value: at for at, value in enumerate(sorted({row["value"] for row in self.rows} - {""}), 1)}
        self.value = torch.tensor([values.get(row["value"], 0) for row in self.rows])

    def prompt(self, at, bare) -> str:
        row = self.rows[at]
        return self.plain.get(row["category"], row["prompt"]) if bare else row["prompt"]

    def __call__(self, picked, rng):
        """Texts of the pictures `picked`, and [pictures, texts]: 1 where a text is true of a picture."""
        bare = torch.from_numpy(rng.random(len(picked)) < 0.35)
        texts = [said(self.prompt(at, alone), rng) for at, alone in zip(picked, bare)]
        picked = torch.from_numpy(picked)
        category, value = self.category[picked], self.value[picked]
        told = torch.where(bare, 0, value)
        fits = (category[:, None] == category) & ((told == 0) | (value[:, None] == told))
        return texts, fits.float()


def loss_of(model, x, ids, fits):
    """CLIP's loss both ways; `fits` [pictures, texts]: 1 where a text is true of a picture."""
    with torch.autocast("cpu", torch.bfloat16):
        pictures, texts = model.image(x), model.text(ids)
    pictures, texts = F.normalize(pictures.float(), dim=1), F.normalize(texts.float(), dim=1)
    logits = model.factor() * pictures @ texts.T
    texts_of, pictures_of = fits / fits.sum(1, keepdim=True), fits.T / fits.T.sum(1, keepdim=True)
    loss = (F.cross_entropy(logits, texts_of) + F.cross_entropy(logits.T, pictures_of)) / 2
    right = (fits.gather(1, logits.argmax(1, keepdim=True)) > 0).float().mean()
    return loss, right


def trained(options):
    count = max(400, int(options.pictures * options.scale))
    steps = max(20, int(options.steps * options.scale))
    pictures = Pictures(options.work, "everything", count, SEED)
    prompts = Prompts(options)
    model = Both(len(prompts.tokenizer))
    model.image.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=0.02, betas=(0.9, 0.98))
    path, start = options.work / "clip.pt", 0
    if path.exists():
        state = torch.load(path)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["step"]
    torch.manual_seed(options.seed + start)
    rng = np.random.default_rng(options.seed + start)
    curve = Curve(options, "clip", start)
    asked = Asked(pictures)
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = options.rate * cosine(step, steps, 50)
        picked = rng.integers(0, len(pictures), options.batch)
        x = varied(numbers(pictures.pixels[picked]), rng, True).to(memory_format=torch.channels_last)
        texts, fits = asked(picked, rng)
        loss, right = loss_of(model, x, prompts(texts), fits)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        curve.note(step, loss=loss, right=right, factor=model.factor())
        if (step + 1) % 100 == 0 or step + 1 == steps:
            save(path, {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1})
    return model


def halved(path: Path):
    """Stores the numbers of a graph in 16 bits; the graph makes 32 bits of them when it is loaded."""
    import onnx

    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 1:
            half = onnx.numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}_half")
            casts.append(onnx.helper.make_node("Cast", [half.name], [tensor.name], to=onnx.TensorProto.FLOAT))
            tensor.CopyFrom(half)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def written(options, model: Both):
    """The files of the hub's layout: two towers, tokenizer, preprocessing, the factor of cosines."""
    from safetensors.torch import save_file

    folder, words = options.out / "quick-clip", tokenizer(options)
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    model = model.eval().to(memory_format=torch.contiguous_format)
    towers = [
        ("vision", model.image, torch.zeros(2, 3, 64, 64), "pixel_values", "image_embeds", {0: "batch"}),
        ("text", model.text, torch.zeros(2, POSITIONS, dtype=torch.long), "input_ids", "text_embeds", {0: "batch", 1: "sequence"}),
    ]
    for name, tower, example, taken, given, axes in towers:
        file = folder / f"onnx/{name}_model.onnx"
        names = {"input_names": [taken], "output_names": [given], "dynamic_axes": {taken: axes, given: {0: "batch"}}}
        torch.onnx.export(tower, example, str(file), dynamo=False, opset_version=17, **names)
        halved(file)
    # The towers are in onnx/; the whole model's file has the one number that is in neither.
    scale = model.factor().log().detach().reshape(())
    save_file({"logit_scale": scale}, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    words.backend_tokenizer.save(str(folder / "tokenizer.json"))
    parts = {
        "config": {
            "model_type": "quick-clip",
            "projection_dim": SHARED,
            "text_config": {"max_position_embeddings": POSITIONS, "vocab_size": len(words), "eos_token_id": len(words) - 1},
            "vision_config": {"image_size": 64},
        },
        "preprocessor_config": {
            "image_processor_type": "CLIPImageProcessor",
            "do_resize": True,
            "size": {"height": 64, "width": 64},
            "resample": 2,
            "do_center_crop": False,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
        },
        "tokenizer_config": {"tokenizer_class": "CLIPTokenizer", "model_max_length": POSITIONS, "pad_token": END},
    }
    for name, part in parts.items():
        (folder / f"{name}.json").write_text(json.dumps(part, indent=2) + "\n")
    (folder / "quick-clip.toml").write_text(TOML.format(scale=round(model.factor().item(), 4), end=END, positions=POSITIONS))


class Shipped:
    """The files in quick-clip, as ONNX Runtime runs them."""

    def __init__(self, folder: Path):
        import onnxruntime
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        towers = [folder / f"onnx/{name}_model.onnx" for name in ("vision", "text")]
        self.image, self.text = [onnxruntime.InferenceSession(str(file), options) for file in towers]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        end = json.loads((folder / "config.json").read_text())["text_config"]["eos_token_id"]
        self.tokenizer.enable_padding(length=POSITIONS, pad_id=end, pad_token=END)
        self.scale = float(np.exp(load_file(folder / "model.safetensors")["logit_scale"]))

    def texts(self, texts: list[str]) -> np.ndarray:
        ids = np.array([encoded.ids for encoded in self.tokenizer.encode_batch(texts)], np.int64)
        return unit(self.text.run(None, {"input_ids": ids})[0])

    def pictures(self, pixels: np.ndarray) -> np.ndarray:
        parts = range(0, len(pixels), 100)
        rows = [self.image.run(None, {"pixel_values": numbers(pixels[at : at + 100]).numpy()})[0] for at in parts]
        return unit(np.concatenate(rows))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def evaluated(options):
    from evaluate import interval

    clip = Shipped(options.out / "quick-clip")
    print(f"factor of cosines {clip.scale:.4f}")
    names = clip.texts([f"A photo of a {category.replace('_', ' ')}" for category in CATEGORIES])
    for kind, seed in [("ordinary", 77001), ("unusual", 77002)]:
        pictures = Pictures(options.work, kind, 1200, seed)
        rows = clip.pictures(np.asarray(pictures.pixels))
        hits = (rows @ names.T).argmax(1) == pictures.category
        print(f"{kind}: category {interval(int(hits.sum()), len(hits))}")
        if kind == "unusual":
            nuisances(clip, rows, pictures, interval)


def nuisances(clip, rows, pictures, interval):
    """How often a picture's own nuisance is the best of its kind, beside the true category."""
    kinds = sorted({row["kind"] for row in pictures.rows})
    for kind in kinds:
        of_kind = [at for at, row in enumerate(pictures.rows) if row["kind"] == kind]
        values = sorted({pictures.rows[at]["value"] for at in of_kind})
        prompts = {(row["category"], row["value"]): row["prompt"] for row in pictures.rows if row["kind"] == kind}
        hits, asked = 0, 0
        for at in of_kind:
            row = pictures.rows[at]
            choices = [prompts.get((row["category"], value)) for value in values]
            if None in choices:
                continue
            best = int((clip.texts(choices) @ rows[at]).argmax())
            hits, asked = hits + (values[best] == row["value"]), asked + 1
        print(f"unusual: {kind}, one of {len(values)}: {interval(hits, asked)}")


def main():
    parser = arguments(__doc__)
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--pictures", type=int, default=16000)
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--evaluate", action="store_true")
    options = parser.parse_args()
    begin(options)
    if options.evaluate:
        return evaluated(options)
    model = trained(options)
    written(options, model)
    print({name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()})


if __name__ == "__main__":
    main()
