"""Stage 5: what the models are worth, in figures: images made by the product, judged by the judge.

Runs `hardset` with two recipes (plain prompts; nuisances), reads its images from the run directory and prints Markdown:
agreement with prompts, diversity, nearest neighbours, the classifiers' accuracies, what the mined set is like.
"""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from classifiers import MAKERS, NAMES, right
from common import arguments, begin, numbers
from world import CATEGORIES, Pictures

HERE = Path(__file__).resolve().parents[1]
PLAIN = """name = "quick-plain"
categories = "{root}/categories/quickstart.toml"
seed = 11
[generate]
source = "diffusion"
model = "{model}"
nuisances = ["{work}/plain.toml"]
images_per_prompt = {each}
width_px = 64
height_px = 64
sampler = "{sampler}"
steps = {steps}
guidance = {guidance}
[mine]
surrogates = ["fake-a"]
"""
PLAIN_NUISANCE = 'values = [{ id = "plain", template = "A photo of {a} {category}" }]\n'


def interval(hits: int, of: int) -> str:
    """Wilson's 95 % interval, in percent."""
    if of == 0:
        return "-"
    p, z = hits / of, 1.96
    middle, half = p + z * z / (2 * of), z * (p * (1 - p) / of + z * z / (4 * of * of)) ** 0.5
    low, high = (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)
    return f"{100 * p:.1f} % ({100 * low:.1f} to {100 * high:.1f}; n = {of})"


def built(options, recipe: Path, run: Path, *more: str):
    command = [options.hardset, "build", str(recipe), "--run-dir", str(run), "-q", *more]
    subprocess.run(command, check=True)


def images(run: Path) -> dict[int, np.ndarray]:
    """Pixels by item id."""
    found = {}
    for shard in sorted((run / "images").glob("*.tar")):
        with tarfile.open(shard) as tar:
            for member in tar:
                data = tar.extractfile(member)
                if member.name.endswith(".png") and data:
                    found[int(Path(member.name).stem)] = np.asarray(Image.open(BytesIO(data.read())).convert("RGB"))
    return found


def plan(run: Path) -> list[dict]:
    import polars

    return polars.read_parquet(run / "plan.parquet").to_dicts()


@torch.no_grad()
def judged(judge, pixels: np.ndarray):
    """Answers [n] and features [n, width] of unit length."""
    answers, features = [], []
    for at in range(0, len(pixels), 100):
        inner = judge[:-1](numbers(pixels[at : at + 100]))
        features.append(torch.nn.functional.normalize(inner, dim=1))
        answers.append(judge[-1](inner).argmax(1))
    return torch.cat(answers).numpy(), torch.cat(features)


def mean_distance(features: torch.Tensor, labels: np.ndarray) -> float:
    """Mean distance of pairs within a category, averaged over categories."""
    means = []
    for category in range(len(CATEGORIES)):
        own = features[torch.from_numpy(np.flatnonzero(labels == category))]
        if len(own) > 1:
            means.append(torch.pdist(own).mean().item())
    return float(np.mean(means))


def agreement(title: str, run: Path, judge):
    rows, found = plan(run), images(run)
    rows = [row for row in rows if row["item_id"] in found]
    pixels = np.stack([found[row["item_id"]] for row in rows])
    wanted = np.array([CATEGORIES.index(row["category"]) for row in rows])
    answers, features = judged(judge, pixels)
    ok = answers == wanted
    print(f"\n{title}: judge agrees for {interval(int(ok.sum()), len(ok))}\n")
    for key in ["category", "nuisance_kind", "nuisance"]:
        values = sorted({row[key] for row in rows})
        if len(values) > 1:
            parts = {v: np.mean([o for o, row in zip(ok, rows) if row[key] == v]) for v in values}
            print(f"* by {key}: " + ", ".join(f"{v} {100 * p:.0f}" for v, p in sorted(parts.items(), key=lambda x: x[1])))
    equal = len(rows) - len({image.tobytes() for image in pixels})
    print(f"* images equal to another one: {equal}")
    return rows, pixels, wanted, features, ok


