"""What a training of Coreset-NVP can be told: `llmopt-bench train coreset-nvp --set NAME=VALUE`."""

from __future__ import annotations

from dataclasses import dataclass

ENCODERS = ("mlp", "gnn")
OBJECTIVES = ("reverse", "cross-entropy")


@dataclass(frozen=True)
class NvpConfig:
    """The settings of a training, with the values that the shipped models have."""

    encoder: str = "mlp"
    """``mlp`` on Autophase features, or ``gnn`` on the program graph."""
    adaptive: bool = True
    """Whether the network sees what the lists so far have made of the function. False: it ranks
    all lists at once, as in arXiv 2301.05104."""
    tables: str | None = None
    """Folder of a training whose coreset and values are used, in place of making new ones."""
    lists: int = 50
    """Size of the coreset."""
    candidates: int = 120
    """How many of the most frequent best lists of the labels are candidates."""
    chain: int = 16
    """Of so many lists, chosen greedily, every ordered pair is a candidate too; 0 for none."""
    matrix_functions: int = 300
    """Functions from which the coreset is chosen."""
    functions: int = 8000
    """Functions from which the network learns."""
    sample_seed: int = 0
    """Seed of the choice of functions; the seed of the training is that of the network."""
    threads: int | None = None
    """Functions that are measured at a time; None for one on each core."""
    validation: str = "corpus-validation-v1"
    """Dataset that decides which epoch is kept."""
    validation_functions: int = 2000
    """The most of its functions that are used."""
    reward_power: float = 0.5
    """A saving counts over the size of the function to this power; 1 in arXiv 2301.05104."""
    objective: str = "reverse"
    """``reverse``: KL(network || target); ``cross-entropy``: as in arXiv 2301.05104."""
    temperature: float = 0.002
    """Of the softmax that makes values a target; as in arXiv 2301.05104."""
    weighted: bool = True
    """Whether functions weigh as much as -Oz leaves of them, as they do in the score."""
    tries: int = 5
    """The epoch is kept that does best with so many lists."""
    hidden: int = 256
    """Width of the head."""
    layers: int = 2
    """Hidden layers of the head."""
    messages: int = 3
    """Rounds of messages in the graph."""
    nodes: int = 32
    """Width of the nodes of the graph."""
    dropout: float = 0.3
    """In the head."""
    epochs: int = 12
    batch: int = 256
    rate: float = 3e-4
    """Learning rate, at its highest."""
    decay: float = 1e-4
    """Weight decay."""

    def __post_init__(self) -> None:
        """Check the settings."""
        for name, known in (("encoder", ENCODERS), ("objective", OBJECTIVES)):
            if getattr(self, name) not in known:
                found = getattr(self, name)
                raise ValueError(f"{name}: expected {' or '.join(known)}, got {found!r}")
        for name in ("lists", "candidates", "matrix_functions", "functions", "epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, got {getattr(self, name)}")
