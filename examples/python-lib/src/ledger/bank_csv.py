"""Bank statements as CSV, in the dialects that banks really send, turned into transactions."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from ledger.errors import LedgerError
from ledger.journal import Journal
from ledger.money import Amount
from ledger.transaction import Posting, Transaction

DATE_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y")


@dataclass(frozen=True)
class Rule:
    """Which account a payee belongs to: the first rule whose text is in the payee wins."""

    text: str
    account: str


@dataclass(frozen=True)
class Profile:
    """How one bank writes its statements."""

    account: str
    date: str = "date"
    payee: str = "payee"
    amount: str = "amount"
    currency: str = "EUR"
    decimal_comma: bool = False


def _date(text: str) -> dt.date:
    for layout in DATE_FORMATS:
        try:
            return dt.datetime.strptime(text.strip(), layout).date()
        except ValueError:
            continue
    raise ValueError(f'"{text}" is no date')


def _number(text: str, comma: bool) -> Decimal:
    cleaned = text.strip().replace(" ", "").replace("\u00a0", "")
    cleaned = cleaned.replace(".", "").replace(",", ".") if comma else cleaned.replace(",", "")
    try:
        return Decimal(cleaned)
    except InvalidOperation:
        raise ValueError(f'"{text}" is no number') from None


def rows(text: str, profile: Profile) -> Iterator[tuple[int, dt.date, str, Amount]]:
    """Each row of the statement with its line. Raises LedgerError naming the line."""
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:4096], ",;\t")
    except csv.Error:
        dialect = csv.excel
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), dialect=dialect)
    wanted = {profile.date, profile.payee, profile.amount}
    if missing := wanted - set(reader.fieldnames or ()):
        raise LedgerError(f"the statement has no column {', '.join(sorted(missing))}; it has {', '.join(reader.fieldnames or ())}")
    for row in reader:
        try:
            number = _number(row[profile.amount] or "", profile.decimal_comma)
            yield reader.line_num, _date(row[profile.date] or ""), (row[profile.payee] or "").strip(), Amount(number, profile.currency)
        except ValueError as error:
            raise LedgerError(f"line {reader.line_num}: {error}") from None


def fingerprint(day: dt.date, payee: str, amount: Amount) -> str:
    """The same row of two overlapping statements has the same fingerprint."""
    return hashlib.sha256(f"{day}|{payee.casefold()}|{amount.number.normalize()}|{amount.currency}".encode()).hexdigest()[:16]


def convert(text: str, profile: Profile, rules: list[Rule], known: Journal | None = None) -> list[Transaction]:
    """The statement's transactions, without those that the journal has already."""
    seen: dict[str, int] = {}
    for transaction in known.transactions if known else ():
        for posting in transaction.postings:
            if posting.account == profile.account and posting.amount:
                print_ = fingerprint(transaction.date, transaction.payee, posting.amount)
                seen[print_] = seen.get(print_, 0) + 1
    made = []
    for line, day, payee, amount in rows(text, profile):
        print_ = fingerprint(day, payee, amount)
        if seen.get(print_, 0) > 0:
            seen[print_] -= 1
            continue
        if not amount:
            continue
        fallback = "Income:Unknown" if amount.number > 0 else "Expenses:Unknown"
        other = next((r.account for r in rules if r.text.casefold() in payee.casefold()), fallback)
        made.append(Transaction.balanced(day, payee, [Posting(profile.account, amount), Posting(other)], line=line))
    return made
