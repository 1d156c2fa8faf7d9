"""Bugs, planted one at a time into the real code: the worlds must find each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from cdc_archive.archive.reader.window import Window
from cdc_archive.audit import actor
from cdc_archive.changelog.record import ArchivedRecord, ChangeRecord
from cdc_archive.decode.images import Row
from cdc_archive.decode.unavailable import Unavailable
from cdc_archive.history import fold, order
from cdc_archive.history.fold import Fold
from cdc_archive.history.position import Change, SourcePosition
from cdc_archive.history.redelivery import Redeliveries
from cdc_archive.history.states import Version
from cdc_archive.history.transition import EXACT, NOT_APPLICABLE, Transition
from cdc_archive.replay import beside, disk_states, run
from cdc_archive.replay.base import Base
from cdc_archive.replay.beside import Beside
from cdc_archive.replay.telling import Telling

Patch = Callable[[Any, str, Any], None]


def order_by_lsn(patch: Patch) -> None:
    """The LSN of a change is taken for its place: transactions overlap."""
    patch(order, "_order", lambda archived, where: (where.lsn or 0, 0))


def order_by_time(patch: Patch) -> None:
    """The clock of a commit is taken for its place: clocks tie and step back."""
    patch(order, "_order", lambda archived, where: (archived.record.event_time_us or 0, 0))


def order_of_transactions_only(patch: Patch) -> None:
    """`total_order` is not looked at: a truncate may stand on any partition."""
    rightly = order._order

    def without(archived: ArchivedRecord, where: SourcePosition) -> tuple[int, int]:
        return rightly(archived, where)[0], 0

    patch(order, "_order", without)


def redelivery_by_lsn_alone(patch: Patch) -> None:
    """Rows that share an LSN are taken for one."""
    patch(Change, "identity", property(lambda change: repr(change.position[:4]).encode()))


def redelivered_twice(patch: Patch) -> None:
    """What comes again counts again."""
    patch(Redeliveries, "is_new", lambda self, change: True)


def below_the_highest_is_old(patch: Patch) -> None:
    """A change below the highest LSN of its stream is taken for a redelivery."""
    highest: dict[tuple[int, int], int] = {}

    def is_new(self: Redeliveries, change: Change) -> bool:
        lsn, stream = change.position.lsn, (id(self), change.place.stream)
        if lsn is None or lsn >= highest.get(stream, 0):
            highest[stream] = lsn or highest.get(stream, 0)
            return True
        return False

    patch(Redeliveries, "is_new", is_new)


def inventions_believed(patch: Patch) -> None:
    """The before image of a DELETE is taken for the row."""
    rightly = Fold._evidence

    def believing(
        self: Fold, record: ChangeRecord, image: Row | None, known: Version | None
    ) -> Any:
        self._shows_before[record.table] = True
        return rightly(self, record, image, None)

    patch(Fold, "_evidence", believing)


def placeholder_is_a_value(patch: Patch) -> None:
    """What a change did not touch is taken for what the placeholder says."""
    patch(Unavailable, "columns", lambda self, image: [])


def moved_key_is_two_rows(patch: Patch) -> None:
    """A change of key is a deletion and a creation."""
    patch(fold, "key_in_header", lambda record, name: None)


def read_row_is_created(patch: Patch) -> None:
    """A row of a snapshot is taken for a creation."""
    rightly = Fold.apply

    def apply(self: Fold, change: Change) -> Iterator[Transition]:
        yield from rightly(self, change)
        record = change.archived.record
        if record.op == "r":
            key = fold.canonical(record.key)
            row = self._read(change.archived, record.after)
            told = ("create", record.table, key, None, row, NOT_APPLICABLE, None, frozenset())
            yield Transition(*told, change)

    patch(Fold, "apply", apply)


def truncate_ignored(patch: Patch) -> None:
    """The rows live on."""
    patch(Fold, "_truncate", lambda self, change: iter(()))


def reused_key_remembers(patch: Patch) -> None:
    """A deleted row stays the version before."""
    patch(Fold, "_delete", _forgetful(Fold._delete))


def _forgetful(rightly: Any) -> Any:
    def delete(self: Fold, change: Change, key: str | None, image: Row | None) -> Any:
        record = change.archived.record
        known = self._known(record.table, key)
        yield from rightly(self, change, key, image)
        if known is not None:
            self._remember(record.table, key, known)

    return delete


def stale_actor_taken(patch: Patch) -> None:
    """Whoever stands in the row is taken for the actor of this change."""
    patch(actor, "_status", lambda transition, column: EXACT)


def looked_up_as_of_now(patch: Patch) -> None:
    """A look-up gives the last version, not the one of then."""
    rightly = Beside.lookup

    def lookup(self: Beside, name: str, key: Any, change: Change) -> Row | None:
        largest = (1 << 31) - 1
        return rightly(
            self, name, key, change._replace(place=change.place._replace(timeline=largest))
        )

    patch(Beside, "lookup", lookup)


def transaction_by_number_alone(patch: Patch) -> None:
    """Transactions of two databases that have the same number are taken for one."""
    patch(beside, "_connector", lambda change: b"")


def one_row_in_two_databases(patch: Patch) -> None:
    """Tables of the same name in two databases are taken for one."""
    rightly = disk_states.DiskStates.__init__
    patch(
        disk_states.DiskStates,
        "__init__",
        lambda self, database, connector: rightly(self, database, ""),
    )


def window_with_its_end(patch: Patch) -> None:
    """What happens at the end of a window is taken for a part of it."""
    rightly = Window.holds

    def holds(self: Window, event_time_us: int | None) -> bool:
        return rightly(self, event_time_us) or event_time_us == self.end_us is not None

    patch(Window, "holds", holds)


def groups_run_together(patch: Patch) -> None:
    """Rows of the next transaction come into the event of the one before."""
    patch(Telling, "_goes_on", lambda self, change: False)


def saved_amid_a_transaction(patch: Patch) -> None:
    """A run that goes on does not know which rows its open event had."""
    patch(Telling, "between_transactions", property(lambda self: True))


def rows_not_saved(patch: Patch) -> None:
    """A run that goes on has lost the versions that were in memory."""
    patch(disk_states.DiskStates, "flush", lambda self: None)


def checkpoint_of_later(patch: Patch) -> None:
    """A window begins with a checkpoint that was made of what came after."""
    rightly = run.newest
    patch(run, "newest", lambda reader, before_us, reading: rightly(reader, 1 << 62, reading))


def checkpoint_without_rows(patch: Patch) -> None:
    """The versions that a checkpoint keeps are not taken over."""
    patch(Base, "rows", lambda self, connector, tables: iter(()))


class Plant(NamedTuple):
    """A bug, and the check that finds it: see `running`."""

    put: Callable[[Patch], None]
    check: str


PLANTED: Final[dict[str, Plant]] = {
    put.__name__: Plant(put, check)
    for check, puts in (
        (
            "fold",
            (
                order_by_lsn,
                order_by_time,
                order_of_transactions_only,
                redelivery_by_lsn_alone,
                redelivered_twice,
                below_the_highest_is_old,
                inventions_believed,
                placeholder_is_a_value,
                moved_key_is_two_rows,
                read_row_is_created,
                truncate_ignored,
                reused_key_remembers,
            ),
        ),
        (
            "replay",
            (
                stale_actor_taken,
                looked_up_as_of_now,
                transaction_by_number_alone,
                one_row_in_two_databases,
                window_with_its_end,
                groups_run_together,
            ),
        ),
        ("alike", (saved_amid_a_transaction, rows_not_saved)),
        (
            "checkpointed",
            (checkpoint_of_later, checkpoint_without_rows),
        ),
    )
    for put in puts
}
