"""DeepXDE, PyTorch and JAX beside our training of physics-informed networks, held to the same number of processor cores.

Our program gives points and parameters at the start; everything is in f32. Peers take the coordinates that our networks take,
from -1 to 1, so that a network is the same function everywhere and no peer pays for moving its inputs. Losses at the start
and of the first steps are compared before anything is timed. A process for each package and number of threads.

- DeepXDE: `Model.train`, derivatives by `dde.grad`, in reverse mode (the default) and in forward mode.
- PyTorch: the same by hand: nested autograd, `torch.optim.Adam`, fused.
- JAX: derivatives point by point as jaxpi writes them (grad of grad, vmap), jvp of jvp on the batch, and Taylor mode;
  all steps asked for in one compiled loop, and the fastest of these with a call for each step.
"""

import math
import os
import sys
import time

import common

RATE = 1e-3
# How many times faster than the faster of DeepXDE and JAX as jaxpi writes it (grad of grad) a step should be.
TARGET = 3.0
PROBLEMS = ["Burgers", "Helmholtz", "Kuramoto-Sivashinsky"]
NU, K = 0.01 / math.pi, 2 * math.pi
# Steps whose losses are compared; steps after which errors are.
FIRST, LONG = 20, 3000
PACKAGES = ["deepxde", "torch", "jax"]


class Given:
    """Points and parameters of a problem, in numbers from -1 to 1."""

    def __init__(self, ours, name):
        import numpy as np

        given = ours.ask(op="problem", name=name)
        self.name = name
        # Coordinates from 0 to 1: time, and both of Helmholtz' problem.
        from_zero = np.array([True, True] if name == "Helmholtz" else [False, True])
        rows = [np.array(p).reshape(-1, 2) for p in given["points"]]
        self.points = [np.where(from_zero, 2 * r - 1, r).astype(np.float32) for r in rows]
        flat = [np.array(p, np.float32) for p in given["parameters"]]
        self.parameters = []
        for w, b in zip(flat[::2], flat[1::2]):
            self.parameters += [w.reshape(len(b), -1), b]


def torch_features(x):
    import torch

    return torch.cat([torch.cos(math.pi * x[:, :1]), torch.sin(math.pi * x[:, :1]), x[:, 1:]], 1)


def hard(x, u):
    """x(1 - x)y(1 - y)u in coordinates from -1 to 1."""
    return (1 - x[:, :1] ** 2) * (1 - x[:, 1:] ** 2) / 16 * u


def source(x, sin):
    return K**2 * sin(K / 2 * (x[:, :1] + 1)) * sin(K / 2 * (x[:, 1:] + 1))


