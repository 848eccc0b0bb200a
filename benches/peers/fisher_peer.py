"""PyTorch's recursion for inverse Fisher products beside ours, held to the same processor cores.

Static: vᵢ = g/λ − Σ (vⱼᵀg/qⱼ)vⱼ, one gradient after the other, as the authors' program does on any device. Dynamic: the
coefficients D and B of the window's inner products are computed anew for each gradient.
"""

import time

import common

M, D, DAMPING = 128, 1_000_000, 1e-5


def gradients():
    import numpy as np
    import torch

    j = np.arange(1, D + 1, dtype=np.float64)
    rows = [(1e-3 * (np.sin(0.1 * i * j) + 0.5 * np.cos(0.37 * j + i))).astype(np.float32) for i in range(1, M + 1)]
    return torch.from_numpy(np.stack(rows)), torch.from_numpy(np.cos(0.05 * j * j).astype(np.float32))


class Static:
    def __init__(self, g):
        import torch

        self.v = torch.empty_like(g)
        self.q = torch.empty(M)
        for i in range(M):
            v = g[i] / DAMPING
            if i:
                v -= ((self.v[:i] @ g[i]) / self.q[:i]) @ self.v[:i]
            self.v[i] = v
            self.q[i] = M + g[i] @ v

    def product(self, x):
        return x / DAMPING - ((self.v @ x) / self.q) @ self.v


class Dynamic:
    def __init__(self, g):
        self.g, self.last = g.clone(), 0
        self.s = g @ g.T

    def step(self, x):
        import torch

        self.g[self.last] = x
        row = self.g @ x
        self.s[self.last, :] = row
        self.s[:, self.last] = row
        self.last = (self.last + 1) % M
        d = self.s.double() / DAMPING
        b = torch.zeros(M, M, dtype=torch.float64)
        w = (row / DAMPING).double()
        for i in range(M):
            q = M + d[i, i]
            d[i + 1 :, i + 1 :] -= torch.outer(d[i, i + 1 :], d[i, i + 1 :]) / q
        for i in range(M):
            b[i, i] = 1 / DAMPING
            if i:
                c = d[:i, i] / (M + torch.diagonal(d)[:i])
                b[i, :i] = -c @ b[:i, :i]
        q = M + torch.diagonal(d)
        for i in range(M - 1):
            w[i + 1 :] -= d[i, i + 1 :] * (w[i] / q[i])
        return x / DAMPING - ((b.T @ (w / q)).float() @ self.g)


def held(options):
    import torch

    torch.set_num_threads(options.threads[0])
    threads = options.threads[0]
    g, x = gradients()
    ours = common.Ours(options.ours)
    static, dynamic = Static(g), Dynamic(g)
    turn = 0

    def window():
        nonlocal turn
        y = dynamic.step(g[turn])
        turn = (turn + 1) % M
        return y

    tasks = {"set up": lambda: Static(g), "product": lambda: static.product(x), "window": window}
    for task, run in tasks.items():
        mine = lambda count=0: ours.ask(op="fisher", task=task, threads=threads, count=count)
        want = torch.tensor(mine(D)["values"], dtype=torch.float64)
        got = run()
        got = (got.product(x) if task == "set up" else got).double()
        distance = float((got - want).norm() / want.norm())
        fields = dict(suite=options.suite, case=task, threads=threads)
        version = f"PyTorch {torch.__version__.partition('+')[0]}"
        common.record(impl=version, metric="agreement", value=distance, unit="1", runs=1, **fields)
        # PyTorch sums the products of the window's gradients in f32, and the damping divides what that rounds.
        if distance > options.agreement * (10 if task == "window" else 1):
            continue

        def timed():
            begin = time.perf_counter()
            run()
            return time.perf_counter() - begin

        sides = [lambda: mine()["seconds"], timed]
        times = common.take_turns(sides, budget_s=10.0 if options.quick else 25.0, least=5, most=20)
        common.record(impl=version, version=version, metric="time", unit="s", **fields, **common.spread(times[1]))
        ratio = common.spread(times[1])["value"] / common.spread(times[0])["value"]
        common.record(impl=f"beside {version}", metric="ratio", value=ratio, unit="1", runs=len(times[0]), **fields)


if __name__ == "__main__":
    common.per_thread_count(held, "PyTorch")
