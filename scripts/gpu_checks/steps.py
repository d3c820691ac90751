"""The steps of gpu_check, one function each: a setting in, rows out. `STEPS` has their order and time limits."""
import hashlib
import json
import shutil
import subprocess
import sys
import threading

import parquet
from common import (
    PEER, QUICK, ROOT, SECOND, Fail, Skip, attempt, end, engines, hardset, need_diffusers, need_engine, need_torch_gpu,
    peer, run, start, succeed, tail,
)

LIBRARIES = [
    "libcuda.so.1", "libcudart.so.13", "libcublas.so.13", "libcublasLt.so.13", "libcurand.so.10", "libcudnn.so.9",
]
# One that is missing, as it is said by the loader; of a provider loaded alone, missing symbols say nothing.
LOAD = """
import ctypes, json, sys
said = {}
for name in sys.argv[1:]:
    try:
        library = ctypes.CDLL(name)
        said[name] = f"version {library.cudnnGetVersion()}" if "cudnn" in name else "loads"
    except OSError as error:
        said[name] = "loads" if "undefined symbol" in str(error) else str(error)
print(json.dumps(said))
"""
# Our error in f16 may be so many times diffusers' own; the second is what counts as no error.
MOST_TIMES, NOTHING = 1.5, 1e-6
# Probabilities on two devices may be so far apart, and one class in a hundred may be another by a near tie.
MOST_APART, MOST_CHANGED = 1e-3, 0.01


def environment_rows(setting):
    yield attempt(setting, "environment", "python", python)
    if not setting.small:
        yield attempt(setting, "environment", "GPU", gpu)
        yield attempt(setting, "environment", "libraries", libraries)
        yield attempt(setting, "environment", "ONNX Runtime's CUDA provider", provider)


def python(setting):
    facts = {"python": sys.version.split()[0], "hardset": succeed(setting, "--version").out.strip()}
    for name in ("torch", "diffusers", "transformers"):
        done = run(setting, [sys.executable, "-c", f"import {name}; print({name}.__version__)"])
        facts[name] = done.out.strip() if done.code == 0 else "none"
    return ", ".join(f"{name} {value}" for name, value in facts.items()), facts


def gpu(setting):
    try:
        asked = "--query-gpu=name,driver_version,memory.total,compute_cap"
        done = run(setting, ["nvidia-smi", asked, "--format=csv,noheader"])
    except FileNotFoundError:
        raise Fail("there is no nvidia-smi") from None
    if done.code != 0:
        raise Fail(f"nvidia-smi: {tail(done.out + done.err)}")
    return done.out.strip().replace("\n", "; "), {"gpus": done.out.strip().splitlines()}


def loaded(setting, names):
    return run(setting, [sys.executable, "-c", LOAD, *names]).json()


def libraries(setting):
    said = loaded(setting, LIBRARIES)
    wrong = [what for what in said.values() if what != "loads" and not what.startswith("version")]
    if wrong:
        raise Fail("; ".join(wrong))
    return f"all {len(said)} load, cuDNN {said['libcudnn.so.9']}", said


def provider(setting):
    about = hardset(setting, "doctor", "--device", "cpu", "--format", "json").json()
    library = (about.get("library") or "").split(" (from ")[0]
    if not library:
        raise Skip("hardset finds no ONNX Runtime; set ORT_DYLIB_PATH")
    path = str((ROOT / library).parent / "libonnxruntime_providers_cuda.so")
    said = loaded(setting, [path])
    if said[path] != "loads":
        raise Fail(said[path])
    return f"beside {library}", {"library": library}


def doctor_rows(setting):
    yield attempt(setting, "doctor", f"{5 if setting.small else 20} times", doctor)


def doctor(setting):
    """A library that is unloaded in the wrong order shows as a bad exit code, now and then."""
    times = 5 if setting.small else 20
    for _ in range(times):
        done = hardset(setting, "doctor", "--device", setting.device, "--format", "json")
        about = done.json()
        if done.code != 0 or not about["usable"]:
            raise Fail(f"exit code {done.code}: {str(about['runtime'])[:300]}")
    return f"{times} times exit code 0; {about['runtime']}", {"doctor": about}


def exit_code_rows(setting):
    no_gpu, no_model = ["doctor", "--model", SECOND, "--device", "cuda:99"], ["doctor", "--model", "/nowhere"]
    yield attempt(setting, "exit-codes", "a GPU that is not there: 4", ends_with, 4, *no_gpu)
    yield attempt(setting, "exit-codes", "a model that is not there: 4", ends_with, 4, *no_model)
    yield attempt(setting, "exit-codes", "an option that is not there: 2", ends_with, 2, "doctor", "--nothing")


def ends_with(setting, code, *args):
    done = hardset(setting, *args)
    if done.code != code:
        raise Fail(f"exit code {done.code}: {tail(done.err or done.out)}")
    return tail(done.err)[:160], {"code": code, "secs": round(done.secs, 2)}


