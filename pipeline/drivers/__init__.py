"""What runs next, and whether a run goes on; each decision is in the record before anyone acts on it."""
