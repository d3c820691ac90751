"""What gpu_check wants of torch and diffusers, each in a process of its own: prints one JSON object on its last line.

    peer.py --device D --size PX --steps N reference MODEL OUT     writes a reference as tests/golden/make_sd.py does
    peer.py --device D --dtype float16 error MODEL REFERENCE       how far diffusers itself is from it in another type
    peer.py --device D --dtype T --size PX --steps N --batch N [--compile] speed MODEL
    peer.py --leave GIB hold                                       fills a GPU but for so much, until its input ends
"""
import argparse
import json
import pathlib
import sys
import time

import torch

PROMPTS = ["A photo of a grand piano in the rain", "A mug on a wooden table"]
NEGATIVE, GUIDANCE, SEED = "blurry, low quality", 4.0, 20241
BATCH_PROMPT = "a photo of a mug in the kitchen"


def pipeline(args, dtype):
    """diffusers as its documentation uses it, with DDIM, and exact where it computes in f32."""
    import diffusers

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(
        args.model, dtype=dtype, use_safetensors=True, safety_checker=None, requires_safety_checker=False
    ).to(args.device)
    # What the model's file says; the defaults of its own class are not DDIM's. Latents are not clipped unless the file
    # says so: the pipeline sees to that for a scheduler of its own, not for one that is set later.
    config = json.loads((pathlib.Path(args.model) / "scheduler/scheduler_config.json").read_text())
    config.setdefault("clip_sample", False)
    pipe.scheduler = diffusers.DDIMScheduler.from_config(config)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def decode(pipe, latents):
    return pipe.vae.decode(latents / pipe.vae.config.scaling_factor, return_dict=False)[0]


def embed(pipe, device):
    return pipe.encode_prompt(PROMPTS, device, 1, True, negative_prompt=[NEGATIVE] * len(PROMPTS))


def numbers(pipe, initial, embeddings, steps):
    """The tensors of a reference that come after the text; `embeddings`: wanted and unwanted."""
    wanted, unwanted = embeddings
    final = pipe(
        prompt_embeds=wanted, negative_prompt_embeds=unwanted, num_inference_steps=steps, guidance_scale=GUIDANCE,
        latents=initial.clone(), output_type="latent",
    ).images
    pixels = decode(pipe, final).float()
    return {
        "unet_at_t801": pipe.unet(initial, 801, wanted).sample.float().cpu(),
        "vae_decode_of_initial": decode(pipe, initial).float().cpu(),
        "timesteps_ddim": pipe.scheduler.timesteps.float().cpu(),
        "final_latents_ddim": final.float().cpu(),
        "image_u8_ddim": ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).cpu(),
    }


def reference(args):
    from safetensors.torch import save_file

    pipe = pipeline(args, torch.float32)
    side = args.size // pipe.vae_scale_factor
    shape = (len(PROMPTS), pipe.unet.config.in_channels, side, side)
    initial = torch.randn(shape, generator=torch.Generator().manual_seed(SEED))
    wanted, unwanted = embed(pipe, args.device)
    made = numbers(pipe, initial.to(args.device), (wanted, unwanted), args.steps)
    made["initial_latents"] = initial
    made["text_embeddings"], made["uncond_embeddings"] = wanted.float().cpu(), unwanted.float().cpu()
    made["token_ids"] = pipe.tokenizer(
        PROMPTS, padding="max_length", max_length=pipe.tokenizer.model_max_length, truncation=True, return_tensors="pt"
    ).input_ids
    texts = {"prompts": json.dumps(PROMPTS), "negative": NEGATIVE, "guidance": str(GUIDANCE), "steps": str(args.steps)}
    save_file({name: tensor.contiguous() for name, tensor in made.items()}, args.out, metadata=texts)
    return {"side_px": side * pipe.vae_scale_factor, "torch": torch.__version__}


def error(args):
    """By the names and measures of `hardset doctor --reference`."""
    from safetensors.torch import load_file

    dtype = getattr(torch, args.dtype)
    pipe, stored = pipeline(args, dtype), load_file(args.reference)
    given = {name: stored[name].to(args.device, dtype)
             for name in ("initial_latents", "text_embeddings", "uncond_embeddings")}
    embeddings = given["text_embeddings"], given["uncond_embeddings"]
    made = numbers(pipe, given["initial_latents"], embeddings, len(stored["timesteps_ddim"]))
    made["text_embeddings"], made["uncond_embeddings"] = (tensor.float().cpu() for tensor in embed(pipe, args.device))

    def largest(name):
        return (made[name] - stored[name]).abs().max().item()

    latents = stored["final_latents_ddim"]
    return {
        "text embeddings": largest("text_embeddings"),
        "negative embeddings": largest("uncond_embeddings"),
        "UNet call at 801": largest("unet_at_t801"),
        "VAE call": largest("vae_decode_of_initial"),
        "final latents, ddim": ((made["final_latents_ddim"] - latents).norm() / latents.norm()).item(),
    }


def synchronise(device):
    if device != "cpu":
        torch.cuda.synchronize()


def speed(args):
    """Images a second: the third batch, after two that warm up."""
    pipe = pipeline(args, getattr(torch, args.dtype))
    if args.compile:
        pipe.unet = torch.compile(pipe.unet.to(memory_format=torch.channels_last))
    prompts = [BATCH_PROMPT] * args.batch
    for _ in range(3):
        begun = time.perf_counter()
        pipe(prompts, height=args.size, width=args.size, num_inference_steps=args.steps, guidance_scale=7.5)
        synchronise(args.device)
        secs = time.perf_counter() - begun
    peak = 0 if args.device == "cpu" else torch.cuda.max_memory_allocated()
    return {"images_per_sec": args.batch / secs, "peak_mib": peak / 2**20, "torch": torch.__version__}


def hold(args):
    free, _ = torch.cuda.mem_get_info()
    held = torch.empty(max(0, free - int(args.leave * 2**30)), dtype=torch.uint8, device="cuda")
    print(json.dumps({"held_gib": held.numel() / 2**30}), flush=True)
    sys.stdin.read()
    return {}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--leave", type=float, default=4.0)
    commands = parser.add_subparsers(dest="command", required=True)
    works = {"reference": ["model", "out"], "error": ["model", "reference"], "speed": ["model"], "hold": []}
    for name, files in works.items():
        command = commands.add_parser(name)
        for file in files:
            command.add_argument(file)
    args = parser.parse_args()
    work = {"reference": reference, "error": error, "speed": speed, "hold": hold}[args.command]
    with torch.no_grad():
        print(json.dumps(work(args)))


if __name__ == "__main__":
    main()
