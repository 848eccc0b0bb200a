"""What every peer needs: our program as a partner, records in our layout, runs in turns."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

SCHEMA = 1

# Packages print what they like; only what we emit goes to the program that started us.
CHANNEL, sys.stdout = sys.stdout, sys.stderr


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--suite", required=True)
    parser.add_argument("--ours", required=True, help="path of the ansatz-bench program")
    parser.add_argument("--agreement", type=float, required=True, help="greatest difference that counts as the same")
    parser.add_argument("--threads", required=True, help="thread counts, such as 1,2")
    parser.add_argument("--out", required=True, help="folder of the run")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.threads = [int(n) for n in options.threads.split(",")]
    return options


class Ours:
    """`ansatz-bench serve`: one request, one answer."""

    def __init__(self, path):
        self.process = subprocess.Popen([path, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"our side cannot do {request}: {answer['error']}")
        return answer


def held_words():
    """What follows `--held` on the command line, taken off it: none outside of a process that `held_process` started."""
    if "--held" not in sys.argv:
        return None
    at = sys.argv.index("--held")
    words = sys.argv[at + 1 :]
    del sys.argv[at:]
    return words


def all_cores():
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count()))


def held_process(cores, words=(), environment=(), **options):
    """This script again in a process of its own: libraries make their threads once, for the cores they see then."""
    hold = lambda: os.sched_setaffinity(0, cores) if hasattr(os, "sched_setaffinity") else None
    arguments = list(sys.argv)
    arguments[arguments.index("--threads") + 1] = str(len(cores))
    command = [sys.executable, *arguments, "--held", *words]
    return subprocess.run(command, preexec_fn=hold, env={**os.environ, **dict(environment)}, check=True, text=True, **options)


def held_events(cores, words=(), environment=()):
    """The events that such a process emits."""
    done = held_process(cores, words, environment, stdout=subprocess.PIPE)
    return [json.loads(line) for line in done.stdout.splitlines()]


def per_thread_count(compare, packages):
    """Runs `compare(options)` once for each number of threads, in a process held to as many cores."""
    inside = held_words() is not None
    options = arguments()
    if inside:
        return compare(options)
    for done, threads in enumerate(options.threads):
        emit("progress", done=done, total=len(options.threads), what=f"{packages}, {threads} threads")
        held_process(all_cores()[:threads], environment={"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)})


def emit(kind, **fields):
    print(json.dumps({"kind": kind, **fields}), file=CHANNEL, flush=True)


def record(**fields):
    emit("record", schema=SCHEMA, device="cpu", **fields)


def take_turns(runs, budget_s, least=10, most=200):
    """Seconds of each of several runs, taken in turns, the first round thrown away."""
    # A pause lets the threads of the side before stop spinning for more work.
    def turn(run):
        time.sleep(0.02)
        return run()

    for run in runs:
        turn(run)
    times = [[] for _ in runs]
    begin = time.monotonic()
    while len(times[0]) < least or (len(times[0]) < most and time.monotonic() - begin < budget_s):
        for run, seconds in zip(runs, times):
            seconds.append(turn(run))
    return times


def in_turns(ours, peer, budget_s, least=10, most=200):
    """Seconds of each side, taken in turns, the first round thrown away."""
    return take_turns([ours, peer], budget_s, least, most)


def spread(values):
    """The fields of a record that tell repeated measurements."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"value": middle, "lo": low, "hi": high, "runs": len(values)}


def fail(message):
    print(message, file=sys.stderr)
    sys.exit(1)
