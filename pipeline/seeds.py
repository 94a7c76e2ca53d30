"""Where randomness comes from: every seed is derived from another one by name, so that nothing shares a stream."""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: str | int) -> int:
    """A seed in [0, 2^31) for the use that `names` say: the same on every machine and in every version."""
    text = ":".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 2**31


def run_seed(sweep_seed: int, replicate: int) -> int:
    """The seed of a trial's run number `replicate`: the same for all trials, so that trials are paired."""
    return derive(sweep_seed, "run", replicate)
