"""SciPy and diffrax beside our explicit methods: seconds of a solve over the error of its end, on one thread.

Our program gives start, interval and reference of each problem; the right-hand sides are written here once for NumPy and
jax.numpy. A method is timed only on problems where both sides agree at a tolerance of 1e-12.
"""

import math
import os
import time
import warnings

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
warnings.filterwarnings("ignore")

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import scipy
from scipy.integrate import solve_ivp

import common

jax.config.update("jax_enable_x64", True)

PROBLEMS = ["lotka-volterra", "pleiades", "lorenz-96", "heat-2d", "brusselator-2d"]
TOLERANCES = [1e-3, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12]
TARGETS = [1e-3, 1e-6, 1e-9]
OURS = ["Tsit5", "Dopri5", "DOP853", "Dopri8"]
# A method of theirs, and ours of the same name: the agreement of both is checked.
SCIPY = [("RK45", "Dopri5"), ("DOP853", "DOP853"), ("LSODA", "DOP853")]
DIFFRAX = [("Tsit5", "Tsit5"), ("Dopri5", "Dopri5"), ("Dopri8", "Dopri8")]


def field(problem, np):
    """f(t, x) in NumPy or jax.numpy."""
    if problem == "lotka-volterra":
        return lambda t, x: np.stack([1.5 * x[0] - x[0] * x[1], -3.0 * x[1] + x[0] * x[1]])
    if problem == "lorenz-96":
        return lambda t, x: (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8.0
    if problem == "pleiades":
        mass = np.arange(1.0, 8.0)
        eye = np.eye(7)

        def pleiades(t, s):
            x, y = s[:7], s[7:14]
            dx, dy = x[None, :] - x[:, None], y[None, :] - y[:, None]
            r2 = dx * dx + dy * dy + eye
            w = mass[None, :] / (r2 * np.sqrt(r2))
            return np.concatenate([s[14:], (w * dx).sum(1), (w * dy).sum(1)])

        return pleiades
    if problem == "heat-2d":
        n = 32

        def heat(t, s):
            p = np.pad(s.reshape(n, n), 1)
            flux = p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2] - 4.0 * p[1:-1, 1:-1]
            return ((n + 1.0) ** 2 * flux).reshape(-1)

        return heat
    n = 21
    c = 2e-3 * (n - 1.0) ** 2

    def brusselator(t, s):
        w = s.reshape(2, n, n)
        p = np.pad(w, ((0, 0), (1, 1), (1, 1)), mode="reflect")
        spread = c * (p[:, 2:, 1:-1] + p[:, :-2, 1:-1] + p[:, 1:-1, 2:] + p[:, 1:-1, :-2] - 4.0 * w)
        u, v = w[0], w[1]
        uuv = u * u * v
        return np.concatenate(
            [(1.0 + uuv - 4.4 * u + spread[0]).reshape(-1), (3.4 * u - uuv + spread[1]).reshape(-1)]
        )

    return brusselator


def relative(x, end):
    end = np.asarray(end)
    return float(np.max(np.abs(np.asarray(x) - end)) / np.max(np.abs(end)))


def best_of(solve):
    """State and seconds of the fastest of at least two solves and as many as fit into 10 ms, as on our side."""
    best, runs, begin = math.inf, 0, time.perf_counter()
    while runs < 2 or (time.perf_counter() - begin < 0.01 and runs < 100):
        clock = time.perf_counter()
        x = solve()
        best = min(best, time.perf_counter() - clock)
        runs += 1
    return x, best


def scipy_solver(problem, method, setting):
    f = field(problem, np)
    start = np.array(setting["start"])

    def solve(tol):
        # LSODA refuses tolerances near rounding.
        rtol = max(tol, 3e-14)
        return solve_ivp(f, setting["times"], start, method=method, rtol=rtol, atol=tol).y[:, -1]

    return solve


