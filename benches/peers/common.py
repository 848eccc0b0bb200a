"""What every peer needs: our program as a partner, records in our layout, runs in turns."""

import argparse
import json
import statistics
import subprocess
import sys
import time

SCHEMA = 1


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--suite", required=True)
    parser.add_argument("--ours", required=True, help="path of the ansatz-bench program")
    parser.add_argument("--agreement", type=float, required=True, help="greatest difference that counts as the same")
    parser.add_argument("--threads", required=True, help="thread counts, such as 1,2")
    parser.add_argument("--out", required=True, help="folder of the run")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--held", action="store_true", help=argparse.SUPPRESS)
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


def emit(kind, **fields):
    print(json.dumps({"kind": kind, **fields}), flush=True)


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
