"""The captions of a clip that are in use."""

from __future__ import annotations

from openclap.data.example import Example


def texts_in_use(example: Example) -> dict[str, str | None]:
    """Captions that no other one replaces -> the stages that made them, None for those that people wrote."""
    makers: dict[str, str | None] = dict.fromkeys(example.captions)
    for caption in example.made:
        makers.setdefault(caption.text, caption.maker)
    return {text: maker for text, maker in makers.items() if text not in example.replaced}
