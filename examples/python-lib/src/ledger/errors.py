"""Errors that carry where they happened."""

from __future__ import annotations


class LedgerError(Exception):
    """Anything wrong with a journal, a query or a file."""


class ParseError(LedgerError):
    """Text that is not a journal, with its place."""

    def __init__(self, message: str, path: str, line: int, column: int = 1) -> None:
        super().__init__(f"{path}:{line}:{column}: {message}")
        self.message, self.path, self.line, self.column = message, path, line, column


class UnbalancedError(LedgerError):
    """A transaction whose postings do not sum to nothing."""


class QueryError(LedgerError):
    """A query that cannot be read, with a caret below the place."""

    def __init__(self, message: str, query: str, at: int) -> None:
        super().__init__(f"{message}\n  {query}\n  {' ' * at}^")
        self.at = at
