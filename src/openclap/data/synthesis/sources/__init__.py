"""One module a family of sounds; each registers its sources when imported."""
