from collections.abc import Sequence

from cdc_archive.archive.writer.express import Express
from cdc_archive.source.message import Message

def run(lane: Express, messages: Sequence[Message], at: int, offset: int) -> list[str]: ...
