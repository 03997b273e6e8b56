"""Plausible sounds made by code: sources, scenes that mix them, and captions that state what is heard."""
