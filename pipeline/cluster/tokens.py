"""Ray's token. `ray start --head` takes the one in its user's folder, which a Ray of our own had made there, but who
connects offers it only where RAY_AUTH_MODE=token says so. To a cluster of which this machine is a node it is offered
here without that, too; to nobody else: whoever has it runs code on all clusters of its user."""

from __future__ import annotations

import logging
import os

from ray._private.authentication import authentication_token_setup as setup
from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]
from ray.exceptions import AuthenticationError

MODE = "RAY_AUTH_MODE"


def offered() -> bool:
    """Whether a token that was not is offered from now on, by this process and those that it starts. Not where
    RAY_AUTH_MODE is set, whatever it says."""
    if MODE in os.environ:
        return False
    try:
        there = AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True)
    except AuthenticationError:  # RAY_AUTH_TOKEN_PATH has none
        there = False
    if not there:
        return False
    logging.getLogger(setup.__name__).setLevel(logging.ERROR)  # it warns as of a cluster that is begun here
    return bool(setup.maybe_enable_token_auth_if_token_available())
