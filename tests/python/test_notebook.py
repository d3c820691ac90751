"""The notebook of the documents runs from its first cell to its last on the quick start, and shows pictures."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path

import hardset
import pytest
from conftest import as_checkout, need_package

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "quickstart.ipynb"


@pytest.mark.usefixtures("program")
def test_the_notebook_runs_and_shows_pictures(
    quickstart: Path, released: Path, evaluated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_package("nbconvert", "ipykernel", "nbformat")
    nbformat, nbconvert = importlib.import_module("nbformat"), importlib.import_module("nbconvert")
    preprocessors = importlib.import_module("nbconvert.preprocessors")
    as_checkout(tmp_path)
    # The first cell builds, and so brings back the mining of the recipe.
    for folder in (quickstart, released, evaluated):
        shutil.copytree(folder, tmp_path / "runs" / folder.name)
    run = tmp_path / "runs" / quickstart.name
    hardset.mine(run, rule="at-least=1", progress=False)
    monkeypatch.setenv("HARDSET_QUICKSTART", str(run))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    preprocessors.ExecutePreprocessor(timeout=300, kernel_name="python3").preprocess(
        notebook, {"metadata": {"path": str(tmp_path)}}
    )
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output["output_type"] == "error"]
    pages = [output["data"].get("text/html", "") for output in outputs if "data" in output]
    galleries = [page.count("data:image/png;base64,") for page in pages if "hardset-gallery" in page]
    assert galleries == [18, 12, 6, 6, 12]
    progress = [page for page in pages if page.rstrip().endswith("</code>")]
    assert len(progress) == 2 and all("done" in page for page in progress), "of build and verify"
    page, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
    file = tmp_path / "quickstart.html"
    file.write_text(page, encoding="utf-8")
    if keep := os.environ.get("HARDSET_KEEP_NOTEBOOK"):
        shutil.copyfile(file, keep)
