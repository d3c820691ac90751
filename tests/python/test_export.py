"""The exporter: what it writes, what it refuses, and that scores made in torch are imported as they are."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import hardset
import numpy as np
import polars as pl
import pytest
from conftest import Refused, need_package
from hardset.export import _check, _models, _spaces, export
from hardset.export.__main__ import main
from hardset.predict import predict

need_package("torch", "torchvision", "timm", "onnx", "onnxruntime")
import torch  # noqa: E402 (after the check)

from models import END, own_file, unnamed_photographs  # noqa: E402 (after the check)

CATEGORIES = "categories"


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
        (
            {END: "return self.head(nn.functional.dropout(self.features(x), 0.5, True))"},
            "other numbers in a second call",
        ),
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
            "a picture alone",
        ),
        (
            {END: "x = self.head(self.features(x)); return x * 1.01 if torch.onnx.is_in_onnx_export() else x"},
            "the graph differs from the model by 0.01 of the largest logit",
        ),
        ({END: "return self.head(self.features(x)) / 0"}, "not finite"),
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
    [("a.json", '{"id2label": '), ("b.json", '{"x": "y"}'), ("c.toml", "classes = ["), ("d.toml", "names = []")],
)
def test_what_is_no_list_of_classes_is_refused(name: str, text: str, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / name).write_text(text)
    with refused(f"{name}: "):
        _spaces.names_in(tmp_path / name)


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
