"""Pages and services on this machine: what guards them, and sound, spectrograms and files as browsers take them."""
