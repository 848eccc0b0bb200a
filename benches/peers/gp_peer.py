"""The published form of GP-HM in JAX, SciPy's and NumPy's structured algebra, held to the same number of processor cores.

The step: dense Cholesky factors, loss and gradient derived by JAX, Adam; compiled as one function. The published program
takes the kernel on all pairs of points and derives k''; beside it k'' by hand, and a tuned form that takes the kernel once for
each distance on the grid. Each is compared with ours, then timed.
"""

import time

import common

POINTS, COMPONENTS, JITTER, BOUNDARY = 400, 30, 1e-6, 200.0
# How many times faster the step should be.
TARGET = 10.0


def step_forms(dimensions):
    """Functions of the unknowns by name, each a pair: loss with gradient, and a step of Adam."""
    import jax
    import jax.numpy as jnp
    from jax.scipy.linalg import cho_solve

    jax.config.update("jax_enable_x64", True)
    grid = jnp.linspace(0.0, 2 * jnp.pi, POINTS)
    pairs = jnp.abs(grid[:, None] - grid[None, :])
    steps_apart = jnp.abs(jnp.arange(POINTS)[:, None] - jnp.arange(POINTS)[None, :])
    total = POINTS**dimensions
    if dimensions == 1:
        exact = jnp.sin(100 * grid)
        edges = lambda u: jnp.stack([u[0], u[-1]])
    else:
        exact = jnp.sin(100 * grid)[:, None] * jnp.sin(100 * grid)[None, :]
        edges = lambda u: jnp.concatenate([u[0], u[-1], u[:, 0], u[:, -1]])
    source, rim = -1e4 * dimensions * exact, edges(exact)

    def component(theta, d):
        w, l, mu = theta.reshape(3, COMPONENTS)
        z = jnp.sqrt(5.0) * jnp.exp(l) * d
        return jnp.sum(jnp.exp(w) * (1 + z + z * z / 3) * jnp.exp(-z) * jnp.cos(2 * jnp.pi * mu * d))

    def curved(theta, d):
        w, l, mu = theta.reshape(3, COMPONENTS)
        a, om = jnp.sqrt(5.0) * jnp.exp(l), 2 * jnp.pi * mu
        z = a * d
        e, c, s = jnp.exp(-z), jnp.cos(om * d), jnp.sin(om * d)
        m, m1, m2 = (1 + z + z * z / 3) * e, -a * z * (1 + z) / 3 * e, a * a * (z * z - z - 1) / 3 * e
        return jnp.sum(jnp.exp(w) * (m2 * c - 2 * m1 * om * s - m * om * om * c))

    derived = lambda theta, d: jax.grad(jax.grad(component, 1), 1)(theta, d)
    on_pairs = lambda f, theta: jax.vmap(jax.vmap(lambda d: f(theta, d)))(pairs)
    on_distances = lambda f, theta: jax.vmap(lambda d: f(theta, d))(grid)[steps_apart]

    def form(second, matrix):
        def factor(theta):
            c = matrix(component, theta) + JITTER * jnp.eye(POINTS)
            return jnp.linalg.cholesky(c), matrix(second, theta)

        def loss(z):
            u, tau = z[:total].reshape(exact.shape), z[-2:]
            parts = [factor(t) for t in z[total:-2].reshape(dimensions, -1)]
            logs = [2 * jnp.sum(jnp.log(jnp.diag(l))) for l, _ in parts]
            solved = cho_solve((parts[0][0], True), u)
            curve = parts[0][1] @ solved
            if dimensions == 2:
                across = cho_solve((parts[1][0], True), u.T)
                curve = curve + (parts[1][1] @ across).T
                solved = cho_solve((parts[1][0], True), solved.T).T
            gap, rest = edges(u) - rim, curve - source
            prior = -0.5 * total / POINTS * sum(logs) - 0.5 * jnp.sum(u * solved)
            fit = BOUNDARY * (0.5 * gap.size * tau[0] - 0.5 * jnp.exp(tau[0]) * jnp.sum(gap**2))
            return -(prior + fit + 0.5 * total * tau[1] - 0.5 * jnp.exp(tau[1]) * jnp.sum(rest**2))

        gradient = jax.value_and_grad(loss)

        def step(state):
            z, m, v, t = state
            _, g = gradient(z)
            m, v, t = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g, t + 1
            z = z - 1e-4 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
            return z, m, v, t

        return jax.jit(gradient), jax.jit(step)

    return {
        "all pairs, k'' derived": form(derived, on_pairs),
        "all pairs, k'' by hand": form(curved, on_pairs),
        "each distance once": form(curved, on_distances),
    }


def apart(theirs, ours):
    """The greater of the relative differences of loss and gradient."""
    import numpy as np

    loss, gradient = float(theirs[0]), np.asarray(theirs[1])
    ours = np.array(ours)
    return max(abs(loss - ours[0]) / abs(ours[0]), float(np.linalg.norm(gradient - ours[1:]) / np.linalg.norm(ours[1:])))


