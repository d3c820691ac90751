"""Writes sd-second/: a tiny Stable Diffusion in the diffusers layout, and what diffusers makes of it.

    tests/golden/make_sd.py [--tokenizer DIR]     writes tests/golden/sd-second/ (always the same weights: fixed seed)
    tests/golden/make_sd.py --check DIR           recomputes DIR/reference.safetensors, prints the largest differences

Needs torch (CPU), diffusers 0.42.1, transformers 5.23.0 and CLIP's tokenizer (vocab.json, merges.txt), by default that of
../shared/data/parity/sd-tiny. That folder's reference has the same tensors; `--check` on it is how their meaning was
found. sd-second is what sd-tiny is not, and what published models are: SD 2.1's scheduler file (DDIM, v prediction, no
`timestep_spacing`) and pad token "!" (special_tokens_map.json wins over tokenizer_config.json), no tokenizer.json, linear
projections, heads per level, config files without the keys that later versions added, text weights named `text_model.…`
and an I64 `position_ids` among them, VAE attention named query, key, value, proj_attn, UNet in shards. The text encoder is
in f32, UNet and VAE in f16 (size in git); the reference computes in f32 with the rounded values.

What each tensor of reference.safetensors is (n prompts, h x w latents; f32 unless said; metadata `prompts` is JSON):
  token_ids          [n, 77] i64; start, tokens, end, pad; cut to 75 tokens between start and end
  text_embeddings    [n, 77, c] last hidden state after the final layer norm, no attention mask (padding is attended to)
  uncond_embeddings  [n, 77, c] the same of the negative prompt, once per prompt
  initial_latents    [n, 4, h, w] standard normal, NOT yet multiplied by the scheduler's init_noise_sigma
  unet_at_t801       [n, 4, h, w] UNet(initial_latents as they are, timestep 801, text_embeddings): raw output, no guidance
  vae_decode_of_initial [n, 3, H, W] VAE.decode(initial_latents / scaling_factor), in about [-1, 1], not clamped
  timesteps_S        the sampler's timesteps after set_timesteps(steps), in order; PNDM has steps + 1 (its second twice)
  final_latents_S    [n, 4, h, w] after the last step, before the division by scaling_factor
  image_u8_S         [n, 3, H, W] u8: decode(final / scaling_factor), x / 2 + 0.5, clamped to [0, 1], times 255, rounded
  noise_S            [steps, n, 4, h, w] for an ancestral S: the standard normal of each step (the last is not used)
Loop (StableDiffusionPipeline.__call__): x = initial * init_noise_sigma; at each timestep the UNet sees scale_model_input(x)
in one batch [uncond, cond]; output = uncond + guidance * (cond - uncond); x = step(output, t, x). eta 0.
Samplers are made by `from_config` of the folder's scheduler file WITHOUT its `timestep_spacing`: each class has its own
default (DDIM and PNDM leading, the others linspace). For a file that lacks the key, as published SD 1.x and 2.x files do,
that is what diffusers does by itself; sd-tiny's file says "leading", but its reference uses the defaults all the same.
"""
import argparse, json, pathlib, shutil, unittest.mock

import diffusers, numpy, torch, transformers
from diffusers.schedulers import scheduling_euler_ancestral_discrete
from safetensors import safe_open
from safetensors.torch import load_file, save

