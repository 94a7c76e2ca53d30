"""The command as elsewhere: python -m tests.integration.elsewhere HOW VERB ...

HOW: host, one of another name, or container, one on this host whose process numbers are others.
"""

from __future__ import annotations

import os
import socket
import sys

from pipeline.cli import main

if __name__ == "__main__":
    how = sys.argv.pop(1)
    if how == "host":
        socket.gethostname = lambda: "elsewhere"
    else:
        readlink = os.readlink
        os.readlink = lambda path, **more: "pid:[1]" if path == "/proc/self/ns/pid" else readlink(path, **more)  # type: ignore[assignment]
    main.main()
