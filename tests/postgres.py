"""A PostgreSQL of the tests' own, from Debian's package `postgresql`: nothing of the machine's is touched.

It refuses to run as root, so that root's tests hand it to `nobody`. It listens on a unix socket in its own folder only.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote

import psycopg

NEEDS = "PostgreSQL's server is missing (Debian package postgresql)"
USER = "netdiag"
PORT = 5432  # only the name of the socket
PATIENCE = 30.0  # seconds for a start or a stop


class MissingError(Exception):
    """This machine has no PostgreSQL server; the message names the package."""


def binaries() -> Path:
    """The folder of the newest release that is installed. Raises MissingError."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    folders = sorted((path.parent for path in found), key=lambda path: int(re.sub(r"\D", "", path.parent.name)))
    if not folders:
        raise MissingError(NEEDS)
    return folders[-1]


class Postgres:
    """One server with its data in a folder of its own. `stop` and `kill` keep the data, `remove` does not."""

    def __init__(self) -> None:
        self._binaries = binaries()
        # Under /tmp with a short name: a unix socket's path may have 107 characters and no more.
        self.folder = Path(tempfile.mkdtemp(prefix="netdiag-pg-"))
        self._user = "nobody" if os.geteuid() == 0 else None
        self._server: subprocess.Popen[bytes] | None = None
        if self._user:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "-D", str(self._data), "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        """For NETDIAG_DATABASE_URL."""
        return f"postgresql://{USER}@/postgres?host={quote(str(self.folder))}&port={PORT}"

    def start(self) -> None:
        """Listen, and return when it answers."""
        # Durability is what a power cut needs; the tests kill processes, and a process that dies loses no write.
        quick = {"fsync": "off", "full_page_writes": "off", "checkpoint_timeout": "1h", "autovacuum": "off"}
        settings = {**quick, "listen_addresses": "", "unix_socket_directories": self.folder}
        options = [f"--{name}={value}" for name, value in settings.items()]
        argv = [str(self._binaries / "postgres"), "-D", str(self._data), *options]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                argv, stdout=log, stderr=log, user=self._user, cwd=self.folder, start_new_session=True
            )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.run_sql("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > end or self._server.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Go away as for an upgrade: connections are cut, transactions that run are undone."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Go away as by a power cut: nothing is said to anybody."""
        server = self._server
        if server is None:
            return
        # Its children see that it is gone and end by themselves; the new server waits for their shared memory.
        self._end(signal.SIGKILL)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.folder)

    def emptied(self) -> str:
        """The URL, when nothing is left in the database (a new one for each test would take five times as long)."""
        self.run_sql("DROP SCHEMA public CASCADE")
        self.run_sql("CREATE SCHEMA public")
        return self.url

    def run_sql(self, statement: LiteralString) -> None:
        """One statement, outside a transaction."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, name: str, *argv: str) -> None:
        command = [str(self._binaries / name), *argv]
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd=self.folder, timeout=PATIENCE)

    def _end(self, number: signal.Signals) -> None:
        if self._server and self._server.poll() is None:
            self._server.send_signal(number)
            self._server.wait(PATIENCE)
        self._server = None
