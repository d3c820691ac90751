"""Pushing to the hub: the dry run shows every file, the card is checked, and an upload arrives whole.

A small server on this machine stands for the hub: what huggingface_hub asks of it is answered, and kept.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import FIXTURES, need_package
from hardset import push

MODULE = Path(push.__file__)
REPO = "/api/datasets/me/hard"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A release, with the files beside it that nobody means to publish."""
    copy = tmp_path / "release"
    shutil.copytree(FIXTURES / "release", copy)
    (copy / ".git").mkdir()
    (copy / ".git" / "config").write_text("secret")
    (copy / "data" / ".DS_Store").write_text("x")
    return copy


def published(folder: Path) -> dict[str, int]:
    files = [file for file in (FIXTURES / "release").rglob("*") if file.is_file()]
    return {file.relative_to(FIXTURES / "release").as_posix(): file.stat().st_size for file in files}


def test_a_dry_run_shows_every_file_and_needs_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert push.main([str(folder), "me/hard", "--dry-run"]) == 0
    said = capsys.readouterr().out
    shown = {}
    for line in said.splitlines():
        size, _, path = line.strip().partition("  ")
        if size.replace(",", "").isdigit():
            shown[path] = int(size.replace(",", ""))
    assert shown == published(folder)
    assert f"{len(shown)} files" in said
    assert "a dry run: nothing was pushed" in said
    assert "not checked: the hub's validator" in said


def test_the_lone_file_runs_without_any_package(folder: Path) -> None:
    command = [sys.executable, "-I", "-S", "-", str(folder), "me/hard", "--dry-run", "--format", "json"]
    done = subprocess.run(command, stdin=MODULE.open(), capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert {file["path"]: file["bytes"] for file in answer["files"]} == published(folder)
    assert answer["card"]["checked"] == []
    assert "needs huggingface_hub" in answer["card"]["not_checked"][0]
    without = [sys.executable, "-I", "-S", "-", str(folder), "me/hard"]
    done = subprocess.run(without, stdin=MODULE.open(), capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "pip install huggingface_hub" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("size_categories:\n- n<1K", "size_categories:\n- tiny", "size_categories has 'tiny'"),
        ("path: data/", "path: date/", "configs: no file of the folder is date/"),
        ("tags:\n", "tags: [1]\nother:\n", "tags has 1; write text"),
        ("license: ", "license: [\n", "metadata is not YAML"),
        ("---\n", "", "does not begin with metadata between two lines `---`"),
    ],
)
def test_a_card_that_is_wrong_is_refused(
    old: str, new: str, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_package("huggingface_hub")
    card = folder / "README.md"
    text = card.read_text()
    assert old in text
    card.write_text(text.replace(old, new, 1))
    assert push.main([str(folder), "me/hard", "--dry-run"]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing", "me/hard"], "nothing: is not a folder"),
        ([".", "hard"], "hard: is not a repository; write owner/name"),
        ([".", "https://huggingface.co/datasets/me/hard"], "is not a repository"),
    ],
)
def test_a_wrong_folder_or_repository_is_refused(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert push.main([*arguments, "--dry-run"]) == 2
    assert words in capsys.readouterr().err


def test_a_damaged_release_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data,) = (folder / "data").glob("*.parquet")
    data.write_bytes(data.read_bytes()[:-9])
    (folder / "excluded.csv").unlink()
    assert push.main([str(folder), "me/hard", "--dry-run"]) == 2
    said = capsys.readouterr().err
    assert "not as SHA256SUMS lists them" in said and data.name in said and "excluded.csv" in said
    sums = folder / "SHA256SUMS"
    sums.write_text("")
    assert push.main([str(folder), "me/hard", "--dry-run"]) == 2
    assert "not as SHA256SUMS lists them: CITATION.cff" in capsys.readouterr().err
    sums.write_bytes(b"\xff\xfe")
    assert push.main([str(folder), "me/hard", "--dry-run"]) == 2
    assert "SHA256SUMS: cannot be read" in capsys.readouterr().err
    sums.unlink()
    assert push.main([str(folder), "me/hard", "--dry-run"]) == 2
    assert "SHA256SUMS: is missing" in capsys.readouterr().err


def test_a_file_that_the_release_does_not_have_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data,) = (folder / "data").glob("*.parquet")
    shutil.copy(data, data.with_name("test-00001-of-00002.parquet"))
    assert push.main([str(folder), "me/hard", "--dry-run"]) == 2
    assert "not as SHA256SUMS lists them: data/test-00001-of-00002.parquet" in capsys.readouterr().err


def test_an_unfinished_release_or_one_without_a_card_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "README.md").unlink()
    assert push.main([str(folder), "me/hard", "--dry-run"]) == 2
    assert "README.md: is missing" in capsys.readouterr().err
    draft = folder.rename(folder.with_name("release.unfinished"))
    assert push.main([str(draft), "me/hard", "--dry-run"]) == 2
    assert "is unfinished" in capsys.readouterr().err


