#!/bin/sh
# Trains everything again, from pictures that it renders itself: autoencoder, denoiser and text encoder, seven classifiers
# (two of which only ever are targets), the judge and a CLIP; writes ./quick-diffusion, ./surrogates, ./judge and ./quick-clip. Needs cargo and Python with requirements.txt.
#   sh train.sh                                  all of it, some hours on 2 cores
#   sh train.sh --scale 0.1 --out /tmp/out       a tenth of the steps: loss falls, files load, images are poor
# WORK (default /tmp/quick-work) keeps pictures, checkpoints and curves; a stage that was stopped goes on from there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-/tmp/quick-work}
python=${PYTHON:-python3}
scale=1.0
out=$here
while [ $# -gt 0 ]; do
    case $1 in
        --scale) scale=$2; shift 2 ;;
        --out) out=$2; shift 2 ;;
        *) echo "usage: train.sh [--scale SHARE] [--out DIR]" >&2; exit 2 ;;
    esac
done
mkdir -p "$work"
[ -s "$work/scale" ] || echo "$scale" > "$work/scale"
if [ "$(cat "$work/scale")" != "$scale" ]; then
    echo "$work is of a training with --scale $(cat "$work/scale"): set WORK to another folder" >&2
    exit 2
fi
stage() {
    name=$1
    shift
    "$python" "$here/train/$name.py" --work "$work" --scale "$scale" "$@"
}
stage vae
stage vae --refine 7500
stage diffusion --threads 1
stage classifiers
"$python" "$here/train/export.py" --work "$work" --out "$out"
stage clip --out "$out"
