"""The exporter: what it writes, what it refuses, and that scores made in torch are imported as they are."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import hardset
import numpy as np
import polars as pl
import pytest
from conftest import Refused, need_package
from hardset._images import Images, Place
from hardset.export import _check, _models, _spaces, export
from hardset.export.__main__ import main
from hardset.predict import Scorable, predict
from hardset.predict import main as predict_main
from PIL import Image

need_package("torch", "torchvision", "timm", "onnx", "onnxruntime")
import torch  # noqa: E402 (after the check)

from models import (  # noqa: E402
    END,
    own_file,
    picture_bomb,
    resnet_folder,
    unnamed_photographs,
    vit_folder,
    without_weights,
)

CATEGORIES = "categories"
#: Last lines of models that are no scorers.
SIGMOID = "return self.head(self.features(x)).sigmoid()"
DROPOUT = "return self.head(nn.functional.dropout(self.features(x), 0.5, True))"


def test_a_file_of_python_becomes_a_scorer(quickstart: Path, program: Path, tmp_path: Path) -> None:
    made = export(own_file(tmp_path), tmp_path / "out", classes=CATEGORIES, photographs=quickstart, program=True)
    assert sorted(file.name for file in made.files) == ["own.onnx", "own.toml"]
    assert made.compared.photographs == 32
    assert made.compared.worst < 1e-5
    assert made.compared.top_classes > 1
    assert made.held is not None and made.held.equal + made.held.near_ties >= 32
    text = made.toml.read_text()
    assert 'preprocess = { resize = { shorter = 72 }, interpolation = "bilinear", crop_px = 64 }' in text
    assert 'output = { kind = "logits", classes = 12, space = "categories" }' in text
    assert "std = [0.25, 0.25, 0.25]" in text


def test_the_exported_scorer_votes_in_the_quick_start(
    quickstart: Path, copied: Path, program: Path, tmp_path: Path
) -> None:
    made = export(own_file(tmp_path), tmp_path / "out", classes=CATEGORIES, photographs=quickstart)
    run = hardset.mine(copied, surrogates=["quick-plain", made.toml], rule="at-least=1", progress=False)
    assert run.predictions("own").height == 744


def test_scores_made_in_torch_are_imported_as_they_are(
    quickstart: Path, copied: Path, program: Path, tmp_path: Path
) -> None:
    source = own_file(tmp_path)
    made = predict(quickstart, source, tmp_path / "out" / "scored.parquet", classes=CATEGORIES, workers=2)
    assert (made.images, made.lost) == (744, [])
    exported = export(source, tmp_path / "out", classes=CATEGORIES, photographs=quickstart)
    run = hardset.mine(copied, surrogates=["quick-plain", made.toml, exported.toml], progress=False)
    both = run.predictions("scored").join(run.predictions("own"), on="item_id", suffix="_graph")
    assert both.height == 744
    other = both.filter(pl.col("top1_id") != pl.col("top1_id_graph"))
    assert other.filter(pl.col("margin").abs() > 1e-3).height == 0
    assert (both["true_prob"] - both["true_prob_graph"]).abs().max() < 1e-4


def test_a_folder_is_scored_and_what_cannot_be_read_is_said(data: Path, tmp_path: Path) -> None:
    photographs = unnamed_photographs(data, tmp_path, 3)
    (photographs / "broken.jpg").write_bytes(b"no picture")
    made = predict(photographs, own_file(tmp_path), tmp_path / "scored.parquet", classes=CATEGORIES)
    assert made.images == 3
    assert [Path(name).name for name, _ in made.lost] == ["broken.jpg"]
    table = pl.read_parquet(made.file)
    assert table.schema == {"sha256": pl.String, "logits": pl.List(pl.Float32)}
    assert table["logits"].list.len().to_list() == [12, 12, 12]


def trained(data: Path, folder: Path, change: str = "") -> str:
    file = folder / "mobilenet.py"
    graph = data / "surrogates" / "mobilenet_v2_100_224.onnx"
    file.write_text(
        f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from models import OfGraph
from torch import nn
from torchvision import transforms as T

class Changed(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = OfGraph({str(graph)!r})
    def forward(self, x):
        x = self.model(x)
        {change}
        return x

def build():
    return Changed(), T.Compose([T.Resize(256), T.CenterCrop(224), T.ToTensor(), T.Normalize([0.5] * 3, [0.5] * 3)])
"""
    )
    return f"{file}:build"


def test_a_trained_model_gets_photographs_right_with_its_background_class(
    data: Path, program: Path, tmp_path: Path
) -> None:
    made = export(
        trained(data, tmp_path), tmp_path / "out", photographs=data / "photos", count=60, program=True, name="mobilenet"
    )
    assert made.accuracy is not None and made.accuracy > 0.6
    assert made.held is not None and made.held.equal == 60
    assert "classes = 1001, offset = 1 }" in made.toml.read_text()