HERE = pathlib.Path(__file__).resolve().parent
CLIP = HERE.parents[2] / "shared/data/parity/sd-tiny/tokenizer"
SEED, MERGES, LATENT_SIZE = 20241, 200, (8, 12)
START, END = "<|startoftext|>", "<|endoftext|>"
SAMPLERS = {
    "ddim": (diffusers.DDIMScheduler, {}),
    "pndm": (diffusers.PNDMScheduler, {"skip_prk_steps": True}),
    "euler": (diffusers.EulerDiscreteScheduler, {}),
    "dpmpp_2m": (diffusers.DPMSolverMultistepScheduler, {}),
    "unipc": (diffusers.UniPCMultistepScheduler, {}),
    "euler_ancestral": (diffusers.EulerAncestralDiscreteScheduler, {}),
    "dpmpp_2m_karras": (diffusers.DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
}
METADATA = {
    "guidance": "4.0",
    "negative": "blurry, low quality",
    "prompts": json.dumps([
        "A photo of a grand piano in the rain",
        "Two naïve FAÇADES, cafe\u0301 № 42:  it's the crème brûlée's 3rd Übergröße (at -17°)",
        "A photo of a very old and very slow wooden boat with a red sail and a small white dog on it, which lies in the "
        "harbour of a town of grey stone houses under a heavy sky, while the people of the town stand on the wall of the "
        "harbour in their long coats and look at the sea, where one more boat is coming home before the evening storm",
    ]),
    "steps": "11",
}
# Keys and version strings as in the files of SD 2.1; sizes are ours.
UNET = {
    "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.10.0.dev0", "act_fn": "silu",
    "attention_head_dim": [2, 4, 8], "block_out_channels": [8, 16, 16], "center_input_sample": False,
    "cross_attention_dim": 24, "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "downsample_padding": 1, "dual_cross_attention": False, "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4,
    "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 4,
    "num_class_embeds": None, "only_cross_attention": False, "out_channels": 4, "sample_size": 12,
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"], "upcast_attention": True,
    "use_linear_projection": True,
}
VAE = {
    "_class_name": "AutoencoderKL", "_diffusers_version": "0.10.0.dev0", "act_fn": "silu",
    "block_out_channels": [4, 8, 16], "down_block_types": ["DownEncoderBlock2D"] * 3, "in_channels": 3,
    "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 2, "out_channels": 3, "sample_size": 48,
    "scaling_factor": 0.13025, "up_block_types": ["UpDecoderBlock2D"] * 3,
}
TEXT = {
    "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2,
    "hidden_act": "gelu", "hidden_size": 24, "initializer_factor": 1.0, "initializer_range": 0.02,
    "intermediate_size": 72, "layer_norm_eps": 1e-05, "max_position_embeddings": 77, "model_type": "clip_text_model",
    "num_attention_heads": 3, "num_hidden_layers": 2, "pad_token_id": 1, "projection_dim": 512,
    "torch_dtype": "float32", "transformers_version": "4.25.0.dev0", "vocab_size": 2 * 256 + MERGES + 2,
}
SCHEDULER = {
    "_class_name": "DDIMScheduler", "_diffusers_version": "0.8.0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "beta_start": 0.00085, "clip_sample": False, "num_train_timesteps": 1000, "prediction_type": "v_prediction",
    "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None,
}
INDEX = {
    "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.8.0", "feature_extractor": [None, None],
    "requires_safety_checker": False, "safety_checker": [None, None], "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
}
# Weights of deviation gain / sqrt(inputs). A text and a timestep that can be seen in the output; quiet residual branches,
# so that 11 guided steps make a rounding error 15 times larger, not 70,000 times as with 1.0 and sharper attention.
GAINS = [
    (("attn2.to_out.0",), 1.0),
    (("time_emb_proj",), 3.0),
    (("to_q", "to_k", "q_proj", "k_proj"), 1.2),
    (("conv2", "proj_out", "to_out.0", "ff.net.2"), 0.5),
]
VAE_OLD_NAMES = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_tensors(path, tensors, metadata):
    """A safetensors file with its metadata sorted: safetensors writes them in an order that changes from run to run."""
    data = save({name: value.contiguous() for name, value in tensors.items()}, metadata)
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header = {"__metadata__": dict(sorted(header.pop("__metadata__").items()))} | header
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data[:8] + text.ljust(end - 8) + data[end:])