def deepxde_run(given, mode):
    """A function of a number of steps: trains on, and gives losses before each step if `watched`."""
    os.environ["DDE_BACKEND"] = "pytorch"
    import deepxde as dde
    import numpy as np
    import torch

    dde.config.set_default_float("float32")
    dde.config.set_default_autodiff(mode)
    # In forward mode arrays come with the functions that they are values of.
    value = lambda y: y[0] if isinstance(y, tuple) else y
    first = lambda y, x, j: value(dde.grad.jacobian(y, x, i=0, j=j))
    second = lambda y, x, j: value(dde.grad.hessian(y, x, i=j, j=j))

    def burgers(x, y):
        return 2 * first(y, x, 1) + value(y) * first(y, x, 0) - NU * second(y, x, 0)

    wave = []

    def helmholtz(x, y):
        # The right-hand side is the same at each step; the demo computes it anew.
        if not wave:
            wave.append(source(x.detach(), torch.sin))
        return -4 * (second(y, x, 0) + second(y, x, 1)) - K**2 * value(y) - wave[0]

    def kuramoto(x, y):
        u_xx = dde.grad.hessian(y, x, i=0, j=0)
        u_xxxx = dde.grad.hessian(u_xx, x, i=0, j=0)
        return 2 * first(y, x, 1) + 5 * value(y) * first(y, x, 0) + 0.5 * value(u_xx) + 0.005 * value(u_xxxx)

    pde = {"Burgers": burgers, "Helmholtz": helmholtz}.get(given.name, kuramoto)
    inside, *rest = given.points
    sides = []
    if given.name == "Burgers":
        sides.append(dde.icbc.PointSetBC(rest[0], np.zeros((len(rest[0]), 1))))
    if given.name != "Helmholtz":
        sides.append(dde.icbc.PointSetBC(rest[-1], -np.sin(np.pi * rest[-1][:, :1])))
    square = dde.geometry.Rectangle([-1, -1], [1, 1])
    # All points are given: those inside as anchors.
    data = dde.data.PDE(square, pde, sides, num_domain=0, num_boundary=0, anchors=inside)
    widths = [given.parameters[0].shape[1]] + [len(b) for b in given.parameters[1::2]]
    net = dde.nn.FNN(widths, "tanh", "Glorot uniform")
    if given.name == "Helmholtz":
        net.apply_output_transform(hard)
    if given.name == "Kuramoto-Sivashinsky":
        net.apply_feature_transform(torch_features)
    with torch.no_grad():
        for layer, w, b in zip(net.linears, given.parameters[::2], given.parameters[1::2]):
            layer.weight.copy_(torch.from_numpy(w))
            layer.bias.copy_(torch.from_numpy(b))
    model = dde.Model(data, net)
    model.compile("adam", lr=RATE, verbose=0)

    class Losses(dde.callbacks.Callback):
        seen = []

        def on_batch_begin(self):
            _, losses = self.model._outputs_losses(
                True, self.model.train_state.X_train, self.model.train_state.y_train, self.model.train_state.train_aux_vars
            )
            self.seen.append(float(np.sum(losses)))

    def run(steps, watched=False):
        watch = [Losses()] if watched else None
        begin = time.perf_counter()
        model.train(iterations=steps, display_every=10**9, callbacks=watch, verbose=0)
        seconds = time.perf_counter() - begin
        return seconds, watch[0].seen if watched else []

    return run, lambda: [p.detach().numpy() for l in net.linears for p in (l.weight, l.bias)]


def torch_run(given, _):
    import torch

    weights = [torch.tensor(p, requires_grad=True) for p in given.parameters]
    points = [torch.from_numpy(p) for p in given.points]
    points[0].requires_grad_()
    adam = torch.optim.Adam(weights, RATE, fused=True)

    def network(x):
        u = torch_features(x) if given.name == "Kuramoto-Sivashinsky" else x
        for i in range(0, len(weights), 2):
            u = torch.nn.functional.linear(u, weights[i], weights[i + 1])
            if i + 2 < len(weights):
                u = torch.tanh(u)
        return hard(x, u) if given.name == "Helmholtz" else u

    def slope(y, x):
        (g,) = torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)
        return g[:, :1], g[:, 1:]

    wave = source(points[0].detach(), torch.sin)
    start = -torch.sin(math.pi * points[-1].detach()[:, :1])

    def residual(x):
        u = network(x)
        u_x, u_t = slope(u, x)
        u_xx = slope(u_x, x)[0]
        if given.name == "Burgers":
            return 2 * u_t + u * u_x - NU * u_xx
        if given.name == "Helmholtz":
            return -4 * (u_xx + slope(u_t, x)[1]) - K**2 * u - wave
        return 2 * u_t + 5 * u * u_x + 0.5 * u_xx + 0.005 * slope(slope(u_xx, x)[0], x)[0]

    def loss():
        total = residual(points[0]).square().mean()
        if given.name == "Burgers":
            total = total + network(points[1]).square().mean()
        if given.name != "Helmholtz":
            total = total + (network(points[-1]) - start).square().mean()
        return total

    def run(steps, watched=False):
        losses = []
        begin = time.perf_counter()
        for _ in range(steps):
            adam.zero_grad()
            value = loss()
            value.backward()
            adam.step()
            if watched:
                losses.append(float(value.detach()))
        return time.perf_counter() - begin, losses

    return run, lambda: [p.detach().numpy() for p in weights]