def parity_rows(setting):
    for engine in engines(setting):
        for precision in ["f32"] if setting.small else ["f32", "bf16", "f16"]:
            args = SECOND, SECOND / "reference.safetensors", engine, precision
            yield attempt(setting, "parity", f"{engine.name}, {precision}", within_tolerance, *args)


def compared(setting, model, reference, engine, precision):
    """What doctor finds, by what is compared."""
    if engine.name == "ort" and precision == "bf16":
        raise Skip("ONNX Runtime's fused operators have no bf16")
    args = ["doctor", "--model", model, "--reference", reference, "--precision", precision, "--device", setting.device]
    done = hardset(setting, *args, *engine.options, "--format", "json")
    if done.code not in (0, 3):
        raise Fail(f"exit code {done.code}: {tail(done.err or done.out)}")
    return {f"{row['what']} ({row['measure']})": row for row in done.json()["compared"]}


def within_tolerance(setting, model, reference, engine, precision):
    need_engine(setting, engine)
    rows = compared(setting, model, reference, engine, precision)
    facts = {what: row["found"] for what, row in rows.items()}
    wrong = [f"{what} {row['found']} of {row['allowed']}" for what, row in rows.items() if not row["ok"]]
    if wrong or not rows:
        raise Fail(f"{len(wrong)} of {len(rows)} out of tolerance: {'; '.join(wrong[:3])}")
    unet = facts["UNet call at 801 (max abs)"]
    return f"{len(rows)} comparisons within tolerance, the UNet {unet:.1e}", facts


