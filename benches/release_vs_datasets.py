"""Races `hardset release` against what people write today with Hugging Face `datasets`: hashes, near duplicates, Parquet.

Needs: pip install datasets imagehash pillow numpy
Usage: release_vs_datasets.py HARDSET RUN POOL [--rounds 3]
RUN: a run whose hard items are (nearly) all images of the folder POOL. Both are run in turn; the page cache is warm for both.
The peer reads every image, takes SHA-256 and imagehash.phash, drops near duplicates by brute force over numpy, and writes
Parquet files with an image column, as `hardset release` does; it has no evidence to add and writes no documents.
"""
import argparse, glob, hashlib, json, os, resource, shutil, subprocess, sys, tempfile, time


def peer(pool, out):
    import datasets, imagehash, numpy as np
    from PIL import Image
    from concurrent.futures import ProcessPoolExecutor
    files = sorted(glob.glob(os.path.join(pool, "*")))
    with ProcessPoolExecutor(os.cpu_count()) as workers:
        seen = list(workers.map(look, files, chunksize=32))
    hashes = np.array([int(h, 16) for _, h in seen], dtype=np.uint64)
    kept = []
    for at, h in enumerate(hashes):
        if not kept or np.bitwise_count(hashes[kept] ^ h).min() > 4:
            kept.append(at)

    def rows():
        for at in kept:
            with open(files[at], "rb") as file:
                yield {"image": {"bytes": file.read(), "path": os.path.basename(files[at])}, "sha256": seen[at][0]}

    features = datasets.Features({"image": datasets.Image(), "sha256": datasets.Value("string")})
    data = datasets.Dataset.from_generator(rows, features=features, cache_dir=out)
    shards = 6
    for at in range(shards):
        data.shard(shards, at, contiguous=True).to_parquet(os.path.join(out, f"test-{at:05}.parquet"))
    print(json.dumps({"images": len(kept)}))


def look(path):
    import imagehash
    from PIL import Image
    data = open(path, "rb").read()
    with Image.open(path) as image:
        return hashlib.sha256(data).hexdigest(), str(imagehash.phash(image.convert("RGB")))


def timed(command):
    before = time.time()
    ran = subprocess.run(["/usr/bin/time", "-f", "%M %U %S"] + command, capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(ran.stderr)
    peak, user, system = ran.stderr.split()[-3:]
    return time.time() - before, int(peak) / 1024, float(user) + float(system)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hardset"), parser.add_argument("run"), parser.add_argument("pool")
    parser.add_argument("--rounds", type=int, default=3), parser.add_argument("--peer")
    args = parser.parse_args()
    if args.peer:
        return peer(args.pool, args.peer)
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(args.run))) as scratch:
            ours = timed([args.hardset, "-q", "release", args.run, "--out", os.path.join(scratch, "ours")])
            theirs = timed([sys.executable, __file__, args.hardset, args.run, args.pool, "--peer", os.path.join(scratch, "peer")])
        for name, (seconds, peak, cpu) in (("hardset", ours), ("datasets", theirs)):
            print(f"{name:9} {seconds:6.1f} s, {cpu:6.1f} s CPU, peak {peak:5.0f} MB")
        print(f"ratio of clock times: {theirs[0] / ours[0]:.2f}; of CPU: {theirs[2] / ours[2]:.2f}", flush=True)


if __name__ == "__main__":
    main()