def write_tokenizer(folder, clip):
    """CLIP's 256 bytes, the same ending a word, its first merges and the two special tokens; ids in that order."""
    vocabulary = json.loads((clip / "vocab.json").read_text())
    tokens = sorted(vocabulary, key=vocabulary.get)[: 2 * 256 + MERGES] + [START, END]
    write_json(folder / "vocab.json", {token: number for number, token in enumerate(tokens)})
    lines = (clip / "merges.txt").read_text().splitlines()[: 1 + MERGES]
    assert ["".join(line.split()) for line in lines[1:]] == tokens[512:-2], "merge k must make token 512 + k"
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    special = {token: {"content": token, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
               for token in (START, END)}
    names = {"bos_token": special[START], "eos_token": special[END], "unk_token": special[END]}
    write_json(folder / "special_tokens_map.json", names | {"pad_token": "!"})
    write_json(folder / "tokenizer_config.json", {
        "add_prefix_space": False, "do_lower_case": True, "errors": "replace", "model_max_length": 77,
        "pad_token": END, "tokenizer_class": "CLIPTokenizer",
    } | {name: {"__type": "AddedToken"} | token for name, token in names.items()})


def randomise(model, generator):
    """Fills a model so that every parameter matters (no norm is the identity, no bias is zero) and none decides alone."""
    for name, module in model.named_modules():
        gain = next((gain for endings, gain in GAINS if name.endswith(endings)), 1.0)
        for kind, values in module.named_parameters(recurse=False):
            noise = torch.randn(values.shape, generator=generator)
            if "Norm" in type(module).__name__:
                noise = (kind == "weight") + 0.2 * noise
            elif kind == "bias":
                noise *= 0.1
            elif isinstance(module, torch.nn.Embedding):
                noise *= 0.5
            else:
                noise *= gain / values[0].numel() ** 0.5
            values.data.copy_(noise)
    return model.eval()


def centre_output(convolution, output, deviation):
    """Rescales the last convolution so that `output`, which it just made, would have mean 0 and this deviation."""
    scale = deviation / output.std()
    convolution.weight.data *= scale
    convolution.bias.data = (convolution.bias.data - output.mean((0, 2, 3))) * scale


def make_model(folder, clip):
    generator = torch.Generator().manual_seed(SEED)
    text = randomise(transformers.CLIPTextModel(transformers.CLIPTextConfig(**TEXT)), generator)
    unet = randomise(diffusers.UNet2DConditionModel.from_config(UNET), generator)
    vae = randomise(diffusers.AutoencoderKL.from_config(VAE), generator)
    latents = torch.randn(4, 4, *LATENT_SIZE, generator=generator)
    embeddings = torch.randn(4, 77, UNET["cross_attention_dim"], generator=generator)
    centre_output(unet.conv_out, unet(latents, 500, embeddings).sample, 1.0)
    centre_output(vae.decoder.conv_out, vae.decode(latents / VAE["scaling_factor"]).sample, 0.45)
    shutil.rmtree(folder, ignore_errors=True)
    write_tokenizer(folder / "tokenizer", clip)
    unet.half().save_pretrained(folder / "unet", max_shard_size="120KB")
    names = {"text_model." + name.removeprefix("text_model."): value for name, value in text.state_dict().items()}
    names["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    write_json(folder / "text_encoder/config.json", TEXT)
    write_tensors(folder / "text_encoder/model.safetensors", names, {"format": "pt"})
    halves = {old_name(name): value.half() for name, value in vae.state_dict().items()}
    write_json(folder / "vae/config.json", VAE)
    write_tensors(folder / "vae/diffusion_pytorch_model.safetensors", halves, {"format": "pt"})
    write_json(folder / "unet/config.json", UNET)
    write_json(folder / "scheduler/scheduler_config.json", SCHEDULER)
    write_json(folder / "model_index.json", INDEX)
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)
    return make_noise(generator)


def old_name(name):
    """What every published SD 1.x and 2.x VAE file calls the parameters of its attention."""
    for new, old in VAE_OLD_NAMES.items():
        name = name.replace(new, old)
    return name


def make_noise(generator):
    """The random inputs of the reference: the first latents and each ancestral step's noise."""
    shape = (len(json.loads(METADATA["prompts"])), 4, *LATENT_SIZE)
    steps = torch.randn(int(METADATA["steps"]), *shape, generator=generator)
    return {"initial_latents": torch.randn(shape, generator=generator), "noise_euler_ancestral": steps}


def sampler(pipe, name):
    kind, extra = SAMPLERS[name]
    config = {key: value for key, value in pipe.scheduler.config.items() if key != "timestep_spacing"}
    return kind.from_config(config, **extra)


def final_latents(pipe, texts, given, noise):
    """The pipeline as it is, from given latents; an ancestral sampler gets its noise from `noise`, not a generator."""
    rows = iter(noise)
    with unittest.mock.patch.object(scheduling_euler_ancestral_discrete, "randn_tensor", lambda *_, **__: next(rows)):
        return pipe(
            prompt=json.loads(texts["prompts"]), negative_prompt=[texts["negative"]] * len(given),
            num_inference_steps=int(texts["steps"]), guidance_scale=float(texts["guidance"]),
            latents=given.clone(), output_type="latent",
        ).images


def decode(pipe, latents):
    return pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0]


