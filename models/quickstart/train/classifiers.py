"""Stage 3: seven small classifiers, trained on ordinary pictures alone, and the judge, trained on everything.

A classifier is a network of 12 answers; `Placed` spreads them over ImageNet's 1,000 classes. Inputs are [n, 3, 64, 64] in
-1 to 1. Weights go to <work>/<name>.pt; what lies there is not trained again.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from common import Curve, arguments, begin, cosine, numbers, save
from world import IMAGENET_IDS, Pictures

NAMES = ["quick-plain", "quick-residual", "quick-depthwise", "quick-attention", "quick-mixer"]
# Of other kinds; they only ever are targets.
TARGETS = ["quick-patches", "quick-local"]
# The answer for each of the other 988 classes.
NEVER = -20.0


def conv(inputs, outputs, stride=1, groups=1, side=3):
    layers = nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False)
    return nn.Sequential(layers, nn.BatchNorm2d(outputs))


def plain():
    """Convolutions that halve the picture, one after the other."""
    widths = [3, 16, 32, 64, 128]
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [conv(inputs, outputs, 2), nn.ReLU(), conv(outputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 12))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first, self.second = conv(inputs, outputs, stride), conv(outputs, outputs)
        same = stride == 1 and inputs == outputs
        self.short = nn.Identity() if same else conv(inputs, outputs, stride, side=1)

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + self.short(x))


def residual(widths=(16, 32, 64, 96), stem=2, outputs=12):
    blocks = [conv(3, widths[0], stem), nn.ReLU()]
    before = widths[0]
    for at, width in enumerate(widths):
        blocks.append(Residual(before, width, 1 if at == 0 else 2))
        before = width
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, outputs))


class Inverted(nn.Module):
    """MobileNet's block: widened, filtered channel by channel, narrowed."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        wide = 3 * inputs
        self.same = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            conv(inputs, wide, side=1), nn.ReLU6(), conv(wide, wide, stride, wide), nn.ReLU6(), conv(wide, outputs, side=1)
        )

    def forward(self, x):
        return x + self.body(x) if self.same else self.body(x)