def main():
    parser = arguments(__doc__)
    parser.add_argument("--hardset", default="hardset")
    parser.add_argument("--model", type=Path, default=HERE / "quick-diffusion")
    parser.add_argument("--plain", type=int, default=2000)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--sampler", default="dpmpp-2m")
    parser.add_argument("--skip-quickstart", action="store_true")
    options = parser.parse_args()
    begin(options)
    judge = MAKERS["judge"]()
    judge.load_state_dict(torch.load(options.work / "judge.pt"))
    judge.eval()
    renders = Pictures(options.work, "ordinary", 1200, 77001)
    unusual = Pictures(options.work, "unusual", 1200, 77002)
    everything = Pictures(options.work, "everything", 1200, 77003)
    print(f"judge on renders of everything it never saw: {interval(int(right(judge, everything).sum()), 1200)}")
    for name in NAMES:
        network = MAKERS[name]()
        network.load_state_dict(torch.load(options.work / f"{name}.pt"))
        shares = [interval(int(right(network.eval(), part).sum()), len(part)) for part in (renders, unusual)]
        print(f"{name}: ordinary {shares[0]}, unusual {shares[1]}")
    root = HERE.parents[1]
    (options.work / "plain.toml").write_text(PLAIN_NUISANCE)
    words = {"root": root, "model": options.model, "work": options.work, "each": -(-options.plain // 12)}
    chosen = {"sampler": options.sampler, "steps": options.steps, "guidance": options.guidance}
    (options.work / "plain-recipe.toml").write_text(PLAIN.format(**words, **chosen))
    built(options, options.work / "plain-recipe.toml", options.work / "run-plain")
    _, pixels, wanted, features, _ = agreement("Plain prompts", options.work / "run-plain", judge)
    _, rendered = judged(judge, np.asarray(renders.pixels))
    ratio = mean_distance(features, wanted) / mean_distance(rendered, renders.category)
    print(f"* mean distance within a category, of that of renders: {ratio:.2f}")
    train = Pictures(options.work, "everything", 20000, 10000)
    nearest(pixels[:500], np.asarray(train.pixels), np.asarray(renders.pixels[:500]))
    if not options.skip_quickstart:
        built(options, root / "pipelines/quickstart.toml", options.work / "run-quickstart")
        agreement("Nuisance prompts", options.work / "run-quickstart", judge)
        fifth = MAKERS["quick-mixer"]()
        fifth.load_state_dict(torch.load(options.work / "quick-mixer.pt"))
        mined(options.work / "run-quickstart", judge, fifth.eval())


def mined(run: Path, judge, network):
    """Share that is hard; what the unused fifth classifier and the judge say about the hard set."""
    import polars

    found = images(run)
    rows = [row for row in polars.read_parquet(run / "manifest.parquet").to_dicts() if row["item_id"] in found]
    wanted = np.array([CATEGORIES.index(row["category"]) for row in rows])
    hard = np.array([bool(row["hard"]) for row in rows])
    pixels = np.stack([found[row["item_id"]] for row in rows])
    with torch.no_grad():
        fifth = torch.cat([network(numbers(pixels[at : at + 100])).argmax(1) for at in range(0, len(rows), 100)]).numpy()
    judges, _ = judged(judge, pixels)
    print(f"* hard: {interval(int(hard.sum()), len(hard))}")
    for name, part in [("pool", np.ones_like(hard)), ("hard set", hard)]:
        print(f"* fifth classifier on the {name}: {interval(int((fifth == wanted)[part].sum()), int(part.sum()))}")
    confirmed = (judges == wanted)[hard]
    print(f"* hard images that show their category, says the judge: {interval(int(confirmed.sum()), len(confirmed))}")


def nearest(made: np.ndarray, train: np.ndarray, unseen: np.ndarray):
    """Root mean square distance of pixels to the nearest training picture, for images made and for unseen renders."""
    def small(x):
        return torch.nn.functional.avg_pool2d(numbers(x) * 127.5, 2).flatten(1)

    table = torch.cat([small(train[at : at + 1000]) for at in range(0, len(train), 1000)])
    for name, part in [("images made", made), ("unseen renders", unseen)]:
        least = torch.cdist(small(part), table).min(1).values / table.shape[1] ** 0.5
        print(f"* nearest training picture (levels of 255, at 32 px), {name}: least {least.min():.1f}, median {least.median():.1f}")


if __name__ == "__main__":
    main()
