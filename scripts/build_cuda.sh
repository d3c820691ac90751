#!/usr/bin/env bash
# Builds hardset with the feature `cuda` on a machine without a GPU and without a CUDA toolkit.
#
# Where a CUDA 13 toolkit and cuDNN 9 are installed, nvcc is on the PATH and nvidia-smi shows a GPU, this is enough:
#
#     cargo build --release --features cuda
#
# Here nvcc and the libraries come as NVIDIA's wheels from PyPI, into a folder outside the checkout ($HARDSET_CUDA, else
# ~/.cache/hardset-cuda; 2 GB), which is made to look like a toolkit. An nvcc on the PATH or in $CUDA_HOME goes first.
# The program of this script also starts where there is no CUDA, and works there on the CPU. That of the line above is
# linked to CUDA's libraries and does not start where the driver or one of them is missing.
#
# CUDA_COMPUTE_CAP says for which GPUs: 90 (the default) is for Hopper alone; 80 for all from Ampere on, whose driver
# then compiles the kernels at first use. The target directory is $CARGO_TARGET_DIR, else ~/.cache/hardset-build-cuda.
set -euo pipefail

cache="${XDG_CACHE_HOME:-$HOME/.cache}"
toolkit="$(realpath -m "${HARDSET_CUDA:-$cache/hardset-cuda}")"
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/hardset-build-cuda}"
# Without it the build asks nvidia-smi, which is not here.
export CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-90}"
export PIP_ROOT_USER_ACTION=ignore

# One CUDA for compiler and libraries; cuDNN of the version that cudarc's bindings are made for.
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
have() { command -v "$1" >/dev/null 2>&1; }
fail() {
  printf '%s\n' "$*" >&2
  exit 4
}

# Unpacks the wheels once: the list of them is written last.
unpack() {
  if [ "$(cat "$toolkit/wheels.txt" 2>/dev/null)" = "${wheels[*]}" ]; then
    echo "the wheels are there"
    return
  fi
  python3 -m pip --version >/dev/null 2>&1 || fail "there is no pip; install python3-pip"
  rm -rf "$toolkit/nvidia" "$toolkit"/nvidia_*
  python3 -m pip install --quiet --no-deps --target "$toolkit" "${wheels[@]}"
  echo "${wheels[*]}" >"$toolkit/wheels.txt"
}

# Adds to the wheels' folder what a toolkit has and they lack.
lay_out() {
  local lib="$CUDA_HOME/lib" library name
  ln -sfn lib "$CUDA_HOME/lib64"
  # Wheels bring libcublas.so.13 alone; the linker looks for libcublas.so.
  for library in "$lib"/lib*.so.* "$CUDA_HOME"/../cudnn/lib/lib*.so.*; do
    name="$(basename "$library")"
    ln -sfn "$(realpath --relative-to "$lib" "$library")" "$lib/${name%.so.*}.so"
  done
  # CUDA's runtime goes into the program, which would not start without it.
  ln -sfn libcudart_static.a "$lib/libcudart.a"
  rm -f "$lib/libcudart.so"
  # libcuda comes with a driver. For the linker a toolkit has a stub: the names in cuda.h. This one says so when it is
  # called (34 is CUDA_ERROR_STUB_LIBRARY), as NVIDIA's does.
  mkdir -p "$lib/stubs"
  grep -oE '\bcu[A-Z][A-Za-z0-9_]*' "$CUDA_HOME/include/cuda.h" | sort -u | sed 's/.*/int &(void) { return 34; }/' |
    cc -shared -fPIC -Wl,-soname,libcuda.so.1 -x c -o "$lib/stubs/libcuda.so" -
}

if ! have cargo && [ -f "$HOME/.cargo/env" ]; then
  # shellcheck disable=SC1091
  . "$HOME/.cargo/env"
fi
have cargo || fail "there is no cargo; install Rust first"
if ! have cc || ! have readelf; then fail "there is no C compiler; install build-essential"; fi

section "CUDA toolkit"
mkdir -p "$toolkit"
if [ -n "${CUDA_HOME:-}" ] && [ -x "$CUDA_HOME/bin/nvcc" ]; then
  export PATH="$CUDA_HOME/bin:$PATH"
elif ! have nvcc; then
  unpack
  export CUDA_HOME="$toolkit/nvidia/cu13" PATH="$toolkit/nvidia/cu13/bin:$PATH"
  lay_out
fi
echo "$(command -v nvcc), $(nvcc --version | sed -n 's/^Cuda compilation tools, //p')"

# candle has cudarc linked to the CUDA libraries. cudarc can open them at the first call instead, so that the program
# starts without them: its build script refuses to be asked for both, its code does not mind. A compiler's wrapper, as
# RUSTFLAGS would rebuild every crate.
cat >"$toolkit/rustc" <<'END'
#!/bin/sh
case " $* " in *" --crate-name cudarc "*) exec "$@" --cfg 'feature="dynamic-loading"' ;; esac
exec "$@"
END
chmod +x "$toolkit/rustc"
export RUSTC_WRAPPER="$toolkit/rustc"

section "cargo build --release --features cuda"
# candle-nn's own kernels (layer norm, softmax, sigmoid) are behind its own feature.
grep -q 'candle-nn feature "cuda"' <<<"$(cargo tree --locked --edges features --features cuda --invert candle-nn)" ||
  fail "candle-nn is built without its feature cuda"
cargo build --release --features cuda

section "what the program needs"
program="$CARGO_TARGET_DIR/release/hardset"
needed="$(readelf --dynamic "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')"
echo "to start: ${needed//$'\n'/ }, $(readelf --version-info "$program" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)"
if grep -E '^lib(cuda|cublas|cublasLt|curand|cudnn|nvrtc)\.so' <<<"$needed"; then
  fail "it is linked to these: cudarc was built without this script; cargo clean --release -p cudarc, then again"
fi
if ldd "$program" | grep 'not found'; then fail "these libraries are missing here"; fi
# Functions are looked up by name: one that is not in the program is not called.
for name in cuLaunchKernel cublasGemmStridedBatchedEx curandCreateGenerator cudnnConvolutionForward; do
  grep -aqF "$name" "$program" || fail "the program never calls $name"
done
cat <<END
for a GPU, each opened at its first use:
  a GPU of the compute capability $CUDA_COMPUTE_CAP and its driver (libcuda.so.1; 580 or newer for CUDA 13)
  libcublas, libcublasLt, libcurand and libnvrtc of the same CUDA, and cuDNN 9: from a toolkit, or from the wheels
  nvidia-cublas, nvidia-curand, nvidia-cuda-nvrtc and nvidia-cudnn-cu13, with the folders of their lib*.so.* in
  LD_LIBRARY_PATH; here: $toolkit/nvidia/cu13/lib:$toolkit/nvidia/cudnn/lib
  surrogates besides: ORT_DYLIB_PATH with the libonnxruntime.so.1.* of the wheel onnxruntime-gpu, which also opens
  libcudart of CUDA 13: the wheel nvidia-cuda-runtime

$(du -h "$program" | cut -f1) $program
END
