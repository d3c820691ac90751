"""hardset against diffusers on a Stable Diffusion of SD 1.5's real size, in turn, in one session: seconds, memory, ratios.

    benches/sd15_vs_diffusers.py make DIR [--tokenizer DIR]         a model with random weights (4.3 GB, f32)
    benches/sd15_vs_diffusers.py race HARDSET DIR [--rounds 3] [--size 256] [--steps 4] [--threads 2] [--engines ort,candle]
    benches/sd15_vs_diffusers.py race DIR --peer-only               diffusers alone

HARDSET is the release program; its half is `doctor --model DIR --benchmark`, once for each engine. The peer (torch on CPU, diffusers,
transformers, accelerate) must be importable by this python3. Both: f32, the same threads, one square image, guidance 7.5
(so a UNet call has batch 2), DDIM, no safety checker, one untimed call of each network before the timed ones.
  unet_secs   mean of a UNet call            text_secs  both prompts (the given one and the empty one) of one image
  vae_secs    decoding one image             load_secs  files to a pipeline that is ready (files in the page cache)
  image_secs  the whole image (peer only)    peak_mb    largest resident memory of the process (VmHWM), model files that
                                                        are mapped into memory included; load_peak_mb: until it is loaded
Random weights cost what trained ones cost; the picture is noise. This process imports no torch outside of `make` and
`peer`: a child's peak would start from its parent's.
"""
import argparse, json, os, pathlib, shutil, statistics, subprocess, sys, tempfile, time

CLIP = pathlib.Path(__file__).resolve().parents[2] / "shared/data/parity/sd-tiny/tokenizer"
PROMPT, GUIDANCE, SEED = "A photo of a grand piano in the rain", 7.5, 20241
SECONDS = ["unet_secs", "text_secs", "vae_secs", "load_secs"]
# The files of SD 1.5, key by key.
UNET = {
    "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0", "act_fn": "silu", "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": False, "cross_attention_dim": 768,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], "downsample_padding": 1,
    "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2, "mid_block_scale_factor": 1,
    "norm_eps": 1e-05, "norm_num_groups": 32, "out_channels": 4, "sample_size": 64,
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}
VAE = {
    "_class_name": "AutoencoderKL", "_diffusers_version": "0.6.0", "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512], "down_block_types": ["DownEncoderBlock2D"] * 4, "in_channels": 3,
    "latent_channels": 4, "layers_per_block": 2, "norm_num_groups": 32, "out_channels": 3, "sample_size": 512,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
TEXT = {
    "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2,
    "hidden_act": "quick_gelu", "hidden_size": 768, "initializer_factor": 1.0, "initializer_range": 0.02,
    "intermediate_size": 3072, "layer_norm_eps": 1e-05, "max_position_embeddings": 77, "model_type": "clip_text_model",
    "num_attention_heads": 12, "num_hidden_layers": 12, "pad_token_id": 1, "projection_dim": 768,
    "torch_dtype": "float32", "transformers_version": "4.22.0.dev0", "vocab_size": 49408,
}
SCHEDULER = {
    "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "beta_start": 0.00085, "num_train_timesteps": 1000, "set_alpha_to_one": False, "skip_prk_steps": True,
    "steps_offset": 1, "trained_betas": None, "clip_sample": False,
}
INDEX = {
    "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.6.0", "feature_extractor": [None, None],
    "requires_safety_checker": False, "safety_checker": [None, None], "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
}


def make(folder, tokenizer):
    """torch's own initial weights: every layer keeps its input's scale, so nothing overflows."""
    import diffusers, torch, transformers

    torch.manual_seed(SEED)
    parts = [("text_encoder", TEXT, lambda: transformers.CLIPTextModel(transformers.CLIPTextConfig(**TEXT))),
             ("vae", VAE, lambda: diffusers.AutoencoderKL.from_config(VAE)),
             ("unet", UNET, lambda: diffusers.UNet2DConditionModel.from_config(UNET))]
    for name, config, build in parts:
        model = build()
        print(f"{name}: {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters", flush=True)
        model.save_pretrained(folder / name)
        (folder / name / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "tokenizer").mkdir(exist_ok=True)
    for path in tokenizer.iterdir():
        shutil.copyfile(path, folder / "tokenizer" / path.name)
    (folder / "scheduler").mkdir(exist_ok=True)
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(SCHEDULER, indent=2) + "\n")
    (folder / "model_index.json").write_text(json.dumps(INDEX, indent=2) + "\n")


