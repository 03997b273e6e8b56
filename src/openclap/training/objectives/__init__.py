"""Objectives, one file each; each registers its name."""
