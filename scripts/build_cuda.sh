#!/usr/bin/env bash
# Builds hardset with the feature `cuda` on a machine without a GPU and without a CUDA toolkit.
#
# Where a CUDA 13 toolkit with cuDNN 9 is installed and nvcc is on the PATH, this script is not needed:
#
#     cargo build --release --features cuda
#
# is the whole of it. The script only makes such a toolkit, of NVIDIA's wheels on PyPI, outside the checkout
# ($HARDSET_CUDA, else ~/.cache/hardset-cuda: 2 GB), and then runs that same line. It takes nvcc from the PATH or from
# $CUDA_HOME where there is one.
#
# CUDA_COMPUTE_CAP says for which GPUs: 90 (the default) makes kernels for Hopper alone, 80 for every GPU from Ampere on,
# compiled by the driver at first use. The target directory is $CARGO_TARGET_DIR, else ~/.cache/hardset-build-cuda.
set -euo pipefail
cd "$(dirname "$0")/.."

cache="${XDG_CACHE_HOME:-$HOME/.cache}"
toolkit="${HARDSET_CUDA:-$cache/hardset-cuda}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/hardset-build-cuda}"
# Without it the build asks nvidia-smi, which is not here.
export CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-90}"

# One CUDA for the compiler and the libraries. cuDNN's minor version is that of the bindings in cudarc.
wheels=(
  'nvidia-cuda-nvcc==13.0.*'
  'nvidia-cuda-crt==13.0.*'
  'nvidia-nvvm==13.0.*'
  'nvidia-cuda-runtime==13.0.*'
  'nvidia-cuda-cccl==13.0.*'
  'nvidia-cuda-nvrtc==13.0.*'
  'nvidia-cublas==13.0.*'
  'nvidia-curand==10.4.0.*'
  'nvidia-cudnn-cu13==9.21.*'
)

section() { printf '\n==== %s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 4; }
have() { command -v "$1" >/dev/null 2>&1; }

# Unpacks the wheels once: the stamp names what was asked for, and is written last.
unpack() {
  if [ "$(cat "$toolkit/wheels.txt" 2>/dev/null)" = "${wheels[*]}" ]; then
    echo "already in $toolkit"
    return
  fi
  python3 -m pip --version >/dev/null 2>&1 || fail "there is no pip; install python3-pip"
  rm -rf "$toolkit/nvidia" "$toolkit"/nvidia_*
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps \
    --target "$toolkit" "${wheels[@]}"
  echo "${wheels[*]}" >"$toolkit/wheels.txt"
}

# Makes of the wheels' folder what a toolkit's looks like.
lay_out() {
  local lib="$CUDA_HOME/lib" library name
  ln -sfn lib "$CUDA_HOME/lib64"
  # Wheels bring libcublas.so.13 alone; the linker looks for libcublas.so.
  for library in "$lib"/lib*.so.* "$CUDA_HOME"/../cudnn/lib/lib*.so.*; do
    name="$(basename "$library")"
    ln -sfn "$(realpath --relative-to "$lib" "$library")" "$lib/${name%.so.*}.so"
  done
  # The runtime goes into the program, so that the program starts where there is no CUDA.
  ln -sfn libcudart_static.a "$lib/libcudart.a"
  rm -f "$lib/libcudart.so"
  # libcuda comes with a GPU's driver. A toolkit has a stub to link with: the functions of cuda.h, all empty.
  mkdir -p "$lib/stubs"
  grep -oE '\bcu[A-Z][A-Za-z0-9_]*' "$CUDA_HOME/include/cuda.h" | sort -u |
    sed 's/.*/void &(void) {}/' |
    cc -shared -fPIC -w -fno-builtin -Wl,-soname,libcuda.so.1 -x c -o "$lib/stubs/libcuda.so" -
}

have cargo || { [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"; }
have cargo || fail "there is no cargo; install Rust first"
have cc || fail "there is no C compiler; install build-essential"

section "CUDA toolkit"
mkdir -p "$toolkit"
if [ -n "${CUDA_HOME:-}" ] && [ -x "$CUDA_HOME/bin/nvcc" ]; then
  export PATH="$CUDA_HOME/bin:$PATH"
  echo "CUDA_HOME is $CUDA_HOME"
elif have nvcc; then
  echo "nvcc is $(command -v nvcc)"
else
  unpack
  export CUDA_HOME="$toolkit/nvidia/cu13"
  export PATH="$CUDA_HOME/bin:$PATH"
  lay_out
  echo "CUDA_HOME is $CUDA_HOME"
fi
nvcc --version | sed -n 's/^Cuda compilation tools, //p'

# candle has cudarc linked to the CUDA libraries, and a program linked so does not start where one is missing. cudarc can
# open them when they are first called instead; its build script forbids to ask for both, its code does not mind.
cat >"$toolkit/rustc" <<'END'
#!/bin/sh
case " $* " in *" --crate-name cudarc "*) exec "$@" --cfg 'feature="dynamic-loading"' ;; esac
exec "$@"
END
chmod +x "$toolkit/rustc"
export RUSTC_WRAPPER="$toolkit/rustc"

section "cargo build --release --features cuda"
cargo build --release --features cuda