def jax_run(given, form):
    import jax
    import jax.numpy as jnp
    from jax.experimental.jet import jet

    derivatives, _, looped = form.partition(", ")
    points = [jnp.array(p) for p in given.points]
    periodic, fixed = given.name == "Kuramoto-Sivashinsky", given.name == "Helmholtz"

    def network(p, x):
        """Of points [n, 2]."""
        u = x
        if periodic:
            u = jnp.concatenate([jnp.cos(math.pi * x[:, :1]), jnp.sin(math.pi * x[:, :1]), x[:, 1:]], 1)
        for i in range(0, len(p), 2):
            u = u @ p[i].T + p[i + 1]
            if i + 2 < len(p):
                u = jnp.tanh(u)
        return hard(x, u) if fixed else u

    inside = points[0]
    wave = source(inside, jnp.sin)
    start = -jnp.sin(math.pi * points[-1][:, :1])
    # Derivatives of u: along x up to `most`, along the other coordinate up to `other`.
    most, other = {"Burgers": (2, 1), "Helmholtz": (2, 2)}.get(given.name, (4, 1))
    units = [jnp.broadcast_to(jnp.array(e, jnp.float32), inside.shape) for e in ([1.0, 0.0], [0.0, 1.0])]

    def pointwise(p):
        u = lambda x, t: network(p, jnp.stack([x, t])[None, :])[0, 0]

        def along(argument, order):
            all = [u]
            for _ in range(order):
                all.append(jax.grad(all[-1], argument))
            return [jax.vmap(f)(inside[:, 0], inside[:, 1])[:, None] for f in all]

        return along(0, most), along(1, other)

    def nested(p):
        u = lambda x: network(p, x)

        def along(e, order):
            if order == 0:
                return lambda x: (u(x),)

            def value(x):
                before = along(e, order - 1)
                y, dy = jax.jvp(before, (x,), (e,))
                return (*y, dy[-1])

            return value

        return along(units[0], most)(inside), along(units[1], other)(inside)

    def taylor(p):
        u = lambda x: network(p, x)

        def along(e, order):
            if order == 1:
                return jax.jvp(u, (inside,), (e,))
            zero = jnp.zeros_like(e)
            value, series = jet(u, (inside,), ((e, *[zero] * (order - 1)),))
            return (value, *series)

        return along(units[0], most), along(units[1], other)

    streams = {"grad of grad": pointwise, "jvp of jvp": nested, "jet": taylor}[derivatives]

    def loss(p):
        x, t = streams(p)
        u = x[0]
        if given.name == "Burgers":
            r = 2 * t[1] + u * x[1] - NU * x[2]
            return jnp.mean(r**2) + jnp.mean(network(p, points[1]) ** 2) + jnp.mean((network(p, points[2]) - start) ** 2)
        if fixed:
            return jnp.mean((-4 * (x[2] + t[2]) - K**2 * u - wave) ** 2)
        r = 2 * t[1] + 5 * u * x[1] + 0.5 * x[2] + 0.005 * x[4]
        return jnp.mean(r**2) + jnp.mean((network(p, points[1]) - start) ** 2)

    def step(state):
        p, m, v, k = state
        value, g = jax.value_and_grad(loss)(p)
        tree = jax.tree.map
        m = tree(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        k = k + 1
        a, b = 1 - 0.9**k, 1 - 0.999**k
        p = tree(lambda p, m, v: p - RATE * (m / a) / (jnp.sqrt(v / b) + 1e-8), p, m, v)
        return (p, m, v, k), value

    once = jax.jit(step, donate_argnums=0)
    many = jax.jit(lambda state, n: jax.lax.fori_loop(0, n, lambda _, s: step(s)[0], state), donate_argnums=0)
    p = [jnp.array(p) for p in given.parameters]
    state = [(p, [jnp.zeros_like(q) for q in p], [jnp.zeros_like(q) for q in p], jnp.float32(0))]

    def run(steps, watched=False):
        losses = []
        begin = time.perf_counter()
        if watched or looped == "a call each":
            for _ in range(steps):
                state[0], value = once(state[0])
                if watched:
                    losses.append(float(value))
        else:
            state[0] = many(state[0], steps)
        jax.block_until_ready(state[0])
        return time.perf_counter() - begin, losses

    return run, lambda: [jax.device_get(p) for p in state[0][0]]


RUNS = {
    "deepxde": (deepxde_run, ["reverse", "forward"]),
    "torch": (torch_run, ["autograd"]),
    "jax": (jax_run, ["grad of grad", "jvp of jvp", "jet"]),
}


def version(package):
    if package == "jax":
        import jax

        return f"jax {jax.__version__}"
    import torch

    name = f"PyTorch {torch.__version__.partition('+')[0]}"
    if package == "deepxde":
        import deepxde

        return f"DeepXDE {deepxde.__version__} on {name}"
    return name


def apart(theirs, ours):
    """Relative difference of losses: at the start, and the greatest of the first steps."""
    each = [abs(a - b) / abs(b) for a, b in zip(theirs, ours)]
    return each[0], max(each)


def held(options, package):
    """One package on the cores that this process may use: compares, then times."""
    if package != "jax":
        import torch

        torch.set_num_threads(options.threads[0])
    threads = options.threads[0]
    ours = common.Ours(options.ours)
    make, all_forms = RUNS[package]
    # Turns of this many steps.
    many = {"deepxde": 40, "torch": 40, "jax": 100}[package]
    for name in PROBLEMS:
        given = Given(ours, name)
        mine = ours.ask(op="steps", name=name, steps=FIRST, threads=threads, **{"from": "start"})["losses"]
        fields = dict(case=name, package=package)

        def checked(form):
            """A training that was compared, or none; it goes on from the first steps."""
            try:
                run, parameters = make(given, form)
                begin, later = apart(run(FIRST, watched=True)[1], mine)
            except (RuntimeError, ValueError, NotImplementedError, TypeError) as error:
                common.emit("failure", form=form, text=f"{type(error).__name__}: {error}"[:200], **fields)
                return None
            named = dict(form=form, version=version(package), **fields)
            common.emit("agreement", start=begin, later=later, **named)
            good = begin <= options.agreement and later <= 1e3 * options.agreement
            return (run, parameters) if good else None

        runs = {form: found for form in all_forms if (found := checked(form))}

        if package == "jax" and runs:
            for run, _ in runs.values():
                run(many)  # Compiles.
            form = min(runs, key=lambda form: runs[form][0](many)[0])
            form = f"{form}, a call each"
            if found := checked(form):
                runs[form] = found
        if not runs:
            continue
        sides = [lambda: ours.ask(op="steps", name=name, steps=100, threads=threads, **{"from": "here"})["seconds"] / 100]
        sides += [lambda run=run: run(many)[0] / many for run, _ in runs.values()]
        times = common.take_turns(sides, budget_s=2.0 if options.quick else 6.0, least=5 if options.quick else 7)
        for form, seconds in zip(runs, times[1:]):
            named = dict(form=form, version=version(package), **fields)
            common.emit("times", ours=common.spread(times[0]), theirs=common.spread(seconds), **named)


def long_training(options, package, form, name, steps):
    """Seconds and error of many steps."""
    steps = int(steps)
    ours = common.Ours(options.ours)
    threads = options.threads[0]
    if package == "ours":
        done = ours.ask(op="steps", name=name, steps=steps, threads=threads, **{"from": "start"})
        seconds, parameters = done["seconds"], done["parameters"]
        shown = "Adam"
    else:
        if package != "jax":
            import torch

            torch.set_num_threads(threads)
        given = Given(ours, name)
        run, found = RUNS[package][0](given, form)
        # What is compiled is compiled before; the training goes on from there.
        before = 1
        run(before)
        seconds = run(steps - before)[0]
        parameters = [float(v) for p in found() for v in p.ravel()]
        shown = f"{version(package)}, {form}"
    error = ours.ask(op="error", name=name, parameters=parameters)["distance"]
    common.emit("long", case=name, shown=shown, seconds=seconds, error=error)


def report(options, threads, events):
    suite = options.suite
    best, plain = {}, {}
    for e in events:
        if e["kind"] == "failure":
            common.emit("note", suite=suite, text=f"{e['package']}, {e['form']}, {e['case']}, {threads} threads: {e['text']}")
            continue
        shown = f"{e['version']}/{e['form']}"
        fields = dict(suite=suite, case=e["case"], version=e["version"], threads=threads)
        if e["kind"] == "agreement":
            common.record(impl=shown, metric="agreement", value=e["start"], unit="1", runs=1, **fields)
            common.record(impl=shown, metric="later", value=e["later"], unit="1", runs=1, **fields)
            if not (e["start"] <= options.agreement and e["later"] <= 1e3 * options.agreement):
                text = f"{shown}, {e['case']}: losses are {e['start']:.2g} and {e['later']:.2g} from ours; not timed."
                common.emit("note", suite=suite, text=text)
            continue
        common.record(impl=shown, metric="time", unit="s", **fields, **e["theirs"])
        if e["form"] == "grad of grad":
            plain[e["case"]] = e
        key = (e["case"], e["package"])
        if key not in best or e["theirs"]["value"] < best[key]["theirs"]["value"]:
            best[key] = e
    for case in PROBLEMS:
        found = [best[case, package] for package in PACKAGES if (case, package) in best]
        # As jaxpi has it, whether it is the fastest form or not.
        for e in found + [plain[case]] * (case in plain and plain[case] not in found):
            fields = dict(suite=suite, case=case, threads=threads)
            who = f"{e['version']}, {e['form']}"
            ratio = e["theirs"]["value"] / e["ours"]["value"]
            common.record(impl=f"beside {who}", metric="ratio", value=ratio, unit="1", runs=e["ours"]["runs"], **fields)
        if found:
            e = min(found, key=lambda e: e["theirs"]["value"] / e["ours"]["value"])
            fields = dict(suite=suite, case=case, threads=threads)
            common.record(impl="aimed at", metric="ratio", value=TARGET, unit="1", runs=1, **fields)
            who = f"{e['version']}, {e['form']}"
            common.record(impl="Adam", metric="best", unit="s", **fields, **e["ours"])
            common.record(impl=f"{who}/step", version=who, metric="best", unit="s", **fields, **e["theirs"])
    return best


def main():
    words = common.held_words() or []
    options = common.arguments()
    if words[:1] == ["long"]:
        return long_training(options, *words[1:])
    if words:
        return held(options, *words)
    cores = common.all_cores()
    total = len(options.threads) * len(PACKAGES) + 3
    done = 0
    best = {}
    for threads in options.threads:
        events = []
        limits = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        for package in PACKAGES:
            common.emit("progress", done=done, total=total, what=f"{package}, {threads} threads")
            done += 1
            events += common.held_events(cores[:threads], (package,), limits)
        best = report(options, threads, events)
    # Errors after many steps, with as many threads as were asked for last.
    steps = LONG // 5 if options.quick else LONG
    threads = options.threads[-1]
    limits = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    for name in PROBLEMS[:2]:
        case = f"{name}, {steps} steps"
        fields = dict(suite=options.suite, case=case, threads=threads)
        least = math.inf
        sides = [("ours", "Adam")] + [(p, best[name, p]["form"]) for p in ("deepxde", "jax") if (name, p) in best]
        for package, form in sides:
            common.emit("progress", done=done, total=total, what=f"{case}: {package}")
            (e,) = common.held_events(cores[:threads], ("long", package, form, name, str(steps)), limits)
            common.record(impl=e["shown"], metric="error", value=e["error"], unit="1", runs=1, **fields)
            common.record(impl=e["shown"], metric="training", value=e["seconds"], unit="s", runs=1, **fields)
            least = min(least, e["error"])
        done += 1
        ours = common.Ours(options.ours)
        e = ours.ask(op="second", name=name, threads=threads, goal=least / 10)
        shown = "Levenberg-Marquardt (ours alone)"
        common.record(impl=shown, metric="error", value=e["reached"], unit="1", runs=1, **fields)
        common.record(impl=shown, metric="training", value=e["seconds"], unit="s", runs=1, **fields)
        text = f"{case}: Levenberg-Marquardt took {e['steps']} steps to an error of {e['reached']:.2g}; {least / 10:.2g} was asked for, a tenth of the least of all after Adam."
        common.emit("note", suite=options.suite, text=text)


if __name__ == "__main__":
    main()
