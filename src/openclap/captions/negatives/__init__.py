"""Captions that nearly fit a clip and do not: another order, another attribute, by rules over words."""
