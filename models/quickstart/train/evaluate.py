"""Stage 6: what the models are worth, in figures: images made by the product, judged by the judge.

Everything is asked of the files that are shipped: `hardset` makes images with two recipes (plain prompts; nuisances), ONNX
Runtime runs the classifiers and the judge. Prints Markdown: agreement with prompts, diversity, nearest neighbours, the
classifiers' accuracies, what the mined set is like. <work> keeps pictures and runs.
"""

import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from PIL import Image

from classifiers import NAMES
from common import arguments, begin, numbers
from world import CATEGORIES, IMAGENET_IDS, Pictures

HERE = Path(__file__).resolve().parents[1]
PLAIN = """name = "quick-plain"
categories = "{root}/categories/quickstart.toml"
seed = 11
[generate]
source = "diffusion"
model = "to-be-set"
nuisances = ["{work}/plain.toml"]
images_per_prompt = {each}
width_px = 64
height_px = 64
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


def built(options, recipe: Path, run: Path):
    """The recipe's run, made anew with the options' model and sampling."""
    shutil.rmtree(run, ignore_errors=True)
    chosen = {"model": options.model, "sampler": options.sampler, "steps": options.steps, "guidance": options.guidance}
    keys = [word for key, value in chosen.items() for word in ("--set", f"generate.{key}={value}")]
    subprocess.run([options.hardset, "build", str(recipe), "--run-dir", str(run), "-q", *keys], check=True)


def images(run: Path) -> dict[int, np.ndarray]:
    """Pixels by item id."""
    found = {}
    for shard in sorted((run / "images").glob("*/*.tar")):
        with tarfile.open(shard) as tar:
            for member in tar:
                data = tar.extractfile(member)
                if member.name.endswith(".png") and data:
                    found[int(Path(member.name).stem)] = np.asarray(Image.open(BytesIO(data.read())).convert("RGB"))
    return found


def plan(run: Path) -> list[dict]:
    import polars

    return polars.read_parquet(next(run.glob("plan.*.parquet"))).to_dicts()


class Classifier:
    """A shipped ONNX file, asked for its best of the 12 categories; with features: what its last layer reads."""

    def __init__(self, file: Path):
        model = onnx.load(file)
        last = [node for node in model.graph.node if node.op_type == "Gemm"]
        if last:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(last[-1].input[0]))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options)

    def __call__(self, pixels: np.ndarray):
        """Of pictures [n, 64, 64, 3]: answers [n], and features [n, width] of unit length."""
        answers, features = [], []
        for at in range(0, len(pixels), 100):
            logits, *inner = self.session.run(None, {"input": numbers(pixels[at : at + 100]).numpy()})
            answers.append(logits[:, IMAGENET_IDS].argmax(1))
            features += [torch.nn.functional.normalize(torch.from_numpy(part), dim=1) for part in inner]
        return np.concatenate(answers), torch.cat(features) if features else None

    def right(self, pictures: Pictures) -> str:
        """Its accuracy on renders, with interval."""
        hits = self(np.asarray(pictures.pixels))[0] == pictures.category
        return interval(int(hits.sum()), len(pictures))


def mean_distance(features: torch.Tensor, labels: np.ndarray) -> float:
    """Mean distance of pairs within a category, averaged over categories."""
    means = []
    for category in range(len(CATEGORIES)):
        own = features[torch.from_numpy(np.flatnonzero(labels == category))]
        if len(own) > 1:
            means.append(torch.pdist(own).mean().item())
    return float(np.mean(means))


@dataclass
class Made:
    """Images of a run in the order of their items: pixels, categories asked for, the judge's features, whether it agrees."""

    pixels: np.ndarray
    wanted: np.ndarray
    features: torch.Tensor
    ok: np.ndarray


