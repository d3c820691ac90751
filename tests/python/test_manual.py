"""The examples of docs/python.md run as they are, on a copy of the quick start."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from conftest import need_package
from PIL import Image

ROOT = Path(__file__).parents[2]


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)


def test_the_examples_of_the_manual_run(
    quickstart: Path, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    need_package("torch", "torchvision")
    for folder in ("pipelines", "models", "nuisances", "categories"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    shutil.copytree(quickstart, tmp_path / "runs" / "quickstart")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Image.Image, "show", lambda image: None)
    first, second = blocks("python.md")
    names: dict[str, object] = {}
    exec(compile(first, "python.md", "exec"), names)
    said = capsys.readouterr().out
    assert said.rstrip().endswith("[]")
    assert "quick-mixer" in said
    assert (tmp_path / "beach.html").read_text().count("<figure") > 3
    # A test has no time for four processes.
    exec(compile(second.replace("num_workers=4", "num_workers=0"), "python.md", "exec"), names)
    assert names["batch"].shape[1:] == (3, 224, 224)  # type: ignore[attr-defined]
