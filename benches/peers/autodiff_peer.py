"""PyTorch and JAX beside our gradients of networks, held to the same number of processor cores.

Our program gives points and parameters. Every form of a peer is compared with ours before it is timed: loss and gradient
to the agreement asked for in f64, to a million times that in f32. A process for each package, number of threads and setting
of the allocator; they send their results to the first one, which records them and names the fastest.
"""

import resource
import time

import common

LAYERS = 5
STEPS = [("pinn", "PINN step", 4096, ["f32", "f64"]), ("stack", "convolutions", 32, ["f32"])]
# How many times faster than the best peer the step should be, on two threads.
TARGETS = {"PINN step, f32": 3.5, "PINN step, f64": 4.5}
MANY = 100_000
# What glibc needs to hear to keep freed memory.
KEEP = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
HOLDINGS = [("torch", "", {}), ("torch", ", memory kept", KEEP), ("jax", "", {})]


def torch_forms(workload, inputs, element, threads):
    """Functions without arguments by name; each gives loss and gradients as a list of arrays."""
    import torch

    torch.set_num_threads(threads)
    dtype = {"f32": torch.float32, "f64": torch.float64}[element]
    if workload == "stack":
        return {"autograd": torch_stack(inputs, dtype)}
    n = len(inputs[1])
    x = torch.tensor(inputs[0], dtype=dtype).reshape(n, 2).requires_grad_()
    f = torch.tensor(inputs[1], dtype=dtype).reshape(n, 1)
    parameters = [torch.tensor(p, dtype=dtype) for p in inputs[2:]]
    for i in range(0, 2 * LAYERS, 2):
        parameters[i] = parameters[i].reshape(-1, len(inputs[3 + i]))
    parameters = [p.requires_grad_() for p in parameters]
    weights, biases = parameters[::2], parameters[1::2]
    units = [torch.tensor(e, dtype=dtype) for e in ([1.0, 0.0], [0.0, 1.0])]

    def finish(laplacian):
        loss = ((laplacian - f) ** 2).mean()
        # The last bias does not move the Laplacian.
        grads = torch.autograd.grad(loss, parameters, allow_unused=True)
        return [loss, *(torch.zeros_like(p) if g is None else g for g, p in zip(grads, parameters))]

    def nested():
        u = x
        for i in range(LAYERS):
            u = u @ weights[i] + biases[i]
            if i + 1 < LAYERS:
                u = torch.tanh(u)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        laplacian = 0
        for i in range(2):
            (second,) = torch.autograd.grad(slope[:, i].sum(), x, create_graph=True)
            laplacian = laplacian + second[:, i : i + 1]
        return finish(laplacian)

    def streams():
        point = x.detach()
        z = point @ weights[0] + biases[0]
        dz, lz = [e @ weights[0] for e in units], None
        for i in range(1, LAYERS):
            t = torch.tanh(z)
            slope = 1 - t * t
            curve = -2 * t * slope * sum(d * d for d in dz)
            l = curve if lz is None else curve + slope * lz
            z = t @ weights[i] + biases[i]
            dz, lz = [(slope * d) @ weights[i] for d in dz], l @ weights[i]
        return finish(lz)

    return {"nested autograd": nested, "Laplacian by hand": streams}


def torch_stack(inputs, dtype):
    import torch
    from torch.nn.functional import conv2d, silu

    x = torch.tensor(inputs[0], dtype=dtype).reshape(-1, 1, 28, 28)
    parameters = [torch.tensor(p, dtype=dtype) for p in inputs[1:]]
    channels = [1, *(len(p) for p in parameters[1::2])]
    for i in range(len(channels) - 1):
        parameters[2 * i] = parameters[2 * i].reshape(channels[i + 1], channels[i], 3, 3)
    parameters = [p.requires_grad_() for p in parameters]

    def step():
        y = x
        for w, b in zip(parameters[::2], parameters[1::2]):
            y = silu(conv2d(y, w, b, padding=1))
        loss = (y * y).mean()
        return [loss, *torch.autograd.grad(loss, parameters)]

    return step


