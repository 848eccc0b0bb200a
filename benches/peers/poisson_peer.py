"""SciPy's conjugate gradients and PyAMG beside our multigrid on the pressure problem, in turns.

The problem is made here from its description; solutions of residual 1e-10 are compared before anything is timed. Peers
run on one core, as their sparse products do.
"""

import time

import common
import numpy as np
import pyamg
import scipy
import scipy.sparse as sp
import scipy.sparse.linalg as sla

TOLERANCES = [1e-4, 1e-8]


def problem(n):
    """The matrix of the fluid cells, its right-hand side, and where the fluid cells are."""
    x = (np.arange(n) + 0.5) / n
    z, y, x = np.meshgrid(x, x, x, indexing="ij")
    fluid = ((x - 0.5) ** 2 + (y - 0.5) ** 2 + (z - 0.4) ** 2) >= 0.04
    number = np.full(fluid.shape, -1)
    number[fluid] = np.arange(fluid.sum())
    rows, columns = [], []
    diagonal = np.zeros(fluid.shape)
    for axis in range(3):
        low = [slice(None)] * 3
        high = [slice(None)] * 3
        low[axis], high[axis] = slice(0, n - 1), slice(1, n)
        low, high = tuple(low), tuple(high)
        both = fluid[low] & fluid[high]
        rows.append(number[low][both])
        columns.append(number[high][both])
        diagonal[low] += both
        diagonal[high] += both
    # Air above the last layer of z.
    diagonal[n - 1] += fluid[n - 1]
    i, j = np.concatenate(rows), np.concatenate(columns)
    size = int(fluid.sum())
    lower = sp.coo_matrix((-np.ones(len(i)), (j, i)), (size, size))
    matrix = (lower + lower.T + sp.diags(diagonal[fluid])).tocsr()
    with np.errstate(over="ignore"):
        w = np.arange(n**3, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        w = (w ^ (w >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        w = (w ^ (w >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        w = w ^ (w >> np.uint64(31))
    b = 2.0 * ((w >> np.uint64(11)).astype(np.float64) * 2.0**-53) - 1.0
    return matrix, b[fluid.ravel()], fluid.ravel()


def methods(matrix, n):
    """Name, seconds to set up, and a function of right-hand side and tolerance that gives solution and steps."""

    def krylov(method, preconditioner, most=2000):
        def solve(b, tolerance):
            steps = 0

            def count(_):
                nonlocal steps
                steps += 1

            x, _ = method(matrix, b, rtol=tolerance, M=preconditioner, maxiter=most, callback=count)
            return x, steps

        return solve

    def amg(levels):
        def solve(b, tolerance):
            seen = []
            x = levels.solve(b, tol=tolerance, accel="cg", maxiter=500, residuals=seen)
            return x, len(seen) - 1

        return solve

    def made(make):
        begin = time.perf_counter()
        result = make()
        return time.perf_counter() - begin, result

    scipy_name, amg_name = f"SciPy {scipy.__version__}", f"PyAMG {pyamg.__version__}"
    yield f"{scipy_name}/cg", 0.0, krylov(sla.cg, None)
    if n <= 64:
        # Dropping leaves factors that are not symmetric: conjugate gradients do not converge with them.
        seconds, ilu = made(lambda: sla.spilu(matrix.tocsc(), drop_tol=1e-3, fill_factor=3))
        yield f"{scipy_name}/bicgstab, spilu", seconds, krylov(sla.bicgstab, sla.LinearOperator(matrix.shape, ilu.solve), 300)
    seconds, levels = made(lambda: pyamg.ruge_stuben_solver(matrix))
    yield f"{amg_name}/Ruge-Stüben", seconds, amg(levels)
    seconds, levels = made(lambda: pyamg.smoothed_aggregation_solver(matrix))
    yield f"{amg_name}/smoothed aggregation", seconds, amg(levels)


def main():
    options = common.arguments()
    ours = common.Ours(options.ours)
    sizes = [64] if options.quick else [64, 128]
    done, total = 0, len(sizes) * (1 + len(TOLERANCES))
    for n in sizes:
        common.emit("progress", done=done, total=total, what=f"peers on {n}³ cells: setting up")
        done += 1
        matrix, b, fluid = problem(n)
        mine = np.array(ours.ask(op="poisson", cells=n, method="multigrid", tolerance=1e-10, threads=1, count=n**3)["values"])[fluid]
        runs = {}
        for name, seconds, solve in methods(matrix, n):
            version = name.partition("/")[0]
            title = f"{n}³ cells, to 1e-8"
            fields = dict(suite=options.suite, impl=name, version=version)
            common.record(case=title, metric="set up", value=seconds, unit="s", runs=1, threads=1, **fields)
            x, _ = solve(b, 1e-10)
            apart = float(np.linalg.norm(x - mine) / np.linalg.norm(mine))
            common.record(case=f"{n}³ cells", metric="agreement", value=apart, unit="1", runs=1, threads=1, **fields)
            if not apart <= options.agreement:
                common.emit("note", suite=options.suite, text=f"{name} on {n}³ cells: {apart:.2g} from ours; not timed.")
                continue
            runs[name] = solve
            for tolerance in TOLERANCES:
                title = f"{n}³ cells, to {tolerance:.0e}".replace("e-0", "e-")
                x, steps = solve(b, tolerance)
                # A method that stops early would win by it.
                reached = np.linalg.norm(b - matrix @ x) / np.linalg.norm(b)
                if not reached <= 1.01 * tolerance:
                    common.emit("note", suite=options.suite, text=f"{name}, {title}: stopped at {reached:.2g}; not timed.")
                    runs.pop(name, None)
                common.record(case=title, metric="steps", value=steps, unit="1", runs=1, threads=1, **fields)
        for tolerance in TOLERANCES:
            title = f"{n}³ cells, to {tolerance:.0e}".replace("e-0", "e-")
            common.emit("progress", done=done, total=total, what=f"peers, {title}")
            done += 1

            def mine_once(threads):
                request = dict(op="poisson", cells=n, method="multigrid", tolerance=tolerance, threads=threads, count=0)
                return ours.ask(**request)["seconds"]

            def timed(solve):
                begin = time.perf_counter()
                solve(b, tolerance)
                return time.perf_counter() - begin

            sides = [lambda threads=threads: mine_once(threads) for threads in options.threads]
            sides += [lambda solve=solve: timed(solve) for solve in runs.values()]
            # A round of the peers on 128³ cells takes half a minute.
            times = common.take_turns(sides, budget_s=5.0 if options.quick else 20.0, least=3 if n <= 64 else 2, most=15)
            mine, theirs = times[: len(options.threads)], [common.spread(t) for t in times[len(options.threads) :]]
            fields = dict(suite=options.suite, case=title)
            for name, spread in zip(runs, theirs):
                common.record(impl=name, version=name.partition("/")[0], metric="time", unit="s", threads=1, **fields, **spread)
            who, best = min(zip(runs, theirs), key=lambda pair: pair[1]["value"])
            common.record(impl=who, version=who.partition("/")[0], metric="best", unit="s", threads=1, **fields, **best)
            for threads, seconds in zip(options.threads, mine):
                spread = common.spread(seconds)
                common.record(impl="multigrid", metric="best", unit="s", threads=threads, **fields, **spread)
                ratio = best["value"] / spread["value"]
                common.record(
                    impl=f"beside {who}".replace("/", ", "), metric="ratio", value=ratio, unit="1", runs=spread["runs"], threads=threads, **fields
                )


if __name__ == "__main__":
    main()
