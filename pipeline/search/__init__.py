"""What to try next, and who goes on; the only place that imports optuna."""
