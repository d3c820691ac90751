"""Runs, releases and evaluations: the tables are those on disk, and the images those of the items."""

from __future__ import annotations

import importlib
import io
import pickle
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import hardset
import numpy as np
import polars as pl
import pytest
from conftest import FIXTURES, Refused, need_package
from PIL import Image


def test_a_run_has_the_tables_of_its_document(small: hardset.Run) -> None:
    assert small.name == "small"
    assert small.surrogates == small.scorers == ["fake-a", "fake-b"]
    assert small.plan().height == 9
    assert small.images().height == small.items().height == 8
    assert small.dropped().select("item_id", "stage").rows() == [(4, "generate")]
    assert small.hard().height == small.items()["hard"].sum()
    assert small.predictions("fake-a").height == 8
    assert small.predictions().group_by("scorer").len().sort("scorer").rows() == [("fake-a", 8), ("fake-b", 8)]


def test_tables_come_as_pandas_and_arrow(small: hardset.Run) -> None:
    need_package("pandas", "pyarrow")
    assert list(small.items(as_="pandas").columns) == small.items().columns
    assert small.items(as_="arrow").column_names == small.items().columns
    assert small.predictions("fake-a", as_="pandas").shape == small.predictions("fake-a").shape
    with pytest.raises(hardset.BadInput, match="write 'polars', 'pandas' or 'arrow'"):
        small.items(as_="numpy")  # type: ignore[call-overload]


def test_the_quick_start_is_read_whole(quickstart: Path) -> None:
    run = hardset.Run(quickstart)
    # An independent reading: every file that matches, as README shows.
    by_hand = pl.read_parquet(f"{quickstart}/predictions/*/*/*.parquet")
    assert run.predictions().height == by_hand.height == 744 * len(run.scorers)
    assert run.items().equals(pl.read_parquet(quickstart / "manifest.parquet"))
    failures = (~run.predictions().filter(pl.col("scorer").is_in(run.surrogates))["correct"]).sum()
    assert failures == run.items()["n_failed"].sum()
    assert run.report.is_file()
    assert "744" in repr(run.iter_images())


def test_images_are_those_of_their_hashes(quickstart: Path) -> None:
    run = hardset.Run(quickstart)
    sizes = run.images().select("width_px", "height_px").unique().rows()
    assert sizes == [(64, 64)]
    for item in run.hard()["item_id"][:5]:
        image = run.image(item)
        assert (image.mode, image.size) == ("RGB", (64, 64))
        assert image.tobytes() == Image.open(io.BytesIO(run.image_bytes(item))).convert("RGB").tobytes()


def test_a_changed_image_is_noticed(small: hardset.Run, tmp_path: Path, refused: Refused) -> None:
    place = small.places()[0]
    data = bytearray(place.file.read_bytes())
    data[place.offset + 40] ^= 1
    changed = tmp_path / "changed.tar"
    changed.write_bytes(data)
    with refused("has changed since it was pinned"):
        type(place)(place.item_id, changed, place.offset, place.length, place.sha256).read()


def test_photographs_are_found_below_their_folder(data: Path, program: Path, tmp_path: Path) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for file in sorted((data / "photos").iterdir())[:3]:
        (photographs / file.name).write_bytes(file.read_bytes())
    changes = {"generate.root": photographs, "mine.surrogates": ["fake-a"], "mine.rule": "all", "annotate.export": []}
    run = hardset.build("photos", tmp_path / "run", set=changes, progress=False)
    first = run.plan()["source"][0]
    assert run.image_bytes(run.plan()["item_id"][0]) == (photographs / first).read_bytes()
    assert [item for _, item in run.iter_images()] == run.items()["item_id"].to_list()


