"""What all stages share: where work lies, how many steps, the loss curve, pixels as numbers."""

import argparse
import csv
import os
import time
from pathlib import Path

import numpy as np
import torch


def arguments(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--work", type=Path, default=Path("/tmp/quick-work"), help="pictures, checkpoints and curves")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the steps and pictures")
    parser.add_argument("--threads", type=int, default=int(os.environ.get("THREADS", "2")))
    parser.add_argument("--seed", type=int, default=0)
    return parser


def begin(options):
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.work.mkdir(parents=True, exist_ok=True)
    return np.random.default_rng(options.seed)


def numbers(pixels: np.ndarray) -> torch.Tensor:
    """[n, 64, 64, 3] u8 to [n, 3, 64, 64] f32 in -1 to 1."""
    return torch.from_numpy(np.array(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def cosine(step: int, steps: int, warm: int) -> float:
    """Share of the learning rate: up over `warm` steps, then down to a fiftieth along a cosine."""
    if step < warm:
        return (step + 1) / warm
    share = min(1.0, (step - warm) / max(1, steps - warm))
    return float(0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * share)))


def trapezoid(step: int, steps: int, warm: int) -> float:
    """Share of the learning rate: up over `warm` steps, level, and down over the last 30 % of `steps`.

    A run that is resumed with more steps goes on as if they had been asked for from the start.
    """
    if step < warm:
        return (step + 1) / warm
    share = max(0.0, (step - 0.7 * steps) / (0.3 * steps))
    return float(0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * min(1.0, share))))


class Curve:
    """<work>/<name>.csv: step, seconds, and means of what was noted since the last row, every 50 steps of a full training."""

    def __init__(self, options, name: str, start: float = 0):
        self.path, self.every = options.work / f"{name}.csv", max(5, int(50 * options.scale))
        self.sums, self.count, self.start = {}, 0, time.time()
        if self.path.exists():
            # What came after the checkpoint from which training goes on is made again.
            lines = [line.split(",") for line in self.path.read_text().splitlines()]
            # A row that a kill cut short is none.
            rows = [row for row in lines[1:] if len(row) == len(lines[0]) and int(row[0]) <= start]
            self.path.unlink()
            if rows:
                self.path.write_text("\n".join(",".join(row) for row in [lines[0], *rows]) + "\n")
                self.start -= float(rows[-1][1])

    def note(self, step: int, **values):
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach() if hasattr(value, "detach") else value)
        self.count += 1
        if (step + 1) % self.every:
            return
        row = {"step": step + 1, "seconds": round(time.time() - self.start, 1)}
        row |= {name: f"{total / self.count:.5f}" for name, total in self.sums.items()}
        new = not self.path.exists()
        with open(self.path, "a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(row, flush=True)
        self.sums, self.count = {}, 0


def save(path: Path, state: dict):
    """Whole or not at all."""
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
