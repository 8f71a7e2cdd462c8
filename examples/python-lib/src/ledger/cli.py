"""The command line: check, balance, register, budget, import."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

from ledger import bank_csv, report
from ledger.balance import Balances
from ledger.budget import standings
from ledger.errors import LedgerError
from ledger.journal import Journal
from ledger.parser import parse
from ledger.query import compile_query
from ledger.writer import write


def _load(path: str) -> Journal:
    try:
        return parse(Path(path).read_text(encoding="utf-8"), path)
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}") from None


def _check(args: argparse.Namespace) -> str:
    journal = _load(args.journal)
    return f"{len(journal.transactions)} transactions in {len(journal.accounts())} accounts, all balanced\n"


def _balance(args: argparse.Namespace) -> str:
    matches = compile_query(args.where)
    return report.balance_sheet(Balances(t for t in _load(args.journal).transactions if matches(t)), args.depth)


def _register(args: argparse.Namespace) -> str:
    matches = compile_query(args.where)
    return report.register((t for t in _load(args.journal).transactions if matches(t)), args.account)


def _budget(args: argparse.Namespace) -> str:
    return report.budget_bars(standings(_load(args.journal), args.day))


def _import(args: argparse.Namespace) -> str:
    profile = bank_csv.Profile(args.account, decimal_comma=args.decimal_comma)
    made = bank_csv.convert(Path(args.statement).read_text(encoding="utf-8"), profile, [], _load(args.journal))
    return write(made)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ledger", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run, summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary)
        sub.add_argument("journal")
        sub.set_defaults(run=run)
        return sub

    command("check", _check, "read the journal and check that it balances")
    balance = command("balance", _balance, "what is in each account")
    balance.add_argument("--depth", type=int, default=0)
    balance.add_argument("--where", metavar="QUERY", default="")
    register = command("register", _register, "every posting of an account")
    register.add_argument("account")
    register.add_argument("--where", metavar="QUERY", default="")
    budget = command("budget", _budget, "budgets and what is left of them")
    budget.add_argument("--day", type=dt.date.fromisoformat, default=dt.date.today())
    statement = command("import", _import, "a bank statement as transactions")
    statement.add_argument("statement")
    statement.add_argument("--account", default="Assets:Bank")
    statement.add_argument("--decimal-comma", action="store_true")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 after an error that it has printed."""
    args = _arguments().parse_args(argv)
    try:
        sys.stdout.write(args.run(args))
    except LedgerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
