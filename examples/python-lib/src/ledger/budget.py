"""Budgets: what was planned for a month or a year, and what was spent."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from ledger.balance import Balances
from ledger.journal import BudgetLine, Journal
from ledger.money import Amount


@dataclass(frozen=True)
class Standing:
    """One budget line in one period."""

    line: BudgetLine
    start: dt.date
    spent: Amount

    @property
    def left(self) -> Amount:
        """Negative when too much was spent."""
        return self.line.limit - self.spent

    @property
    def share(self) -> Decimal:
        """Spent by limit."""
        return self.spent.number / self.line.limit.number if self.line.limit else Decimal("Infinity")


def month(day: dt.date) -> tuple[dt.date, dt.date]:
    """The first of the day's month and of the next."""
    first = day.replace(day=1)
    return first, (first + dt.timedelta(days=32)).replace(day=1)


def year(day: dt.date) -> tuple[dt.date, dt.date]:
    """The first of January, this year and next."""
    first = day.replace(month=1, day=1)
    return first, first.replace(year=first.year + 1)


def standings(journal: Journal, day: dt.date) -> list[Standing]:
    """How each budget stands in the period that the day is in, up to the period's end."""
    result = []
    for line in journal.budgets:
        start, end = month(day) if line.period == "monthly" else year(day)
        spent = Balances(journal.between(start, end)).total(line.account).get(line.limit.currency, Decimal(0))
        result.append(Standing(line, start, Amount(spent, line.limit.currency)))
    return result