def real_model(setting):
    """A model of SD 1.5's real size; for small sizes the smallest there is."""
    if setting.model or setting.small:
        return setting.model or SECOND
    need_diffusers(setting)
    folder = setting.work / "sd15"
    if not (folder / "model_index.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        bench = [sys.executable, ROOT / "benches/sd15_vs_diffusers.py"]
        done = run(setting, [*bench, "make", folder, "--tokenizer", SECOND / "tokenizer"])
        if done.code != 0:
            raise Fail(f"the model cannot be made: {tail(done.err)}")
    return folder


def reference_of(setting):
    """What diffusers makes of the model here, in f32."""
    need_diffusers(setting)
    file = setting.work / "reference.safetensors"
    model, size = real_model(setting), 64 if setting.small else 512
    if not file.exists():
        peer(setting, "--device", setting.device, "--size", size, "--steps", 4, "reference", model, file)
    return model, file


def reference_rows(setting):
    """A model of real size against diffusers on this machine: a constant tolerance would say nothing about f16."""
    yield attempt(setting, "reference", "diffusers' own, f32", lambda setting: (str(reference_of(setting)[0]), {}))
    for engine in engines(setting):
        yield attempt(setting, "reference", f"{engine.name}, f32", as_diffusers, engine)
        for precision, dtype in [("f16", "float16"), ("bf16", "bfloat16")]:
            what = f"{engine.name}, {precision}"
            yield attempt(setting, "reference", what, as_good_as_diffusers, engine, precision, dtype)


def as_diffusers(setting, engine):
    need_engine(setting, engine)
    model, file = reference_of(setting)
    return within_tolerance(setting, model, file, engine, "f32")


def as_good_as_diffusers(setting, engine, precision, dtype):
    if setting.small:
        raise Skip("a CPU computes in f32")
    need_engine(setting, engine)
    model, file = reference_of(setting)
    theirs = peer(setting, "--device", setting.device, "--dtype", dtype, "error", model, file)
    ours = {row["what"]: row["found"] for row in compared(setting, model, file, engine, precision).values()}
    facts = {what: {"ours": ours.get(what), "theirs": error} for what, error in theirs.items()}
    # A number that is not finite is null in JSON.
    found = {what: (ours.get(what) if ours.get(what) is not None else float("inf")) / max(error, NOTHING)
             for what, error in theirs.items()}
    worst = max(found, key=found.get)
    said = f"at most {found[worst]:.2f} times diffusers' error ({worst}: {ours.get(worst)} against {theirs[worst]:.2e})"
    if found[worst] > MOST_TIMES:
        raise Fail(said)
    return said, facts


def pipeline(setting, name, model, sizes, scorers=("plain",)):
    """A recipe; `sizes`: side in px, steps, and how many times 12 images."""
    size, steps, pairs = sizes
    kinds = [str(path) for path in sorted((ROOT / "nuisances/quickstart").glob("*.toml"))]
    names = [str(QUICK / f"surrogates/quick-{scorer}.toml") for scorer in scorers]
    text = f"""name = "{name}"
categories = "quickstart"
[generate]
source = "diffusion"
model = {json.dumps(str(model))}
nuisances = {json.dumps(kinds)}
images_per_prompt = 1
pairs_per_category = {pairs}
width_px = {size}
height_px = {size}
sampler = "ddim"
steps = {steps}
guidance = 7.5
[mine]
surrogates = {json.dumps(names)}
rule = "at-least=1"
label_space = "any-of-ids"
"""
    path = setting.work / f"{name}.toml"
    path.write_text(text)
    return path


def watch(stop, seen):
    """Notes the memory in use on the GPUs, in MiB, until it is told to stop."""
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    while not stop.wait(0.2):
        try:
            used = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.split()
        except (OSError, subprocess.SubprocessError):
            return
        seen.append(max(int(mib) for mib in used if mib.isdigit()))


def made(setting, recipe, run_dir, *options):
    """Makes a recipe's images; gives the call, and the most memory that was in use."""
    shutil.rmtree(run_dir, ignore_errors=True)
    succeed(setting, "plan", recipe, "--run-dir", run_dir, "--quiet")
    stop, seen = threading.Event(), []
    thread = threading.Thread(target=watch, args=(stop, seen))
    if not setting.small:
        thread.start()
    try:
        done = hardset(setting, "generate", run_dir, "--device", setting.device, *options)
    finally:
        stop.set()
        if not setting.small:
            thread.join()
    # 3: the noise that random weights make was here and there of one colour.
    if done.code not in (0, 3):
        raise Fail(f"exit code {done.code} of generate: {tail(done.err or done.out)}")
    return done, max(seen, default=0)


def speed_rows(setting):
    for size in [64] if setting.small else [512, 768]:
        steps, batch = (2, 2) if setting.small else (20, 8)
        dtype = "float32" if setting.small else "float16"
        args = ["--device", setting.device, "--dtype", dtype, "--size", size, "--steps", steps, "--batch", batch]
        theirs = attempt(setting, "speed", f"diffusers, {size} px", peer_speed, args)
        yield theirs
        if not setting.small:
            yield attempt(setting, "speed", f"diffusers compiled, {size} px", peer_speed, [*args, "--compile"])
        for engine in engines(setting):
            what = f"{engine.name}, {size} px, {steps} steps, batch {batch}"
            yield attempt(setting, "speed", what, our_speed, engine, (size, steps, batch), theirs.facts)


def speed_model(setting):
    return QUICK / "quick-diffusion" if setting.small else real_model(setting)


def peer_speed(setting, args):
    need_diffusers(setting)
    facts = peer(setting, *args, "speed", speed_model(setting))
    return f"{facts['images_per_sec']:.2f} images/s, {facts['peak_mib']:.0f} MiB", facts


def our_speed(setting, engine, sizes, theirs):
    """From two runs, so that loading and the first call's preparations do not count."""
    need_engine(setting, engine)
    size, steps, batch = sizes
    if engine.name == "candle" and size > 512:
        raise Skip("candle's attention takes minutes at this size; the engine for a GPU is ort")
    # Their difference is whole batches of 8.
    few, many = 1, 3
    calls = []
    for pairs in (few, many):
        name = f"speed-{engine.name}-{size}-{pairs}"
        recipe = pipeline(setting, name, speed_model(setting), (size, steps, pairs))
        calls.append(made(setting, recipe, setting.work / name, "--batch", batch, *engine.options))
    (first, _), (second, peak) = calls
    speed = 12 * (many - few) / max(second.secs - first.secs, 1e-3)
    facts = {"images_per_sec": speed, "peak_mib": peak}
    said = f"{speed:.2f} images/s, {peak} MiB"
    if theirs:
        facts["ratio"] = speed / theirs["images_per_sec"]
        said += f", {facts['ratio']:.2f} times diffusers"
        # candle is there for machines without ONNX Runtime's library, and is slower.
        if engine.name == "ort" and not setting.small and facts["ratio"] < 1.0:
            raise Fail(said)
    return said, facts


def repeat_rows(setting):
    for engine in engines(setting):
        yield attempt(setting, "repeat", f"{engine.name}, two runs", same_bytes, engine)


def hashes(run_dir):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((run_dir / "images").glob("*/*.tar"))]


def same_bytes(setting, engine):
    """Two runs give the same bytes; on a CPU another batch and number of threads too, on a GPU it is said whether."""
    need_engine(setting, engine)
    size, steps, batch = (64, 2, 2) if setting.small else (512, 4, 8)
    recipe = pipeline(setting, f"repeat-{engine.name}", speed_model(setting), (size, steps, 1))
    found = []
    for number, other in enumerate([[], [], ["--batch", 3, "--threads", 1]]):
        run_dir = setting.work / f"repeat-{engine.name}-{number}"
        made(setting, recipe, run_dir, *(other or ["--batch", batch]), *engine.options)
        found.append(hashes(run_dir))
    if not found[0] or found[0] != found[1]:
        raise Fail("two runs gave other bytes")
    batches = "the same" if found[2] == found[0] else "other"
    if setting.small and found[2] != found[0]:
        raise Fail("another batch gave other bytes")
    facts = {"sha256": found[0], "batches": batches}
    return f"the same bytes twice, {batches} bytes with batch 3 and one thread", facts


