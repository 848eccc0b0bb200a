"""diffrax's vmap beside our loop over 100 000 Lorenz trajectories, held to the same number of processor cores."""

import time

import common

COUNT = 100_000
COMPARED = 1000
CASES = [("tolerance 1e-6", {"tol": 1e-6}), ("100 equal steps", {"steps": 100})]


def solver(case):
    """A compiled function without arguments that gives all end states."""
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def field(t, x, rho):
        return jnp.stack([10.0 * (x[1] - x[0]), x[0] * (rho - x[2]) - x[1], x[0] * x[1] - 8.0 / 3.0 * x[2]])

    if "tol" in case:
        control, h = diffrax.PIDController(rtol=case["tol"], atol=case["tol"]), None
    else:
        control, h = diffrax.ConstantStepSize(), 1.0 / case["steps"]

    def one(start, rho):
        return diffrax.diffeqsolve(
            diffrax.ODETerm(field), diffrax.Tsit5(), 0.0, 1.0, h, start, rho, saveat=diffrax.SaveAt(t1=True),
            stepsize_controller=control, max_steps=None, adjoint=diffrax.ForwardMode(),
        ).ys[0]

    s = (jnp.arange(COUNT) % 97) / 97.0
    starts = jnp.stack([1.0 + s, 0.5 - s, 10.0 * s], 1)
    rhos = 28.0 * jnp.arange(COUNT) / (COUNT - 1.0)
    compiled = jax.jit(jax.vmap(one)).lower(starts, rhos).compile()
    return lambda: compiled(starts, rhos).block_until_ready()


def held(options):
    suite = options.suite
    import diffrax
    import jax

    version = f"diffrax {diffrax.__version__}, jax {jax.__version__}"
    ours = common.Ours(options.ours)
    threads = options.threads[0]
    for done, (name, case) in enumerate(CASES):
        common.emit("progress", done=done, total=len(CASES), what=f"{name}, {threads} threads")
        run = solver(case)
        ends = run()[:COMPARED]
        mine = ours.ask(op="ensemble", count=COMPARED, threads=threads, **case)
        apart = max(abs(float(a) - b) for x, y in zip(ends, mine["ends"]) for a, b in zip(x, y))
        common.record(
            suite=suite, case=name, impl="diffrax/Tsit5", version=version, metric="agreement", value=apart, unit="1", runs=1,
            threads=threads,
        )
        if not apart <= options.agreement:
            common.emit("note", suite=suite, text=f"{name}: ours and diffrax end {apart:.2g} apart; not timed.")
            continue

        def theirs():
            begin = time.perf_counter()
            run()
            return time.perf_counter() - begin

        times = common.in_turns(
            lambda: ours.ask(op="ensemble", count=0, threads=threads, **case)["seconds"], theirs,
            budget_s=5.0 if options.quick else 30.0, least=3, most=20,
        )
        for impl, values, who in (("Tsit5", times[0], {}), ("diffrax/Tsit5", times[1], {"version": version})):
            common.record(
                suite=suite, case=name, impl=impl, metric="ensemble", unit="s", threads=threads, **who, **common.spread(values)
            )


if __name__ == "__main__":
    common.per_thread_count(held, "diffrax")
