"""Tables for people: balances as a tree, a register of one account, budgets as bars."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal

from ledger import account
from ledger.balance import Balances
from ledger.budget import Standing
from ledger.money import Wallet
from ledger.transaction import Transaction


def width(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def table(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Columns as wide as their widest cell; those in right are flush right."""
    if not rows:
        return ""
    widths = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = []
        for i, cell in enumerate(row):
            blank = " " * (widths[i] - width(cell))
            cells.append(blank + cell if i in right else cell + blank)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def balance_sheet(balances: Balances, deepest: int = 0) -> str:
    """One line an account, indented by depth."""
    rows = []
    for name in balances.names(deepest):
        label = "  " * (account.depth(name) - 1) + name.rpartition(":")[2]
        for i, amount in enumerate(balances.shown(name).amounts() or [None]):
            rows.append((label if i == 0 else "", str(amount) if amount else "0"))
    return table(rows, frozenset({1}))


def register(transactions: Iterable[Transaction], name: str) -> str:
    """Every posting in the account, with the sum so far."""
    rows, running = [], Wallet()
    for transaction in transactions:
        for posting in transaction.postings:
            if posting.amount is not None and account.below(posting.account, name):
                running += posting.amount
                rows.append((transaction.date.isoformat(), transaction.payee, str(posting.amount), str(running)))
    return table(rows, frozenset({2, 3}))


def budget_bars(standings: Iterable[Standing], columns: int = 20) -> str:
    """A bar for each budget; it overflows with exclamation marks."""
    rows = []
    for standing in standings:
        share = min(standing.share, Decimal(2))
        full = int(share * columns)
        bar = "#" * min(full, columns) + "." * (columns - full) + ("!" if share > 1 else "")
        rows.append((standing.line.account, f"[{bar}]", str(standing.spent), f"of {standing.line.limit}"))
    return table(rows, frozenset({2, 3}))