def agreement(title: str, run: Path, judge: Classifier) -> Made:
    rows, found = sorted(plan(run), key=lambda row: row["item_id"]), images(run)
    assert len(found) == len(rows), "every item has its image"
    pixels = np.stack([found[row["item_id"]] for row in rows])
    wanted = np.array([CATEGORIES.index(row["category"]) for row in rows])
    answers, features = judge(pixels)
    ok = answers == wanted
    print(f"\n{title}: judge agrees for {interval(int(ok.sum()), len(ok))}\n")
    for key in ["category", "nuisance_kind", "nuisance"]:
        values = sorted({row[key] for row in rows})
        if len(values) > 1:
            parts = {v: np.mean([o for o, row in zip(ok, rows) if row[key] == v]) for v in values}
            print(f"* by {key}: " + ", ".join(f"{v} {100 * p:.0f}" for v, p in sorted(parts.items(), key=lambda x: x[1])))
    return Made(pixels, wanted, features, ok)


def main():
    parser = arguments(__doc__)
    parser.add_argument("--hardset", default="hardset")
    parser.add_argument("--model", type=Path, default=HERE / "quick-diffusion")
    parser.add_argument("--plain", type=int, default=2000)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--sampler", default="dpmpp-2m")
    options = parser.parse_args()
    options.work, options.model = options.work.resolve(), options.model.resolve()
    rng = begin(options)
    judge = Classifier(HERE / "judge/judge.onnx")
    renders = Pictures(options.work, "ordinary", 1200, 77001)
    unusual = Pictures(options.work, "unusual", 1200, 77002)
    everything = Pictures(options.work, "everything", 1200, 77003)
    print(f"judge on renders of everything it never saw: {judge.right(everything)}")
    for name in NAMES:
        classifier = Classifier(HERE / f"surrogates/{name}.onnx")
        print(f"{name}: ordinary {classifier.right(renders)}, unusual {classifier.right(unusual)}")
    root = HERE.parents[1]
    (options.work / "plain.toml").write_text(PLAIN_NUISANCE)
    recipe = options.work / "plain-recipe.toml"
    recipe.write_text(PLAIN.format(root=root, work=options.work, each=-(-options.plain // 12)))
    built(options, recipe, options.work / "run-plain")
    plain = agreement("Plain prompts", options.work / "run-plain", judge)
    _, rendered = judge(np.asarray(renders.pixels))
    ratio = mean_distance(plain.features, plain.wanted) / mean_distance(rendered, renders.category)
    print(f"* mean distance within a category, of that of renders: {ratio:.2f}")
    train = Pictures(options.work, "everything", 20000, 10000)
    some = rng.permutation(len(plain.pixels))[:500]
    nearest(plain.pixels[some], np.asarray(train.pixels), np.asarray(renders.pixels[:500]))
    built(options, root / "pipelines/quickstart.toml", options.work / "run-quickstart")
    nuisances = agreement("Nuisance prompts", options.work / "run-quickstart", judge)
    both = [image.tobytes() for image in (*plain.pixels, *nuisances.pixels)]
    print(f"* images equal to another one, of both: {len(both) - len(set(both))} of {len(both)}")
    mined(options.work / "run-quickstart", nuisances, rng)


def mined(run: Path, made: "Made", rng):
    """Share that is hard; what the target and the judge say about the hard set."""
    import polars

    hard = polars.read_parquet(run / "manifest.parquet").sort("item_id")["hard"].to_numpy()
    parts = sorted((run / "predictions/quick-mixer").glob("*/*.parquet"))
    fifth = polars.concat([polars.read_parquet(part) for part in parts]).sort("item_id")["correct"].to_numpy()
    print(f"* hard: {interval(int(hard.sum()), len(hard))}")
    for name, part in [("pool", np.ones_like(hard)), ("hard set", hard)]:
        print(f"* fifth classifier on the {name}: {interval(int(fifth[part].sum()), int(part.sum()))}")
    confirmed = made.ok[hard]
    print(f"* hard images that show their category, says the judge: {interval(int(confirmed.sum()), len(confirmed))}")
    some = rng.permutation(confirmed)[:100]
    print(f"* of {len(some)} random ones of them: {int(some.sum())}")


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
