"""Clips that stand in an evaluation set: found by ids, by their sound or by vectors, and taken out of training data."""
