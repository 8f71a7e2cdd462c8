"""Text to journal.

    2026-03-02 Bakery #food
      Expenses:Food:Bread    4.20 EUR  ; two loaves
      Assets:Cash

    price 2026-03-02 USD 0.92 EUR
    budget Expenses:Food 400.00 EUR monthly
"""

from __future__ import annotations

import datetime as dt
import re

from ledger import account
from ledger.errors import ParseError, UnbalancedError
from ledger.journal import BudgetLine, Journal, Price
from ledger.money import Amount
from ledger.transaction import Posting, Transaction

_HEADER = re.compile(r"^(\d{4}-\d{2}-\d{2})\s+(.*)$")
_POSTING = re.compile(r"^\s+(?P<account>\S+)(?:\s{2,}|\t+|\s*$)(?P<amount>[^;]*)(?:;\s*(?P<note>.*))?$")
_TAG = re.compile(r"(?:^|\s)#(\w[\w-]*)")
PERIODS = ("monthly", "yearly")


class _Parser:
    def __init__(self, path: str) -> None:
        self.path = path
        self.journal = Journal()
        self.number = 0
        self.header: tuple[dt.date, str, frozenset[str], int] | None = None
        self.postings: list[Posting] = []

    def fail(self, message: str, column: int = 1, line: int | None = None) -> ParseError:
        return ParseError(message, self.path, line or self.number, column)

    def feed(self, line: str) -> None:
        self.number += 1
        if not line.strip():
            self.finish()
        elif line[0] in " \t":
            self.posting(line)
        elif line[0] not in ";#":
            self.finish()
            self.directive(line)

    def directive(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "price":
            self.price(rest.split())
        elif word == "budget":
            self.budget(rest.split())
        elif match := _HEADER.match(line):
            tags = frozenset(_TAG.findall(match[2]))
            self.header = (self.date(match[1]), _TAG.sub("", match[2]).strip(), tags, self.number)
        else:
            raise self.fail(f'"{word}" begins nothing known; want a date, "price" or "budget"')

    def date(self, text: str) -> dt.date:
        try:
            return dt.date.fromisoformat(text)
        except ValueError:
            raise self.fail(f'"{text}" is no date') from None

    def amount(self, text: str, column: int) -> Amount:
        try:
            return Amount.parse(text)
        except ValueError as error:
            raise self.fail(str(error), column) from None

    def price(self, words: list[str]) -> None:
        if len(words) != 4:
            raise self.fail("want: price DATE CURRENCY NUMBER CURRENCY")
        value = self.amount(f"{words[2]} {words[3]}", 1)
        if value.number <= 0:
            raise self.fail("a price is more than nothing")
        self.journal.prices.append(Price(self.date(words[0]), words[1], value))

    def budget(self, words: list[str]) -> None:
        if len(words) != 4 or words[3] not in PERIODS:
            raise self.fail(f"want: budget ACCOUNT NUMBER CURRENCY {'|'.join(PERIODS)}")
        try:
            name = account.check(words[0])
        except ValueError as error:
            raise self.fail(str(error), 8) from None
        self.journal.budgets.append(BudgetLine(name, self.amount(f"{words[1]} {words[2]}", 1), words[3]))

    def posting(self, line: str) -> None:
        if self.header is None:
            raise self.fail("an indented line, but no transaction above it")
        if line.strip().startswith(";"):
            return
        match = _POSTING.match(line)
        if not match:
            raise self.fail("two blanks or a tab stand between account and amount", len(line) - len(line.lstrip()) + 1)
        text = match["amount"].strip()
        amount = self.amount(text, match.start("amount") + 1) if text else None
        try:
            self.postings.append(Posting(match["account"], amount, match["note"] or ""))
        except ValueError as error:
            raise self.fail(str(error), match.start("account") + 1) from None

    def finish(self) -> None:
        if self.header is None:
            return
        date, payee, tags, line = self.header
        try:
            self.journal.add(Transaction.balanced(date, payee, self.postings, tags, line))
        except UnbalancedError as error:
            raise self.fail(str(error), line=line) from None
        self.header, self.postings = None, []


def parse(text: str, path: str = "<text>") -> Journal:
    """Read a whole journal. Raises ParseError."""
    parser = _Parser(path)
    for line in text.splitlines():
        parser.feed(line)
    parser.finish()
    return parser.journal
