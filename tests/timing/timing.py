"""Measures how long rejected logins take, and judges whether their kinds can be told apart by their time.

timing.py measure URL ROUNDS MOST KIND=FILE...   prints the samples as JSON; each line of a file is a name and a password
timing.py judge [KIND+PERCENT]                   reads samples, prints the results, fails beyond the limits; +PERCENT
                                                 injects a fault: the samples of that kind become this much slower
"""

import gc
import http.client
import itertools
import json
import random
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

AUC_LIMIT = 0.55
GAP_LIMIT = 0.02
WARM_UP = 5

Samples = dict[str, list[float]]


def attempts(file: str) -> "itertools.cycle[bytes]":
    """Yield the bodies of one kind's logins, in turn and endlessly."""
    lines = [line.split(" ") for line in Path(file).read_text(encoding="utf-8").splitlines()]
    return itertools.cycle([json.dumps({"username": n, "password": p}).encode() for n, p in lines])


def login(server: http.client.HTTPConnection, body: bytes) -> float:
    """Return the milliseconds until the whole response has been read."""
    begun = time.perf_counter()
    server.request("POST", "/login", body, {"content-type": "application/json"})
    response = server.getresponse()
    text = response.read()
    took = time.perf_counter() - begun
    if response.status != 401:
        raise ValueError(f"{response.status} instead of 401: {text!r}")
    return took * 1000


def collect(server: http.client.HTTPConnection, kinds: "dict[str, itertools.cycle[bytes]]", rounds: int) -> Samples:
    """Take one sample of each kind per round, in random order, so that other load affects all kinds alike."""
    samples: Samples = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in random.sample(list(kinds), len(kinds)):
            samples[kind].append(login(server, next(kinds[kind])))
    return samples


def measure(url: str, rounds: int, most: int, files: list[str]) -> Samples:
    kinds = {kind: attempts(file) for kind, _, file in (pair.partition("=") for pair in files)}
    address = urlsplit(url)
    server = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    gc.disable()
    collect(server, kinds, WARM_UP)
    samples = collect(server, kinds, rounds)
    # With 300 samples, chance alone puts one pair in thirty beyond the limit; with 1000 samples, one in ten thousand.
    if rounds < most and beyond(samples):
        more = collect(server, kinds, most - rounds)
        samples = {kind: samples[kind] + more[kind] for kind in kinds}
    return samples


def auc(one: list[float], other: list[float]) -> float:
    """How often a guess from one sample each is right (Mann-Whitney; ties count half); 0.5 means indistinguishable."""
    both = sorted([(value, 1) for value in one] + [(value, 0) for value in other])
    ranks, place = 0.0, 0
    for _, group in itertools.groupby(both, key=lambda pair: pair[0]):
        tied = [mine for _, mine in group]
        ranks += sum(tied) * (place + (len(tied) + 1) / 2)
        place += len(tied)
    right = (ranks - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))
    return max(right, 1 - right)


def gap(one: list[float], other: list[float]) -> float:
    """The difference of the medians, relative to the smaller one."""
    low, high = sorted([statistics.median(one), statistics.median(other)])
    return high / low - 1


def beyond(samples: Samples) -> bool:
    pairs = itertools.combinations(samples.values(), 2)
    return any(auc(a, b) > AUC_LIMIT or gap(a, b) > GAP_LIMIT for a, b in pairs)


def show(samples: Samples) -> None:
    for kind, values in samples.items():
        p95 = statistics.quantiles(values, n=20)[-1]
        print(f"{kind:28} {len(values):5} samples  median {statistics.median(values):7.2f} ms  p95 {p95:7.2f} ms")
    for (a, first), (b, second) in itertools.combinations(samples.items(), 2):
        print(f"{a + ' / ' + b:48} AUC {auc(first, second):.3f}  medians {gap(first, second):6.2%} apart")


def judge(samples: Samples, fault: str) -> int:
    if fault:
        kind, _, percent = fault.partition("+")
        samples[kind] = [value * (1 + float(percent) / 100) for value in samples[kind]]
    show(samples)
    return 1 if beyond(samples) else 0


def main(command: str, *rest: str) -> int:
    if command == "judge":
        return judge(json.load(sys.stdin), rest[0] if rest else "")
    url, rounds, most, *files = rest
    json.dump(measure(url, int(rounds), int(most), files), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
