"""PyTorch and JAX beside the training steps of the device report, on the same device in the same run.

The report writes each step's inputs and what one step makes of them to a folder (`steps.json` and files of numbers), and what
our forms of it take. A peer does the same step: loss, gradient, Adam's update, with the same numbers. The loss and every
parameter after one step are compared first, and only what agrees is timed. One JSON object a line goes to the output.

`cargo xtask device --peers` runs it; by hand: `device_peer.py FOLDER [cpu]`. Packages: `peers/device.txt`, in a build for the
device. A package that is not there is a note.
"""

import json
import sys
import time
from pathlib import Path

# Greatest ‖theirs − ours‖/‖ours‖ over the loss and the parameters together. One step in f32, whose sums are added in other
# orders, is within a few units of 1e-6; products of fewer bits are told apart by their own bound.
AGREEMENT = {"f32": 1e-4, "TF32": 2e-2}
# How PyTorch is asked: by itself, compiled, compiled and replayed as a graph.
FORMS = [("as it is", None), ("torch.compile", "default"), ("torch.compile, graphs", "reduce-overhead")]
# Seconds that each of three batches lasts at least.
LEAST = 0.3


def emit(**fields):
    print(json.dumps(fields), flush=True)


class Step:
    """One step: what goes in by place, and what comes out."""

    def __init__(self, folder, given):
        import numpy as np

        read = lambda part: [
            np.fromfile(folder / f["file"], "<f4").reshape(f["shape"]) for f in given[part]
        ]
        self.kind, self.name = given["kind"], given["name"]
        self.inputs, self.outputs = read("inputs"), read("outputs")
        # Three for each parameter at the end: parameter, mean, square.
        self.count = (len(self.outputs) - 1) // 3
        self.data = self.inputs[: -3 * self.count] if self.count else []
        self.parameters = self.inputs[-3 * self.count : -2 * self.count]
        self.moments = self.inputs[-2 * self.count :]

    def apart(self, results):
        """‖theirs − ours‖/‖ours‖ of the loss and the new parameters, the greater of both."""
        import numpy as np

        loss, parameters = results
        ours = self.outputs[0].item()
        far = abs(float(loss) - ours) / abs(ours)
        wanted = self.outputs[1::3]
        error = sum(float(np.sum((np.float64(p) - w) ** 2)) for p, w in zip(parameters, wanted))
        size = sum(float(np.sum(np.float64(w) ** 2)) for w in wanted)
        return max(far, (error / size) ** 0.5)


def best(run, finish):
    """Seconds of one run, the best of three batches."""
    for _ in range(3):
        run()
    finish()
    begin = time.perf_counter()
    run()
    finish()
    count = max(3, min(2000, int(LEAST / max(time.perf_counter() - begin, 1e-6))))
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        for _ in range(count):
            run()
        finish()
        seconds.append((time.perf_counter() - begin) / count)
    return min(seconds)


def offer(step, impl, precision, start):
    """Compares a form and times it. `start` gives a function for one step's results, one for a run, and one that waits."""
    begin = time.perf_counter()
    try:
        results, run, finish = start()
        apart = step.apart(results())
        prepared = time.perf_counter() - begin
        if not apart <= AGREEMENT[precision]:
            emit(kind="note", text=f"{step.name}: {impl} differs from ours by {apart:.1e}; not timed")
            return
        emit(
            kind="peer", work=step.name, impl=impl, precision=precision, agreement=apart,
            seconds=best(run, finish), prepared=prepared,
        )
    except Exception as error:  # a peer that fails is a note
        text = str(error).strip().splitlines() or [type(error).__name__]
        emit(kind="note", text=f"{step.name}: {impl} stopped: {text[0][:300]}")


# The steps, once for both packages: `m` holds what they call differently.


def network(m, x, parameters):
    for k in range(0, len(parameters), 2):
        x = x @ parameters[k] + parameters[k + 1]
        if k + 2 < len(parameters):
            x = m.tanh(x)
    return x


