"""Samples of finalists judged by eye: who is compared, the votes, and the ranking that they come to."""
