"""SymPy beside our expressions: building, differentiating, and evaluating through NumPy, in turns."""

import time

import common
import numpy as np
import sympy

TERMS = 2000
GRID = 8
POINTS = 1_000_000
TEXT = (
    "0.3*(exp(-0.15*t)*sin(x) + 0.8*exp(-0.6*t)*sin(2*x))"
    "/(2 + exp(-0.15*t)*cos(x) + 0.4*exp(-0.6*t)*cos(2*x))"
)


def timed(run):
    begin = time.perf_counter()
    result = run()
    return time.perf_counter() - begin, result


def add_terms():
    total = sympy.Integer(0)
    for symbol in sympy.symbols(f"x0:{TERMS}"):
        total = total + symbol
    return total


def grid_jacobian():
    """The entries of the Jacobian of the reaction-diffusion equation that are not zero."""
    n = GRID
    a, b, c = (sympy.symbols(f"{name}0:{n * n}") for name in "abc")
    inside = lambda k: 1 if k < 0 else n - 2 if k == n else k
    at = lambda i, j: a[inside(i) + n * inside(j)]
    rates = [[], [], []]
    for k in range(n * n):
        i, j = k % n, k // n
        around = at(i - 1, j) + at(i + 1, j) + at(i, j - 1) + at(i, j + 1)
        source = 1 if 5 * (j + 1) >= 4 * n else 0
        reaction = a[k] * b[k]
        rates[0].append(100 * (around - 4 * a[k]) + source - a[k] - reaction + c[k])
        rates[1].append(1 - b[k] - reaction + c[k])
        rates[2].append(1 - c[k] + reaction - c[k])
    entries = []
    for rate in sum(rates, []):
        for symbol in sorted(rate.free_symbols, key=str):
            entries.append(rate.diff(symbol))
    return entries


def main():
    options = common.arguments()
    ours = common.Ours(options.ours)
    name = f"SymPy {sympy.__version__}"
    fields = dict(suite=options.suite, threads=1)
    budget = 4 if options.quick else 20
    parts = [
        (f"{TERMS} terms added one by one", "sum", TERMS, add_terms),
        (f"Jacobian of the equation on {GRID} × {GRID} points", "jacobian", GRID, grid_jacobian),
    ]
    for done, (case, op, size, run) in enumerate(parts):
        common.emit("progress", done=done, total=len(parts) + 1, what=f"{name}: {case}")

        def peer(run=run):
            sympy.core.cache.clear_cache()
            return timed(run)[0]

        sides = [lambda: ours.ask(op="expr", part=op, size=size)["seconds"], peer]
        mine, theirs = common.take_turns(sides, budget, least=5)
        common.record(case=case, impl="ansatz", metric="time", unit="s", **common.spread(mine), **fields)
        common.record(case=case, impl=name, version=sympy.__version__, metric="time", unit="s", **common.spread(theirs), **fields)
        ratio = common.statistics.median(theirs) / common.statistics.median(mine)
        common.record(case=case, impl=name, version=sympy.__version__, metric="ratio", value=ratio, unit="1", runs=1, **fields)
    case = "Burgers' residual at 1e6 points"
    common.emit("progress", done=len(parts), total=len(parts) + 1, what=f"{name}: {case}")
    x, t = sympy.symbols("x t")
    u = sympy.sympify(TEXT)
    residual = u.diff(t) + u * u.diff(x) - sympy.Rational(3, 20) * u.diff(x, 2)
    both = sympy.lambdify([x, t], [residual, u.diff(x)], "numpy", cse=True)
    index = np.arange(POINTS)
    at = 6.0 * (index / POINTS), np.modf(index * 0.618_033_988_749)[0]
    values = both(*at)
    few = np.linspace(0, POINTS - 1, 50).astype(int)
    mine = np.array(ours.ask(op="expr", part="residual", size=POINTS)["values"])
    apart = float(np.abs(mine - np.concatenate([v[few] for v in values])).max())
    common.record(case=case, impl=name, version=sympy.__version__, metric="agreement", value=apart, unit="1", runs=1, **fields)
    if not apart <= options.agreement:
        common.emit("note", suite=options.suite, text=f"{name}: {apart:.2g} from ours; not timed.")
        return
    sides = [
        lambda: ours.ask(op="expr", part="residual", size=POINTS)["seconds"],
        lambda: timed(lambda: both(*at))[0],
    ]
    mine, theirs = common.take_turns(sides, budget, least=5)
    common.record(case=case, impl=f"{name}, NumPy", version=sympy.__version__, metric="time", unit="s", **common.spread(theirs), **fields)
    ratio = common.statistics.median(theirs) / common.statistics.median(mine)
    common.record(case=case, impl=f"{name}, NumPy", version=sympy.__version__, metric="ratio", value=ratio, unit="1", runs=1, **fields)


if __name__ == "__main__":
    main()
