"""Stage 2: the denoiser and the text encoder, trained together on cached latents.

Velocity prediction with Min-SNR weights (Salimans and Ho 2022; Hang et al. 2023), prompts left out one time of ten for
classifier-free guidance, moving averages of the weights. Resumes from <work>/diffusion.pt; run it again with more
`--steps` to go on.
"""

import copy
import hashlib

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

import words
from common import Curve, arguments, begin, numbers, save, trapezoid
from vae import new_vae
from world import Pictures

SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "timestep_spacing": "trailing",
    "steps_offset": 1,
}
WIDTH = 96


def new_unet() -> UNet2DConditionModel:
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=(48, 96, 144),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
    )
    # Residual blocks begin as nothing, as in Dhariwal and Nichol 2021.
    for name, module in unet.named_modules():
        if name.endswith("conv2") or name == "conv_out":
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.zeros_(module.bias)
    return unet


def new_text(tokens: int) -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=tokens,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=words.POSITIONS,
        bos_token_id=tokens - 2,
        eos_token_id=tokens - 1,
        pad_token_id=tokens - 1,
        hidden_act="quick_gelu",
    )
    return CLIPTextModel(config)


class Both(torch.nn.Module):
    """The two networks that are trained."""

    def __init__(self, tokens: int):
        super().__init__()
        self.unet = new_unet()
        self.text = new_text(tokens)

    def forward(self, noisy, time, ids):
        return self.unet(noisy, time, self.text(ids).last_hidden_state).sample


def loaded_vae(options):
    vae = new_vae()
    vae.load_state_dict(torch.load(options.work / "vae.pt")["vae"])
    return vae.eval().requires_grad_(False)


def digest(network) -> str:
    """Of all numbers of a network, so that latents are those of the encoder that is there."""
    numbers = b"".join(value.contiguous().numpy().tobytes() for value in network.state_dict().values())
    return hashlib.sha256(numbers).hexdigest()[:12]


@torch.no_grad()
def cached(options, seeds: list[int], count: int):
    """Latents [n, 4, 16, 16] f16 before scaling, and prompts, of `count` pictures of each seed."""
    latents, prompts = [], []
    vae = loaded_vae(options).to(memory_format=torch.channels_last)
    encoder = digest(vae.encoder)
    for seed in seeds:
        pictures = Pictures(options.work, "everything", count, seed)
        prompts += [row["prompt"] for row in pictures.rows]
        file = options.work / f"latents-{seed}-{count}-{encoder}.npy"
        if not file.exists():
            with torch.autocast("cpu", torch.bfloat16):
                parts = [
                    vae.encode(numbers(pictures.pixels[at : at + 50])).latent_dist.mean.float().numpy()
                    for at in range(0, count, 50)
                ]
            np.save(file.with_suffix(".part.npy"), np.concatenate(parts).astype(np.float16))
            file.with_suffix(".part.npy").replace(file)
        latents.append(np.load(file))
    return np.concatenate(latents), prompts


def tokenized(options, prompts: list[str]):
    """The tokenizer's files in <work>/tokenizer, ids of all prompts, ids of the empty one, number of tokens."""
    known = sorted(set(prompts))
    folder = options.work / "tokenizer"
    total = words.write_tokenizer(folder, known)
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    shape = {"padding": "max_length", "max_length": words.POSITIONS, "truncation": True, "return_tensors": "pt"}
    table = {prompt: tokenizer(prompt, **shape).input_ids[0] for prompt in known}
    return torch.stack([table[prompt] for prompt in prompts]), tokenizer("", **shape).input_ids[0], total


def averaged(average, model, step: int):
    keep = min(0.999, (1 + step) / (10 + step))
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - keep)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--steps", type=int, default=22000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=7e-4)
    parser.add_argument("--pictures", type=int, default=20000)
    options = parser.parse_args()
    begin(options)
    steps = max(20, int(options.steps * options.scale))
    latents, prompts = cached(options, max(400, int(options.pictures * options.scale)))
    ids, empty, tokens = tokenized(options, prompts)
    scaling = 1 / float(latents[:4000].astype(np.float32).std())
    latents = torch.from_numpy(latents)
    model = Both(tokens)
    average = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=1e-3, betas=(0.9, 0.99), fused=True)
    path, start = options.work / "diffusion.pt", 0
    if path.exists():
        state = torch.load(path)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        start, scaling = state["step"], state["scaling"]
    torch.manual_seed(options.seed + start)
    rng = np.random.default_rng(options.seed + start)
    left = DDIMScheduler(**SCHEDULE).alphas_cumprod
    curve = Curve(options, "diffusion", start)
    for step in range(start, steps):
        for group in optimizer.param_groups:
            group["lr"] = options.rate * trapezoid(step, steps, 100)
        picked = torch.from_numpy(rng.integers(0, len(latents), options.batch))
        clean = latents[picked].float() * scaling
        said = torch.where(torch.rand(options.batch, 1) < 0.1, empty[None], ids[picked])
        loss = loss_of(model, clean, said, left)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        averaged(average, model, step)
        curve.note(step, loss=loss)
        if (step + 1) % 100 == 0 or step + 1 == steps:
            state = {"model": model.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
            save(path, state | {"step": step + 1, "scaling": scaling, "tokens": tokens})


def loss_of(model, clean, said, left):
    time = torch.randint(0, len(left), (len(clean),))
    a = left[time].view(-1, 1, 1, 1)
    noise = torch.randn_like(clean)
    noisy = a.sqrt() * clean + (1 - a).sqrt() * noise
    velocity = a.sqrt() * noise - (1 - a).sqrt() * clean
    # The plain formula: for so few tokens the backward pass of the fused one takes a quarter of the step.
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        answer = model(noisy, time, said)
    snr = a / (1 - a)
    weight = (snr.clamp(max=5) / (snr + 1)).flatten()
    return (weight * (answer.float() - velocity).square().mean((1, 2, 3))).mean() / weight.mean()


if __name__ == "__main__":
    main()
