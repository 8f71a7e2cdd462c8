"""Double-entry bookkeeping from plain text: parse a journal, check it, ask it questions."""

from ledger.balance import Balances
from ledger.journal import Journal
from ledger.money import Amount, Wallet
from ledger.parser import parse

__all__ = ["Amount", "Balances", "Journal", "Wallet", "parse"]
