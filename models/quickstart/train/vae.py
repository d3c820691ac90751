"""Stage 1: the autoencoder. 64 x 64 px to latents of 16 x 16 x 4 and back.

It begins as what shrinks a picture four times by averaging and blows it up again, and learns what that loses: from random
weights the same quality took many times the steps, because group normalisation hides brightness and colour.
Loss: absolute difference of pixels and of their slopes, and a little KL divergence. Resumes from <work>/vae.pt. `--refine N` trains the
decoder alone on it, which needs no new latents.
"""

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from common import Curve, arguments, begin, cosine, numbers, save
from world import Pictures


def new_vae() -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        mid_block_add_attention=False,
        sample_size=64,
    )


REFINED = "vae-refined"
# Brightness and two differences of colour from red, green and blue.
COLOURS = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [-0.5, 1.0, -0.5]]) * torch.tensor([[0.8], [1.2], [1.2]])
CONSTANT = 1.5


@torch.no_grad()
def begin_as_average(vae):
    """Channels 0 to 11 carry, three times, a colour, its negative, a constant and its negative.

    The negatives make activations linear (silu(x) - silu(-x) = x), the constants make normalisations nearly constant.
    """
    for name, module in vae.named_modules():
        if name.endswith("conv2"):
            module.weight.zero_()
            module.bias.zero_()
        elif name.endswith("conv_shortcut"):
            passed_on(module.weight, module.bias, 0)
        elif name.endswith("downsamplers.0.conv"):
            passed_on(module.weight, module.bias, 1)
        elif name.endswith("upsamplers.0.conv"):
            passed_on(module.weight, module.bias, 2)
    for part, source in [(vae.encoder.conv_in, torch.eye(3)), (vae.decoder.conv_in, COLOURS.inverse())]:
        part.weight[:12].zero_()
        part.bias[:12].zero_()
        for colour in range(3):
            at = 4 * colour
            part.weight[at, :3, 1, 1], part.weight[at + 1, :3, 1, 1] = source[colour], -source[colour]
            part.bias[at + 2], part.bias[at + 3] = CONSTANT, -CONSTANT
    last = vae.encoder.conv_out
    last.weight[:3].zero_()
    last.weight[3] *= 3
    last.weight[4:].zero_()
    last.bias.zero_()
    last.bias[4:] = -4.0
    for colour in range(3):
        last.weight[:3, 4 * colour, 1, 1], last.weight[:3, 4 * colour + 1, 1, 1] = COLOURS[:, colour], -COLOURS[:, colour]
    final = vae.decoder.conv_out
    final.weight *= 0.1
    final.bias.zero_()
    for colour in range(3):
        final.weight[colour, :12] = 0
        final.weight[colour, 4 * colour, 1, 1], final.weight[colour, 4 * colour + 1, 1, 1] = 1.15, -1.15
    for conv in [vae.quant_conv, vae.post_quant_conv]:
        conv.weight.copy_(torch.eye(len(conv.weight))[..., None, None])
        conv.bias.zero_()


def passed_on(weight, bias, resized: int):
    """The first 12 channels go through: as they are (0), halved by averaging (1), or smoothed after doubling (2)."""
    weight[:12].zero_()
    bias[:12].zero_()
    for channel in range(12):
        if resized == 0:
            weight[channel, channel, 0, 0] = 1
        elif resized == 1:
            weight[channel, channel, :2, :2] = 0.25
        elif channel % 4 > 1:
            weight[channel, channel, 1, 1] = 1
        else:
            line = torch.tensor([0.25, 0.5, 0.25])
            weight[channel, channel] = line[:, None] * line


def slopes(x):
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def loss_of(vae, x):
    posterior = vae.encode(x).latent_dist
    y = vae.decode(posterior.sample()).sample.float()
    pixels = F.l1_loss(y, x)
    edges = sum(F.l1_loss(a, b) for a, b in zip(slopes(y), slopes(x)))
    kl = 0.5 * (posterior.mean**2 + posterior.var - 1 - posterior.logvar).float().mean()
    return pixels + 0.5 * edges + 1e-3 * kl, pixels, edges, kl


def restored(path, vae, optimizer, stage: str) -> float:
    """The step of `stage` from which training goes on, with the weights there are; endless where a later stage has begun."""
    if not path.exists():
        return 0
    state = torch.load(path)
    vae.load_state_dict(state["vae"])
    if state["stage"] != stage:
        return 0 if stage == REFINED else float("inf")
    optimizer.load_state_dict(state["optimizer"])
    return state["step"]


def main():
    parser = arguments(__doc__)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--pictures", type=int, default=8000)
    parser.add_argument("--refine", type=int, default=0, help="so many steps of the decoder alone: latents stay as they are")
    options = parser.parse_args()
    begin(options)
    steps = max(20, int((options.refine or options.steps) * options.scale))
    pictures = Pictures(options.work, "everything", max(400, int(options.pictures * options.scale)), 10000)
    vae = new_vae()
    begin_as_average(vae)
    trained, stage = vae.parameters(), REFINED if options.refine else "vae"
    if options.refine:
        vae = vae.requires_grad_(False)
        trained = [*vae.decoder.requires_grad_(True).parameters(), *vae.post_quant_conv.requires_grad_(True).parameters()]
    optimizer = torch.optim.AdamW(trained, lr=options.rate, weight_decay=0.0, betas=(0.9, 0.98))
    vae.to(memory_format=torch.channels_last)
    path = options.work / "vae.pt"
    step = restored(path, vae, optimizer, stage)
    if step >= steps:
        return
    torch.manual_seed(options.seed + step)
    rng = np.random.default_rng(options.seed + step)
    curve = Curve(options, stage, step)
    while step < steps:
        for group in optimizer.param_groups:
            group["lr"] = options.rate * cosine(step, steps, 50)
        x = numbers(pictures.pixels[rng.integers(0, len(pictures), options.batch)])
        x = x.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            loss, pixels, edges, kl = loss_of(vae, x)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        curve.note(step, pixels=pixels, edges=edges, kl=kl)
        step += 1
        if step % 250 == 0 or step == steps:
            state = {"stage": stage, "step": step, "vae": vae.state_dict(), "optimizer": optimizer.state_dict()}
            save(path, state)


if __name__ == "__main__":
    main()