@pytest.mark.parametrize("change", ["x = x.flip(1)", "x = x[:, 1:].roll(1, 1)", "x = x[:, :1000]"])
def test_classes_in_another_order_are_refused(change: str, data: Path, tmp_path: Path, refused: Refused) -> None:
    with refused("as one that guesses: its weights, the order of its classes or its preprocessing are wrong"):
        export(trained(data, tmp_path, change), tmp_path / "out", photographs=data / "photos")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({END: "return self.features[0](x)"}, r"gives \[2, 16, 15, 15\] for 2"),
        ({END: "return {'logits': x}"}, "gives a dict; a classifier gives one tensor"),
        ({END: DROPOUT}, "other numbers in a second call"),
        ({"T.CenterCrop(64)": "T.CenterCrop(64), T.GaussianBlur(3)"}, "has GaussianBlur, which a scorer's TOML cannot"),
        ({"T.CenterCrop(64), ": ""}, "ends with no fixed size"),
        ({"T.Resize(72)": "T.Resize((72, 80))"}, "Resize to 72 x 80; hardset gives square pictures"),
        ({"T.Resize(72)": "T.Resize(60)"}, "which pads; hardset never pads"),
        ({"T.Resize(72), T.CenterCrop(64)": "T.CenterCrop(64), T.Resize(72)"}, "Resize a second time or too late"),
        ({"T.Resize(72)": "T.Resize(90), T.Resize(72)"}, "Resize a second time or too late"),
        (
            {"return Small(), T.Compose(STEPS)": "raise KeyError('weights')"},
            r"own.py:build: raises KeyError\('weights'\)",
        ),
        ({"import torch\n": "import torch, nothing_at_all\n"}, "own.py: cannot be imported: ModuleNotFound"),
        ({"def build():": "def build(:"}, "own.py: cannot be imported: SyntaxError"),
        ({END: "return self.head(x)"}, r"the model cannot take pictures \[2, 3, 64, 64\]"),
        ({"return Small(), T.Compose(STEPS)": "return Small()"}, r"returns a Small; return \(model, transform\)"),
        (
            {END: "return self.head(self.features(x * 0))"},
            "all photographs the same numbers",
        ),
        (
            {END: "x = self.head(self.features(x)); return x - x.mean(0)"},
            "for one input alone",
        ),
        (
            {END: "x = self.head(self.features(x)); return x * 1.01 if torch.onnx.is_in_onnx_export() else x"},
            "the graph differs from the model by 0.01 of the largest logit",
        ),
        ({END: "return self.head(self.features(x)) / 0"}, "item 0: the model gives numbers that are not finite"),
        ({END: SIGMOID}, "numbers of 0 to 1 that do not sum to 1, as a sigmoid does"),
        (
            {END: "return torch.cat([self.head(self.features(x[at : at + 1])) for at in range(x.shape[0])])"},
            "own.onnx: it gives 2 rows for 4 inputs. A graph keeps what the model did with two pictures",
        ),
        (
            {END: "return torch.stack([row if float(row[0]) > 0 else -row for row in self.head(self.features(x))])"},
            "own.onnx: ONNX Runtime cannot run it: .*no `if` on what they show",
        ),
        ({END: "return self.head(self.features(x))[[0, 1]]"}, r"gives \[2, 12\] for 4 inputs"),
        (
            {
                END: "return self.head(self.features(x.float() / 255))",
                "T.ToTensor(), T.Normalize([0.5] * 3, [0.25] * 3)": "T.PILToTensor()",
            },
            "item 0: the model's own preprocessing gives torch.uint8",
        ),
        ({"return Small(),": "return Small().to('meta'),"}, "own.py:build: has weights without numbers"),
        ({END: "return self.head(self.features(x)).double()"}, "the model gives torch.float64; a scorer's graph gives"),
        (
            {"return Small(),": "raise SystemExit(7)\n    return Small(),"},
            r"own.py:build: raises SystemExit\(7\), in line 19",
        ),
    ],
)
def test_what_is_no_classifier_or_cannot_be_said_is_refused(
    changes: dict[str, str], words: str, quickstart: Path, tmp_path: Path, refused: Refused
) -> None:
    with refused(words):
        export(own_file(tmp_path, changes), tmp_path / "out", classes=CATEGORIES, photographs=quickstart, count=4)
    assert not list((tmp_path / "out").glob("*")), "a refused export leaves no file"


