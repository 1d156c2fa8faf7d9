"""A world: databases, their connectors, the log in Kafka; made of a seed, the same each time."""

from __future__ import annotations

from random import Random

from cdc_archive.source.message import Message
from replay_world.connector import Connector, Place, Sent, message_of
from replay_world.database import EPOCH_US, Database
from replay_world.expected import Step, steps
from replay_world.profile import Profile


class World:
    """What happened, what reached Kafka, and what that proves.

    `log` are all messages; `told_by` leads from a message's place to the connector and the number
    of what it sent; `steps` are the truth of each connector.

    Args:
        seed: decides everything.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = Random(seed)
        self.profile = Profile.draw(rng)
        self.log: list[Message] = []
        self.told_by: dict[Place, tuple[int, int]] = {}
        self.connectors: list[Connector] = []
        self.copies = 0
        for number in range(self.profile.connectors):
            database = Database(rng, self.profile, first_xid=rng.choice([700, 700, 5_000]))
            database.run()
            self.connectors.append(Connector(rng, self.profile, number, database))
        delivered = [self._deliver(one) for one in self.connectors]
        self.steps: list[list[Step]] = [
            steps(one, got) for one, got in zip(self.connectors, delivered, strict=True)
        ]
        self.at = {_place(message): message for message in self.log}

    def _deliver(self, connector: Connector) -> set[int]:
        got: set[int] = set()
        offsets: dict[tuple[str, int], int] = {}
        for place, (run, n) in enumerate(connector.delivered()):
            sent = connector.sent[n]
            offset = offsets.get((sent.topic, sent.partition), 0)
            offsets[sent.topic, sent.partition] = offset + 1
            self.log.append(self._message(sent, run, offset, place))
            self.told_by[sent.topic, sent.partition, offset] = (connector.number, n)
            self.copies += n in got
            got.add(n)
        return got

    def _message(self, sent: Sent, run: int, offset: int, number: int) -> Message:
        return message_of(sent, run, self.profile.crashes, offset, EPOCH_US + 1_000 * number)

    def sent(self, place: Place) -> Sent:
        """What stands there."""
        connector, n = self.told_by[place]
        return self.connectors[connector].sent[n]


def _place(message: Message) -> Place:
    return message.topic, message.partition, message.offset
