"""Audio encoders, one file an architecture; each registers its names."""
