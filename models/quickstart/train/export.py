"""Stage 4: the files that the product loads: the model in the Hugging Face layout, f16, and the classifiers as ONNX.

Writes <out>/quick-diffusion, and *.onnx and *.toml into <out>/surrogates and <out>/judge; prints sizes. Reads checkpoints of the other
stages from <work>.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file

from classifiers import MAKERS, NAMES, TARGETS, Placed
from common import arguments
from diffusion import SCHEDULE, Both, loaded_vae

TOML = """# {about}: ../README.md.
weights = {{ path = "{name}.onnx", sha256 = "{sha256}" }}
preprocess = {{ resize = {{ squash = 64 }}, interpolation = "bilinear", crop_px = 64 }}
output = {{ kind = "logits", classes = 1000 }}

[input]
layout = "nchw"
dtype = "f32"
channels = "rgb"
# (x / 255 - 0.5) / 0.5
scale = 0.00392156862745098
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
"""


def write_part(folder: Path, stem: str, network, config: dict):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.half().contiguous() for name, value in network.state_dict().items() if value.is_floating_point()}
    save_file(tensors, folder / f"{stem}.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def plain_config(network) -> dict:
    """What the library writes into config.json."""
    with TemporaryDirectory() as folder:
        network.save_config(folder) if hasattr(network, "save_config") else network.config.save_pretrained(folder)
        return json.loads((Path(folder) / "config.json").read_text())


def write_model(options, out: Path):
    state = torch.load(options.work / "diffusion.pt")
    both = Both(state["tokens"])
    both.load_state_dict(state["average"])
    vae = loaded_vae(options)
    vae.register_to_config(scaling_factor=round(state["scaling"], 5))
    write_part(out / "unet", "diffusion_pytorch_model", both.unet, plain_config(both.unet))
    write_part(out / "vae", "diffusion_pytorch_model", vae, plain_config(vae))
    write_part(out / "text_encoder", "model", both.text, plain_config(both.text))
    shutil.copytree(options.work / "tokenizer", out / "tokenizer", dirs_exist_ok=True)
    scheduler = {"_class_name": "DDIMScheduler"} | SCHEDULE
    (out / "scheduler").mkdir(exist_ok=True)
    (out / "scheduler/scheduler_config.json").write_text(json.dumps(scheduler, indent=2) + "\n")
    parts = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (out / "model_index.json").write_text(json.dumps(parts, indent=2) + "\n")
    return state["step"]


def write_classifier(options, out: Path, name: str, about: str):
    network = MAKERS[name]()
    network.load_state_dict(torch.load(options.work / f"{name}.pt"))
    network = Placed(network.eval())
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{name}.onnx"
    axes = {"input": {0: "n"}, "output": {0: "n"}}
    names = {"input_names": ["input"], "output_names": ["output"], "dynamic_axes": axes}
    torch.onnx.export(network, torch.zeros(2, 3, 64, 64), str(file), dynamo=False, opset_version=17, **names)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    (out / f"{name}.toml").write_text(TOML.format(name=name, about=about, sha256=digest))


def main():
    parser = arguments(__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1])
    options = parser.parse_args()
    print("model of step", write_model(options, options.out / "quick-diffusion"))
    for name in [*NAMES, *TARGETS]:
        about = "One of the quick start's classifiers, trained on ordinary pictures of 12 categories"
        write_classifier(options, options.out / "surrogates", name, about)
    about = "Says what an image really shows, for tests only; trained on ordinary and unusual pictures of 12 categories"
    write_classifier(options, options.out / "judge", "judge", about)
    for file in sorted([*options.out.glob("quick-diffusion/**/*"), *options.out.glob("*/*.onnx")]):
        if file.is_file():
            print(f"{os.path.getsize(file):>9} {file.relative_to(options.out)}")


if __name__ == "__main__":
    main()
