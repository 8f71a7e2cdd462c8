"""What is in each account, and in each with those below it."""

from __future__ import annotations

from collections.abc import Iterable

from ledger import account
from ledger.money import Wallet
from ledger.transaction import Transaction


class Balances:
    """Sums of postings. Books that were kept right sum to nothing over all accounts."""

    def __init__(self, transactions: Iterable[Transaction] = ()) -> None:
        self._own: dict[str, Wallet] = {}
        self._total: dict[str, Wallet] = {}
        for transaction in transactions:
            self.add(transaction)

    def add(self, transaction: Transaction) -> None:
        """Count one more transaction."""
        for posting in transaction.postings:
            assert posting.amount is not None, "a balanced transaction has every amount"
            self._own[posting.account] = self._own.get(posting.account, Wallet()) + posting.amount
            for name in account.ancestors(posting.account):
                self._total[name] = self._total.get(name, Wallet()) + posting.amount

    def own(self, name: str) -> Wallet:
        """The account's own postings, without those below it."""
        return self._own.get(name, Wallet())

    def total(self, name: str) -> Wallet:
        """With all accounts below."""
        return self._total.get(name, Wallet())

    def shown(self, name: str) -> Wallet:
        """The total with the sign that people expect: an income is positive, and so is a debt."""
        total = self.total(name)
        return total if account.kind(name) in account.DEBIT_KINDS else -total

    def names(self, deepest: int = 0) -> list[str]:
        """Every account and each above it, by name, down to a depth."""
        return sorted(n for n in self._total if not deepest or account.depth(n) <= deepest)

    def check(self) -> Wallet:
        """The sum over everything, which is empty when the books are right."""
        whole = Wallet()
        for wallet in self._own.values():
            whole += wallet
        return whole
