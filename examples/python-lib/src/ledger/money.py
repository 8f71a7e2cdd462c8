"""Amounts of a currency, and wallets of several. Decimal only: no float comes in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

_AMOUNT = re.compile(r"^(?P<number>[-+]?[\d,]*\.?\d+)\s*(?P<currency>[A-Z][A-Z0-9]{1,9})$")


@dataclass(frozen=True, order=True)
class Amount:
    """So much of one currency."""

    number: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.number, Decimal):
            raise TypeError(f"an amount needs a Decimal, got {type(self.number).__name__}")

    @classmethod
    def parse(cls, text: str) -> Amount:
        """Read "1,234.50 EUR". Raises ValueError."""
        match = _AMOUNT.match(text.strip())
        if not match:
            raise ValueError(f'"{text}" is no amount; write it like "12.50 EUR"')
        try:
            return cls(Decimal(match["number"].replace(",", "")), match["currency"])
        except InvalidOperation:
            raise ValueError(f'"{match["number"]}" is no number') from None

    def __add__(self, other: Amount) -> Amount:
        self._same(other)
        return Amount(self.number + other.number, self.currency)

    def __sub__(self, other: Amount) -> Amount:
        return self + -other

    def __neg__(self) -> Amount:
        return Amount(-self.number, self.currency)

    def __mul__(self, factor: Decimal | int) -> Amount:
        return Amount(self.number * factor, self.currency)

    def __bool__(self) -> bool:
        return self.number != 0

    def __str__(self) -> str:
        return f"{self.number:,f} {self.currency}"

    def rounded(self, places: int = 2) -> Amount:
        """Banker's rounding, as the books are kept."""
        return Amount(self.number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN), self.currency)

    def split(self, parts: int, places: int = 2) -> list[Amount]:
        """Equal parts whose sum is exactly this amount; the first ones get the odd cents."""
        if parts < 1:
            raise ValueError("at least one part")
        unit = Decimal(1).scaleb(-places)
        cents = int((self.number / unit).to_integral_exact())
        if cents * unit != self.number:
            raise ValueError(f"{self} has more than {places} places")
        each, odd = divmod(abs(cents), parts)
        sign = -1 if cents < 0 else 1
        return [Amount(sign * (each + (i < odd)) * unit, self.currency) for i in range(parts)]

    def _same(self, other: Amount) -> None:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")


class Wallet(Mapping[str, Decimal]):
    """Amounts of several currencies. Immutable; currencies with nothing in them are not in it."""

    __slots__ = ("_amounts",)

    def __init__(self, amounts: Mapping[str, Decimal] | None = None) -> None:
        self._amounts = {c: n for c, n in sorted((amounts or {}).items()) if n != 0}

    @classmethod
    def of(cls, *amounts: Amount) -> Wallet:
        """The sum of the amounts."""
        wallet = cls()
        for amount in amounts:
            wallet += amount
        return wallet

    def __getitem__(self, currency: str) -> Decimal:
        return self._amounts[currency]

    def __iter__(self) -> Iterator[str]:
        return iter(self._amounts)

    def __len__(self) -> int:
        return len(self._amounts)

    def __hash__(self) -> int:
        return hash(tuple(self._amounts.items()))

    def __add__(self, other: Wallet | Amount) -> Wallet:
        added = {other.currency: other.number} if isinstance(other, Amount) else other
        merged = dict(self._amounts)
        for currency, number in added.items():
            merged[currency] = merged.get(currency, Decimal(0)) + number
        return Wallet(merged)

    def __neg__(self) -> Wallet:
        return Wallet({c: -n for c, n in self._amounts.items()})

    def __sub__(self, other: Wallet | Amount) -> Wallet:
        return self + -other

    def amounts(self) -> list[Amount]:
        """One amount for each currency, by its name."""
        return [Amount(number, currency) for currency, number in self._amounts.items()]

    def __str__(self) -> str:
        return ", ".join(map(str, self.amounts())) or "0"

    def __repr__(self) -> str:
        return f"Wallet({self})"
