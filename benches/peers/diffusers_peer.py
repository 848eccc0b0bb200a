"""The schedulers of diffusers beside ours: same exact model, same grid, same thread count.

First the end points on TB1 are compared, in float64 where diffusers allows (its tables of alphas are replaced by float64
ones; it still keeps sigmas in float32). Only methods that agree are timed, between two evaluations of a model that costs
nothing, on float32 states.
"""

import math
import time

import diffusers
import numpy as np
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, HeunDiscreteScheduler

import common

STEPS = 20
BETAS = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
SHAPES = [("1×4×128×128", (1, 4, 128, 128)), ("64×3×64×64", (64, 3, 64, 64))]


def make(method):
    if method == "DDIM":
        scheduler = DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=True, timestep_spacing="leading")
    elif method == "DPM-Solver++(2M)":
        scheduler = DPMSolverMultistepScheduler(
            **BETAS, algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", final_sigmas_type="zero",
            timestep_spacing="linspace",
        )
    else:
        scheduler = HeunDiscreteScheduler(**BETAS, timestep_spacing="linspace")
    scheduler.alphas_cumprod = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    return scheduler


def points(n):
    """The seed-free points of TB1, spread like a normal distribution in the plane."""
    i = np.arange(n)
    radius = np.sqrt(-2 * np.log((i + 0.5) / n))
    angle = 2 * math.pi * np.mod(0.6180339887498949 * i, 1.0)
    return torch.from_numpy(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1))


WEIGHTS = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
MEANS = torch.tensor([[1.2, -0.4], [-0.8, 0.9], [-0.3, -1.1]], dtype=torch.float64)
COVARIANCES = torch.tensor(
    [[[0.30, 0.10], [0.10, 0.20]], [[0.15, -0.05], [-0.05, 0.25]], [[0.10, 0.0], [0.0, 0.10]]], dtype=torch.float64
)


def noise(x, alpha, sigma):
    """The exact noise prediction of the mixture TB1 at x = alpha·x0 + sigma·eps."""
    c = alpha**2 * COVARIANCES + sigma**2 * torch.eye(2, dtype=torch.float64)
    r = x[:, None, :] - alpha * MEANS
    solved = torch.linalg.solve(c, r[..., None])[..., 0]
    log = torch.log(WEIGHTS) - 0.5 * torch.logdet(c) - 0.5 * (r * solved).sum(-1)
    return sigma * (torch.softmax(log, -1)[..., None] * solved).sum(1)


def end_points(method, steps):
    """Where diffusers ends on TB1, and the sigmas of its grid if it is one of sigmas."""
    scheduler = make(method)
    scheduler.set_timesteps(steps)
    x = points(16)
    if method == "Heun":
        sigmas = scheduler.sigmas.to(torch.float64)
        x = x * sigmas[0]
        for i, t in enumerate(scheduler.timesteps):
            # Repeated sigmas: an Euler stage at one node, then the correction at the next.
            sigma = sigmas[i]
            scale = 1 / torch.sqrt(1 + sigma**2)
            x = scheduler.step(noise(x * scale, scale, sigma * scale), t, x, return_dict=False)[0]
        nodes = [float(s) for s in sigmas[:-1]]
        return x, [nodes[0]] + nodes[1::2]
    for t in scheduler.timesteps:
        alpha = torch.sqrt(scheduler.alphas_cumprod[t])
        sigma = torch.sqrt(1 - scheduler.alphas_cumprod[t])
        x = scheduler.step(noise(x, alpha, sigma), t, x, return_dict=False)[0]
    return x, []


def seconds_per_step(method, start, output):
    """Mean seconds of `step` in one run of 20 steps, with the model's output at hand."""
    scheduler = make(method)
    scheduler.set_timesteps(STEPS)
    x = start
    begin = time.perf_counter()
    for t in scheduler.timesteps:
        x = scheduler.step(output, t, x, return_dict=False)[0]
    return (time.perf_counter() - begin) / len(scheduler.timesteps)


def main():
    options = common.arguments()
    ours = common.Ours(options.ours)
    version = f"diffusers {diffusers.__version__}, torch {torch.__version__.split('+')[0]}"
    suite = options.suite
    methods = ["DDIM", "DPM-Solver++(2M)", "Heun"]
    total = len(methods) * (1 + len(SHAPES) * len(options.threads))
    done = 0
    for method in methods:
        common.emit("progress", done=done, total=total, what=f"{method}: agreement")
        done += 1
        worst = 0.0
        for steps in (10, 20):
            theirs, sigmas = end_points(method, steps)
            answer = ours.ask(op="end", method=method, steps=steps, sigmas=sigmas)
            mine = torch.tensor(answer["x"], dtype=torch.float64).reshape(-1, 2)
            worst = max(worst, float((theirs - mine).abs().max()))
        common.record(
            suite=suite, case="TB1, 10 and 20 steps", impl=f"diffusers/{method}", version=version, metric="agreement",
            value=worst, unit="1", runs=1, threads=1,
        )
        if not worst <= options.agreement:
            common.emit(
                "note", suite=suite,
                text=f"{method}: ours and diffusers end {worst:.2g} apart on TB1, more than {options.agreement:g}; not timed.",
            )
            done += len(SHAPES) * len(options.threads)
            continue
        for name, shape in SHAPES:
            for threads in options.threads:
                common.emit("progress", done=done, total=total, what=f"{method}, {name}, {threads} threads")
                done += 1
                torch.set_num_threads(threads)
                start, output = torch.randn(shape), torch.randn(shape)
                times = common.in_turns(
                    lambda: ours.ask(op="time", method=method, elements=start.numel(), threads=threads)["seconds"],
                    lambda: seconds_per_step(method, start, output),
                    budget_s=1.0 if options.quick else 4.0,
                )
                for impl, values, who in ((method, times[0], {}), (f"diffusers/{method}", times[1], {"version": version})):
                    common.record(
                        suite=suite, case=name, impl=impl, metric="step", unit="s", threads=threads, **who,
                        **common.spread(values),
                    )


if __name__ == "__main__":
    with torch.inference_mode():
        main()