def peak_mb():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def clock(owner, method):
    """Replaces a method by one that also notes its seconds in the list that this returns."""
    seconds, inner = [], getattr(owner, method)

    def timed(*args, **kwargs):
        start = time.perf_counter()
        result = inner(*args, **kwargs)
        seconds.append(time.perf_counter() - start)
        return result

    setattr(owner, method, timed)
    return seconds


def peer(folder, size, steps, threads):
    """diffusers as its documentation uses it; one JSON object on stdout."""
    import diffusers, torch

    torch.set_num_threads(threads)
    start = time.perf_counter()
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    loaded = {"load_secs": time.perf_counter() - start, "load_peak_mb": peak_mb()}
    pipe.scheduler = diffusers.DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    parts = {"unet": (pipe.unet, "forward"), "text": (pipe.text_encoder, "forward"), "vae": (pipe.vae, "decode")}
    clocks = {name: clock(*part) for name, part in parts.items()}
    for count in (1, steps):
        for seconds in clocks.values():
            seconds.clear()
        start = time.perf_counter()
        pipe(PROMPT, height=size, width=size, num_inference_steps=count, guidance_scale=GUIDANCE)
        image = time.perf_counter() - start
    assert len(clocks["unet"]) == steps
    made = {"unet_secs": statistics.mean(clocks["unet"]), "unet_min_secs": min(clocks["unet"]),
            "text_secs": sum(clocks["text"]), "vae_secs": sum(clocks["vae"]), "image_secs": image}
    print(json.dumps(made | loaded | {"torch": torch.__version__, "diffusers": diffusers.__version__}))


def child(command):
    """The JSON object that a command prints (its last line, or all of it), and the peak of its resident memory."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=out, stderr=errors, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        out.seek(0), errors.seek(0)
        if os.waitstatus_to_exitcode(status) != 0:
            sys.exit(f"{' '.join(map(str, command))} failed:\n{errors.read()[-2000:]}")
        text = out.read().strip()
    return json.loads(text if text.startswith("{") else text.splitlines()[-1]) | {"peak_mb": used.ru_maxrss / 1024}


def race(args):
    sizes = ["--size", str(args.size), "--steps", str(args.steps), "--threads", str(args.threads)]
    commands = {"diffusers": [sys.executable, __file__, "peer", args.folder, *sizes]}
    if not args.peer_only:
        doctor = [args.hardset, "doctor", "--model", args.folder, "--benchmark"]
        for engine in args.engines.split(","):
            commands[engine] = [*doctor, *sizes, "--device", "cpu", "--format", "json", "--engine", engine]
    rounds = {name: [] for name in commands}
    for turn in range(args.rounds):
        for name, command in commands.items():
            rounds[name].append(child(command))
            values = [(key, value) for key, value in rounds[name][-1].items() if isinstance(value, (int, float))]
            numbers = ", ".join(f"{key} {value:.2f}" for key, value in values)
            print(f"round {turn + 1}, load {os.getloadavg()[0]:.1f}: {name}: {numbers}", flush=True)
    middle = {name: {key: statistics.median(row[key] for row in rows) for key in [*SECONDS, "peak_mb"]}
              for name, rows in rounds.items()}
    for key in [*SECONDS, "peak_mb"]:
        line = ", ".join(f"{name} {numbers[key]:.2f}" for name, numbers in middle.items())
        ours = [name for name in middle if name != "diffusers"]
        ratios = [f"{name} / diffusers {middle[name][key] / middle['diffusers'][key]:.2f}" for name in ours]
        print(f"median {key}: {'; '.join([line, *ratios])}")


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("folder", type=pathlib.Path)
    making.add_argument("--tokenizer", type=pathlib.Path, default=CLIP, help="a folder with CLIP's tokenizer")
    racing, peering = commands.add_parser("race"), commands.add_parser("peer")
    racing.add_argument("hardset", nargs="?"), racing.add_argument("--rounds", type=int, default=3)
    racing.add_argument("--engines", default="ort", help="those of hardset that race, with commas")
    racing.add_argument("--peer-only", action="store_true", help="leave hardset out")
    for command in (racing, peering):
        command.add_argument("folder")
        command.add_argument("--size", type=int, default=256, help="side of the image, px")
        command.add_argument("--steps", type=int, default=4, help="timed UNet calls of one process")
        command.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if args.command == "make":
        return make(args.folder, args.tokenizer)
    if args.command == "peer":
        return peer(args.folder, args.size, args.steps, args.threads)
    if not args.hardset and not args.peer_only:
        parser.error("race needs HARDSET, or --peer-only")
    race(args)


if __name__ == "__main__":
    main()
