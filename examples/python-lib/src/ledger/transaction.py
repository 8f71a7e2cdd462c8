"""Transactions and their postings."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace

from ledger import account
from ledger.errors import UnbalancedError
from ledger.money import Amount, Wallet


@dataclass(frozen=True)
class Posting:
    """One side of a transaction. An amount of None is what is missing to balance it."""

    account: str
    amount: Amount | None = None
    note: str = ""

    def __post_init__(self) -> None:
        account.check(self.account)


@dataclass(frozen=True)
class Transaction:
    """What happened on one day. It is balanced, or it is not made."""

    date: dt.date
    payee: str
    postings: tuple[Posting, ...]
    tags: frozenset[str] = field(default_factory=frozenset)
    line: int = 0

    @classmethod
    def balanced(cls, date: dt.date, payee: str, postings: list[Posting], tags: frozenset[str] = frozenset(), line: int = 0) -> Transaction:
        """Fill in the one missing amount and check the sum. Raises UnbalancedError."""
        if len(postings) < 2:
            raise UnbalancedError(f'{date} "{payee}": a transaction needs at least two postings')
        missing = [p for p in postings if p.amount is None]
        total = Wallet.of(*(p.amount for p in postings if p.amount is not None))
        if len(missing) > 1:
            raise UnbalancedError(f'{date} "{payee}": only one posting may leave its amount out')
        if not missing:
            if total:
                raise UnbalancedError(f'{date} "{payee}": off by {total}')
            return cls(date, payee, tuple(postings), tags, line)
        filled: list[Posting] = []
        for posting in postings:
            if posting.amount is not None:
                filled.append(posting)
                continue
            rest = (-total).amounts()
            if not rest:
                raise UnbalancedError(f'{date} "{payee}": nothing is left for {posting.account}')
            filled.extend(replace(posting, amount=amount) for amount in rest)
        return cls(date, payee, tuple(filled), tags, line)

    def touches(self, parent: str) -> bool:
        """Whether a posting is in the account or below it."""
        return any(account.below(p.account, parent) for p in self.postings)
