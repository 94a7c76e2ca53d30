"""The page on which samples are judged by eye, and the server behind it, on this machine alone."""