def steps(options, ours, dimensions):
    import jax
    import jax.numpy as jnp
    import numpy as np

    threads = options.threads[0]
    case = f"step, {POINTS}{'²' if dimensions == 2 else ''}"
    fields = dict(suite=options.suite, case=case, threads=threads)
    ask = lambda what, count=0: ours.ask(op="gp", task=f"{what} {dimensions}", threads=threads, count=count)
    start = np.array(ask("start", 1 << 30)["values"])
    mine = ask("gradient", 1 << 30)["values"]
    version = f"jax {jax.__version__}"
    runs = {}
    for name, (gradient, step) in step_forms(dimensions).items():
        distance = apart(gradient(start), mine)
        common.record(impl=f"{version}, {name}", metric="agreement", value=distance, unit="1", runs=1, **fields)
        if distance <= options.agreement:
            state = (jnp.array(start), jnp.zeros(len(start)), jnp.zeros(len(start)), 0)
            runs[name] = (step, state)

    def timed(step, state):
        begin = time.perf_counter()
        jax.block_until_ready(step(state))
        return time.perf_counter() - begin

    if not runs:
        return
    sides = [lambda: ask("step")["seconds"]]
    sides += [lambda run=run: timed(*run) for run in runs.values()]
    least = 10 if dimensions == 1 else 3
    times = common.take_turns(sides, budget_s=5.0 if options.quick else 20.0, least=least, most=200)
    best = None
    for name, seconds in zip(runs, times[1:]):
        told = common.spread(seconds)
        common.record(impl=f"{version}, {name}", version=version, metric="time", unit="s", **fields, **told)
        if best is None or told["value"] < best[1]:
            best = (name, told["value"])
    ratio = best[1] / common.spread(times[0])["value"]
    common.record(impl=f"beside {version}, {best[0]}", metric="ratio", value=ratio, unit="1", runs=len(times[0]), **fields)
    if dimensions == 1:
        common.record(impl="aimed at", metric="ratio", value=TARGET, unit="1", runs=1, **fields)


def structured(options, ours):
    import numpy as np
    import scipy
    from scipy.linalg import cho_factor, cho_solve, solve_toeplitz

    threads = options.threads[0]

    def toeplitz(n):
        t = (1.0 + np.arange(n)) ** -1.5
        t[0] = 2.0
        b = np.cos(np.arange(n))
        return lambda: solve_toeplitz(t, b)

    side = np.arange(100)
    a = np.exp(-np.abs(side[:, None] - side[None, :]) / 3.0) + np.eye(100)
    x = np.cos(np.arange(100**3)).reshape(100, 100, 100)

    def along(f, x):
        for _ in range(3):
            x = np.moveaxis(f(x.reshape(100, -1)).reshape(100, 100, 100), 0, -1)
        return x

    def solve():
        factors = [cho_factor(a) for _ in range(3)]
        return along(lambda x: cho_solve(factors[0], x), x)

    def determinant():
        return np.array([sum(1e4 * np.linalg.slogdet(a)[1] for _ in range(3))])

    tasks = {f"Toeplitz {n}": toeplitz(n) for n in ([400, 4096] if options.quick else [400, 4096, 65536])}
    tasks |= {"Kronecker product": lambda: along(lambda x: a @ x, x), "Kronecker solve": solve}
    tasks |= {"Kronecker determinant": determinant}
    for task, run in tasks.items():
        package = f"SciPy {scipy.__version__}" if task.startswith("Toeplitz") else f"NumPy {np.__version__}"
        mine = lambda count=0: ours.ask(op="gp", task=task, threads=threads, count=count)
        want = np.array(mine(1 << 30)["values"])
        got = np.asarray(run()).ravel()
        distance = float(np.linalg.norm(got - want) / np.linalg.norm(want))
        fields = dict(suite=options.suite, case=task, threads=threads)
        common.record(impl=package, metric="agreement", value=distance, unit="1", runs=1, **fields)
        if distance > options.agreement:
            continue

        def timed():
            begin = time.perf_counter()
            run()
            return time.perf_counter() - begin

        long = task.endswith("65536")
        sides = [lambda: mine()["seconds"], timed]
        times = common.take_turns(sides, budget_s=2.0 if options.quick else 8.0, least=2 if long else 10, most=2 if long else 60)
        common.record(impl=package, version=package, metric="time", unit="s", **fields, **common.spread(times[1]))
        ratio = common.spread(times[1])["value"] / common.spread(times[0])["value"]
        common.record(impl=f"beside {package}", metric="ratio", value=ratio, unit="1", runs=len(times[0]), **fields)


def held(options):
    ours = common.Ours(options.ours)
    steps(options, ours, 1)
    structured(options, ours)
    # A dense step in two dimensions takes JAX some seconds.
    if not options.quick:
        steps(options, ours, 2)


if __name__ == "__main__":
    common.per_thread_count(held, "JAX, SciPy and NumPy")
