"""PyTorch beside our training step of a U-Net, held to the same number of processor cores.

Our program gives the parameters by name, and the data. Every form is compared with ours before it is timed: loss and
gradient to the agreement asked for in f32, to a hundred-thousandth of it in f64. A process for each number of threads and
setting of the allocator; they send their results to the first one, which records them and names the fastest.
"""

import math
import resource
import time

import torch
from torch import nn
from torch.nn import functional as F

import common

IMAGES, SIDE = 32, 28
WIDTH, LEVELS, BLOCKS, ATTENTION, GROUPS = 32, [1, 2], 1, [1], 8
CASE = "batch of 32, f32"
RATE = 1e-4
# How many times faster than PyTorch the step should be at least.
TARGET = 1.0
# What glibc needs to hear to keep freed memory.
KEEP = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
HOLDINGS = [("", {}), (", memory kept", KEEP)]
FORMS = {"as it is": torch.contiguous_format, "channels last": torch.channels_last}


class Attention(nn.Module):
    """x + attention among pixels, one head."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.q, self.k, self.v, self.out = (nn.Linear(channels, channels) for _ in range(4))

    def forward(self, x):
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        heads = (part(tokens)[:, None] for part in (self.q, self.k, self.v))
        y = self.out(F.scaled_dot_product_attention(*heads)[:, 0])
        return x + y.transpose(1, 2).reshape(x.shape)


class Block(nn.Module):
    def __init__(self, a, b, looks):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(GROUPS, a), nn.GroupNorm(GROUPS, b)
        self.conv1, self.conv2 = nn.Conv2d(a, b, 3, padding=1), nn.Conv2d(b, b, 3, padding=1)
        self.time = nn.Linear(4 * WIDTH, b)
        self.skip = nn.Conv2d(a, b, 1) if a != b else None
        self.attention = Attention(b) if looks else None

    def forward(self, x, time):
        y = self.conv1(F.silu(self.norm1(x))) + self.time(time)[:, :, None, None]
        y = self.conv2(F.silu(self.norm2(y))) + (self.skip(x) if self.skip else x)
        return self.attention(y) if self.attention else y


class Level(nn.ModuleDict):
    """Blocks under their numbers, and what changes the lengths."""

    def forward(self, x, time, kept, up):
        for b in range(BLOCKS + up):
            x = self[str(b)](torch.cat([x, kept.pop()], 1) if up else x, time)
            if not up:
                kept.append(x)
        if "resample" in self:
            x = self["resample"](F.interpolate(x, scale_factor=2) if up else x)
            if not up:
                kept.append(x)
        return x


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [m * WIDTH for m in LEVELS]
        self.time = nn.ModuleList([nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, 4 * WIDTH)])
        self.first = nn.Conv2d(1, WIDTH, 3, padding=1)
        kept, now, down, up = [WIDTH], WIDTH, [], {}
        for l, w in enumerate(widths):
            level = Level()
            for b in range(BLOCKS):
                level[str(b)] = Block(now, w, l in ATTENTION)
                now = w
                kept.append(now)
            if l + 1 < len(widths):
                level["resample"] = nn.Conv2d(now, now, 3, stride=2, padding=1)
                kept.append(now)
            down.append(level)
        self.down = nn.ModuleList(down)
        self.middle = nn.ModuleDict({"0": Block(now, now, False), "attention": Attention(now), "1": Block(now, now, False)})
        for l, w in reversed(list(enumerate(widths))):
            up[l] = Level()
            for b in range(BLOCKS + 1):
                up[l][str(b)] = Block(now + kept.pop(), w, l in ATTENTION)
                now = w
            if l > 0:
                up[l]["resample"] = nn.Conv2d(now, now, 3, padding=1)
        self.up = nn.ModuleList([up[l] for l in range(len(widths))])
        self.last = nn.Conv2d(now, 1, 3, padding=1)
        self.last.norm = nn.GroupNorm(GROUPS, now)

    def forward(self, x, t):
        half = WIDTH // 2
        phases = t * torch.exp(-math.log(1e4) * torch.arange(half, dtype=t.dtype) / half)
        time = torch.cat([phases.cos(), phases.sin()], 1)
        time = F.silu(self.time[1](F.silu(self.time[0](time))))
        x = self.first(x)
        kept = [x]
        for level in self.down:
            x = level(x, time, kept, False)
        x = self.middle["1"](self.middle["attention"](self.middle["0"](x, time)), time)
        for level in reversed(self.up):
            x = level(x, time, kept, True)
        return self.last(F.silu(self.last.norm(x)))


class Training:
    """The network with our numbers, and Adam."""

    def __init__(self, problem, dtype, layout):
        net = UNet().to(dtype)
        self.order = [p["name"] for p in problem["parameters"]]
        state = {p["name"]: torch.tensor(p["values"], dtype=dtype).reshape(p["shape"]) for p in problem["parameters"]}
        net.load_state_dict(state)
        self.net = net.to(memory_format=layout)
        n = len(problem["data"][1])
        shapes = [(n, 1, SIDE, SIDE), (n, 1), (n, 1, SIDE, SIDE)]
        self.x, self.t, self.noise = (torch.tensor(d, dtype=dtype).reshape(s) for d, s in zip(problem["data"], shapes))
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=RATE, fused=True)

    def gradient(self):
        self.optimizer.zero_grad()
        loss = F.mse_loss(self.net(self.x, self.t), self.noise)
        loss.backward()
        return loss.item()

    def step(self):
        """Seconds of loss and gradient, and of Adam."""
        begin = time.perf_counter()
        self.gradient()
        between = time.perf_counter()
        self.optimizer.step()
        return between - begin, time.perf_counter() - between

    def values(self):
        loss = self.gradient()
        slopes = dict(self.net.named_parameters())
        return torch.cat([torch.tensor([loss], dtype=torch.float64), *(slopes[n].grad.double().flatten() for n in self.order)])


def apart(theirs, ours):
    """‖theirs − ours‖/‖ours‖ of the loss and of the gradient, the greater of both."""
    ours = torch.tensor(ours, dtype=torch.float64)
    loss = abs(theirs[0] - ours[0]) / abs(ours[0])
    return float(torch.maximum(loss, (theirs[1:] - ours[1:]).norm() / ours[1:].norm()))


def held(options, suffix):
    """PyTorch on the cores that this process may use: compares, then times."""
    threads = options.threads[0]
    torch.set_num_threads(threads)
    ours = common.Ours(options.ours)
    problem = ours.ask(op="network", images=IMAGES)
    request = {"op": "train", "images": IMAGES, "threads": threads}
    resident = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    trainings = {}
    for form, layout in FORMS.items():
        training, before = Training(problem, torch.float32, layout), resident()
        theirs = training.values()
        common.emit("growth", form=form + suffix, value=resident() - before)
        distance = apart(theirs, ours.ask(**request, element="f32", rate=0, count=1 << 30)["values"])
        common.emit("agreement", form=form + suffix, value=distance)
        if distance <= options.agreement:
            trainings[form] = training
    if suffix == "":
        theirs = Training(problem, torch.float64, torch.contiguous_format).values()
        distance = apart(theirs, ours.ask(**request, element="f64", rate=0, count=1 << 30)["values"])
        common.emit("agreement", form="f64", value=distance)
        if distance > 1e-5 * options.agreement:
            return
    sides = [lambda: ours.ask(**request, element="f32", rate=RATE, count=0)["seconds"]]
    sides += [training.step for training in trainings.values()]
    times = common.take_turns(sides, budget_s=6.0 if options.quick else 30.0)
    for form, theirs in zip(trainings, times[1:]):
        spread = lambda part: common.spread([part(t) for t in theirs])
        common.emit(
            "times", form=form + suffix, ours=common.spread([sum(t) for t in times[0]]), theirs=spread(sum),
            parts={"loss and gradient": spread(lambda t: t[0]), "Adam": spread(lambda t: t[1])},
        )


def report(options, threads, events):
    version = f"PyTorch {torch.__version__.partition('+')[0]}"
    fields = dict(suite=options.suite, version=version, threads=threads)
    best = None
    for e in events:
        shown = f"{version}/{e['form']}"
        if e["kind"] == "agreement":
            case = "batch of 32, f64" if e["form"] == "f64" else CASE
            common.record(case=case, impl=shown, metric="agreement", value=e["value"], unit="1", runs=1, **fields)
        elif e["kind"] == "growth":
            # What a later form takes was there already.
            if e["value"] > 0 and e["form"] == "as it is":
                common.record(case=CASE, impl=shown, metric="memory", value=e["value"], unit="B", runs=1, **fields)
        else:
            common.record(case=CASE, impl=shown, metric="time", unit="s", **fields, **e["theirs"])
            for part, seconds in e["parts"].items():
                common.record(case=CASE, impl=f"{shown}, {part}", metric="parts", unit="s", **fields, **seconds)
            if best is None or e["theirs"]["value"] < best["theirs"]["value"]:
                best = e
    if best is None:
        common.emit("note", suite=options.suite, text=f"{version}: loss and gradient differ from ours; not timed.")
        return
    case = f"{CASE}, beside {version}"
    common.record(case=case, impl="training step", metric="best", unit="s", **fields, **best["ours"])
    who = f"{version}, {best['form']}"
    common.record(case=case, impl=f"{who}/training step", metric="best", unit="s", **fields, **best["theirs"])
    ratio = best["theirs"]["value"] / best["ours"]["value"]
    for impl, value in [("measured", ratio), ("aimed at", TARGET)]:
        common.record(case=case, impl=impl, metric="ratio", value=value, unit="1", runs=best["ours"]["runs"], **fields)


def main():
    words = common.held_words() or []
    options = common.arguments()
    if words:
        return held(options, *words)
    cores = common.all_cores()
    total = len(options.threads) * len(HOLDINGS)
    for done, threads in enumerate(options.threads):
        events = []
        for i, (suffix, environment) in enumerate(HOLDINGS):
            common.emit("progress", done=done * len(HOLDINGS) + i, total=total, what=f"PyTorch{suffix}, {threads} threads")
            events += common.held_events(cores[:threads], (suffix,), environment)
        report(options, threads, events)


if __name__ == "__main__":
    main()
