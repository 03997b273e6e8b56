"""Text encoders, one file a family; each registers its names."""