def test_arrow_without_its_package_says_which_extra(small: hardset.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(hardset.Missing, match=r"pyarrow is missing: pip install 'hardset\[notebook\]'"):
        small.items(as_="arrow")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (FIXTURES / "nothing", "is not a run, because it has no spec.toml; there is no such folder"),
        (FIXTURES / "release", "it is a release: read it with hardset.Release"),
        (FIXTURES.parent / "format-1" / "run", "has format 1, made by hardset .*; this package reads 2"),
        ("s3://bucket/run", "is in a bucket"),
    ],
)
def test_what_is_not_a_run_is_refused(path: Path | str, words: str, refused: Refused) -> None:
    with refused(words):
        hardset.Run(path)


def test_what_is_not_there_is_said_with_the_next_step(small: hardset.Run, refused: Refused) -> None:
    with refused("has no verdicts of people yet; run `hardset annotate collect`"):
        small.verdicts()
    with refused("has no predictions of nobody; there are those of: fake-a, fake-b"):
        small.predictions("nobody")
    with refused("item 4 has no image; see dropped"):
        small.image(4)
    with refused("there is no item 99 here"):
        small.gallery([99])
    with refused("write 'hard'"):
        small.gallery("easy")


def test_a_run_without_a_mining_has_no_hard_images(small: hardset.Run, tmp_path: Path, refused: Refused) -> None:
    run = hardset.Run(shutil.copytree(small.path, tmp_path / "run"))
    (run.path / "manifest.parquet").unlink()
    for ask in (run.hard, run.items, lambda: run.gallery("hard"), lambda: run.iter_images("hard")):
        with refused("has no mining yet; run the same `hardset build` again"):
            ask()
    assert len(run.iter_images()) == 8
    with refused("the filter does not fit the table of items"):
        run.gallery(pl.col("hard"))


def test_a_run_follows_its_current_mining(copied: Path, program: Path) -> None:
    run = hardset.Run(copied)
    before = len(run.iter_images("hard"))
    assert len(run.gallery("hard")) > 0
    hardset.mine(run, surrogates=run.surrogates[:2], rule="at-least=1", progress=False)
    assert len(run.surrogates) == 2
    assert len(run.iter_images("hard")) == run.gallery("hard").of == run.hard().height > before


def test_a_release_has_its_rows_and_images(released: Path, quickstart: Path) -> None:
    release, run = hardset.Release(released), hardset.Run(quickstart)
    assert len(release) == release.items().height == release.record["images"]
    assert set(release.items()["item_id"]) <= set(run.hard()["item_id"])
    assert release.surrogates == run.surrogates
    item = release.items()["item_id"][0]
    assert release.image_bytes(item) == run.image_bytes(item)
    shipped = release.predictions().join(
        run.predictions(), on=["item_id", "scorer"], how="left", suffix="_run", maintain_order="left"
    )
    assert (shipped["top1_id"] == shipped["top1_id_run"]).all()
    assert (shipped["true_prob"] == shipped["true_prob_run"]).all()


def test_an_unverified_release_has_no_votes(released: Path, refused: Refused) -> None:
    release = hardset.Release(released)
    assert "unverified" in repr(release)
    assert release.questions == []
    with refused("is unverified: it has no votes"):
        release.votes()


def test_people_and_their_votes(judged: Path, verified: Path) -> None:
    run, release = hardset.Run(judged), hardset.Release(verified)
    counts = dict(run.verdicts().group_by("verdict").len().rows())
    assert counts == {"accept": run.hard().height - 1, "reject": 1}
    assert run.people().height == 4
    assert run.assignments()["counts"].all()
    assert run.agreement()["question"].to_list() == ["recognise", "use"]
    assert release.questions == ["recognise", "use"]
    votes = release.votes()
    assert set(votes["answer"]) == {"yes"}
    assert votes.height == release.tallies()["yes"].sum() == 4 * 2 * len(release)
    assert release.excluded()["reason"].to_list() != []
    counted = run.votes().filter("counts").join(release.items(), on="item_id", how="semi")
    assert counted.height == votes.height


