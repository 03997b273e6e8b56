"""From a file to log-mel features."""
