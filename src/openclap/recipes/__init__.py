"""Named training runs as plain data, one file each."""
