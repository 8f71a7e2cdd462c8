"""A small language to find transactions: account:Expenses and (payee:bak* or #food) and amount > 10.

    expression = term { "or" term }
    term       = factor { ["and"] factor }
    factor     = "not" factor | "(" expression ")" | test
    test       = "#" word | field ":" pattern | "amount" ("<" | ">" | "=") number | ("before" | "after") date
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from ledger.errors import QueryError
from ledger.transaction import Transaction

Test = Callable[[Transaction], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])
    |(?P<tag>\#\w[\w-]*)
    |(?P<field>account|payee):(?P<pattern>"[^"]*"|[^\s()]+)
    |amount\s*(?P<op>[<>=])\s*(?P<number>\d+(?:\.\d+)?)
    |(?P<when>before|after)\s+(?P<date>\d{4}-\d{2}-\d{2})
    |(?P<word>and|or|not)\b)""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    match: re.Match[str]
    at: int


def _tokens(query: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(query.rstrip()):
        match = _TOKEN.match(query, at)
        if not match:
            at += len(query[at:]) - len(query[at:].lstrip())
            raise QueryError("cannot be read from here", query, at)
        kind = next(k for k in ("paren", "tag", "field", "op", "when", "word") if match[k])
        tokens.append(_Token(match[kind] if kind in ("paren", "word") else kind, match, match.start(kind)))
        at = match.end()
    return tokens


class _Compiler:
    def __init__(self, query: str) -> None:
        self.query, self.tokens, self.position = query, _tokens(query), 0

    def peek(self) -> str:
        return self.tokens[self.position].kind if self.position < len(self.tokens) else "end"

    def fail(self, message: str) -> QueryError:
        at = self.tokens[self.position].at if self.position < len(self.tokens) else len(self.query)
        return QueryError(message, self.query, at)

    def whole(self) -> Test:
        test = self.expression()
        if self.peek() != "end":
            raise self.fail("nothing may follow here")
        return test

    def expression(self) -> Test:
        tests = [self.term()]
        while self.peek() == "or":
            self.position += 1
            tests.append(self.term())
        return tests[0] if len(tests) == 1 else lambda t: any(test(t) for test in tests)

    def term(self) -> Test:
        tests = [self.factor()]
        while self.peek() not in ("or", ")", "end"):
            if self.peek() == "and":
                self.position += 1
            tests.append(self.factor())
        return tests[0] if len(tests) == 1 else lambda t: all(test(t) for test in tests)

    def factor(self) -> Test:
        kind = self.peek()
        if kind == "not":
            self.position += 1
            inner = self.factor()
            return lambda t: not inner(t)
        if kind == "(":
            self.position += 1
            inner = self.expression()
            if self.peek() != ")":
                raise self.fail('a ")" is missing')
            self.position += 1
            return inner
        if kind in ("tag", "field", "op", "when"):
            match = self.tokens[self.position].match
            test = self.test(kind, match)
            self.position += 1
            return test
        raise self.fail("a test is missing, such as payee:bak* or amount > 10")

    def test(self, kind: str, match: re.Match[str]) -> Test:
        if kind == "tag":
            tag = match["tag"][1:]
            return lambda t: tag in t.tags
        if kind == "field":
            return _field(match["field"], match["pattern"].strip('"'))
        if kind == "op":
            return _amount(match["op"], Decimal(match["number"]))
        try:
            day = dt.date.fromisoformat(match["date"])
        except ValueError:
            raise self.fail(f'"{match["date"]}" is no date') from None
        return (lambda t: t.date < day) if match["when"] == "before" else (lambda t: t.date > day)


def _field(name: str, pattern: str) -> Test:
    if name == "payee":
        folded = pattern.casefold()
        return lambda t: fnmatch.fnmatchcase(t.payee.casefold(), folded)
    if any(c in pattern for c in "*?["):
        return lambda t: any(fnmatch.fnmatchcase(p.account, pattern) for p in t.postings)
    return lambda t: t.touches(pattern)


def _amount(op: str, number: Decimal) -> Test:
    compare = {"<": Decimal.__lt__, ">": Decimal.__gt__, "=": Decimal.__eq__}[op]
    return lambda t: any(bool(compare(abs(p.amount.number), number)) for p in t.postings if p.amount)


def compile_query(query: str) -> Test:
    """A function that tells whether a transaction matches. The empty query matches all. Raises QueryError."""
    return _Compiler(query).whole() if query.strip() else lambda _: True
