"""A trained model in use: embed, classify, windows over long audio."""