def test_lost_data_files_are_noticed(verified: Path, tmp_path: Path, refused: Refused) -> None:
    part = tmp_path / "release"
    shutil.copytree(verified, part)
    record = part / "release.json"
    record.write_text(record.read_text().replace('"images": ', '"images": 1', 1))
    with refused("images of the form parquet, but release.json says 1"):
        hardset.Release(part).items()
    shutil.rmtree(part / "data")
    with refused(r"has no files of the form parquet \(data/"):
        hardset.Release(part)


@pytest.mark.parametrize(
    ("form", "file"), [("imagefolder", "metadata.jsonl"), ("webdataset", ".tar"), ("fiftyone", "labels.json")]
)
def test_a_form_that_is_cut_is_refused_by_name(
    form: str, file: str, verified: Path, tmp_path: Path, refused: Refused
) -> None:
    folder = Path(shutil.copytree(verified / form, tmp_path / "form [1]"))
    for cut in folder.glob(f"*{file}"):
        cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2 + 7])
    with refused(f"{re.escape(str(folder))}/.*{file}: "):
        hardset.Release(folder).items()


def test_a_table_is_found_in_a_folder_with_brackets(released: Path, tmp_path: Path) -> None:
    release = hardset.Release(shutil.copytree(released, tmp_path / "release [1]"))
    assert release.excluded().columns == hardset.Release(released).excluded().columns
    assert len(release) == len(hardset.Release(released))


@pytest.mark.parametrize("form", ["imagefolder", "webdataset", "fiftyone"])
def test_every_form_of_a_release_has_the_same_images(form: str, verified: Path) -> None:
    whole = hardset.Release(verified)
    for other in (hardset.Release(verified, form), hardset.Release(verified / form)):
        assert other.form == form
        assert other.items()["item_id"].to_list() == whole.items()["item_id"].to_list()
        assert other.items()["label"].to_list() == whole.items()["label"].to_list()
        item = whole.items()["item_id"][-1]
        assert other.image_bytes(item) == whole.image_bytes(item)
        if form != "fiftyone":
            assert sorted(other.surrogates) == sorted(whole.surrogates)
            assert other.votes().rows() == whole.votes().rows()
            assert other.items()["seed"].to_list() == whole.items()["seed"].to_list()


def test_an_evaluation_has_its_figures(evaluated: Path, refused: Refused) -> None:
    evaluation = hardset.Evaluation(evaluated)
    assert evaluation.targets == ["quick-clip", "quick-local", "quick-mixer", "quick-patches"]
    board = evaluation.leaderboard()
    assert board["target"].to_list() == board["target"].unique(maintain_order=True).to_list(), "each target once"
    assert board["target"].len() == len(evaluation.targets) + 4
    first = board.filter(pl.col("target") == "quick-clip")
    assert set(evaluation.leaderboard("masked")["space"]) == {"masked", "of the mining"}
    with refused("has no label space any; there are: any-of-ids, masked"):
        evaluation.leaderboard("any")
    assert evaluation.left_out().columns == ["path", "reason"]
    right = evaluation.predictions("quick-clip")["correct"]
    assert first["accuracy"][0] == pytest.approx(right.mean())
    assert evaluation.results().filter(pl.col("metric") == "accuracy")["target"].n_unique() >= 4
    assert evaluation.comparisons().height > 0
    assert evaluation.images().height == right.len()
    assert evaluation.figures("quick-clip")["target"]
    assert evaluation.page.is_file()
    with refused("has no target nobody; there are: quick-clip"):
        evaluation.predictions("nobody")
    with refused("is not an evaluation"):
        hardset.Evaluation(FIXTURES / "run")


