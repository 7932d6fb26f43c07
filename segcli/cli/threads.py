"""Threads: how those that compute together wait for each other beside other busy programs."""

import os

SPINS = "1000"
"""How often a thread of libgomp, which torch computes with on Linux, looks again before it sleeps.

Its own number, 300,000, takes milliseconds: where another program wants a core, a thread spends its share of time on
looking, and the one that it looks for waits. On two cores 24 steps of a training, 27 s alone, were not done after 100 s
beside one busy program; with this number they took 47 s, and alone as long as before.
"""
SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def begin() -> None:
    """Let threads that wait leave the core soon, unless the user's environment says how; before torch is imported."""
    if not any(name in os.environ for name in SETTINGS):
        os.environ["GOMP_SPINCOUNT"] = SPINS
