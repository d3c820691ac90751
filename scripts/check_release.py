"""Loads a release with the programs that people use, and scores it as ImageNet-D's published evaluation does.

Needs: pip install datasets mlcroissant webdataset torchvision onnxruntime pillow numpy cffconvert
Usage: check_release.py RELEASE [--models DIR]
The release should have been written with --also imagefolder,webdataset,fiftyone. With --models DIR (onnx files named as the
surrogates) each surrogate is run on the image folders; the accuracy must be that of the release's own columns, image for image.
"""
import argparse, collections, csv, glob, hashlib, json, os, subprocess, sys, tomllib

import numpy as np
from PIL import Image


def check(what, found, expected=True):
    if found != expected:
        sys.exit(f"FAILED: {what}: {found!r}, not {expected!r}")
    print(f"ok  {what}: {str(found)[:100]}")


def program(name):
    """A program that pip put beside this Python, or on the path."""
    beside = os.path.join(os.path.dirname(sys.executable), name)
    return beside if os.path.exists(beside) else name


def with_datasets(folder, record):
    import datasets
    data = datasets.load_dataset(folder, split="test", cache_dir=os.environ.get("HF_CACHE"))
    check("datasets: image", type(data.features["image"]).__name__, "Image")
    check("datasets: label", type(data.features["label"]).__name__, "ClassLabel")
    check("datasets: rows", len(data), record["images"])
    check("datasets: classes", data.features["label"].names, [c["class"] for c in record["categories"]])
    raw = data.cast_column("image", datasets.Image(decode=False))
    wrong = sum(hashlib.sha256(row["image"]["bytes"]).hexdigest() != row["sha256"] for row in raw)
    check("datasets: images with other bytes", wrong, 0)
    sizes = sum(image.size != (w, h) for image, w, h in zip(data["image"], data["width_px"], data["height_px"]))
    check("datasets: images that decode to another size", sizes, 0)
    wrong = sum(record["categories"][row["label"]]["id"] != row["category"] for row in raw.remove_columns("image"))
    check("datasets: labels of another category", wrong, 0)
    return raw.remove_columns("image").to_list()


def with_croissant(folder, record):
    import mlcroissant
    path = os.path.join(folder, "croissant.json")
    ran = subprocess.run([program("mlcroissant"), "validate", "--jsonld", path], capture_output=True)
    check("mlcroissant validate: exit code", ran.returncode, 0)
    check("mlcroissant validate: errors", [l for l in ran.stderr.decode().splitlines() if "rror" in l], [])
    records = list(mlcroissant.Dataset(path).records("images"))
    check("mlcroissant: records", len(records), record["images"])
    check("mlcroissant: an image", type(records[0]["images/image"]).__module__.split(".")[0], "PIL")


def with_webdataset(folder, rows):
    import webdataset
    tars = sorted(glob.glob(os.path.join(folder, "webdataset", "*.tar")))
    found = list(webdataset.WebDataset(tars, shardshuffle=False).decode("pil"))
    check("webdataset: samples", len(found), len(rows))
    by_item = {f"{row['item_id']:08}": row for row in rows}
    wrong = [s["__key__"] for s in found if s["cls"] != by_item[s["__key__"]]["label"] or s["json"]["sha256"] != by_item[s["__key__"]]["sha256"]]
    check("webdataset: samples with another label or hash", wrong, [])
    check("webdataset: images", all(isinstance(s.get("png", s.get("jpg", s.get("webp", s.get("bmp")))), (Image.Image, bytes)) for s in found))