SHIFTED = """
class CenterCrop(T.CenterCrop):
    def forward(self, image):
        return image.crop((0, 0, 64, 64))

STEPS[1] = CenterCrop(64)
"""
TENSORS = """
class Resize(T.Resize):
    def forward(self, image):
        return T.functional.to_pil_image(super().forward(T.functional.pil_to_tensor(image)))

STEPS[0] = Resize(72)
"""


#: The quick start's squares of 64 px are the same in both ways.
SQUASHED = """
class Resize(T.Resize):
    def forward(self, image):
        return image.resize((72, 72), 2)

STEPS[0] = Resize(72)
"""


def test_small_squares_do_not_hide_a_wrong_preprocessing(quickstart: Path, tmp_path: Path, refused: Refused) -> None:
    with refused("noise of 701 x 523 px: the model's own preprocessing differs"):
        export(own_file(tmp_path, more=SQUASHED), tmp_path, classes=CATEGORIES, photographs=quickstart, count=4)


@pytest.mark.parametrize("more", [SHIFTED, TENSORS])
def test_a_preprocessing_that_is_not_what_it_says_is_refused(
    more: str, data: Path, tmp_path: Path, refused: Refused
) -> None:
    with refused("the model's own preprocessing differs from what the TOML can say"):
        export(own_file(tmp_path, more=more), tmp_path, classes=CATEGORIES, photographs=data / "photos", count=8)


def test_a_list_of_classes_fits_or_is_refused(quickstart: Path, tmp_path: Path, refused: Refused) -> None:
    source = own_file(tmp_path)
    names = [f"thing {at}" for at in range(12)]
    (tmp_path / "things.txt").write_text("\n".join(names))
    (tmp_path / "few.json").write_text(json.dumps(names[:3]))
    made = export(source, tmp_path / "out", classes=str(tmp_path / "things.txt"), photographs=quickstart, count=4)
    assert 'space = "./things.txt"' in made.toml.read_text()
    assert (tmp_path / "out" / "things.txt").read_text().splitlines() == names
    with refused("few.json has 3 classes, but the model gives 12 numbers"):
        export(source, tmp_path / "out", classes=str(tmp_path / "few.json"), photographs=quickstart, count=4)
    with refused("the model gives 12 numbers and does not name them; give --classes FILE"):
        export(source, tmp_path / "out", photographs=quickstart, count=4)
    with refused("ImageNet-1k has 1000 classes"):
        export(source, tmp_path / "out", classes="imagenet-1k", photographs=quickstart, count=4)


def test_the_users_list_of_classes_stays_as_it_is(quickstart: Path, tmp_path: Path, refused: Refused) -> None:
    source, names = own_file(tmp_path), [f"thing {at}" for at in range(12)]
    things = tmp_path / "things.txt"
    things.write_text("\n".join(names))
    for folder in (tmp_path, tmp_path / "out"):
        exported = export(source, folder, classes=str(things), photographs=quickstart, count=4)
        scored = predict(quickstart, source, folder / "scored.parquet", classes=str(things))
        assert exported.toml.is_file() and 'space = "./things.txt"' in scored.toml.read_text()
        assert (folder / "things.txt").read_text() == things.read_text() == "\n".join(names)
    (tmp_path / "config.json").write_text(json.dumps({"id2label": dict(enumerate(names))}))
    made = export(source, tmp_path / "out", classes=str(tmp_path / "config.json"), photographs=quickstart, count=4)
    assert 'space = "./own-classes.json"' in made.toml.read_text()
    assert json.loads((tmp_path / "out" / "own-classes.json").read_text()) == names
    things.write_text("\n".join(reversed(names)))
    with refused("out/things.txt: is another list of classes"):
        export(source, tmp_path / "out", classes=str(things), photographs=quickstart, count=4)
    with refused("out/things.txt: is another list of classes"):
        predict(quickstart, source, tmp_path / "out" / "scored.parquet", classes=str(things))
    assert (tmp_path / "out" / "things.txt").read_text() == "\n".join(names)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"id2label": '),
        ("b.json", '{"x": "y"}'),
        ("c.toml", "classes = ["),
        ("d.toml", "names = []"),
        ("e.json", '["a", 7]'),
        ("f.json", '{"0": "a", "2": "b"}'),
        ("g.txt", "a"),
    ],
)
def test_what_is_no_list_of_classes_is_refused(name: str, text: str, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / name).write_text(text)
    with refused(f"{name}: "):
        _spaces.names_in(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.txt", "mug\ncup\n mug \n", "a.txt: has `mug` twice, as class 0 and as class 2"),
        ("b.txt", "mug\n\ncup\n", "b.txt: has an empty name: class 1"),
        ("c.json", '["mug", "cup", "mug"]', "c.json: has `mug` twice"),
        ("d.json", '[["m", "mug"], ["m", "cup"]]', "d.json: has `m` twice"),
        ("e.toml", 'classes = ["mug", ""]', "e.toml: has an empty name: class 1"),
        ("categories.txt", "mug\ncup", "categories.txt: is called categories, which is the name of another space"),
    ],
)
def test_a_list_that_the_program_refuses_is_refused_first(
    name: str, text: str, words: str, *, data: Path, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / name).write_text(text)
    count = len(text.strip().split("\n")) if name.endswith(".txt") else text.count(",") + 1
    source, classes = own_file(tmp_path, {"classes=12": f"classes={count}"}), str(tmp_path / name)
    with refused(words):
        predict(data / "photos", source, tmp_path / "out" / "s.parquet", classes=classes)
    with refused(words):
        export(source, tmp_path / "out", classes=classes, photographs=data / "photos", count=2)
    assert list((tmp_path / "out").iterdir()) == []


