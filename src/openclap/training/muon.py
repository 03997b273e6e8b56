"""Muon for an encoder's matrices, AdamW for everything else, as one optimiser.

Muon makes the step of a matrix orthogonal, so that it learns in all directions alike; few steps then go further. It is
torch's own (`torch.optim.Muon`; Keller Jordan, "Muon", 2024), with steps scaled to the size of AdamW's ("Muon is
Scalable for LLM Training", arXiv 2502.16982, section 2.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from openclap.errors import ConfigError


class MuonWithAdamW:
    """Two optimisers that step together; the groups are those of both.

    Args:
        matrices: groups whose parameters are all matrices; for Muon.
        others: groups for `others_optimizer`.
        lr: peak learning rate.
        momentum: of Muon.

    Raises:
        ConfigError: if this torch has no Muon.
    """

    def __init__(
        self, matrices: Sequence[dict[str, Any]], others: torch.optim.Optimizer, *, lr: float, momentum: float
    ) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise ConfigError(
                f"optim.name is 'muon', which torch {torch.__version__} does not have: it came with torch 2.9; "
                "upgrade torch, or set optim.name to 'adamw'"
            )
        self._muon = torch.optim.Muon(list(matrices), lr=lr, momentum=momentum, adjust_lr_fn="match_rms_adamw")
        self._others = others

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """All groups, whose rates may be set."""
        return [*self._muon.param_groups, *self._others.param_groups]

    def step(self) -> None:
        """Apply the gradients."""
        self._muon.step()  # type: ignore[no-untyped-call]
        self._others.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        self._muon.zero_grad(set_to_none)
        self._others.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Both optimisers' states."""
        return {"muon": self._muon.state_dict(), "adamw": self._others.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self._muon.load_state_dict(state["muon"])
        self._others.load_state_dict(state["adamw"])
