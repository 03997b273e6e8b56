"""Pieces that several encoders share."""