def test_ids_part_classes_of_one_name_and_empty_lines_at_the_end_are_none(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "a.json").write_text('{"label_names": [["a", "crane"], ["b", "crane"]]}')
    (tmp_path / "b.toml").write_text('classes = [{ id = "a", name = "crane" }, { id = "b", name = "crane" }]')
    assert [_spaces.names_in(tmp_path / name) for name in ("a.json", "b.toml")] == [["crane", "crane"]] * 2
    (tmp_path / "c.txt").write_text("mug\ncup\n\n\n")
    assert _spaces.names_in(tmp_path / "c.txt") == ["mug", "cup"]
    with refused("the model's own list of classes has `mug` twice"):
        _spaces.space_of(None, 3, ["mug", "cup", "mug"], "m")


def test_options_that_make_no_sense_are_refused(data: Path, tmp_path: Path, refused: Refused) -> None:
    source, photographs = own_file(tmp_path), data / "photos"
    for name in ("", "a/b"):
        with refused("a name has letters"):
            export(source, tmp_path / "out", name=name, photographs=photographs)
    with refused("own.py: is a file"):
        export(source, tmp_path / "own.py", photographs=photographs)
    with refused("own.py/out: cannot be made: Not a directory"):
        export(source, tmp_path / "own.py" / "out", classes=CATEGORIES, photographs=photographs, count=2)
    with refused("own.py: cannot be made: File exists"):
        predict(photographs, source, tmp_path / "own.py" / "scored.parquet", classes=CATEGORIES)
    with refused("batch is at least 1"):
        predict(photographs, source, tmp_path / "scored.parquet", classes=CATEGORIES, batch=0)
    with pytest.raises(hardset.Missing, match="device cuda:99"):
        predict(photographs, source, tmp_path / "scored.parquet", classes=CATEGORIES, device="cuda:99")


@pytest.mark.parametrize(
    ("end", "kind"), [(END, "logits"), ("return self.head(self.features(x)).softmax(1).half()", "probabilities")]
)
def test_the_kind_of_scores_is_seen(end: str, kind: str, quickstart: Path, tmp_path: Path) -> None:
    made = predict(quickstart, own_file(tmp_path, {END: end}), tmp_path / "scored.parquet", classes=CATEGORIES)
    assert f'kind = "{kind}"' in made.toml.read_text()