class Hub(ThreadingHTTPServer):
    """What stands for the hub."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {".gitattributes": b"x"}
        self.asked: list[str] = []
        self.tokens: set[str | None] = set()
        self.created: dict[str, Any] = {}
        self.message = ""
        self.card_errors: list[str] = []
        self.loses: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, lines: str) -> None:
        for line in map(json.loads, lines.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                self.message = value["summary"]
            elif line["key"] == "file" and value["path"] not in self.loses:
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del self.files[value["path"]]


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def answer(self, value: Any, code: int = 200) -> None:
        data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def heard(self) -> str:
        self.server.asked.append(f"{self.command} {self.path.partition('?')[0]}")
        self.server.tokens.add(self.headers.get("Authorization"))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()

    def do_GET(self) -> None:
        self.heard()
        hub = self.server
        path = self.path.partition("?")[0]
        if path.startswith(f"{REPO}/tree/"):
            self.answer([{"type": "file", "path": p, "size": len(d), "oid": "0" * 40} for p, d in hub.files.items()])
        elif path.startswith(REPO):
            siblings = [{"rfilename": name} for name in hub.files]
            self.answer({"id": "me/hard", "sha": "1" * 40, "siblings": siblings, "private": False, "tags": []})
        elif path == "/api/whoami-v2":
            self.answer({"name": "me", "type": "user", "orgs": []})
        else:
            self.answer({"error": "not found"}, 404)

    def do_POST(self) -> None:
        body = self.heard()
        hub = self.server
        path = self.path.partition("?")[0]
        if path == "/api/validate-yaml":
            assert json.loads(body)["repoType"] == "dataset"
            self.answer("; ".join(hub.card_errors) or "{}", 400 if hub.card_errors else 200)
        elif path == "/api/repos/create":
            hub.created = json.loads(body)
            self.answer({"url": f"{hub.url}/datasets/me/hard", "name": "me/hard", "id": "me/hard"})
        elif path.startswith(f"{REPO}/branch/"):
            self.answer({})
        elif path.startswith(f"{REPO}/preupload/"):
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            self.answer({"files": files})
        elif path.startswith(f"{REPO}/commit/"):
            hub.commit(body)
            self.answer({"success": True, "commitUrl": f"{hub.url}/datasets/me/hard/commit/2", "commitOid": "2" * 40})
        else:
            self.answer({"error": "not found"}, 404)


@pytest.fixture
def hub() -> Iterator[Hub]:
    need_package("huggingface_hub")
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def pushed(hub: Hub, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The library reads its address when it is imported, so that each push is a process of its own.
    environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_test", "HF_HUB_DISABLE_TELEMETRY": "1", "PATH": ""}
    return subprocess.run(
        [sys.executable, str(MODULE), *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_an_upload_arrives_whole_in_one_commit(folder: Path, hub: Hub) -> None:
    done = pushed(hub, str(folder), "me/hard", "--private")
    assert done.returncode == 0, done.stderr
    assert {path: len(data) for path, data in hub.files.items() if path != ".gitattributes"} == published(folder)
    assert hub.files["README.md"] == (folder / "README.md").read_bytes()
    assert hub.created["type"] == "dataset"
    assert hub.created.get("private") is True or hub.created.get("visibility") == "private"
    assert [one for one in hub.asked if "/commit/" in one] == [f"POST {REPO}/commit/main"]
    assert hub.message == "small 1.0.0, pushed by hardset"
    assert hub.asked[0] == "POST /api/validate-yaml", "the card is checked before anything is made"
    assert "checked by huggingface_hub.DatasetCardData" in done.stdout
    assert "the hub's validator" in done.stdout
    assert "/datasets/me/hard/commit/2" in done.stdout


def test_a_card_that_the_hub_refuses_makes_no_repository(folder: Path, hub: Hub) -> None:
    hub.card_errors = ['"license" must be one of [mit]']
    done = pushed(hub, str(folder), "me/hard")
    assert done.returncode == 2
    assert "the hub's validator refuses it" in done.stderr
    assert '"license" must be one of [mit]' in done.stderr
    assert hub.created == {}


def test_a_file_of_another_version_stays_unless_it_is_to_be_replaced(folder: Path, hub: Hub) -> None:
    hub.files["data/test-00000-of-00009.parquet"] = b"old"
    done = pushed(hub, str(folder), "me/hard")
    assert done.returncode == 2
    assert "has 1 file(s) that the folder does not have: data/test-00000-of-00009.parquet" in done.stderr
    assert len(hub.files) == 2
    done = pushed(hub, str(folder), "me/hard", "--replace", "--revision", "v2")
    assert done.returncode == 0, done.stderr
    assert "data/test-00000-of-00009.parquet" not in hub.files
    assert f"POST {REPO}/branch/v2" in hub.asked
    assert f"POST {REPO}/commit/v2" in hub.asked


def test_a_file_that_does_not_arrive_is_noticed(folder: Path, hub: Hub) -> None:
    hub.loses = {"release.json"}
    done = pushed(hub, str(folder), "me/hard")
    assert done.returncode == 4
    assert "1 file(s) did not arrive whole: release.json; push again" in done.stderr


def test_without_a_network_or_a_login_nothing_is_lost(folder: Path, hub: Hub, tmp_path: Path) -> None:
    hub.shutdown()
    hub.server_close()
    done = pushed(hub, str(folder), "me/hard")
    assert done.returncode == 4
    assert "error: the hub did not take it" in done.stderr
    environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "PATH": "", "HOME": str(tmp_path)}
    command = [sys.executable, str(MODULE), str(folder), "me/hard"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "there is no login for the hub: run `hf auth login`, or set HF_TOKEN" in done.stderr