def jax_forms(workload, inputs, element, threads):
    import jax
    import jax.numpy as jnp
    from jax.experimental.jet import jet

    jax.config.update("jax_enable_x64", True)
    dtype = {"f32": jnp.float32, "f64": jnp.float64}[element]

    def compiled(loss, parameters):
        step = jax.jit(jax.value_and_grad(loss)).lower(parameters).compile()

        def run():
            loss, grads = step(parameters)
            return [loss, *jax.block_until_ready(grads)]

        return run

    if workload == "stack":
        images = jnp.array(inputs[0], dtype).reshape(-1, 1, 28, 28)
        parameters = [jnp.array(p, dtype) for p in inputs[1:]]
        channels = [1, *(len(p) for p in parameters[1::2])]
        for i in range(len(channels) - 1):
            parameters[2 * i] = parameters[2 * i].reshape(channels[i + 1], channels[i], 3, 3)

        def mean_square(p):
            y = images
            for w, b in zip(p[::2], p[1::2]):
                y = jax.nn.silu(jax.lax.conv_general_dilated(y, w, (1, 1), "SAME") + b[:, None, None])
            return jnp.mean(y * y)

        return {"grad": compiled(mean_square, parameters)}
    n = len(inputs[1])
    x = jnp.array(inputs[0], dtype).reshape(n, 2)
    f = jnp.array(inputs[1], dtype).reshape(n, 1)
    parameters = [jnp.array(p, dtype) for p in inputs[2:]]
    for i in range(0, 2 * LAYERS, 2):
        parameters[i] = parameters[i].reshape(-1, len(inputs[3 + i]))
    units = [jnp.broadcast_to(jnp.array(e, dtype), x.shape) for e in ([1.0, 0.0], [0.0, 1.0])]

    def network(p, x):
        for i in range(LAYERS):
            x = x @ p[2 * i] + p[2 * i + 1]
            if i + 1 < LAYERS:
                x = jnp.tanh(x)
        return x

    def jvp_of_jvp(p):
        u = lambda x: network(p, x)
        second = lambda e: jax.jvp(lambda x: jax.jvp(u, (x,), (e,))[1], (x,), (e,))[1]
        return sum(second(e) for e in units)

    def jvp_of_grad(p):
        slope = jax.grad(lambda x: network(p, x).sum())
        return sum(jax.jvp(slope, (x,), (e,))[1][:, i : i + 1] for i, e in enumerate(units))

    def by_jet(p):
        u = lambda x: network(p, x)
        return sum(jet(u, (x,), ((e, jnp.zeros_like(e)),))[1][1] for e in units)

    def streams(p):
        z = x @ p[0] + p[1]
        dz, lz = [e[:1] @ p[0] for e in units], None
        for i in range(1, LAYERS):
            t = jnp.tanh(z)
            slope = 1 - t * t
            curve = -2 * t * slope * sum(d * d for d in dz)
            l = curve if lz is None else curve + slope * lz
            w = p[2 * i]
            z, dz, lz = t @ w + p[2 * i + 1], [(slope * d) @ w for d in dz], l @ w
        return lz

    forms = {"jvp of jvp": jvp_of_jvp, "jvp of grad": jvp_of_grad, "jet": by_jet, "Laplacian by hand": streams}
    mean_square = lambda laplacian: lambda p: jnp.mean((laplacian(p) - f) ** 2)
    return {name: compiled(mean_square(laplacian), parameters) for name, laplacian in forms.items()}


def forms(package, *arguments):
    return {"torch": torch_forms, "jax": jax_forms}[package](*arguments)


def version(package):
    if package == "torch":
        import torch

        return f"PyTorch {torch.__version__.partition('+')[0]}"
    import jax

    return f"jax {jax.__version__}"


def apart(theirs, ours):
    """‖theirs − ours‖/‖ours‖ of the loss and of the gradient, the greater of both."""
    import numpy as np

    theirs = [np.asarray(a.detach() if hasattr(a, "detach") else a, np.float64).ravel() for a in theirs]
    gradient, ours = np.concatenate(theirs[1:]), np.array(ours)
    loss = abs(theirs[0][0] - ours[0]) / abs(ours[0])
    return float(max(loss, np.linalg.norm(gradient - ours[1:]) / np.linalg.norm(ours[1:])))


