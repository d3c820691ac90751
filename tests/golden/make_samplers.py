"""Writes samplers.json: trajectories of diffusers' schedulers, for src/generator/diffusion/sampler/tests.rs.

Run with diffusers, torch and numpy (0.42.1, 2.15.0 and 2.4.6 made the committed file):
python3 tests/golden/make_samplers.py
Needs no data: the model, the first sample and the noise are formulas, which both sides evaluate.

Cases: the published configs of three models (and four more files) under each scheduler, by `from_config`; then, for
each scheduler, draws that take every value of every option equally often. What is not finite in diffusers is left out.
DDIM from a file that says nothing about `clip_sample` is the scheduler that `StableDiffusionPipeline` makes of it: it
does not clip.
"""

import inspect
import json
import math
import pathlib
import random

import diffusers
import numpy
import torch
from diffusers.schedulers import scheduling_euler_ancestral_discrete

KINDS = {
    "ddim": diffusers.DDIMScheduler,
    "pndm": diffusers.PNDMScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
    "euler-ancestral": diffusers.EulerAncestralDiscreteScheduler,
    "dpmpp-2m": diffusers.DPMSolverMultistepScheduler,
    "unipc": diffusers.UniPCMultistepScheduler,
}
LATENT = {"beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000}
# scheduler/scheduler_config.json as published.
PUBLISHED = {
    "sd-1.5": LATENT
    | {
        "_class_name": "PNDMScheduler",
        "_diffusers_version": "0.6.0",
        "set_alpha_to_one": False,
        "skip_prk_steps": True,
        "steps_offset": 1,
        "trained_betas": None,
        "clip_sample": False,
    },
    "sd-2.1": LATENT
    | {
        "_class_name": "DDIMScheduler",
        "_diffusers_version": "0.8.0",
        "clip_sample": False,
        "prediction_type": "v_prediction",
        "set_alpha_to_one": False,
        "skip_prk_steps": True,
        "steps_offset": 1,
        "trained_betas": None,
    },
    "sd-turbo": LATENT
    | {
        "_class_name": "EulerDiscreteScheduler",
        "_diffusers_version": "0.24.0.dev0",
        "clip_sample": False,
        "interpolation_type": "linear",
        "prediction_type": "epsilon",
        "sample_max_value": 1.0,
        "set_alpha_to_one": False,
        "skip_prk_steps": True,
        "steps_offset": 1,
        "timestep_spacing": "trailing",
        "trained_betas": None,
        "use_karras_sigmas": False,
    },
    # The SD 1.5 schedule as a current diffusers saves it from DDIM: no skip_prk_steps, much that is said explicitly.
    "sd-1.5-ddim": LATENT
    | {
        "_class_name": "DDIMScheduler",
        "_diffusers_version": "0.42.1",
        "clip_sample": False,
        "clip_sample_range": 1.0,
        "dynamic_thresholding_ratio": 0.995,
        "prediction_type": "epsilon",
        "rescale_betas_zero_snr": False,
        "sample_max_value": 1.0,
        "set_alpha_to_one": False,
        "steps_offset": 1,
        "thresholding": False,
        "timestep_spacing": "leading",
        "trained_betas": None,
    },
    # DPM-Solver++ and UniPC files under each other's class: solver_type and orders are carried over or replaced.
    "dpm-karras": LATENT
    | {
        "_class_name": "DPMSolverMultistepScheduler",
        "algorithm_type": "dpmsolver++",
        "solver_type": "heun",
        "lower_order_final": False,
        "skip_prk_steps": True,
        "use_karras_sigmas": True,
        "timestep_spacing": "leading",
        "steps_offset": 1,
    },
    # SD-Turbo's schedule as a current diffusers saves an Euler scheduler that was made afresh: no word about clipping.
    "sd-turbo-saved": LATENT
    | {
        "_class_name": "EulerDiscreteScheduler",
        "_diffusers_version": "0.42.1",
        "final_sigmas_type": "zero",
        "interpolation_type": "linear",
        "prediction_type": "epsilon",
        "rescale_betas_zero_snr": False,
        "sigma_max": None,
        "sigma_min": None,
        "steps_offset": 1,
        "timestep_spacing": "trailing",
        "timestep_type": "discrete",
        "trained_betas": None,
        "use_beta_sigmas": False,
        "use_exponential_sigmas": False,
        "use_karras_sigmas": False,
    },
    # A DDIM file of before there was the key.
    "ddim-old": LATENT | {"_class_name": "DDIMScheduler", "set_alpha_to_one": False, "steps_offset": 1},
}

SPACINGS = ["leading", "trailing", "linspace"]
FLAG = [False, True]
COMMON = {
    "timestep_spacing": SPACINGS,
    "steps_offset": [0, 1],
    "beta_schedule": ["linear", "scaled_linear", "squaredcos_cap_v2"],
    "steps": [1, 2, 5, 11, 20, 50],
}
ALL_PREDICTIONS = {"prediction_type": ["epsilon", "v_prediction", "sample"]}
TWO_PREDICTIONS = {"prediction_type": ["epsilon", "v_prediction"]}
RESCALE = {"rescale_betas_zero_snr": [False, False, True]}
SIGMAS = {"use_karras_sigmas": FLAG, "final_sigmas_type": ["zero", "sigma_min"], "sigma_min": [None, None, None, 0.05]}
OPTIONS = {
    "ddim": ALL_PREDICTIONS
    | RESCALE
    | {"set_alpha_to_one": FLAG, "clip_sample": FLAG, "clip_sample_range": [1.0, 0.7]},
    "pndm": TWO_PREDICTIONS | {"set_alpha_to_one": FLAG, "skip_prk_steps": [True]},
    "euler": ALL_PREDICTIONS | RESCALE | SIGMAS,
    "euler-ancestral": TWO_PREDICTIONS | RESCALE,
    "dpmpp-2m": ALL_PREDICTIONS
    | RESCALE
    | SIGMAS
    | {
        "solver_type": ["midpoint", "midpoint", "heun"],
        "solver_order": [2, 2, 2, 1],
        "lower_order_final": FLAG,
        "euler_at_final": [False, False, True],
        "lambda_min_clipped": [-math.inf, -math.inf, -math.inf, -5.1],
    },
    "unipc": ALL_PREDICTIONS
    | RESCALE
    | SIGMAS
    | {
        "solver_type": ["bh1", "bh2"],
        "solver_order": [1, 2, 2, 3],
        "lower_order_final": FLAG,
        "disable_corrector": [[], [], [0], [1, 2]],
    },
}
DRAWS = {"ddim": 18, "pndm": 10, "euler": 18, "euler-ancestral": 10, "dpmpp-2m": 24, "unipc": 24}

FIRST = torch.tensor([0.9, -1.4, 0.3, 1.8, -0.2, -0.7])
NOISE = torch.sin(torch.arange(50 * 6, dtype=torch.float32) * 12.9898).reshape(50, 6) * 1.4

# torch's sqrt on a CPU is MKL's, whose last bit depends on the machine. `rescale_zero_terminal_snr` takes it, and
# 1 - alpha at timestep 0 makes a thousandth of a sigma of it: 2.6e-5 of one result here, less than 1e-5 of all others.
torch.Tensor.sqrt = lambda tensor: torch.from_numpy(numpy.sqrt(tensor.numpy()))


def model(sample, timestep):
    """Operations that IEEE 754 rounds in one way alone: steps from a signal of almost nothing amplify a last bit."""
    bend = 1.3 * sample + float(timestep) / 500.0
    return 1.4 * bend / (1.0 + bend * bend) + 0.2 * sample


def trajectory(scheduler, steps):
    """What set_timesteps gives, and the sample after each call."""
    fresh = iter(NOISE)
    scheduling_euler_ancestral_discrete.randn_tensor = lambda *args, **kwargs: next(fresh).reshape(1, -1, 1, 1)
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        # Else, where Karras levels share the first timestep, diffusers begins at the second one and runs off the end.
        scheduler.set_begin_index(0)
    sample = (FIRST * scheduler.init_noise_sigma).reshape(1, -1, 1, 1)
    samples = []
    for timestep in scheduler.timesteps:
        output = model(scheduler.scale_model_input(sample, timestep), timestep)
        sample = scheduler.step(output, timestep, sample).prev_sample
        assert sample.dtype == torch.float32
        samples.append(sample.flatten().tolist())
    return scheduler.timesteps.tolist(), float(scheduler.init_noise_sigma), samples


def draws(kind):
    """Configs in which every value of every option comes equally often, in an order of their own."""
    count, shuffle = DRAWS[kind], random.Random(kind)
    columns = {}
    for key, values in (COMMON | OPTIONS[kind]).items():
        column = [values[i % len(values)] for i in range(count)]
        shuffle.shuffle(column)
        columns[key] = column
    for i in range(count):
        config = {key: column[i] for key, column in columns.items()}
        if kind == "unipc" and (config["solver_type"] == "bh1" or not config["lower_order_final"]):
            # Down to no noise, diffusers gets NaN from these; and down to the same level, from order 3.
            config["final_sigmas_type"] = "sigma_min"
            if config["use_karras_sigmas"] and not config["lower_order_final"]:
                config["solver_order"] = min(config["solver_order"], 2)
        if kind == "ddim" and config["rescale_betas_zero_snr"] and config["prediction_type"] == "epsilon":
            # The noise says nothing about the image at a signal of 0: diffusers divides by it, hardset refuses.
            config["timestep_spacing"] = "leading"
        # Shorter files that still say all: what is None or infinite is left to the class' default.
        yield {key: value for key, value in config.items() if value not in (None, -math.inf)}


def said(config, kind):
    """What hardset takes from a file of another class: not a `timestep_spacing` that is that class' default anyway.

    So does `from_config` itself for a scheduler made in memory; only in a file are its defaults written out.
    """
    own = getattr(diffusers, config["_class_name"])
    default = inspect.signature(own.__init__).parameters["timestep_spacing"].default
    if own is KINDS[kind] or config.get("timestep_spacing") != default:
        return config
    return {key: value for key, value in config.items() if key != "timestep_spacing"}


def in_pipeline(scheduler):
    """The scheduler as `StableDiffusionPipeline` uses it: its `__init__` turns clipping, DDIM's default, off."""
    assert scheduler.config.clip_sample and scheduler.config.steps_offset == 1
    parts = dict.fromkeys(["vae", "text_encoder", "tokenizer", "unet", "safety_checker", "feature_extractor"])
    pipeline = diffusers.StableDiffusionPipeline(**parts, scheduler=scheduler, requires_safety_checker=False)
    assert not pipeline.scheduler.config.clip_sample
    return pipeline.scheduler


def case(config, kind, steps, **extra):
    scheduler = KINDS[kind].from_config(said(config, kind), **extra)
    if kind == "ddim" and "clip_sample" not in config:
        scheduler = in_pipeline(scheduler)
    timesteps, init_noise_sigma, samples = trajectory(scheduler, steps)
    if not numpy.isfinite(samples).all():
        print("left out, not finite:", kind, steps, config)
        return None
    return {
        "config": config,
        "kind": kind,
        "steps": steps,
        "timesteps": timesteps,
        "init_noise_sigma": init_noise_sigma,
        # All of them where they are few, else the last one.
        "samples": samples if len(samples) <= 6 else samples[-1:],
    }


def main():
    cases = []
    for name, config in PUBLISHED.items():
        for i, kind in enumerate(KINDS):
            # What hardset does with a file that says nothing about Runge-Kutta steps.
            extra = {"skip_prk_steps": True} if kind == "pndm" else {}
            cases.append(case(config, kind, (5, 20, 8, 30, 20, 11)[i], **extra))
    for kind, scheduler in KINDS.items():
        for config in draws(kind):
            steps = config.pop("steps")
            cases.append(case({"_class_name": scheduler.__name__} | config, kind, steps))
    golden = {
        "made_with": f"diffusers {diffusers.__version__}, torch {torch.__version__}, numpy {numpy.__version__}",
        "first": FIRST.tolist(),
        "noise": NOISE.tolist(),
        "cases": [c for c in cases if c],
    }
    rounded = json.loads(json.dumps(golden), parse_float=lambda text: float(f"{float(text):.8g}"))
    head = {key: value for key, value in rounded.items() if key != "cases"}
    lines = ",\n".join(json.dumps(c) for c in rounded["cases"])
    out = pathlib.Path(__file__).with_name("samplers.json")
    out.write_text(json.dumps(head)[:-1] + ', "cases": [\n' + lines + "\n]}\n")
    print(len(rounded["cases"]), "cases,", out.stat().st_size, "bytes")


main()