def mining_rows(setting):
    yield attempt(setting, "mining", "one thread" if setting.small else "against the CPU", mining)


NUMBERS = ["item_id", "top1_id", "top1_prob", "true_prob", "margin"]


def mining(setting):
    """The same images scored on the CPU and on the device (for small sizes by one thread): how far apart, how fast."""
    here, there = setting.work / "mining-cpu", setting.work / "mining-device"
    recipe = setting.mining
    if recipe is None:
        scorers = ["plain", "residual", "depthwise", "attention", "mixer"]
        sizes = (64, 4, 2) if setting.small else (64, 12, 20)
        recipe = pipeline(setting, "mining", QUICK / "quick-diffusion", sizes, scorers)
    for run_dir in (here, there):
        shutil.rmtree(run_dir, ignore_errors=True)
    succeed(setting, "plan", recipe, "--run-dir", here, "--quiet")
    succeed(setting, "generate", here, "--device", "cpu", "--quiet")
    shutil.copytree(here, there)
    on_cpu = succeed(setting, "mine", here, "--device", "cpu", "--quiet")
    options = ["--threads", 1] if setting.small else []
    on_device = succeed(setting, "mine", there, "--device", setting.device, *options, "--quiet")
    facts = {"secs_on_cpu": on_cpu.secs, "secs_on_device": on_device.secs} | apart(here, there)
    facts["images_per_sec"] = facts["images"] / on_device.secs
    said = (f"{facts['changed']} of {facts['predictions']} top classes differ, probabilities by at most "
            f"{facts['most_apart']:.1e}; {facts['images_per_sec']:.0f} images/s with start and loading")
    most = 0 if setting.small else MOST_APART
    if facts["most_apart"] > most or facts["changed"] > MOST_CHANGED * facts["predictions"]:
        raise Fail(said)
    return said, facts


def apart(here, there):
    """How far the predictions of two runs are apart."""
    changed = predictions = images = 0
    most = 0.0
    tables = sorted((here / "predictions").glob("*/*/*.parquet"))
    for table in tables:
        # The name has the hash of the content, which other numbers change.
        shard = table.name.split(".")[0]
        ours = parquet.read(table, NUMBERS)
        theirs = parquet.read(next((there / table.relative_to(here).parent).glob(f"{shard}.*.parquet")), NUMBERS)
        if ours["item_id"] != theirs["item_id"]:
            raise Fail(f"{table.relative_to(here)}: other items were scored")
        predictions += len(ours["item_id"])
        images += len(ours["item_id"]) if table.parent.parent == tables[0].parent.parent else 0
        changed += sum(a != b for a, b in zip(ours["top1_id"], theirs["top1_id"]))
        for name in NUMBERS[2:]:
            most = max([most, *(abs(a - b) for a, b in zip(ours[name], theirs[name]))])
    if predictions == 0:
        raise Fail("nothing was scored")
    return {"images": images, "predictions": predictions, "changed": changed, "most_apart": most}


def memory_rows(setting):
    for engine in engines(setting):
        yield attempt(setting, "memory", f"{engine.name}, batch 64 on a full GPU", halves, engine)


def halves(setting, engine):
    """With 5 GiB left, a batch of 64 images must be halved until it fits, with a note, and the run must end well."""
    if setting.small:
        raise Skip("a CPU has no memory of its own that could be filled")
    need_engine(setting, engine)
    need_torch_gpu(setting)
    recipe = pipeline(setting, f"memory-{engine.name}", speed_model(setting), (512, 2, 6))
    holder = start([sys.executable, PEER, "--leave", "5", "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        held = json.loads(holder.stdout.readline())
        done, _ = made(setting, recipe, setting.work / f"memory-{engine.name}", "--batch", 64, *engine.options)
    finally:
        end(holder)
    notes = [line.strip() for line in done.err.splitlines() if "out of memory" in line]
    if not notes:
        raise Fail(f"no note with {held['held_gib']:.0f} GiB taken: the batch of 64 fitted, or nobody said otherwise")
    return notes[-1][:200], {"notes": notes} | held


# Name, function, most seconds.
STEPS = [
    ("environment", environment_rows, 120),
    ("doctor", doctor_rows, 180),
    ("exit-codes", exit_code_rows, 60),
    ("parity", parity_rows, 300),
    ("reference", reference_rows, 600),
    ("speed", speed_rows, 900),
    ("repeat", repeat_rows, 300),
    ("mining", mining_rows, 300),
    ("memory", memory_rows, 300),
]
