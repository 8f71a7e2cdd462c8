"""Account names: a path of words, the first of which says what kind it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

KINDS = ("Assets", "Liabilities", "Equity", "Income", "Expenses")

# Accounts that grow with a debit. The others are shown with their sign turned.
DEBIT_KINDS = frozenset({"Assets", "Expenses"})

_WORD = re.compile(r"^[A-Z0-9][\w-]*$")


def check(name: str) -> str:
    """Return the name, or raise ValueError saying what is wrong with it."""
    kind, *words = name.split(":")
    if kind not in KINDS:
        raise ValueError(f'"{name}" begins with none of {", ".join(KINDS)}')
    for word in words:
        if not _WORD.match(word):
            raise ValueError(f'"{word}" in "{name}": a word begins with a capital or a digit')
    return name


def kind(name: str) -> str:
    """The first word."""
    return name.partition(":")[0]


def ancestors(name: str) -> Iterator[str]:
    """The account itself, then each above it."""
    while name:
        yield name
        name = name.rpartition(":")[0]


def below(name: str, parent: str) -> bool:
    """Whether the account is the parent or stands below it."""
    return name == parent or name.startswith(parent + ":")


def depth(name: str) -> int:
    """1 for "Assets", 2 for "Assets:Bank"."""
    return name.count(":") + 1