def with_torchvision(folder, rows):
    from torchvision.datasets import ImageFolder
    kinds = sorted(e.name for e in os.scandir(os.path.join(folder, "imagefolder")) if e.is_dir())
    sets = {kind: ImageFolder(os.path.join(folder, "imagefolder", kind)) for kind in kinds}
    check("torchvision: images", sum(len(s) for s in sets.values()), len(rows))
    check("torchvision: an image", next(iter(sets.values()))[0][0].mode, "RGB")
    lines = [json.loads(line) for line in open(os.path.join(folder, "imagefolder", "metadata.jsonl"))]
    check("imagefolder: metadata", len(lines), len(rows))
    check("imagefolder: files that are named", all(os.path.isfile(os.path.join(folder, "imagefolder", line["file_name"])) for line in lines))
    asked = [row for path in glob.glob(os.path.join(folder, "questions", "*.csv")) for row in csv.DictReader(open(path, newline=""), delimiter="\t")]
    check("questions: rows", len(asked), len(rows))
    check("questions: images that are there", all(os.path.isfile(os.path.join(folder, "imagefolder", row["image_dir"])) for row in asked))
    check("questions: a wrong choice each", all({row["top1_pred_cate"], row["top2_pred_cate"]} - {row["gt_category"]} for row in asked))
    labels = json.load(open(os.path.join(folder, "fiftyone", "labels.json")))
    files = {os.path.splitext(name)[0] for name in os.listdir(os.path.join(folder, "fiftyone", "data"))}
    check("fiftyone: labels are those of the files", set(labels["labels"]), files)
    return sets


def prepared(path, spec):
    """Pixels as the surrogate wants them; torchvision's Resize and CenterCrop on Pillow images."""
    import torchvision.transforms as T
    onnx, pre = spec["model"], spec["model"]["preprocess"]
    way, px = next(iter(pre["resize"].items())) if isinstance(pre["resize"], dict) else (None, None)
    mode = T.InterpolationMode(pre["interpolation"])
    steps = [] if way is None else [T.Resize(px if way == "shorter" else (px, px), interpolation=mode, antialias=True)]
    image = T.Compose(steps + [T.CenterCrop(pre["crop_px"])])(Image.open(path).convert("RGB"))
    a, given = np.asarray(image), onnx["input"]
    if given["channels"] == "bgr":
        a = a[:, :, ::-1]
    if given["dtype"] != "u8":
        a = ((a.astype(np.float32) * given["scale"] - given["mean"]) / given["std"]).astype({"f32": np.float32, "f16": np.float16}[given["dtype"]])
    return np.ascontiguousarray((a if given["layout"] == "nhwc" else a.transpose(2, 0, 1))[None])


def as_imagenet_d(folder, sets, rows, models):
    """ImageNet-D's evaluation: a folder is a category, a category accepts some classes, the largest of 1,000 outputs counts."""
    import onnxruntime
    recipe = tomllib.load(open(os.path.join(folder, "recipe.toml"), "rb"))
    names = {row["item_id"]: row["category"] for row in rows}
    accepted = {c["id"]: set(c["imagenet_ids"]) for c in recipe["categories"]["entries"]}
    folders = collections.defaultdict(set)
    for kind in sets.values():
        for path, target in kind.samples:
            folders[kind.classes[target]].add(names[int(os.path.splitext(os.path.basename(path))[0])])
    check("ImageNet-D: folders with more than one category", [f for f, c in folders.items() if len(c) > 1], [])
    for spec in recipe["mine"]["surrogates"]:
        session = onnxruntime.InferenceSession(os.path.join(models, spec["name"] + ".onnx"), providers=["CPUExecutionProvider"])
        offset, right = spec["model"]["output"]["offset"], {}
        for kind in sets.values():
            for path, target in kind.samples:
                out = session.run(None, {session.get_inputs()[0].name: prepared(path, spec)})[0].reshape(-1)[offset:]
                (category,) = folders[kind.classes[target]]
                right[int(os.path.splitext(os.path.basename(path))[0])] = int(np.argmax(out)) in accepted[category]
        ours = {row["item_id"]: row[spec["name"] + "_correct"] for row in rows}
        check(f"ImageNet-D: {spec['name']}: images judged otherwise", [i for i in ours if ours[i] != right[i]], [])
        print(f"    accuracy {np.mean(list(right.values())):.4f} over {len(right)} images, by both")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("release")
    parser.add_argument("--models")
    args = parser.parse_args()
    record = json.load(open(os.path.join(args.release, "release.json")))
    check("sha256sum --check: exit code", subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=args.release).returncode, 0)
    rows = with_datasets(args.release, record)
    with_croissant(args.release, record)
    with_webdataset(args.release, rows)
    sets = with_torchvision(args.release, rows)
    cff = subprocess.run([program("cffconvert"), "--validate", "-i", os.path.join(args.release, "CITATION.cff")])
    check("cffconvert: exit code", cff.returncode, 0)
    if args.models:
        as_imagenet_d(args.release, sets, rows, args.models)


if __name__ == "__main__":
    main()
