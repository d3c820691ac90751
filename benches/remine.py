"""Re-mining a large pool with a new rule: hardset beside the same query in Python polars.

    benches/remine.py HARDSET RUN [--images-per-category 88496]

Makes the pool in RUN with hardset's own fakes where it is not there yet (113 categories x 88,496 = 10,000,048 items x 8
surrogates take some 20 minutes and 16 GB), then times a new rule, three times, each a different one.
"""
import argparse, os, pathlib, subprocess, sys, time

POOL = """name = "pool"
categories = "imagenet-d"
[generate]
source = "fake"
images_per_category = {n}
size_px = 2
[mine]
surrogates = [{surrogates}]
rule = "at-least=5"
"""
QUERY = """
import sys, time, polars as pl
run, k, rule = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
votes = [
    pl.scan_parquet(f"{run}/predictions/fake-{i}/*/*.parquet").select(
        pl.col("correct").not_().alias(f"f{i}"), pl.col("top1_id").alias(f"t{i}"), pl.col("margin").abs().lt(0.01).alias(f"m{i}"))
    for i in range(1, k + 1)
]
plan = pl.scan_parquet(f"{run}/plan.*.parquet").select("item_id", "category", "nuisance_kind", "nuisance", "prompt")
paths = pl.scan_parquet(f"{run}/images/*/*.parquet").select("path")
names = [pl.when(pl.col(f"f{i}")).then(pl.lit(f"fake-{i}")) for i in range(1, k + 1)]
frame = pl.concat([plan, paths, *votes], how="horizontal").with_columns(
    n_failed=pl.sum_horizontal([f"f{i}" for i in range(1, k + 1)]),
    near_tie=pl.any_horizontal([f"m{i}" for i in range(1, k + 1)]),
    failed_by=pl.concat_list(names).list.drop_nulls(),
    wrong=pl.concat_list([pl.when(pl.col(f"f{i}")).then(pl.col(f"t{i}")) for i in range(1, k + 1)]).list.drop_nulls(),
).with_columns(hard=pl.col("n_failed") >= rule)
frame = frame.select("item_id", "category", "nuisance_kind", "nuisance", "prompt", "path", "n_failed", "failed_by", "near_tie", "hard")
frame.sink_parquet(f"{run}/../polars.parquet", compression="lz4")
"""


def timed(command):
    start = time.time()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = child.stderr.read().decode()
    _, status, used = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"failed: {errors}")
    return time.time() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hardset"), parser.add_argument("run")
    parser.add_argument("--images-per-category", type=int, default=88496)
    args = parser.parse_args()
    run = pathlib.Path(args.run)
    if not (run / "manifest.parquet").exists():
        run.parent.mkdir(parents=True, exist_ok=True)
        names = [f"fake-{i}" for i in range(1, 9)]
        for i, name in enumerate(names, 1):
            (run.parent / f"{name}.toml").write_text(f"fake = {{ seed = {i}, accuracy = 0.{4 + i % 5} }}\n")
        surrogates = ", ".join(f'"./{name}.toml"' for name in names)
        (run.parent / "pool.toml").write_text(POOL.format(n=args.images_per_category, surrogates=surrogates))
        subprocess.run([args.hardset, "build", run.parent / "pool.toml", "--run-dir", run, "--max-images", "50"], check=True)
    query = run.parent / "query.py"
    query.write_text(QUERY)
    for rule in (4, 6, 3):
        ours = timed([args.hardset, "mine", run, "--rule", f"at-least={rule}"])
        theirs = timed([sys.executable, query, run, "8", str(rule)])
        line = lambda t: f"{t[0]:.2f} s ({t[1]:.1f} s CPU), peak {t[2]:.2f} GiB"
        print(f"at-least={rule}: hardset {line(ours)}; polars (without agreed_wrong) {line(theirs)}", flush=True)


if __name__ == "__main__":
    main()
