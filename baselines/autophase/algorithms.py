"""The learning algorithms of Stable-Baselines3 that a training may use."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm

from .observation import EPISODE
from .policy import PREFIX
from .quick_policies import QuickMaskablePolicy, QuickPolicy

if TYPE_CHECKING:
    from .train import Config
    from .vec_env import AutoPhaseVecEnv

MASKED = "maskable-ppo"
_LEAST_LEFT = 0.02


def make_algorithm(env: AutoPhaseVecEnv, config: Config, seed: int) -> BaseAlgorithm:
    """Return the learner that the configuration names, with fresh weights."""
    shared: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "gamma": config.gamma,
        "seed": seed,
        "device": config.device,
        "policy_kwargs": {
            "net_arch": [config.hidden, config.hidden],
            "activation_fn": torch.nn.ReLU,
        },
    }
    if config.algorithm == "dqn":
        return DQN(
            "MlpPolicy",
            env,
            **shared,
            batch_size=config.batch_size,
            buffer_size=config.buffer_size,
            learning_starts=config.batch_size,
            target_update_interval=config.target_update,
            # Constant, since a training in rounds does not know when it ends.
            exploration_initial_eps=config.exploration,
            exploration_final_eps=config.exploration,
        )
    steps = EPISODE * config.episodes_per_update
    shared |= {
        "n_steps": steps,
        "batch_size": max(1, steps * config.num_envs // config.minibatches),
        "n_epochs": config.epochs,
        "gae_lambda": config.gae_lambda,
        "clip_range": config.clip,
        "ent_coef": config.entropy,
    }
    learner: BaseAlgorithm
    if config.algorithm == MASKED:
        learner = MaskablePPO(QuickMaskablePolicy, env, **shared)
    else:
        learner = PPO(QuickPolicy, env, **shared)
    if config.anneal:
        # By the steps of the whole training: Stable-Baselines3 would count those of a round.
        learner.lr_schedule = lambda _: config.learning_rate * _left(learner, config)
    return learner


def _left(learner: BaseAlgorithm, config: Config) -> float:
    """Return the share of the training that is to come; never quite nothing."""
    return max(1 - learner.num_timesteps / config.steps, _LEAST_LEFT)


def begin_round(learner: BaseAlgorithm, env: AutoPhaseVecEnv, seed: int) -> None:
    """Make all that comes depend on the weights, the optimizer's state and the seed alone."""
    learner.set_random_seed(seed)  # also of the actions that DQN draws, and of the environments
    learner.set_env(env)  # so that the next thing that it does is a reset
    if isinstance(learner, DQN):
        # Too large to be kept in checkpoints, and soon full again.
        learner.replay_buffer.reset()  # type: ignore[union-attr]
        learner._n_calls = 0


def network_of(learner: BaseAlgorithm) -> dict[str, NDArray[np.float32]]:
    """Return the layers of the network that chooses the actions, as ``Policy`` names them."""
    policy: Any = learner.policy
    if isinstance(learner, DQN):
        parts = [policy.q_net.q_net]
    else:
        parts = [policy.mlp_extractor.policy_net, [policy.action_net]]
    modules = [module for part in parts for module in part]
    layers = [module for module in modules if isinstance(module, torch.nn.Linear)]
    tensors: dict[str, NDArray[np.float32]] = {}
    for number, layer in enumerate(layers):
        # Copies: the learner goes on.
        tensors[f"{PREFIX}{number}.weight"] = layer.weight.detach().cpu().numpy().copy()
        tensors[f"{PREFIX}{number}.bias"] = layer.bias.detach().cpu().numpy().copy()
    return tensors


def state_of(learner: BaseAlgorithm, facts: dict[str, Any]) -> bytes:
    """Return what a training needs to go on, with facts beside it."""
    file = io.BytesIO()
    torch.save(
        {
            "policy": learner.policy.state_dict(),
            "optimizer": learner.policy.optimizer.state_dict(),
            "steps": learner.num_timesteps,
            "facts": facts,
        },
        file,
    )
    return file.getvalue()


def restore(learner: BaseAlgorithm, data: bytes) -> dict[str, Any]:
    """Bring a learner to a state, and return the facts that are beside it.

    Raises:
        Exception: The data are damaged, or of another network; of the many kinds torch has.
    """
    # weights_only: nothing in the data is run.
    state = torch.load(io.BytesIO(data), map_location=learner.device, weights_only=True)
    learner.policy.load_state_dict(state["policy"])
    learner.policy.optimizer.load_state_dict(state["optimizer"])
    learner.num_timesteps = state["steps"]
    facts: dict[str, Any] = state["facts"]
    return facts