def pixels(pipe, latents):
    images = pipe.image_processor.postprocess(decode(pipe, latents), output_type="pil")
    return torch.from_numpy(numpy.stack([numpy.asarray(image) for image in images])).permute(0, 3, 1, 2).contiguous()


def reference(folder, texts, noise, samplers):
    """Every tensor named in this file's first lines, computed from the files of a folder."""
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    prompts, initial = json.loads(texts["prompts"]), noise["initial_latents"]
    made = dict(noise)
    made["token_ids"] = pipe.tokenizer(
        prompts, padding="max_length", max_length=pipe.tokenizer.model_max_length, truncation=True, return_tensors="pt"
    ).input_ids
    negative = [texts["negative"]] * len(prompts)
    made["text_embeddings"], made["uncond_embeddings"] = pipe.encode_prompt(
        prompts, "cpu", 1, True, negative_prompt=negative
    )
    made["unet_at_t801"] = pipe.unet(initial, 801, made["text_embeddings"]).sample
    made["vae_decode_of_initial"] = decode(pipe, initial)
    for name in samplers:
        pipe.scheduler = sampler(pipe, name)
        final = final_latents(pipe, texts, initial, noise.get("noise_" + name, []))
        made["timesteps_" + name] = pipe.scheduler.timesteps.float()
        made["final_latents_" + name], made["image_u8_" + name] = final, pixels(pipe, final)
    return made


def check(folder):
    stored = load_file(folder / "reference.safetensors")
    with safe_open(folder / "reference.safetensors", "pt") as file:
        texts = file.metadata()
    noise = {name: value for name, value in stored.items() if name.startswith(("initial_", "noise_"))}
    samplers = [name for name in SAMPLERS if "final_latents_" + name in stored]
    made = reference(folder, texts, noise, samplers)
    print({**texts, "prompts": json.loads(texts["prompts"])})
    for name in sorted(stored.keys() | made.keys()):
        if name not in made or name not in stored or made[name].shape != stored[name].shape:
            print(f"{name:28} missing or of another shape")
            continue
        old, new = stored[name].double(), made[name].double()
        differing, largest = (old != new).sum().item(), (old - new).abs().max().item()
        print(f"{name:28} {stored[name].dtype!s:14} {list(old.shape)!s:18} deviation {old.std():9.3f}"
              f"  largest difference {largest:.2e}  differing {differing}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", type=pathlib.Path, metavar="DIR", help="compare a folder's reference; write nothing")
    parser.add_argument("--tokenizer", type=pathlib.Path, default=CLIP, help="where vocab.json and merges.txt of CLIP are")
    args = parser.parse_args()
    diffusers.logging.set_verbosity_error(), transformers.logging.set_verbosity_error()
    if args.check:
        return check(args.check)
    noise = make_model(HERE / "sd-second", args.tokenizer)
    tensors = reference(HERE / "sd-second", METADATA, noise, SAMPLERS)
    write_tensors(HERE / "sd-second/reference.safetensors", tensors, METADATA)


if __name__ == "__main__":
    with torch.no_grad():
        main()