def held(options, package, suffix):
    """One package on the cores that this process may use: compares, then times."""
    threads = options.threads[0]
    ours = common.Ours(options.ours)
    for workload, title, points, elements in STEPS:
        inputs = ours.ask(op="inputs", workload=workload, points=points)["inputs"]
        for element in elements:
            case = f"{title}, {element}"
            request = {"op": "gradient", "workload": workload, "points": points, "element": element, "threads": threads}
            mine = ours.ask(**request, count=1 << 30)["values"]
            limit = options.agreement * (1.0 if element == "f64" else 1e6)
            runs = {}
            for name, run in forms(package, workload, inputs, element, threads).items():
                distance = apart(run(), mine)
                common.emit("agreement", case=case, form=name + suffix, value=distance, version=version(package))
                if distance <= limit:
                    runs[name] = run

            def timed(run):
                begin = time.perf_counter()
                run()
                return time.perf_counter() - begin

            if not runs:
                continue
            sides = [lambda: ours.ask(**request, count=0)["seconds"]]
            sides += [lambda run=run: timed(run) for run in runs.values()]
            times = common.take_turns(sides, budget_s=4.0 if options.quick else 15.0)
            for name, seconds in zip(runs, times[1:]):
                common.emit(
                    "times", case=case, form=name + suffix, version=version(package), ours=common.spread(times[0]),
                    theirs=common.spread(seconds),
                )


def growth(options, package, form):
    """How far resident memory grows in a step on many points: the greatest so far against that before."""
    ours = common.Ours(options.ours)
    resident = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    small = ours.ask(op="inputs", workload="pinn", points=64)["inputs"]
    # Libraries and threads start with a small step.
    forms(package, "pinn", small, "f32", 1)[form]()
    inputs = ours.ask(op="inputs", workload="pinn", points=MANY)["inputs"]
    run = forms(package, "pinn", inputs, "f32", 1)[form]
    before = resident()
    run()
    common.emit("growth", value=resident() - before, version=version(package))


def report(options, threads, events):
    suite = options.suite
    shown = lambda e: f"{e['version']}/{e['form']}"
    # The fastest of all forms, and of those in which the package derives everything.
    best, derived = {}, {}
    for e in events:
        fields = dict(suite=suite, case=e["case"], version=e["version"], threads=threads)
        if e["kind"] == "agreement":
            common.record(impl=shown(e), metric="agreement", value=e["value"], unit="1", runs=1, **fields)
            continue
        common.record(impl=shown(e), metric="time", unit="s", **fields, **e["theirs"])
        for least in [best] + ([] if "by hand" in e["form"] else [derived]):
            if e["case"] not in least or e["theirs"]["value"] < least[e["case"]]["theirs"]["value"]:
                least[e["case"]] = e
    for case, e in best.items():
        fields = dict(suite=suite, case=case, threads=threads)
        common.record(impl="gradient", metric="best", unit="s", **fields, **e["ours"])
        who = f"{e['version']}, {e['form']}"
        common.record(impl=f"{who}/gradient", version=who, metric="best", unit="s", **fields, **e["theirs"])
        for e in [e] + [d for d in [derived[case]] if d is not e]:
            ratio = e["theirs"]["value"] / e["ours"]["value"]
            who = f"{e['version']}, {e['form']}"
            common.record(impl=f"beside {who}", metric="ratio", value=ratio, unit="1", runs=e["ours"]["runs"], **fields)
        if case in TARGETS:
            common.record(impl="aimed at", metric="ratio", value=TARGETS[case], unit="1", runs=1, **fields)


def main():
    words = common.held_words() or []
    options = common.arguments()
    if words[:1] == ["memory"]:
        return growth(options, *words[1:])
    if words:
        return held(options, *words)
    cores = common.all_cores()
    total = len(options.threads) * len(HOLDINGS) + 2
    done = 0
    for threads in options.threads:
        events = []
        for package, suffix, environment in HOLDINGS:
            common.emit("progress", done=done, total=total, what=f"{package}{suffix}, {threads} threads")
            done += 1
            events += common.held_events(cores[:threads], (package, suffix), environment)
        report(options, threads, events)
    for package, form in [("torch", "nested autograd"), ("jax", "jvp of jvp")]:
        common.emit("progress", done=done, total=total, what=f"memory of {package}")
        done += 1
        for e in common.held_events(cores[:1], ("memory", package, form)):
            common.record(
                suite=options.suite, case=f"PINN step, {MANY} points, f32", impl=f"{e['version']}/{form}", version=e["version"],
                metric="memory", value=e["value"], unit="B", runs=1, threads=1,
            )


if __name__ == "__main__":
    main()
