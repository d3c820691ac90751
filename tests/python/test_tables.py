"""Runs, releases and evaluations: the tables are those on disk, and the images those of the items."""

from __future__ import annotations

import importlib
import io
import pickle
import re
import shutil
import sys
import tarfile
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
        with refused("has no mining yet; run `hardset build`"):
            ask()
    assert len(run.iter_images()) == 8
    with refused("the filter does not fit the table of items"):
        run.gallery(pl.col("hard"))


def test_a_run_with_lost_or_unmade_shards_warns(copied: Path, refused: Refused) -> None:
    run = hardset.Run(copied)
    last = sorted(run.path.glob("images/000/*.json"))[-1]
    item = int(run.images()["item_id"][-1])
    record = last.read_text()
    last.unlink()
    with pytest.warns(hardset.PartOnly, match="has the images of 11 of 12 shards: .*hardset status"):
        assert run.images().height == 704
    for ask in (lambda: run.image(item), lambda: run.iter_images([item])):
        with pytest.warns(hardset.PartOnly), refused(f"item {item} has no image; see dropped"):
            ask()
    last.write_text(record)
    assert run.image(item).size == (64, 64)
    sorted(run.path.glob("predictions/quick-plain/000/*.json"))[0].unlink()
    with pytest.warns(hardset.PartOnly, match="has the predictions of quick-plain of 11 of 12 shards") as caught:
        assert run.predictions("quick-plain").height == 680
    assert Path(caught[0].filename).name == "test_tables.py"
    (run.path / "plan.json").write_text("{}")
    with refused("plan.json: is not the record of a plan"):
        run.images()


def test_a_run_stays_where_it_is(small: hardset.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.path.parent)
    run, release = hardset.Run("run"), hardset.Release("release")
    monkeypatch.chdir(tmp_path)
    assert run.items().equals(small.items())
    item = release.items()["item_id"][0]
    assert release.image_bytes(item) == small.image_bytes(item)


def test_a_run_that_is_gone_is_said(small: hardset.Run, tmp_path: Path, refused: Refused) -> None:
    run = hardset.Run(shutil.copytree(small.path, tmp_path / "run"))
    shutil.rmtree(run.path)
    for ask in (run.items, run.images, run.plan, run.predictions, run.votes):
        with refused("is no run any more, because it has no spec.toml; there is no such folder"):
            ask()


@pytest.mark.parametrize("item", [1.5, True, "3", None, np.float64(2.7)])
def test_an_id_is_a_whole_number(item: Any, small: hardset.Run, refused: Refused) -> None:
    with refused("is not the id of an item; write a whole number"):
        small.image(item)
    with refused("is not the id of an item; write a whole number"):
        hardset.Release(FIXTURES / "release").image_bytes(item)
    assert small.image_bytes(np.uint32(1)) == small.image_bytes(1.0) == small.image_bytes(1)  # type: ignore[arg-type]


def test_booleans_of_pandas_are_in_the_order_of_their_index(quickstart: Path, refused: Refused) -> None:
    need_package("pandas", "pyarrow")
    run = hardset.Run(quickstart)
    table = run.items(as_="pandas").sort_values("n_failed", kind="stable")
    for kind in (bool, "boolean", "bool[pyarrow]", object):
        assert run.iter_images(table["hard"].astype(kind)).item_ids == run.hard()["item_id"].to_list()
    with refused("filter is a table; give its ids"):
        run.iter_images(table[table["hard"]])
    with refused("filter has an index that is not 0 to 743"):
        run.iter_images(table.set_index("category")["hard"])


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


def test_a_form_of_which_images_are_missing_is_refused(verified: Path, tmp_path: Path, refused: Refused) -> None:
    forms = {form: Path(shutil.copytree(verified / form, tmp_path / form)) for form in ("imagefolder", "fiftyone")}
    lines = (forms["imagefolder"] / "metadata.jsonl").read_text().splitlines(keepends=True)
    (forms["imagefolder"] / "metadata.jsonl").write_text("".join(lines[:-2]))
    with refused("2 images are missing, or are in the folder and not in this list"):
        hardset.Release(forms["imagefolder"]).items()
    first = min((forms["fiftyone"] / "data").iterdir())
    first.unlink()
    with refused(f"1 images are missing, or have no label, such as {first.stem}"):
        hardset.Release(forms["fiftyone"]).items()