def depthwise():
    rows = [(16, 24, 2), (24, 24, 1), (24, 48, 2), (48, 48, 1), (48, 96, 2), (96, 96, 1)]
    blocks = [Inverted(*row) for row in rows]
    head = [conv(96, 192, side=1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(192, 12)]
    return nn.Sequential(conv(3, 16, 2), nn.ReLU6(), *blocks, *head)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.into, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)

    def forward(self, x, hidden=None):
        """`hidden`: what is added to the weights before the softmax, very negative for a token that is not seen."""
        n, tokens, width = x.shape
        parts = self.into(self.norm(x)).reshape(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        weights = parts[0] @ parts[1].transpose(-1, -2) * (width // self.heads) ** -0.5
        weights = (weights if hidden is None else weights + hidden).softmax(-1)
        x = x + self.out((weights @ parts[2]).transpose(1, 2).reshape(n, tokens, width))
        return x + self.narrow(F.gelu(self.wide(self.norm2(x))))


class Mixing(nn.Module):
    def __init__(self, width, tokens):
        super().__init__()
        self.norm, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.places = nn.Sequential(nn.Linear(tokens, tokens), nn.GELU(), nn.Linear(tokens, tokens))
        self.channels = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.places(self.norm(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Patches(nn.Module):
    """Patches of 8 x 8 px with their places, then blocks of one kind."""

    def __init__(self, width, blocks):
        super().__init__()
        self.cut = nn.Sequential(conv(3, width // 2, 2), nn.ReLU(), conv(width // 2, width, 2), nn.ReLU(), nn.Conv2d(width, width, 2, 2))
        self.places = nn.Parameter(torch.randn(1, 64, width) * 0.02)
        self.blocks = nn.Sequential(*blocks)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 12)

    def forward(self, x):
        x = self.cut(x).flatten(2).transpose(1, 2) + self.places
        return self.head(self.norm(self.blocks(x)).mean(1))


def attention():
    return Patches(64, [Attention(64, 4) for _ in range(4)])


def mixer():
    return Patches(64, [Mixing(64, 64) for _ in range(5)])


class PatchBlock(nn.Module):
    """ConvMixer's block: a wide filter of each channel beside the input, then a mix of channels."""

    def __init__(self, width):
        super().__init__()
        self.places, self.channels = conv(width, width, groups=width, side=5), conv(width, width, side=1)

    def forward(self, x):
        x = x + F.gelu(self.places(x))
        return F.gelu(self.channels(x))


def patches():
    """A ConvMixer on patches of 4 x 4 px."""
    width = 64
    cut = nn.Sequential(nn.Conv2d(3, width, 4, 4, bias=False), nn.BatchNorm2d(width), nn.GELU())
    return nn.Sequential(cut, *[PatchBlock(width) for _ in range(6)], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 12))


class Local(nn.Module):
    """A bag of local features: each place sees 9 x 9 px, and the answer is the mean over places (BagNet)."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            conv(3, 32), nn.ReLU(), conv(32, 48, 2), nn.ReLU(), conv(48, 64, 2), nn.ReLU(),
            conv(64, 96, side=1), nn.ReLU(), conv(96, 64, side=1), nn.ReLU(),
        )
        self.head = nn.Conv2d(64, 12, 1)

    def forward(self, x):
        return self.head(self.body(x)).mean((2, 3))


def judge():
    """Also gives features: what its last layer reads."""
    return residual((32, 64, 128, 192), stem=2)


MAKERS = dict(zip(NAMES, [plain, residual, depthwise, attention, mixer])) | {"judge": judge} | dict(zip(TARGETS, [patches, Local]))


class Placed(nn.Module):
    """The 12 answers at their ImageNet classes, `NEVER` everywhere else."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        spread = torch.zeros(12, 1000)
        spread[torch.arange(12), torch.tensor(IMAGENET_IDS)] = 1
        self.register_buffer("spread", spread)
        self.register_buffer("rest", NEVER * (1 - spread.sum(0)))

    def forward(self, x):
        return self.network(x) @ self.spread + self.rest


def varied(x, rng, blurred: bool):
    """Mirrored, shifted, brighter or darker; for the judge also blurred and noisy, as images of a small model are."""
    if rng.random() < 0.5:
        x = x.flip(-1)
    dx, dy = rng.integers(-4, 5, 2)
    x = F.pad(x, (4, 4, 4, 4), "replicate")[..., 4 + dy : 68 + dy, 4 + dx : 68 + dx]
    n = len(x)
    gain = 1 + 0.15 * (2 * torch.rand(n, 1, 1, 1) - 1)
    x = x * gain + 0.1 * (2 * torch.rand(n, 3, 1, 1) - 1)
    if blurred:
        side = int(rng.integers(24, 64))
        if rng.random() < 0.6:
            x = F.interpolate(F.interpolate(x, (side, side), mode="bilinear", antialias=True), (64, 64), mode="bicubic")
        x = x + torch.randn_like(x) * 0.12 * torch.rand(n, 1, 1, 1)
    return x.clamp(-1, 1)


def trained(name, pictures, options):
    # Each on its own, so that one that is trained alone is the one that is trained with all others.
    seed = options.seed + 1 + [*MAKERS].index(name)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = MAKERS[name]().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
    curve = Curve(options, name)
    steps = max(20, int((options.judge_steps if name == "judge" else options.steps) * options.scale))
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * cosine(step, steps, 50)
        picked = rng.integers(0, len(pictures), 64)
        x = varied(numbers(pictures.pixels[picked]), rng, name == "judge").to(memory_format=torch.channels_last)
        y = torch.from_numpy(pictures.category[picked])
        with torch.autocast("cpu", torch.bfloat16):
            answers = network(x).float()
        loss = F.cross_entropy(answers, y, label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        curve.note(step, loss=loss, right=(answers.argmax(1) == y).float().mean())
    save(options.work / f"{name}.pt", network.state_dict())
    return network.eval()


@torch.no_grad()
def right(network, pictures) -> np.ndarray:
    """Whether each picture's category is the network's answer."""
    parts = [
        network(numbers(pictures.pixels[at : at + 100])).argmax(1).numpy() for at in range(0, len(pictures), 100)
    ]
    return np.concatenate(parts) == pictures.category


def main():
    parser = arguments(__doc__)
    parser.add_argument("--names", nargs="*", default=[*NAMES, "judge", *TARGETS])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--judge-steps", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=8000)
    parser.add_argument("--judge-pictures", type=int, default=20000)
    parser.add_argument("--test", type=int, default=1200)
    options = parser.parse_args()
    begin(options)
    count = lambda n: max(400, int(n * options.scale))
    tests = {
        kind: Pictures(options.work, kind, count(options.test), seed)
        for kind, seed in [("ordinary", 77001), ("unusual", 77002), ("everything", 77003)]
    }
    for name in options.names:
        if (options.work / f"{name}.pt").exists():
            continue
        sources = ("everything", options.judge_pictures, 10000) if name == "judge" else ("ordinary", options.pictures, 20000)
        network = trained(name, Pictures(options.work, sources[0], count(sources[1]), sources[2]), options)
        network = network.to(memory_format=torch.contiguous_format)
        size = sum(p.numel() for p in network.parameters())
        shares = {kind: f"{right(network, pictures).mean():.4f}" for kind, pictures in tests.items()}
        print(name, f"{size / 1e3:.0f}k numbers", shares, flush=True)


if __name__ == "__main__":
    main()
