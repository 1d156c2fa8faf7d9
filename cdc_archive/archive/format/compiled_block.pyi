from cdc_archive.archive.format.pattern_block import Glance
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ChangeRecord

class CompiledBlock:
    at: int
    left: int
    def __init__(
        self, where: TopicPartition, table: str, count: int, payload: bytes, wanted: Glance | None
    ) -> None: ...
    def usual(self, most: int, /) -> list[ChangeRecord]: ...
    def passed(self, at: int, /) -> None: ...
