"""
UDP while the manager's threads are busy: a policy of 100,000 entries, and compression, both over and over.
"""

import os

from bench.intake_receivers import large_buffers, running, send

RATES = (25_000, 50_000, 100_000)
SECONDS = 10
BUFFER = 32 << 20
"""The default of `receive_buffer_bytes`."""


def main() -> None:
    """Lines sent, and lines lost, at paced rates."""
    print("| lines a second | sent | lost, at rest | lost, busy |")
    print("| --- | --- | --- | --- |")
    with large_buffers():
        for rate in RATES:
            row = []
            for busy in ("", "1"):
                os.environ["TSCM_BENCH_BUSY"] = busy
                with running("tscm compiled", buffer=BUFFER) as receiver:
                    sent = send("udp", receiver.port, rate * SECONDS, rate=rate)
                    receiver.wait_stored(sent.bytes, 5)
                    lost = sent.bytes - receiver.stored_bytes()
                    row.append(f"{lost * sent.lines / sent.bytes:,.0f}")
            print(f"| {rate:,} | {rate * SECONDS:,} | {row[0]} | {row[1]} |", flush=True)
    del os.environ["TSCM_BENCH_BUSY"]
