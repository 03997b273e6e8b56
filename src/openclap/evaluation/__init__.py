"""Tasks, metrics, results and reports."""
