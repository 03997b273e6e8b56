"""What models replied, kept so that nothing is paid for twice, and what was paid.

One SQLite file. A reply is on the disk before anyone uses it. A request's worst cost is set aside *before* it is sent,
in the same file: a process that is killed meanwhile leaves it set aside, and so the budget holds whatever happens.
Several threads, and several processes of one machine, may use one file.

What was paid is synced to the disk itself. The rest survives a kill of the process, and after a power cut is either
there or not; a sync for each of it would cost more time than all else here.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openclap.errors import CaptionError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, model TEXT, text TEXT NOT NULL, finish TEXT, asked INTEGER NOT NULL,
    tokens_in INTEGER, tokens_out INTEGER, seconds REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS replies_by_model ON replies (model);
CREATE TABLE IF NOT EXISTS open_calls (id INTEGER PRIMARY KEY, key TEXT NOT NULL, cost REAL NOT NULL);
CREATE TABLE IF NOT EXISTS totals (
    one INTEGER PRIMARY KEY CHECK (one = 1), calls INTEGER, tokens_in INTEGER, tokens_out INTEGER, cost REAL, lost REAL
);
CREATE TABLE IF NOT EXISTS written (text BLOB, key TEXT, PRIMARY KEY (text, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counted (key TEXT, text BLOB, PRIMARY KEY (key, text)) WITHOUT ROWID;
INSERT OR IGNORE INTO totals VALUES (1, 0, 0, 0, 0.0, 0.0);
"""


@dataclass(frozen=True)
class Reply:
    """What a model said.

    Attributes:
        text: the content, or the arguments of the tool that it called.
        finish: why it ended: "stop", "length", …
        tokens_in: tokens read.
        tokens_out: tokens written.
        asked: how often the model was asked for it, replies that could not be read included.
        seconds: how long it took.
    """

    text: str
    finish: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    asked: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class Spent:
    """What was paid into a store.

    Attributes:
        calls: replies that came.
        tokens_in: tokens read.
        tokens_out: tokens written.
        cost: all of it, with `uncertain`.
        uncertain: set aside for requests whose reply never came: they may have been paid.
    """

    calls: int
    tokens_in: int
    tokens_out: int
    cost: float
    uncertain: float


class ReplyStore:
    """Replies by the digest of what was asked, and the account of what they cost.

    Args:
        path: the file; made with its folder if it is not there.

    Raises:
        CaptionError: if the file is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        if path.is_dir():
            raise CaptionError(f"{path} is a folder: set store=… to a file in it, as {path / 'llm-replies.sqlite'}")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, timeout=60.0, check_same_thread=False, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise CaptionError(f"{path} cannot be opened ({error}): set store=… to another file") from error
        weakref.finalize(self, self._db.close)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise CaptionError(f"{path} is no store of replies ({error}): set store=… to another file") from error

    def get(self, key: str) -> Reply | None:
        """The reply to a request, if there is one."""
        with self._lock:
            row = self._db.execute(
                "SELECT text, finish, tokens_in, tokens_out, asked, seconds FROM replies WHERE key = ?", (key,)
            ).fetchone()
        return None if row is None else Reply(*row)

    def reserve(self, key: str, cost: float, budget: float | None) -> int | None:
        """Set aside what a request may cost, before it is sent; None if the budget has no room for it."""
        with self._transaction() as db:
            if budget is not None:
                (paid,) = db.execute("SELECT cost FROM totals").fetchone()
                (aside,) = db.execute("SELECT COALESCE(SUM(cost), 0) FROM open_calls").fetchone()
                if paid + aside + cost > budget:
                    return None
            return db.execute("INSERT INTO open_calls (key, cost) VALUES (?, ?)", (key, cost)).lastrowid

    def settle(self, call: int, key: str, model: str, reply: Reply, cost: float) -> None:
        """Keep a reply that came, and count its cost in place of what was set aside."""
        with self._transaction(synced=True) as db:
            db.execute("DELETE FROM open_calls WHERE id = ?", (call,))
            self._keep(db, key, model, reply, cost)

    def add(self, key: str, model: str, reply: Reply, cost: float, *, once: bytes | None = None) -> bool:
        """Keep a reply that came another way: from a batch file, which is still there, or from a model of one's own.

        Args:
            key: of the request.
            model: whose it is.
            reply: the reply.
            cost: what it cost.
            once: its digest; a reply to this request that was added with the same one is neither kept nor counted.

        Returns:
            Whether it was kept.
        """
        with self._transaction() as db:
            if once is not None:
                if db.execute("SELECT 1 FROM counted WHERE key = ? AND text = ?", (key, once)).fetchone():
                    return False
                db.execute("INSERT INTO counted VALUES (?, ?)", (key, once))
            self._keep(db, key, model, reply, cost)
        return True

    def release(self, call: int) -> None:
        """Give back what was set aside: the server refused the request, or never got it."""
        with self._transaction() as db:
            db.execute("DELETE FROM open_calls WHERE id = ?", (call,))

    def lose(self, call: int) -> None:
        """Count what was set aside as spent: no reply came, and the server may have written one."""
        with self._transaction() as db:
            db.execute(
                "UPDATE totals SET cost = cost + (SELECT cost FROM open_calls WHERE id = ?1), "
                "lost = lost + (SELECT cost FROM open_calls WHERE id = ?1)",
                (call,),
            )
            db.execute("DELETE FROM open_calls WHERE id = ?", (call,))

    def spent(self) -> Spent:
        """What was paid so far, by all runs with this file."""
        with self._transaction() as db:
            calls, tokens_in, tokens_out, cost, lost = db.execute(
                "SELECT calls, tokens_in, tokens_out, cost, lost FROM totals"
            ).fetchone()
            (aside,) = db.execute("SELECT COALESCE(SUM(cost), 0) FROM open_calls").fetchone()
        return Spent(calls, tokens_in, tokens_out, cost + aside, lost + aside)

    def typical(self, model: str) -> Reply | None:
        """The mean of a thousand of a model's replies, for estimates; None before it has replied."""
        with self._lock:
            count, tokens_in, tokens_out, seconds = self._db.execute(
                "SELECT COUNT(*), AVG(tokens_in), AVG(tokens_out), AVG(NULLIF(seconds, 0)) "
                "FROM (SELECT * FROM replies WHERE model = ? LIMIT 1000)",
                (model,),
            ).fetchone()
        return Reply("", "", round(tokens_in), round(tokens_out), 0, seconds or 0.0) if count else None

    def may_write(self, text: bytes, key: str, most: int) -> bool:
        """Whether a caption (its digest) may be used for this input: True for the first `most` inputs that ask.

        Who was among them is kept, so that a run that is resumed or repeated gets the same answers.
        """
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM written WHERE text = ? AND key = ?", (text, key)).fetchone():
                return True
            (count,) = db.execute("SELECT COUNT(*) FROM written WHERE text = ?", (text,)).fetchone()
            if count >= most:
                return False
            db.execute("INSERT INTO written VALUES (?, ?)", (text, key))
            return True

    @staticmethod
    def _keep(db: sqlite3.Connection, key: str, model: str, reply: Reply, cost: float) -> None:
        db.execute(
            "INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (key, model, reply.text, reply.finish, reply.asked, reply.tokens_in, reply.tokens_out, reply.seconds),
        )
        db.execute(
            "UPDATE totals SET calls = calls + 1, tokens_in = tokens_in + ?, tokens_out = tokens_out + ?, "
            "cost = cost + ?",
            (reply.tokens_in, reply.tokens_out, cost),
        )

    @contextmanager
    def _transaction(self, *, synced: bool = False) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
