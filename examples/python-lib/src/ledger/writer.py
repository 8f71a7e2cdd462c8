"""Journal to text, as the parser reads it."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.transaction import Transaction


def write(transactions: Iterable[Transaction]) -> str:
    """Every transaction, amounts aligned within each, an empty line between them."""
    return "\n".join(map(_one, transactions))


def _one(transaction: Transaction) -> str:
    tags = "".join(f" #{tag}" for tag in sorted(transaction.tags))
    lines = [f"{transaction.date} {transaction.payee}{tags}".rstrip()]
    longest = max(len(p.account) for p in transaction.postings)
    numbers = [str(p.amount) for p in transaction.postings]
    widest = max(map(len, numbers))
    for posting, number in zip(transaction.postings, numbers, strict=True):
        note = f"  ; {posting.note}" if posting.note else ""
        lines.append(f"  {posting.account:<{longest}}  {number:>{widest}}{note}")
    return "\n".join(lines) + "\n"
