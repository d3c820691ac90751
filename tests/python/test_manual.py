"""The examples of docs/python.md run as they are, on a copy of the quick start."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from conftest import ROOT, as_checkout, need_package
from PIL import Image


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)


def test_the_examples_of_the_manual_run(
    quickstart: Path, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    need_package("torch", "torchvision")
    as_checkout(tmp_path)
    shutil.copytree(quickstart, tmp_path / "runs" / "quickstart")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Image.Image, "show", lambda image: None)
    first, second = blocks("python.md")
    names: dict[str, object] = {}
    # The environment of the tests need not have the wheel.
    wheel = 'Path(sys.prefix, "share/hardset/models/quickstart")'
    assert wheel in first
    first = first.replace(wheel, 'Path("models/quickstart")')
    exec(compile(first, "python.md", "exec"), names)
    said = capsys.readouterr().out
    assert said.rstrip().endswith("[]")
    assert "quick-mixer" in said
    assert (tmp_path / "beach.html").read_text().count("<figure") > 3
    # A test has no time for four processes.
    exec(compile(second.replace("num_workers=4", "num_workers=0"), "python.md", "exec"), names)
    assert names["batch"].shape[1:] == (3, 224, 224)  # type: ignore[attr-defined]
