#!/usr/bin/env python3
"""Two people fill in sheets in a real browser while the server is killed with SIGKILL; not an answer may be lost or doubled.

Usage: NODE_PATH=… annotation_journey.py HARDSET RUN     (RUN: a mined run that nobody else uses; needs node and Chromium)

Starts `annotate serve`, lets tests/annotation_server.mjs answer, kills the server in the middle of the first sheet, lets
everybody answer one image more without a server, starts it again on the same port, and compares what people answered with
what the database holds, and with what `annotate collect` reads.
"""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEOPLE = ["ada", "grace"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def serve(hardset, run, port):
    command = [hardset, "annotate", "serve", run, "--port", str(port), "--people", ",".join(PEOPLE), "--format", "json", "-q"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return server, json.loads(server.stdout.readline())


def wait_for(what, seconds=120):
    end = time.time() + seconds
    while not what():
        if time.time() > end:
            sys.exit("it takes too long")
        time.sleep(0.1)


def main():
    hardset, run = sys.argv[1:3]
    port = free_port()
    server, said = serve(hardset, run, port)
    links = [person["link"] for person in said["people"] if person["name"] in PEOPLE]
    pause = Path(tempfile.mkdtemp()) / "pause"
    environment = dict(os.environ, PAUSE_FILE=str(pause), OWNER=said["owner"])
    browser = subprocess.Popen(
        ["node", str(HERE.parent / "tests/annotation_server.mjs"), *links], stdout=subprocess.PIPE, text=True, env=environment
    )
    wait_for(lambda: pause.exists() or browser.poll() is not None)
    server.kill()
    server.wait()
    pause.write_text("down")
    wait_for(lambda: pause.read_text() == "downanswered" or "answered" in pause.read_text() or browser.poll() is not None)
    server, _ = serve(hardset, run, port)
    pause.unlink()
    out, _ = browser.communicate(timeout=300)
    if browser.returncode != 0:
        sys.exit(f"the browser failed with {browser.returncode}")
    answered = {(a["person"], a["batch"], a["task"], a["question"]): a["answer"] for a in json.loads(out)}
    server.kill()
    server.wait()
    rows = sqlite3.connect(Path(run) / "answers/server.sqlite").execute("SELECT person, batch, task, question, answer FROM answers").fetchall()
    kept = {tuple(row[:4]): row[4] for row in rows}
    collected = json.loads(subprocess.check_output([hardset, "annotate", "collect", run, "--format", "json", "-q"]))
    lost = len(answered.keys() - kept.keys())
    other = sum(kept.get(key) != answer for key, answer in answered.items())
    print(f"{len(answered)} answers of {len(PEOPLE)} people, {len(rows)} rows in the database, {collected['answers']} collected: {lost} lost, {other - lost} changed, {len(rows) - len(kept)} doubled, {len(kept.keys() - answered.keys())} of nobody")
    if kept != answered or collected["answers"] != len(answered):
        sys.exit(1)


if __name__ == "__main__":
    main()