def diffrax_solver(problem, method, setting):
    term = diffrax.ODETerm(lambda t, x, args: field(problem, jnp)(t, x))
    solver = {"Tsit5": diffrax.Tsit5, "Dopri5": diffrax.Dopri5, "Dopri8": diffrax.Dopri8}[method]()
    t0, t1 = setting["times"]

    @jax.jit
    def run(start, tol):
        return diffrax.diffeqsolve(
            term, solver, t0, t1, None, start, saveat=diffrax.SaveAt(t1=True), max_steps=None,
            stepsize_controller=diffrax.PIDController(rtol=tol, atol=tol), adjoint=diffrax.ForwardMode(),
        ).ys[0]

    start = jnp.array(setting["start"])
    run(start, 1e-3).block_until_ready()  # compiles
    return lambda tol: run(start, tol).block_until_ready()


def time_at(curve, target):
    """Time at an error, linear in logarithms between the neighbouring points of a curve; None beyond its end."""
    below = [p for p in curve if p[0] <= target]
    if not below:
        return None
    low = min(below, key=lambda p: p[1])
    above = [p for p in curve if p[0] > target and p[1] < low[1]]
    if not above:
        return low[1]
    high = min(above, key=lambda p: p[0])
    part = math.log(target / low[0]) / math.log(high[0] / low[0])
    return math.exp(math.log(low[1]) + part * math.log(high[1] / low[1]))


def equal(suite, problem, name, version, curves):
    """The record of the least time at each target."""
    for target in TARGETS:
        times = [t for t in (time_at(c, target) for c in curves) if t is not None]
        if times:
            text = f"{target:.0e}".replace("e-0", "e-")
            common.record(
                suite=suite, case=f"{problem}, error {text}", impl=name, metric="equal", value=min(times), unit="s", runs=1,
                threads=1, **version,
            )


def main():
    options = common.arguments()
    ours = common.Ours(options.ours)
    suite = options.suite
    budget = 0.1 if options.quick else 0.5
    versions = {
        "SciPy": f"SciPy {scipy.__version__}",
        "diffrax": f"diffrax {diffrax.__version__}, jax {jax.__version__}",
    }
    programs = [("SciPy", SCIPY, scipy_solver), ("diffrax", DIFFRAX, diffrax_solver)]
    total = len(PROBLEMS) * (len(SCIPY) + len(DIFFRAX))
    done = 0
    for problem in PROBLEMS:
        setting = ours.ask(op="setting", problem=problem)
        end = setting["end"]
        mine = {m: {} for m in OURS}
        for program, methods, make in programs:
            version = {"version": versions[program]}
            theirs = []
            for method, twin in methods:
                common.emit("progress", done=done, total=total, what=f"{problem}: {method} of {program}")
                done += 1
                solve = make(problem, method, setting)
                apart = relative(solve(1e-12), ours.ask(op="ode", problem=problem, method=twin, tol=1e-12)["x"])
                impl = f"{program}/{method}"
                common.record(
                    suite=suite, case=problem, impl=impl, metric="agreement", value=apart, unit="1", runs=1, threads=1, **version
                )
                if not apart <= options.agreement:
                    common.emit(
                        "note", suite=suite,
                        text=f"{problem}: {method} of {program} ends {apart:.2g} away from ours, more than "
                        f"{options.agreement:g}; not timed.",
                    )
                    continue
                curve = []
                for tol in TOLERANCES:
                    error = relative(solve(tol), end)
                    answers = []

                    def turn():
                        answer = ours.ask(op="ode", problem=problem, method=twin, tol=tol)
                        answers.append(answer)
                        return answer["seconds"]

                    least = 2 if options.quick else 5
                    times = common.in_turns(turn, lambda: best_of(lambda: solve(tol))[1], budget_s=budget, least=least)
                    for name, seconds, at, who in (
                        (twin, times[0], answers[0]["distance"], {}),
                        (impl, times[1], error, version),
                    ):
                        spread = common.spread(seconds)
                        common.record(
                            suite=suite, case=problem, impl=name, metric="time", unit="s", threads=1,
                            x={"name": "error", "value": at}, **who, **spread,
                        )
                        if name == twin:
                            mine[twin][tol] = (at, spread["value"])
                        else:
                            curve.append((at, spread["value"]))
                theirs.append(curve)
            equal(suite, problem, f"{program}/best", version, theirs)
        equal(suite, problem, "best", {}, [list(c.values()) for c in mine.values()])


if __name__ == "__main__":
    main()
