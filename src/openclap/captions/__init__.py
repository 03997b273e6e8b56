"""Captions made and improved, offline: stages over a manifest."""
