"""Vectors of languages: rows of the token type embedding of a language model.

They follow the types that the model has. Row 0, the type of every single text, means no language, so that other
libraries, which know nothing of languages, compute what lexenc computes without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from lexenc.arrays import Indices
from lexenc.encoders.pretrained import LANGUAGES
from lexenc.errors import ConfigError, DataError

_DEVIATION = 0.02


def read_languages(model: Any) -> tuple[str, ...]:
    """Return the names of the languages of a model of transformers; none for most models.

    Raises:
        DataError: If they are no names, or the model has no rows for them.
    """
    names = getattr(model.config, LANGUAGES, [])
    if not names:
        return ()
    table = _table(model)
    good = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    if not good or len(set(names)) < len(names) or table is None or len(names) >= table.num_embeddings:
        rows = 0 if table is None else table.num_embeddings
        raise DataError(
            f"The config.json of the encoder {model.config.name_or_path} has the {LANGUAGES} {names!r:.80}, which are "
            f"no distinct names, or too many for {rows} rows of its token type embedding.",
            hint="Copy the encoder again.",
        )
    return tuple(names)


def language_rows(model: Any, languages: Sequence[str]) -> Indices:
    """Return the row of no language, and that of each language of a model. Shape [1 + languages]."""
    table = _table(model)
    first = 0 if table is None else table.num_embeddings - len(languages)
    return np.concatenate([[0], first + np.arange(len(languages), dtype=np.int64)])


def add_language_rows(model: Any, names: Sequence[str], draw: torch.Generator) -> None:
    """Add a row for each new language.

    Args:
        model: A model of transformers.
        names: All languages, those that the model has first.
        draw: Source of the noise that is added to row 0.

    Raises:
        ConfigError: If a name is empty or there twice, or the model has no token type embedding.
    """
    table = _table(model)
    if table is None:
        raise no_language_rows(model.config.name_or_path)
    twice = next((name for place, name in enumerate(names) if not name or name in names[:place]), None)
    if twice is not None:
        what = f"there twice: {twice!r}" if twice else "empty"
        raise ConfigError(f"The name of a language is {what}.", hint="Give every language a name of its own.")
    old = table.weight.data
    count = len(names) - len(read_languages(model))
    noise = _DEVIATION * torch.randn(count, old.shape[1], generator=draw)
    table.weight = nn.Parameter(torch.cat([old, old[:1] + noise.to(old)]))
    table.num_embeddings = model.config.type_vocab_size = len(table.weight)
    setattr(model.config, LANGUAGES, list(names))


def _table(model: Any) -> nn.Embedding | None:
    """Return the token type embedding of a model, if it has one."""
    table = getattr(getattr(model, "embeddings", None), "token_type_embeddings", None)
    return table if isinstance(table, nn.Embedding) and table.num_embeddings else None


def no_language_rows(name: str) -> ConfigError:
    """Return the error for a model that cannot have languages."""
    return ConfigError(
        f"The encoder {name} has no token type embedding to which languages could be added.",
        hint="Use an encoder such as XLM-R or BERT, or no languages.",
    )
