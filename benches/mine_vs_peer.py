"""hardset against the peer of `../shared/tools/peer_mine.py`, in turn, in one session: images/s, ratio, share of the floor.

    benches/mine_vs_peer.py HARDSET DATA_DIR PEER.py [--rounds 3] [--repeat 1]

HARDSET is the release program, DATA_DIR holds photos/ and surrogates/. The peer (torchvision, DataLoader, onnxruntime)
must be importable by this python3; hardset uses the ONNX Runtime library of the same package, so that both run the same
kernels. Both do the whole job: decode, preprocess, infer, top 5; hardset also hashes, stores, selects and writes the page.
"""
import argparse, importlib.util, json, os, pathlib, shutil, statistics, subprocess, sys, tempfile, time

MODELS = ["mobilenet_v1_025_128", "mobilenet_v1_050_160_nhwc_u8", "mobilenet_v1_075_192", "mobilenet_v2_100_224"]


def timed(command, **kwargs):
    """Wall seconds, CPU seconds, peak resident MB and stdout of a command that must succeed."""
    start = time.time()
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, **kwargs)
        _, status, used = os.wait4(child.pid, 0)
        out.seek(0)
        if os.waitstatus_to_exitcode(status) not in (0, 3):
            sys.exit(f"{command} failed")
        return time.time() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out.read()


def hardset(program, data, run, images, extra=()):
    """The whole build into a fresh run directory."""
    shutil.rmtree(run, ignore_errors=True)
    recipe = pathlib.Path(__file__).parent.parent / "tests/real/photos.toml"
    command = [program, "build", recipe, "--data-dir", data, "--run-dir", run, "--set", f"generate.root={images}"]
    return timed([*command, "--set", f"mine.surrogates={json.dumps(MODELS)}", *extra])


def repeated(photos, times):
    """A folder with `times` links to each photograph, and their number."""
    names, folder = os.listdir(photos), tempfile.mkdtemp(prefix="hardset-photos-")
    for turn in range(times):
        os.makedirs(os.path.join(folder, f"{turn:03}"))
        for name in names:
            os.symlink(os.path.join(os.path.abspath(photos), name), os.path.join(folder, f"{turn:03}", name))
    return folder, times * len(names)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hardset"), parser.add_argument("data"), parser.add_argument("peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=1, help="how many times each photograph stands in the pool")
    args = parser.parse_args()
    package = pathlib.Path(importlib.util.find_spec("onnxruntime").submodule_search_locations[0])
    os.environ["ORT_DYLIB_PATH"] = str(next((package / "capi").glob("libonnxruntime.so*")))
    photos, count = repeated(os.path.join(args.data, "photos"), args.repeat)
    rows = {"peer": [], "floor": [], "hardset": [], "peak_mb": []}
    for turn in range(args.rounds):
        peer = [sys.executable, args.peer, photos, os.path.join(args.data, "surrogates"), "--models", ",".join(MODELS), "--floor"]
        lines = [json.loads(line) for line in timed(peer)[3].splitlines() if line.startswith("{")]
        rows["peer"].append(lines[0]["peer_images_per_s"]), rows["floor"].append(lines[1]["floor_images_per_s"])
        seconds, _, peak, _ = hardset(args.hardset, args.data, os.path.join(tempfile.gettempdir(), "hardset-bench"), photos)
        rows["hardset"].append(count / seconds), rows["peak_mb"].append(peak)
        print(f"round {turn + 1}: " + ", ".join(f"{name} {values[-1]:.1f}" for name, values in rows.items()), flush=True)
    middle = {name: statistics.median(values) for name, values in rows.items()}
    print(f"medians: {middle}")
    print(f"hardset / peer {middle['hardset'] / middle['peer']:.2f}, hardset / floor {middle['hardset'] / middle['floor']:.2f}")


if __name__ == "__main__":
    main()