def informed(m, data, parameters):
    """Mean square of Δu − f, with the Laplacian carried forward through the layers, and of u at given points."""
    x, edge = data
    h, slopes, curve = x, [m.unit(x, i) for i in range(2)], None
    for k in range(0, len(parameters), 2):
        w, b = parameters[k], parameters[k + 1]
        h, slopes = h @ w + b, [s @ w for s in slopes]
        curve = None if curve is None else curve @ w
        if k + 2 < len(parameters):
            h = m.tanh(h)
            slope = 1 - h * h
            bent = -2 * h * slope * sum(s * s for s in slopes)
            curve = bent if curve is None else bent + slope * curve
            slopes = [slope * s for s in slopes]
    f = m.sin((x * x).sum(1).reshape(-1, 1))
    return ((curve - f) ** 2).mean() + 10 * (network(m, edge, parameters) ** 2).mean()


def unet(m, data, parameters):
    x, noise, times = data
    first, first_bias, embedded, *rest = parameters
    convolve = lambda x, w, b, stride=1: m.convolve(x, w, stride) + b

    def normalised(x):
        n, c, h, w = x.shape
        groups = x.reshape(n, 2, c // 2 * h * w)
        centred = groups - groups.mean(2).reshape(n, 2, 1)
        spread = (centred * centred).mean(2).reshape(n, 2, 1)
        x = (centred * m.rsqrt(spread + 1e-5)).reshape(n, c, h, w)
        return x * m.sigmoid(x)

    time = times @ embedded
    time = time * m.sigmoid(time)
    skip = normalised(convolve(x, first, first_bias) + time.reshape(*time.shape, 1, 1))
    low = normalised(convolve(skip, rest[0], rest[1], 2))
    low = normalised(convolve(low, rest[2], rest[3]))
    high = m.repeat(m.repeat(low, 2), 3)
    last = normalised(convolve(m.concatenate([high, skip]), rest[4], rest[5]))
    return ((convolve(last, rest[6], rest[7]) - noise) ** 2).mean()


LOSSES = {"informed": informed, "unet": unet}


def adam(m, parameters, moments, slopes):
    """New parameters and moments, as the report's step has them: the second input is a root of the second moment."""
    new, after = [], []
    for p, mean, square, s in zip(parameters, moments[::2], moments[1::2], slopes):
        mean = mean * 0.9 + s * 0.1
        square = square * square * 0.999 + s * s * 0.001
        new.append(p - mean / (m.sqrt(square) + 1e-3) * 0.01)
        after += [mean, square]
    return new, after


def with_torch(steps, device):
    import torch

    class Names:
        tanh, sin, sigmoid, sqrt, rsqrt = torch.tanh, torch.sin, torch.sigmoid, torch.sqrt, torch.rsqrt
        unit = staticmethod(lambda x, i: torch.eye(2, device=x.device, dtype=x.dtype)[i].expand_as(x))
        convolve = staticmethod(lambda x, w, s: torch.nn.functional.conv2d(x, w, stride=s, padding=1))
        repeat = staticmethod(lambda x, axis: x.repeat_interleave(2, axis))
        concatenate = staticmethod(lambda parts: torch.cat(parts, 1))

    where = torch.device("cpu" if device == "cpu" else "cuda")
    if where.type == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("this PyTorch sees no CUDA device")
    wait = (lambda: None) if where.type == "cpu" else torch.cuda.synchronize
    version = f"PyTorch {torch.__version__.partition('+')[0]}"

    def form(step, mode):
        def start():
            put = lambda arrays: [torch.from_numpy(a.copy()).to(where) for a in arrays]
            data, moments = put(step.data), put(step.moments)
            state = {"p": [p.requires_grad_() for p in put(step.parameters)], "m": moments}

            def one(data, parameters, moments):
                loss = LOSSES[step.kind](Names, data, parameters)
                slopes = torch.autograd.grad(loss, parameters)
                with torch.no_grad():
                    new, after = adam(Names, parameters, moments, slopes)
                return loss.detach(), new, after

            compiled = one
            if mode is not None:
                # Gradients inside of what is compiled are not taken by all versions: loss and gradient apart, then.
                loss_of = torch.compile(lambda data, ps: LOSSES[step.kind](Names, data, ps), mode=mode)
                update = torch.compile(lambda ps, ms, ss: adam(Names, ps, ms, ss), mode=mode)

                def compiled(data, parameters, moments):
                    if where.type == "cuda":
                        torch.compiler.cudagraph_mark_step_begin()
                    loss = loss_of(data, parameters)
                    slopes = torch.autograd.grad(loss, parameters)
                    with torch.no_grad():
                        new, after = update(parameters, moments, slopes)
                    return loss.detach(), new, after

            def results():
                loss, new, _ = compiled(data, state["p"], state["m"])
                return loss.cpu(), [p.cpu().numpy() for p in new]

            def run():
                # What comes out is copied to where the next step reads it.
                _, new, after = compiled(data, state["p"], state["m"])
                with torch.no_grad():
                    torch._foreach_copy_(state["p"], new)
                    torch._foreach_copy_(state["m"], after)

            return results, run, wait

        return start

    for precision in ["f32", "TF32"] if where.type == "cuda" else ["f32"]:
        torch.backends.cuda.matmul.allow_tf32 = precision == "TF32"
        torch.backends.cudnn.allow_tf32 = precision == "TF32"
        torch.backends.cudnn.benchmark = True
        for step in steps:
            for how, mode in FORMS:
                # Compiling takes a minute; each kind is tried where it tells something.
                if mode == ("reduce-overhead" if where.type == "cpu" else "default" if precision == "TF32" else ""):
                    continue
                offer(step, f"{version}, {how}", precision, form(step, mode))


def with_jax(steps, device):
    import jax
    import jax.numpy as jnp

    class Names:
        tanh, sin, sqrt = jnp.tanh, jnp.sin, jnp.sqrt
        rsqrt, sigmoid = jax.lax.rsqrt, jax.nn.sigmoid
        unit = staticmethod(lambda x, i: jnp.broadcast_to(jnp.eye(2, dtype=x.dtype)[i], x.shape))
        convolve = staticmethod(lambda x, w, s: jax.lax.conv_general_dilated(x, w, (s, s), [(1, 1), (1, 1)]))
        repeat = staticmethod(lambda x, axis: jnp.repeat(x, 2, axis))
        concatenate = staticmethod(lambda parts: jnp.concatenate(parts, 1))

    place = jax.devices("cpu" if device == "cpu" else "gpu")[0]
    version = f"JAX {jax.__version__}"

    def form(step):
        def start():
            put = lambda arrays: [jax.device_put(a, place) for a in arrays]
            data = put(step.data)
            state = [put(step.parameters), put(step.moments)]

            def one(parameters, moments, data):
                loss, slopes = jax.value_and_grad(lambda ps: LOSSES[step.kind](Names, data, ps))(parameters)
                new, after = adam(Names, parameters, moments, slopes)
                return loss, new, after

            compiled, in_place = jax.jit(one), jax.jit(one, donate_argnums=(0, 1))

            def results():
                loss, new, _ = compiled(*state, data)
                return loss, [jax.device_get(p) for p in new]

            def run():
                _, state[0], state[1] = in_place(*state, data)

            return results, run, lambda: jax.block_until_ready(state)

        return start

    for precision, name in [("f32", "highest"), ("TF32", "tensorfloat32")] if device != "cpu" else [("f32", "highest")]:
        with jax.default_matmul_precision(name):
            for step in steps:
                offer(step, f"{version}, jit", precision, form(step))


def main():
    folder, device = Path(sys.argv[1]), "".join(sys.argv[2:3]) or "cuda"
    with open(folder / "steps.json") as file:
        steps = [Step(folder, given) for given in json.load(file)]
    for package, run in [("PyTorch", with_torch), ("JAX", with_jax)]:
        try:
            run(steps, device)
        except Exception as error:  # one that is not there, or sees no device, is a note
            text = str(error).strip().splitlines() or [type(error).__name__]
            emit(kind="note", text=f"no {package}: {text[0][:300]}")


if __name__ == "__main__":
    main()
