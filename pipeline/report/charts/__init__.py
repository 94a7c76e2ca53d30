"""The figures of a sweep: each described once, as data, and drawn for a page, a notebook or a paper."""
