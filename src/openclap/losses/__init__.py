"""Embeddings in, a scalar out; one file a loss."""
