"""A model for others: as ONNX graphs with the log-mel front-end inside, or in another project's checkpoint format."""
