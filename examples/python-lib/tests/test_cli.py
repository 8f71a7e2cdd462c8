import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import HOUSEHOLD
from ledger.cli import main

SRC = Path(__file__).parent.parent / "src"


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.ledger"
    path.write_text(HOUSEHOLD, encoding="utf-8")
    return path


def run(*args):
    """The real program, as a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(SRC)}
    return subprocess.run([sys.executable, "-m", "ledger", *map(str, args)], capture_output=True, text=True, env=env, check=False)


def test_check(book):
    result = run("check", book)
    assert (result.returncode, result.stdout) == (0, "6 transactions in 8 accounts, all balanced\n")


def test_balance_of_a_query(book):
    result = run("balance", book, "--depth", "1", "--where", "#fun")
    assert result.stdout.split() == ["Expenses", "62.50", "EUR", "Liabilities", "62.50", "EUR"]


@pytest.mark.parametrize("args", [("balance", "nosuch.ledger"), ("balance", "{book}", "--where", "((")])
def test_an_error_is_a_line_and_a_status(book, args):
    result = run(*(a.format(book=book) for a in args))
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr


def test_import_then_import_again(book, tmp_path, capsys):
    statement = tmp_path / "march.csv"
    statement.write_text("date,payee,amount\n2026-03-20,Bookshop,-18.00\n2026-03-02,Bakery Schmidt,-4.20\n", encoding="utf-8")
    assert main(["import", str(book), str(statement)]) == 0
    first = capsys.readouterr().out
    assert "Bookshop" in first
    assert "Bakery" not in first, "the journal has it already"
    book.write_text(book.read_text(encoding="utf-8") + "\n" + first, encoding="utf-8")
    assert main(["import", str(book), str(statement)]) == 0
    assert capsys.readouterr().out == ""


def test_budget(book):
    assert "Expenses:Food" in run("budget", book, "--day", "2026-03-15").stdout
