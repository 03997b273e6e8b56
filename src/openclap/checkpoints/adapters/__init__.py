"""The formats of other projects, one file each; each registers a two-way adapter."""
