"""`hardset evaluate` against the peer of `../shared/tools/peer_mine.py`, in turn, in one session: images/s, ratio, peak memory.

    benches/evaluate_vs_peer.py HARDSET DATA_DIR PEER.py [--rounds 3] [--images 5000]

Five targets: the four mobile networks, and the largest of them once more under the name that the peer knows. Both do the
whole job: decode, preprocess, infer, top 5; hardset also hashes, stores, tests every pair and writes tables and page.
"""
import argparse, hashlib, importlib.util, json, os, pathlib, shutil, statistics, sys, tempfile

from mine_vs_peer import MODELS, timed

TWICE = "mobilenet_v2_tf2_224"


def pool(photos, count):
    """A folder for each class with `count` links to photographs in all."""
    names, folder = sorted(os.listdir(photos)), tempfile.mkdtemp(prefix="hardset-pool-")
    for at in range(count):
        name = names[at % len(names)]
        os.makedirs(os.path.join(folder, name[:9]), exist_ok=True)
        link = os.path.join(folder, name[:9], f"{at // len(names):03}_{name}")
        os.symlink(os.path.join(os.path.abspath(photos), name), link)
    return folder


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hardset"), parser.add_argument("data"), parser.add_argument("peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=5000)
    args = parser.parse_args()
    package = pathlib.Path(importlib.util.find_spec("onnxruntime").submodule_search_locations[0])
    os.environ["ORT_DYLIB_PATH"] = str(next((package / "capi").glob("libonnxruntime.so*")))
    zoo = tempfile.mkdtemp(prefix="hardset-zoo-")
    tomls = pathlib.Path(__file__).parent.parent / "tests/real/surrogates"
    targets = []
    for name, source in [(name, name) for name in MODELS] + [(TWICE, MODELS[-1])]:
        os.symlink(os.path.abspath(f"{args.data}/surrogates/{source}.onnx"), f"{zoo}/{name}.onnx")
        digest = hashlib.sha256(open(f"{zoo}/{name}.onnx", "rb").read()).hexdigest()
        rest = [line for line in open(tomls / f"{source}.toml") if not line.startswith("weights")]
        weights = f'weights = {{ path = "{name}.onnx", sha256 = "{digest}" }}\n'
        pathlib.Path(f"{zoo}/{name}.toml").write_text(weights + "".join(rest))
        targets.append(f"{zoo}/{name}.toml")
    images = pool(os.path.join(args.data, "photos"), args.images)
    # The peer's own figure leaves out its start and the loading of models; `peer_whole` is that of the whole program.
    rows = {"peer": [], "peer_whole": [], "hardset": [], "peak_mb": []}
    for turn in range(args.rounds):
        peer = [sys.executable, args.peer, images, zoo, "--models", ",".join([*MODELS, TWICE])]
        seconds, _, _, printed = timed(peer)
        line = next(line for line in printed.splitlines() if line.startswith("{"))
        rows["peer"].append(json.loads(line)["peer_images_per_s"]), rows["peer_whole"].append(args.images / seconds)
        out = tempfile.mkdtemp(prefix="hardset-eval-")
        command = [args.hardset, "evaluate", images, "--targets", ",".join(targets), "--out", out, "--data-dir", args.data]
        seconds, _, peak, _ = timed(command)
        rows["hardset"].append(args.images / seconds), rows["peak_mb"].append(peak)
        shutil.rmtree(out)
        print(f"round {turn + 1}: " + ", ".join(f"{name} {values[-1]:.1f}" for name, values in rows.items()), flush=True)
    middle = {name: statistics.median(values) for name, values in rows.items()}
    print(f"medians: {middle}; hardset / peer {middle['hardset'] / middle['peer']:.2f}, "
          f"whole programs {middle['hardset'] / middle['peer_whole']:.2f}")


if __name__ == "__main__":
    main()
