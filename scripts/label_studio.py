#!/usr/bin/env python3
"""Takes task sheets through a real Label Studio and back.

Usage: label_studio.py HARDSET RUN [LABEL_STUDIO]     (pip install label-studio==1.23.2; RUN: a mined run that nobody else uses)

Exports the run's sheets, starts Label Studio on SQLite in a temporary folder, makes a project with our configuration, imports
our tasks, looks at an image as a browser would, labels every task of one sheet as two people over the API, exports the
annotations as JSON, and has `annotate collect` read them. Prints what came back; exit code 1 if anything is missing.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

TOKEN = "0123456789abcdef0123456789abcdef01234567"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Api:
    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"

    def __call__(self, method, path, body=None, raw=False):
        headers = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.code} {error.read()[:2000]!r}")
        return content if raw else json.loads(content or b"null")

    def alive(self):
        try:
            urllib.request.urlopen(self.base + "/health", timeout=5)
            return True
        except OSError:
            return False


def main():
    hardset, run = sys.argv[1:3]
    program = sys.argv[3] if len(sys.argv) > 3 else "label-studio"
    work = Path(tempfile.mkdtemp())
    out = work / "sheets"
    subprocess.check_call([hardset, "annotate", "export", run, "--to", "label-studio", "--out", str(out), "-q"])
    port = free_port()
    environment = dict(
        os.environ,
        LABEL_STUDIO_BASE_DATA_DIR=str(work / "data"),
        LABEL_STUDIO_USERNAME="owner@example.org",
        LABEL_STUDIO_PASSWORD="secret-of-a-test",
        LABEL_STUDIO_USER_TOKEN=TOKEN,
        LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN="true",
        LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED="true",
        LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=str(work),
        COLLECT_ANALYTICS="false",
        DJANGO_DB="sqlite",
    )
    begun = time.time()
    log = open(work / "log", "w")
    server = subprocess.Popen([program, "start", "--no-browser", "--port", str(port)], env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        api = Api(port)
        while not api.alive():
            if server.poll() is not None or time.time() - begun > 300:
                sys.exit(f"Label Studio does not start; see {work / 'log'}")
            time.sleep(1)
        print(f"started in {time.time() - begun:.0f} s")
        go(api, hardset, run, out)
    finally:
        os.killpg(server.pid, 15)


def go(api, hardset, run, out):
    config = (out / "config.xml").read_text()
    project = api("POST", "/api/projects", {"title": "sheets", "label_config": config, "maximum_annotations": 2})
    api("POST", "/api/storages/localfiles", {"project": project["id"], "path": str(out), "title": "images", "use_blob_urls": False})
    tasks = json.loads((out / "tasks.json").read_text())
    imported = api("POST", f"/api/projects/{project['id']}/import", tasks)
    print(f"{imported['task_count']} tasks imported of {len(tasks)}")
    there = api("GET", f"/api/tasks?project={project['id']}&page_size=1000&fields=all")["tasks"]
    image = api("GET", there[0]["data"]["image"], raw=True)
    name = there[0]["data"]["task"]
    shown = image == next(out.glob(f"images/*/{name}.jpg")).read_bytes()
    print(f"an image of {len(image)} bytes is shown" + ("" if shown else ", but it is another one"))
    batch = tasks[0]["data"]["batch"]
    sheet = [task for task in there if task["data"]["batch"] == batch]
    questions = [key.removeprefix("question_") for key in tasks[0]["data"] if key.startswith("question_")]
    for task in sheet:
        result = [
            {"from_name": question, "to_name": "image", "type": "choices", "value": {"choices": [("yes", "no", "not_sure")[(task["id"] + i) % 3]]}}
            for i, question in enumerate(questions)
        ]
        api("POST", f"/api/tasks/{task['id']}/annotations", {"result": result, "lead_time": 3.0})
    api("POST", f"/api/tasks/{sheet[0]['id']}/annotations", {"result": [], "was_cancelled": True})
    exported = api("GET", f"/api/projects/{project['id']}/export?exportType=JSON", raw=True)
    small = api("GET", f"/api/projects/{project['id']}/export?exportType=JSON_MIN", raw=True)
    files = [out.parent / "export.json", out.parent / "export-min.json"]
    files[0].write_bytes(exported)
    files[1].write_bytes(small)
    found = []
    for file in files:
        call = subprocess.run([hardset, "annotate", "collect", run, str(file), "--format", "json", "-q"], capture_output=True, text=True)
        said = json.loads(call.stdout)
        found.append(said)
        print(f"{file.name}: exit code {call.returncode}, {said['inputs'][0]}, {said['answers']} answers in all, reasons {said['reasons']}")
    wanted = len(sheet) * len(questions)
    good = found[0]["inputs"][0]["rows"] - found[0]["inputs"][0]["problems"]
    print(f"{good} of {wanted} answers came back")
    if not shown or good != wanted or imported["task_count"] != len(tasks):
        sys.exit(1)


if __name__ == "__main__":
    main()
