"""The training loop, its configs, checkpoints and hooks."""
