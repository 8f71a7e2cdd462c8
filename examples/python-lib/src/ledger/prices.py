"""Exchange of currencies by the prices of a journal, also over several steps."""

from __future__ import annotations

import bisect
import datetime as dt
from collections import defaultdict, deque
from collections.abc import Iterable
from decimal import Decimal

from ledger.errors import LedgerError
from ledger.journal import Price
from ledger.money import Amount, Wallet


class Exchange:
    """Knows the last price on or before a day, in both directions."""

    def __init__(self, prices: Iterable[Price]) -> None:
        self._rates: dict[tuple[str, str], list[tuple[dt.date, Decimal]]] = defaultdict(list)
        self._neighbours: dict[str, set[str]] = defaultdict(set)
        for price in sorted(prices, key=lambda p: p.date):
            there, back = (price.currency, price.value.currency), (price.value.currency, price.currency)
            self._rates[there].append((price.date, price.value.number))
            self._rates[back].append((price.date, 1 / price.value.number))
            self._neighbours[there[0]].add(there[1])
            self._neighbours[there[1]].add(there[0])

    def rate(self, source: str, target: str, day: dt.date) -> Decimal:
        """How much target one source is worth. The way with the fewest steps wins. Raises LedgerError."""
        if source == target:
            return Decimal(1)
        queue = deque([(source, Decimal(1))])
        seen = {source}
        while queue:
            at, so_far = queue.popleft()
            for neighbour in sorted(self._neighbours[at] - seen):
                step = self._direct(at, neighbour, day)
                if step is None:
                    continue
                if neighbour == target:
                    return so_far * step
                seen.add(neighbour)
                queue.append((neighbour, so_far * step))
        raise LedgerError(f"no price leads from {source} to {target} on {day}")

    def _direct(self, source: str, target: str, day: dt.date) -> Decimal | None:
        rates = self._rates[source, target]
        index = bisect.bisect_right(rates, day, key=lambda r: r[0])
        return rates[index - 1][1] if index else None

    def value(self, wallet: Wallet, target: str, day: dt.date) -> Amount:
        """The whole wallet in one currency, rounded to cents at the end."""
        total = sum((a.number * self.rate(a.currency, target, day) for a in wallet.amounts()), Decimal(0))
        return Amount(total, target).rounded()
