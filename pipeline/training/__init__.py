"""A game, trained."""