def test_one_file_of_several_or_half_a_tar_is_refused(verified: Path, tmp_path: Path, refused: Refused) -> None:
    (tar,) = (verified / "webdataset").glob("*.tar")
    one = tmp_path / "test-00000-of-00003.tar"
    shutil.copy(tar, one)
    with refused("has 1 files of 3; copy the others too"):
        hardset.Release(tmp_path).items()
    with tarfile.open(tar) as members:
        third = members.getmembers()[3].offset
    (tmp_path / tar.name).write_bytes(tar.read_bytes()[:third])
    one.unlink()
    shutil.copy(tar, tmp_path / f"._{tar.name}")
    with refused("has no end, because a copy was cut; copy it again"):
        hardset.Release(tmp_path).items()
    (data,) = (verified / "data").glob("*.parquet")
    (tmp_path / "alone" / "data").mkdir(parents=True)
    shutil.copy(data, tmp_path / "alone" / "data" / "test-00001-of-00002.parquet")
    with refused("has 1 files of 2; copy the others too"):
        hardset.Release(tmp_path / "alone").items()
    shutil.copy(data, tmp_path / "alone" / "data" / "test-00000-of-00001.parquet")
    with refused("has 2 files of 1 or 2: those of two releases; keep one of them"):
        hardset.Release(tmp_path / "alone").items()


def test_columns_of_lists_have_their_types_whatever_is_in_them(released: Path, evaluated: Path) -> None:
    release = hardset.Release(released)
    for frame in (release.excluded(), release.excluded().clear()):
        assert frame.schema["item_id"] == pl.UInt32
    assert release.excluded().join(release.items(), on="item_id").height == 0
    assert release.near_duplicates().schema["excluded"] == pl.Boolean
    board = hardset.Evaluation(evaluated).leaderboard()
    text = {"space", "target", "kind", "class_space", "method", "objects_method", "weights_sha256"}
    assert {name for name, kind in board.schema.items() if kind == pl.String} == text


@pytest.mark.parametrize("form", ["imagefolder", "webdataset", "fiftyone"])
def test_every_form_of_a_release_has_the_same_images(form: str, verified: Path) -> None:
    whole = hardset.Release(verified)
    for other in (hardset.Release(verified, form), hardset.Release(verified / form)):
        assert other.form == form
        assert other.items()["item_id"].to_list() == whole.items()["item_id"].to_list()
        assert other.items()["label"].to_list() == whole.items()["label"].to_list()
        item = whole.items()["item_id"][-1]
        assert other.image_bytes(item) == whole.image_bytes(item)
        if form == "fiftyone":
            assert "class_name" in other.items().columns
            with pytest.raises(hardset.BadInput, match="has no votes"):
                other.votes()
        else:
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
        (b"hard", "filter is b'hard'; write 'hard'"),
        (pl.DataFrame({"item_id": [1]}), "filter is a table; give its ids"),
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


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_of_torch_read_the_images_of_a_release(context: str, released: Path, refused: Refused) -> None:
    need_package("torch", "torchvision", "pyarrow")
    data = importlib.import_module("torch.utils.data")
    to_tensor = importlib.import_module("torchvision.transforms.functional").to_tensor
    release = hardset.Release(released)
    images = release.iter_images(transform=to_tensor)
    loader = data.DataLoader(images, batch_size=50, num_workers=2, multiprocessing_context=context, timeout=60)
    found = {int(item): image for batch, items in loader for image, item in zip(batch, items, strict=True)}
    assert list(found) == release.items()["item_id"].to_list()
    assert all((found[item] == image).all() for image, item in images)


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
