"""Everything that a file says, in order of date."""

from __future__ import annotations

import bisect
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

from ledger.money import Amount
from ledger.transaction import Transaction


@dataclass(frozen=True)
class Price:
    """What one of a currency was worth on a day."""

    date: dt.date
    currency: str
    value: Amount


@dataclass(frozen=True)
class BudgetLine:
    """What may be spent in an account and below it, each month or year."""

    account: str
    limit: Amount
    period: str


@dataclass
class Journal:
    """Transactions by date; on the same day, in the order in which they were added."""

    transactions: list[Transaction] = field(default_factory=list)
    prices: list[Price] = field(default_factory=list)
    budgets: list[BudgetLine] = field(default_factory=list)

    def add(self, transaction: Transaction) -> None:
        """Put it in its place."""
        bisect.insort_right(self.transactions, transaction, key=lambda t: t.date)

    def between(self, start: dt.date, end: dt.date) -> Iterator[Transaction]:
        """From start up to, and without, end."""
        low = bisect.bisect_left(self.transactions, start, key=lambda t: t.date)
        high = bisect.bisect_left(self.transactions, end, key=lambda t: t.date)
        yield from self.transactions[low:high]

    def accounts(self) -> list[str]:
        """Every account that is used, by name."""
        return sorted({p.account for t in self.transactions for p in t.postings})
