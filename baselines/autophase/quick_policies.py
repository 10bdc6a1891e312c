"""The policies of PPO, quicker where experience is collected.

Stable-Baselines3 builds objects of distributions in each step, which costs several times what the
networks cost. For one discrete action a few operations on tensors do the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy

_NEVER = -1e8
"""The logit of a masked action, as in sb3-contrib."""
Step = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Actions of shape (programs,), values of shape (programs, 1), log-probabilities."""


class QuickPolicy(ActorCriticPolicy):
    """``ActorCriticPolicy`` for flat observations and one discrete action."""

    def forward(self, obs: torch.Tensor, deterministic: bool = False) -> Step:
        """Return actions, their values and their log-probabilities."""
        return _forward(self, obs, deterministic, None)


class QuickMaskablePolicy(MaskableActorCriticPolicy):
    """``MaskableActorCriticPolicy`` for flat observations and one discrete action."""

    def forward(
        self,
        obs: torch.Tensor,
        deterministic: bool = False,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> Step:
        """Return actions, their values and their log-probabilities."""
        return _forward(self, obs, deterministic, action_masks)


def _forward(
    policy: Any, obs: torch.Tensor, deterministic: bool, useful: NDArray[np.bool_] | None
) -> Step:
    logits = policy.action_net(policy.mlp_extractor.policy_net(obs))
    values = policy.value_net(policy.mlp_extractor.value_net(obs))
    if useful is not None:
        logits = logits.masked_fill(torch.as_tensor(~useful, device=logits.device), _NEVER)
    chances = torch.log_softmax(logits, dim=1)
    if deterministic:
        actions = chances.argmax(dim=1, keepdim=True)
    else:
        actions = torch.multinomial(chances.exp(), 1)
    return actions[:, 0], values, chances.gather(1, actions)[:, 0]
