"""A model for other runtimes: both towers as ONNX graphs, with the log-mel front-end inside."""
