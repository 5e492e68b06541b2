# SPDX-License-Identifier: Apache-2.0
"""Opening, migrating, and what is said where that fails."""

import shutil
import socket
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from tests.services.postgres import PASSWORD, Server
from tests.store.catalog.builders import ids, lease, listing

from speechmill.core.errors import ConfigError, SpeechmillError, WorkspaceError
from speechmill.store.catalog import Catalog
from speechmill.store.catalog.opening import HEAD, MIGRATIONS, current_revision, upgrade
from speechmill.store.catalog.schema import metadata

SECOND = """
from alembic import op
from sqlalchemy import Column, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("items", Column("mood", Text()))
"""


def test_the_structs_are_there_without_sqlalchemy() -> None:
    code = "import sys; from speechmill.store.catalog import Catalog, Job; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_current_database_is_opened_without_alembic(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/catalog.db"
    Catalog.open(address).close()
    code = (
        "import sys; from speechmill.store.catalog import Catalog; "
        f"Catalog.open({address!r}).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_database_is_made_where_its_folder_is_missing(tmp_path: Path) -> None:
    Catalog.open(f"sqlite:///{tmp_path}/deep/down/catalog.db").close()
    assert (tmp_path / "deep/down/catalog.db").stat().st_mode & 0o077 == 0


def test_what_was_written_is_there_after_opening_again(address: str) -> None:
    with Catalog.open(address) as catalog:
        listing(catalog, "a")
    with Catalog.open(address) as catalog:
        assert ids(lease(catalog)) == ["a"]


def test_sqlite_writes_ahead_and_checks_references(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        pragmas = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        found = [catalog._database.read(lambda c, p=p: c.exec_driver_sql(f"PRAGMA {p}").scalar()) for p in pragmas]  # type: ignore[misc]
    assert found == ["wal", 1, 1, 10_000]


def test_the_migrations_make_the_tables_that_the_code_asks_for(address: str) -> None:
    Catalog.open(address).close()
    engine = create_engine(address)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_of_the_first_revision_is_migrated_with_its_rows(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        migrate_from_the_first(f"sqlite:///{tmp_path}/catalog.db", tmp_path)
    else:
        migrate_from_the_first(request.getfixturevalue("postgres").new_database(), tmp_path)


def migrate_from_the_first(address: str, tmp_path: Path) -> None:
    engine = create_engine(address)
    with engine.begin() as connection:
        upgrade(connection, scripts(tmp_path, only="r0001_first.py"))
        connection.execute(text("INSERT INTO queries (id, platform, kind, done) VALUES ('q', 'youtube', 'x', false)"))
    with engine.begin() as connection:
        assert current_revision(connection) == "0001"
        upgrade(connection, scripts(tmp_path, later=SECOND))
    with engine.connect() as connection:
        assert current_revision(connection) == "0002"
        assert connection.scalar(text("SELECT count(*) FROM queries")) == 1
        assert connection.execute(text("SELECT mood FROM items")).all() == []
    engine.dispose()


def scripts(tmp_path: Path, *, only: str | None = None, later: str | None = None) -> Path:
    folder = tmp_path / ("later" if later else "first")
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder / "versions").glob("r*.py"):
        if only is not None and path.name != only:
            path.unlink()
    if later is not None:
        (folder / "versions" / "r0002_later.py").write_text(later, encoding="utf-8")
    return folder


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    broken = SECOND + '    op.execute("SELECT * FROM nowhere")\n'
    with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
        with pytest.raises(Exception, match="nowhere"), catalog._database.once() as connection:
            upgrade(connection, scripts(tmp_path, later=broken))
        assert catalog._database.read(current_revision) == "0001"
        columns = catalog._database.read(lambda c: c.exec_driver_sql("PRAGMA table_info(items)").all())
    assert "mood" not in [column[1] for column in columns]


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/catalog.db"
    with Catalog.open(address) as catalog:
        catalog._database.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '0999'")))
    with pytest.raises(WorkspaceError, match="revision 0999, which this version of speechmill doesn't know"):
        Catalog.open(address)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_text("not a database, but long enough to look at" * 50)
    with pytest.raises(WorkspaceError, match="file is not a database"):
        Catalog.open(f"sqlite:///{tmp_path}/catalog.db")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"file/catalog\.db: "):
        Catalog.open(f"sqlite:///{tmp_path}/file/catalog.db")


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:", "mysql://u@h/d", "catalog.db", "", "x://["])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="sqlite"):
        Catalog.open(address)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_write_postgresql_is_taken(postgres: Server, migrated: str, scheme: str) -> None:
    with Catalog.open(migrated.replace("postgresql+psycopg", scheme)) as catalog:
        assert catalog.counts([]).items == {}


def test_the_password_may_stand_in_the_environment(
    postgres: Server, migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with Catalog.open(migrated.replace(f":{PASSWORD}", "")) as catalog:
        assert catalog.counts([]).items == {}


def said(address: str) -> str:
    """Return everything that an operator might see of a failure to open."""
    with pytest.raises(SpeechmillError) as caught:
        Catalog.open(address)
    return "".join(traceback.format_exception(caught.value)) + repr(caught.value)


SECRET = "s3cr3t-canary"


def test_a_wrong_password_is_not_repeated(postgres: Server) -> None:
    text = said(postgres.address(password=SECRET))
    assert "password authentication failed" in text
    assert SECRET not in text


def test_a_password_is_not_repeated_where_nobody_answers() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused at once
        text = said(f"postgresql://crawler:{SECRET}@127.0.0.1:{taken.getsockname()[1]}/x")
    assert "refused" in text.lower()
    assert SECRET not in text


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://crawler:{SECRET}@host.invalid/x",
        f"postgresql://crawler:a@{SECRET}@127.0.0.1:1/x",
        f"postgresql://crawler:{SECRET}/b@127.0.0.1:1/x",
        f"postgresql://crawler:{SECRET}:b@127.0.0.1:1/x",
        f"postgresql://crawler@127.0.0.1:1/x?password={SECRET}",
        f"postgresql://crawler:{SECRET}@127.0.0.1:port/x",
        f"postgresql://crawler:{SECRET}@127.0.0.1:1/x?no_such_option=1",
        f"oracle://crawler:{SECRET}@127.0.0.1/x",
        f"nonsense {SECRET}",
        f"postgresql://crawler:p%40{SECRET}@127.0.0.1:1/x",
    ],
)
def test_no_address_that_fails_gives_its_password_away(address: str) -> None:
    assert SECRET not in said(address)


def test_an_open_catalog_shows_no_password(postgres: Server, migrated: str) -> None:
    with Catalog.open(migrated) as catalog:
        database = catalog._database
        shown = f"{catalog!r} {catalog} {database.address!r} {database.address.shown} {database._engine!r}"
    assert PASSWORD not in shown
    assert "crawler:***@127.0.0.1" in repr(catalog)


def test_a_statement_that_fails_repeats_no_values(catalog: Catalog) -> None:
    with pytest.raises(WorkspaceError) as caught:
        catalog.attempt(_attempt_of_nothing())
    assert "title-nobody-should-read" not in "".join(traceback.format_exception(caught.value))


def _attempt_of_nothing():  # type: ignore[no-untyped-def]
    from speechmill.store.catalog import Attempt

    return [Attempt(4711, "visit", "direct", 0.0, 0.0, 0, 0, "net", "title-nobody-should-read")]
