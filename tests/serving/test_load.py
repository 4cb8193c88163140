"""Many clients at once against the stand-in: nothing lost, nothing mixed up, memory flat."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from gan_keras.errors import UserError
from gan_keras.serving import client

pytestmark = pytest.mark.slow
CLIENTS, REQUESTS, BAD = 8, 500, 0.05


@pytest.fixture
def stand_in(exports):
    """Start the stand-in as its own process; return (gRPC address, process)."""
    command = [sys.executable, Path(__file__).with_name("server_double.py"), exports]
    command += ["--port", "0", "--rest-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        yield line.split("gRPC ")[1].split(",")[0], psutil.Process(process.pid)
        process.terminate()


def test_eight_clients_and_a_bad_photograph_in_twenty(stand_in, smooth, encoded, capsys):
    address, process = stand_in
    generator = np.random.default_rng(0)
    kinds = [encoded(smooth(*generator.integers(1, 200, 2), seed)) for seed in range(20)]
    kinds[:5] = [encoded(smooth(40 + seed, 90, seed), "JPEG") for seed in range(5)]
    bad = [b"words", b"", kinds[7][: len(kinds[7]) // 2]]
    expected = [client.restore(client.GrpcServer(address), "tiny", data) for data in kinds]
    is_bad = generator.random(REQUESTS) < BAD
    chosen = generator.integers(len(kinds), size=REQUESTS)

    def work(part):
        server, answers = client.GrpcServer(address), []
        for index in range(part, REQUESTS, CLIENTS):
            data = bad[index % 3] if is_bad[index] else kinds[chosen[index]]
            started = time.perf_counter()
            try:
                answer = client.restore(server, "tiny", data)
            except UserError as error:
                answer = str(error)
            answers.append((index, answer, time.perf_counter() - started))
        return answers

    def run():
        with ThreadPoolExecutor(CLIENTS) as pool:
            return [answer for part in pool.map(work, range(CLIENTS)) for answer in part]

    run()  # memory settles
    before = process.memory_info().rss
    answers = run()
    grown = process.memory_info().rss - before
    assert sorted(index for index, _, _ in answers) == list(range(REQUESTS))
    for index, answer, _ in answers:
        if is_bad[index]:
            assert "the server cannot restore it" in answer
        else:
            assert answer == expected[chosen[index]]
    assert 10 < is_bad.sum() < 50
    seconds = np.array([second for _, _, second in answers])
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    with capsys.disabled():
        print(
            f"\n{CLIENTS} clients, {REQUESTS} requests, {is_bad.sum()} bad: p50 {p50:.0f} ms, "
            f"p99 {p99:.0f} ms; memory {before / 1e6:.0f} MB, then {grown / 1e6:+.0f} MB"
        )
    assert grown < 100e6