def test_mistakes_are_seen_on_the_first_batch(
    quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setattr("hardset.predict._write", lambda *_: pytest.fail("the pool was scored"))
    with refused("does not name them"):
        predict(quickstart, own_file(tmp_path), tmp_path / "scored.parquet")
    with refused("not finite"):
        endless = own_file(tmp_path, {END: "return self.head(self.features(x)) / 0"})
        predict(quickstart, endless, tmp_path / "scored.parquet", classes=CATEGORIES)


@pytest.mark.parametrize(
    ("end", "batch", "words"),
    [
        (DROPOUT, 32, "other numbers in a second call; a dropout or noise"),
        (DROPOUT, 1, "other numbers in a second call; a dropout or noise"),
        ("x = self.head(self.features(x)); return x + 1e-3 * torch.randn(12)", 32, "other numbers in a second call"),
        ("x = self.head(self.features(x)); return x - x.mean(0)", 32, "for one input alone than beside others"),
        ("return self.head(self.features(x)).cumsum(0)", 32, "for one input alone than beside others"),
        ("return self.head(self.features(x[:1]))", 32, r"gives \[1, 12\] for 32 pictures"),
        ("return self.head(self.features(x))[:, :1]", 32, r"gives \[32, 1\] for 32 pictures"),
        ("return self.head(self.features(x)).long()", 32, "gives torch.int64"),
        (SIGMOID, 32, "numbers of 0 to 1 that do not sum to 1, as a sigmoid does"),
        ("return self.head(self.features(x)) * 0", 32, "zeros alone: its last layer was not trained"),
        (SIGMOID, 1, "numbers of 0 to 1 that do not sum to 1, as a sigmoid does"),
    ],
)
def test_a_model_that_is_no_scorer_scores_no_pool(
    end: str, batch: int, words: str, *, quickstart: Path, tmp_path: Path, refused: Refused
) -> None:
    with refused(words):
        predict(
            quickstart, own_file(tmp_path, {END: end}), tmp_path / "out" / "s.parquet", classes=CATEGORIES, batch=batch
        )
    assert list((tmp_path / "out").iterdir()) == [], "nothing is left"


def test_probabilities_are_of_all_pictures_or_of_none(
    quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setattr("hardset.predict.ENOUGH", 1)
    later = "x = self.head(self.features(x)); self.at = getattr(self, 'at', 0) + len(x)"
    later += "; return x.softmax(1) if self.at < 100 else x"
    with refused("that sum to 1, but not the image with the SHA-256 [0-9a-f]{64}"):
        predict(quickstart, own_file(tmp_path, {END: later}), tmp_path / "scored.parquet", classes=CATEGORIES)


def test_an_image_without_finite_numbers_is_lost_by_name(data: Path, tmp_path: Path) -> None:
    photographs = unnamed_photographs(data, tmp_path, 3)
    Image.new("RGB", (80, 80), "white").save(photographs / "white.png")
    end = "x = torch.where(x.amin((1, 2, 3), keepdim=True) == 2, torch.nan, x); " + END
    made = predict(photographs, own_file(tmp_path, {END: end}), tmp_path / "scored.parquet", classes=CATEGORIES)
    assert made.images == 3 and pl.read_parquet(made.file)["logits"].explode().is_finite().all()
    assert made.lost == [(str(photographs / "white.png"), "the model gives numbers that are not finite")]


def test_images_without_finite_numbers_hide_no_noise(data: Path, tmp_path: Path, refused: Refused) -> None:
    photographs = unnamed_photographs(data, tmp_path, 4)
    for name in "ab":
        Image.new("RGB", (80, 80), "white").save(photographs / f"-{name}.png")
    end = "x = torch.where(x.amin((1, 2, 3), keepdim=True) == 2, torch.nan, x); " + DROPOUT
    with refused("gives other numbers in a second call"):
        predict(photographs, own_file(tmp_path, {END: end}), tmp_path / "s.parquet", classes=CATEGORIES, batch=2)


def test_a_picture_that_is_too_large_is_lost_by_name(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photographs = unnamed_photographs(data, tmp_path, 3)
    picture_bomb(photographs / "bomb.png", 60_000)
    source, out = own_file(tmp_path), str(tmp_path / "scored.parquet")
    assert predict_main([str(photographs), source, "--out", out, "--classes", CATEGORIES]) == 3
    made = predict(photographs, source, out, classes=CATEGORIES)
    ((name, reason),) = made.lost
    assert made.images == 3 and Path(name).name == "bomb.png" and "decompression bomb" in reason
    # Of a run the program has measured them, by its own limit.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    place = Place(0, photographs / "0000.JPEG", 0, None, None)
    for limited, tensor in ((True, None), (False, 1)):
        assert Scorable(Images([place]), lambda _: 1, limited=limited)[0][0] == tensor
    assert Image.MAX_IMAGE_PIXELS == 10
    monkeypatch.setattr("hardset.predict.decode", raises(MemoryError()))
    assert Scorable(Images([place]), lambda _: 1)[0][2] == "the picture is too large for the memory"


def test_a_photograph_that_cannot_be_decoded_is_named(data: Path, tmp_path: Path, refused: Refused) -> None:
    photographs = unnamed_photographs(data, tmp_path, 3)
    picture_bomb(photographs / "bomb.png", 60_000)
    with refused("photographs/bomb.png: cannot be decoded: .*exceeds limit.*; take it out of the folder"):
        export(own_file(tmp_path), tmp_path / "out", classes=CATEGORIES, photographs=photographs)


def raises(error: Exception) -> Callable[..., None]:
    """A function that raises it."""

    def call(*_: object, **__: object) -> None:
        raise error

    return call


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ("hardset.export._files.tempfile.TemporaryDirectory", OSError(30, "Read-only"), "into: Read-only; give anoth"),
        (
            "polars.DataFrame.write_parquet",
            OSError(28, "No space"),
            "scored.parquet: cannot be written: No space; make",
        ),
        ("polars.DataFrame.write_parquet", pl.exceptions.ComputeError("No space"), "scored.parquet: cannot be written"),
        ("polars.LazyFrame.sink_parquet", pl.exceptions.ComputeError("No space"), "scored.parquet: cannot be written"),
        ("pathlib.Path.write_text", OSError(28, "No space left"), "cannot be written: No space left"),
    ],
)
def test_where_nothing_can_be_written_it_is_said(
    what: str, error: Exception, words: str, *, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
) -> None:  # fmt: skip
    photographs, source = unnamed_photographs(data, tmp_path, 3), own_file(tmp_path)
    monkeypatch.setattr(what, raises(error))
    with refused(words):
        predict(photographs, source, tmp_path / "scored.parquet", classes=CATEGORIES)
    if "polars" not in what:
        with refused(words.replace("scored", "own")):
            export(source, tmp_path, classes=CATEGORIES, photographs=photographs, count=2)


def test_the_name_of_a_folder_is_refused_before_the_model_is_made(data: Path, tmp_path: Path, refused: Refused) -> None:
    for name in ("scores.parquet", "other.toml"):
        (tmp_path / name).mkdir()
        with refused(f"{name}: is a folder; give --out another name"):
            predict(data / "photos", "nothing.py:build", tmp_path / Path(name).with_suffix(".parquet"))


def test_a_preprocessing_that_fails_is_said_at_once(data: Path, tmp_path: Path, refused: Refused) -> None:
    fails = "\nclass Resize(T.Resize):\n    def forward(self, image):\n        return 1 / 0\n\nSTEPS[0] = Resize(72)\n"
    with refused("the model's own preprocessing fails: ZeroDivisionError"):
        predict(data / "photos", own_file(tmp_path, more=fails), tmp_path / "s.parquet", classes=CATEGORIES)
    no_tensor = own_file(tmp_path, {", T.ToTensor(), T.Normalize([0.5] * 3, [0.25] * 3)": ""})
    with refused("the model's own preprocessing does not give tensors of one shape"):
        predict(data / "photos", no_tensor, tmp_path / "s.parquet", classes=CATEGORIES)


def test_categories_are_as_many_as_those_of_the_pool(
    quickstart: Path, released: Path, tmp_path: Path, refused: Refused
) -> None:
    source = own_file(tmp_path, {"classes=12": "classes=13"})
    for pool in (quickstart, released):
        with refused("has 12 categories, but the model gives 13 numbers; give --classes FILE"):
            predict(pool, source, tmp_path / "scored.parquet", classes=CATEGORIES)


def test_parts_make_one_table(quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = own_file(tmp_path)
    whole = predict(quickstart, source, tmp_path / "whole.parquet", classes=CATEGORIES)
    monkeypatch.setattr("hardset.predict.PART", 100)
    parts = predict(quickstart, source, tmp_path / "parts.parquet", classes=CATEGORIES)
    assert pl.read_parquet(parts.file).equals(pl.read_parquet(whole.file))
    assert sorted(file.name for file in tmp_path.glob("*.parquet")) == ["parts.parquet", "whole.parquet"]


def test_a_model_of_half_precision_is_exported_in_f32(quickstart: Path, tmp_path: Path) -> None:
    source = own_file(tmp_path, {"return Small(),": "return Small().half().train(),"})
    made = export(source, tmp_path / "out", classes=CATEGORIES, photographs=quickstart, count=4)
    assert made.compared.worst < 1e-5


def test_an_unchecked_order_of_classes_is_said(
    quickstart: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--classes", CATEGORIES, "--photographs", str(quickstart), "--count", "4", "--out", str(tmp_path / "out")]
    assert main([own_file(tmp_path), *given]) == 0
    assert "the order of the classes was not checked" in capsys.readouterr().out


def test_two_images_with_the_same_bytes_are_one_row(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hardset.predict.PART", 1)
    photographs = unnamed_photographs(data, tmp_path, 3)
    (photographs / "again.JPEG").write_bytes((photographs / "0001.JPEG").read_bytes())
    made = predict(photographs, own_file(tmp_path), tmp_path / "scored.parquet", classes=CATEGORIES, batch=1)
    assert made.images == 4
    assert pl.read_parquet(made.file)["sha256"].n_unique() == pl.read_parquet(made.file).height == 3


def test_without_a_runtime_both_extras_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(hardset.Missing, match=r"pip install 'hardset\[cpu\]', or 'hardset\[gpu\]'"):
        _check.session(Path("a.onnx"))


def test_the_order_of_named_classes_is_compared(tmp_path: Path, refused: Refused) -> None:
    known = _spaces.imagenet_names()
    assert _spaces.space_of(None, 1000, known, "m").name == "imagenet-1k"
    assert _spaces.space_of(None, 1001, ["background", *known], "m").offset == 1
    assert _spaces.space_of(None, 1000, [f"{name}, as it is called" for name in known], "m").name == "imagenet-1k"
    assert _spaces.space_of(None, 1000, known[::-1], "m").name == "m-classes.json"
    with refused("not ImageNet-1k's, or in another order"):
        _spaces.space_of("imagenet-1k", 1000, known[::-1], "m")
    file = tmp_path / "backwards.txt"
    file.write_text("\n".join(known[::-1]))
    with refused("backwards.txt has the classes in another order than the model"):
        _spaces.space_of(str(file), 1000, known, "m")


def test_timm_and_torchvision_give_their_own_preprocessing(data: Path, program: Path, tmp_path: Path) -> None:
    photographs = unnamed_photographs(data, tmp_path, 8)
    for source, words in [
        ("timm:test_vit", 'resize = { shorter = 168 }, interpolation = "bicubic", crop_px = 160'),
        ("torchvision:squeezenet1_1", 'resize = { shorter = 256 }, interpolation = "bilinear", crop_px = 224'),
    ]:
        made = export(source, tmp_path / "out", random=True, photographs=photographs, program=True)
        assert words in made.toml.read_text()
        assert made.compared.worst <= 1e-4


def test_two_towers_keep_scale_bias_and_texts(data: Path, program: Path, tmp_path: Path) -> None:
    need_package("transformers")
    source = f"transformers:{data / 'parity' / 'clip-tiny'}"
    made = export(source, tmp_path, photographs=data / "photos", count=20, program=True, templates=["a {}", "one {}."])
    assert sorted(file.name for file in made.files) == [
        "clip-tiny.onnx",
        "clip-tiny.text.onnx",
        "clip-tiny.tokenizer.json",
        "clip-tiny.toml",
    ]
    assert made.held is not None and made.held.equal == 20
    assert made.worst_texts is not None and made.worst_texts < 1e-4
    text = made.toml.read_text()
    assert 'templates = ["a {}", "one {}."]' in text
    assert 'kind = "softmax"' in text and "scale = " in text and "positions = 77" in text


def test_two_towers_speak_over_a_list_in_the_program(data: Path, program: Path, tmp_path: Path) -> None:
    need_package("transformers")
    (tmp_path / "things.txt").write_text("mug\nfish\nsports car\n")
    source, classes = f"transformers:{data / 'parity' / 'clip-tiny'}", str(tmp_path / "things.txt")
    made = export(source, tmp_path / "out", photographs=data / "photos", count=4, program=True, classes=classes)
    assert made.held is not None and made.held.equal + made.held.near_ties >= 4
    assert (tmp_path / "out" / "things.txt").is_file() and 'space = "./things.txt"' in made.toml.read_text()


def test_a_checkpoint_without_some_weights_is_refused(data: Path, tmp_path: Path, refused: Refused) -> None:
    need_package("transformers")
    vit = vit_folder(tmp_path / "vit")
    assert isinstance(_models.load(_models.Ask(f"transformers:{vit}")), _models.Classifier)
    without_weights(vit, "classifier.")
    with refused("vit: its weights lack classifier.bias, classifier.weight, which would be random numbers"):
        export(f"transformers:{vit}", tmp_path / "out", photographs=data / "photos", count=2)
    made = export(f"transformers:{vit}", tmp_path / "out", photographs=data / "photos", count=2, random=True)
    assert made.toml.is_file()
    resnet = resnet_folder(tmp_path / "resnet")
    without_weights(resnet, ".num_batches_tracked")
    assert isinstance(_models.load(_models.Ask(f"transformers:{resnet}")), _models.Classifier)
    clip = Path(shutil.copytree(data / "parity" / "clip-tiny", tmp_path / "clip"))
    without_weights(clip, "text_model.encoder.layers.0.")
    with refused("clip: its weights lack text_model.encoder.layers.0.[^,]*, .* and 12 others, which would be random"):
        export(f"transformers:{clip}", tmp_path / "out", photographs=data / "photos", count=2)


def test_towers_that_are_not_the_whole_model_are_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    need_package("transformers")

    def scaled(ask: _models.Ask) -> object:
        model = load(ask)
        model.scale *= 1.01
        return model

    load = _models.load
    monkeypatch.setattr("hardset.export.load", scaled)
    with refused("the two towers differ from the whole model by 0.01"):
        export(f"transformers:{data / 'parity' / 'clip-tiny'}", tmp_path, photographs=data / "photos", count=4)


@pytest.mark.parametrize(
    ("name", "clean"), [("clip-tiny", "as-is"), ("siglip-tiny", "as-is"), ("siglip2-tiny", "lower")]
)
def test_lower_case_does_not_depend_on_the_name_of_a_folder(name: str, clean: str, data: Path, tmp_path: Path) -> None:
    need_package("transformers", "sentencepiece")
    (tmp_path / "model").symlink_to(data / "parity" / name)
    model = _models.load(_models.Ask(f"transformers:{tmp_path / 'model'}"))
    assert isinstance(model, _models.TwoTowers)
    assert model.clean == clean


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("resnet18", "write timm:NAME"),
        ("timm:resnet1800", "timm has no model resnet1800"),
        ("torchvision:resnet1800", "torchvision has no model resnet1800"),
        ("torchvision:resnet18@V9", "resnet18: has no weights V9; there are IMAGENET1K_V1"),
        ("nothing.py:build", "nothing.py: is not a file"),
    ],
)
def test_an_unknown_model_is_refused(
    source: str, words: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([source, "--random", "--photographs", str(data / "photos"), "--count", "2", "--out", str(tmp_path)])
    assert code == 2
    assert words in capsys.readouterr().err


def test_photographs_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A run in the working directory is not taken instead: its small squares would hide a wrong preprocessing.
    (tmp_path / "runs" / "quickstart").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([own_file(tmp_path)])
    assert ended.value.code == 2
    assert "--photographs" in capsys.readouterr().err
    assert main([own_file(tmp_path), "--photographs", "nowhere"]) == 2
    assert "nowhere: there is no such folder" in capsys.readouterr().err


def test_weights_of_another_model_are_refused(quickstart: Path, tmp_path: Path, refused: Refused) -> None:
    torch.save({"head.weight": torch.zeros(2, 2)}, tmp_path / "other.pt")
    with refused("other.pt: is of another model"):
        export(
            own_file(tmp_path),
            tmp_path,
            weights=tmp_path / "other.pt",
            classes=CATEGORIES,
            photographs=quickstart,
            count=4,
        )
    (tmp_path / "text.pt").write_text("no weights")
    with refused("text.pt: is not a state dict"):
        export(
            own_file(tmp_path),
            tmp_path,
            weights=tmp_path / "text.pt",
            classes=CATEGORIES,
            photographs=quickstart,
            count=4,
        )


@pytest.mark.parametrize(("saved", "kind"), [([torch.zeros(2)], "list"), (3, "int"), (torch.zeros(2), "Tensor")])
def test_weights_that_are_no_dictionary_are_refused(saved: object, kind: str, tmp_path: Path, refused: Refused) -> None:
    torch.save(saved, tmp_path / "saved.pt")
    with refused(f"saved.pt: is not a state dict, but of type {kind}; save model.state_dict"):
        _models.load(_models.Ask(own_file(tmp_path), weights=tmp_path / "saved.pt"))


#: A file with a dataclass whose annotations are texts, which imports another beside it.
BESIDE = """
from __future__ import annotations
from dataclasses import dataclass
from hardset_test_nets import CLASSES

@dataclass
class Options:
    classes: int = CLASSES
"""


def test_a_file_of_python_has_dataclasses_and_files_beside_it(tmp_path: Path) -> None:
    before = list(sys.path)
    for count in (12, 7):
        folder = tmp_path / str(count)
        folder.mkdir()
        (folder / "hardset_test_nets.py").write_text(f"CLASSES = {count}\n")
        source = own_file(
            folder, {"\nimport torch\n": BESIDE + "import torch\n", "Small()": "Small(Options().classes)"}
        )
        # Each file has its own neighbour, though both have one name.
        assert _models.load(_models.Ask(source)).module.head.out_features == count
    assert sys.path == before


def test_an_error_of_the_users_file_has_its_line(tmp_path: Path, refused: Refused) -> None:
    source = own_file(tmp_path, {"return Small(), T.Compose(STEPS)": "return Small(classes='many')"})
    with refused(r"own.py:build: raises TypeError.*, in line 13$"):
        _models.load(_models.Ask(source))


def test_weights_keep_the_versions_of_their_modules(tmp_path: Path, refused: Refused) -> None:
    source, file = "torchvision:mnasnet0_5", tmp_path / "weights.pt"
    model = _models.load(_models.Ask(source, random=True)).module
    for saved in (model, torch.nn.DataParallel(model)):
        torch.save({"epoch": 9, "state_dict": saved.state_dict()}, file)
        found = _models.load(_models.Ask(source, weights=file)).module.state_dict()
        assert all(torch.equal(found[key], value) for key, value in model.state_dict().items())
    # This one does not load tensors of which it cannot tell the version.
    torch.save(dict(model.state_dict()), file)
    with refused("weights.pt: the model does not take it: version should be set to 1 or 2"):
        _models.load(_models.Ask(source, weights=file))


def test_a_rule_for_near_ties_is_twice_the_bound() -> None:
    logits = np.array([[1.0, 1.0 - 1.9e-4], [1.0, 1.0 - 2.1e-4], [1e-9, 0.0]], dtype=np.float32)
    assert _check.near_ties(logits).tolist() == [True, False, True]
