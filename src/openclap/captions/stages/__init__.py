"""Caption stages, one file each; each registers itself."""