def test_a_filter_is_an_expression_ids_or_hard(quickstart: Path) -> None:
    run = hardset.Run(quickstart)
    mugs = pl.col("category") == "mug"
    assert run.iter_images(mugs).item_ids == run.items().filter(mugs)["item_id"].to_list()
    assert run.iter_images([7, 3]).item_ids == [7, 3]
    assert run.iter_images(pl.Series([7, 3])).item_ids == [7, 3]
    assert len(run.iter_images("hard")) == run.hard().height
    assert len(run.iter_images()) == run.items().height
    assert run.iter_images(run.items()["hard"]).item_ids == run.hard()["item_id"].to_list()
    assert len(run.iter_images([])) == len(run.iter_images(pl.col("n_failed") > 9)) == 0


@pytest.mark.parametrize(
    ("filter", "words"),
    [
        ([-1], "there is no item -1 here"),
        ([2**70], "there is no item 1180591620717411303424 here"),
        ([1.5], "type Float64, or nulls; an item id is a whole number"),
        (["1"], "type String"),
        ([None], "nulls"),
        ([1, "a"], "write 'hard', a polars expression, or a list of item ids"),
        (7, "filter is 7; write 'hard'"),
        ([True, False], "has 2 booleans, but there are 8 items"),
        (pl.col("colour") == "red", "does not fit the table of items"),
        (pl.col("item_id"), "does not fit the table of items"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(filter: Any, words: str, small: hardset.Run, refused: Refused) -> None:
    with refused(words):
        small.iter_images(filter)


def test_a_gallery_shows_in_a_notebook_and_saves(quickstart: Path, tmp_path: Path, refused: Refused) -> None:
    gallery = hardset.Run(quickstart).gallery("hard", n=12)
    assert repr(gallery) == "Gallery(12 of 177 images)"
    page = gallery._repr_html_()
    assert page.count("data:image/png;base64,") == 12
    assert "4 of 4 fail" in page
    assert len({shown.caption.split(": ")[1] for shown in gallery.shown}) > 4, "neighbours in a plan look alike"
    assert gallery.save(tmp_path / "hard.html").read_text().startswith("<!doctype html>")
    with Image.open(gallery.save(tmp_path / "hard.png")) as sheet:
        assert sheet.width == 6 * (128 + 8) + 8
    with refused("is saved as .html"):
        gallery.save(tmp_path / "hard.pdf")


def test_captions_are_columns_or_a_function(small: hardset.Run, refused: Refused) -> None:
    assert small.gallery([1], captions="category").shown[0].caption == "mug"
    assert small.gallery([1], captions=["category", "failed_by"]).shown[0].caption == "mug\nfake-b"
    assert small.gallery([1], captions=lambda row: f"<{row['item_id']}>").shown[0].caption == "<1>"
    assert "&lt;1&gt;" in small.gallery([1], captions=lambda row: f"<{row['item_id']}>")._repr_html_()
    with refused("there is no column colour"):
        small.gallery([1], captions="colour")


def test_images_are_a_sequence_that_can_be_pickled(small: hardset.Run) -> None:
    images = small.iter_images("hard", transform=np.asarray)
    again = pickle.loads(pickle.dumps(images))
    assert len(again) == 8
    assert [item for _, item in again] == images.item_ids
    assert (again[-1][0] == images[7][0]).all()
    assert len(images[2:5]) == 3


def test_workers_of_torch_read_the_images(quickstart: Path) -> None:
    need_package("torch", "torchvision")
    data = importlib.import_module("torch.utils.data")
    cat = importlib.import_module("torch").cat
    to_tensor = importlib.import_module("torchvision.transforms.functional").to_tensor
    run = hardset.Run(quickstart)
    images = run.iter_images("hard", to_tensor)
    assert isinstance(images, data.Dataset)
    assert type(pickle.loads(pickle.dumps(images))) is type(images)
    loader = data.DataLoader(images, batch_size=50, num_workers=2)
    batches = list(loader)
    assert [len(items) for _, items in batches] == [50, 50, 50, 27]
    assert cat([items for _, items in batches]).tolist() == run.hard()["item_id"].to_list()
    assert batches[0][0].shape == (50, 3, 64, 64)
