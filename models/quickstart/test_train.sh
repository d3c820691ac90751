#!/bin/sh
# Trains from nothing at a tenth of the steps and checks that every loss goes down and that the program makes, mines and
# reports images with the files that come out. Some 20 minutes of processor time; not part of CI.
#   sh models/quickstart/test_train.sh [PROGRAM]        PROGRAM: hardset, else `cargo run --release --`
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
WORK="$scratch/work" sh "$here/train.sh" --scale 0.1 --out "$scratch/out"

"${PYTHON:-python3}" - "$scratch/work" <<'END'
import csv, pathlib, sys
curves = sorted(pathlib.Path(sys.argv[1]).glob("*.csv"))
assert len(curves) == 12, curves
for path in curves:
    rows = list(csv.DictReader(open(path)))
    name = "loss" if "loss" in rows[0] else "pixels"
    first, last = float(rows[0][name]), float(rows[-1][name])
    print(f"{path.stem}: {name} {first:.3f} -> {last:.3f} in {rows[-1]['step']} steps")
    assert last < first, path
END

surrogate() { printf "'%s/out/surrogates/quick-%s.toml'" "$scratch" "$1"; }
surrogates="[$(surrogate plain), $(surrogate residual), $(surrogate depthwise), $(surrogate attention)]"
${1:-cargo run --release --} build pipelines/quickstart.toml --run-dir "$scratch/run" \
    --set generate.model="$scratch/out/quick-diffusion" --set generate.pairs_per_category=4 \
    --set mine.surrogates="$surrogates" --set mine.targets="[$(surrogate mixer)]" \
    --set evaluate.targets="[$(surrogate patches), $(surrogate local)]"
${1:-cargo run --release --} verify "$scratch/run"
echo "trained, loaded, mined: all is well"
