"""Our options in librdkafka's words."""

from __future__ import annotations

import logging
from typing import Any

from cdc_archive.source.options import KafkaOptions


def consumer_settings(options: KafkaOptions, log: logging.Logger) -> dict[str, Any]:
    """All settings of a consumer; `log` hears what librdkafka has to say."""
    settings = {
        "bootstrap.servers": ",".join(options.bootstrap_servers),
        "group.id": options.group_id,
        "group.instance.id": options.group_instance_id,
        "client.id": options.client_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
        "enable.partition.eof": True,  # tells the end where no message tells it: after a marker
        "check.crcs": True,  # not its default: what the broker's disk damaged would be archived
        "isolation.level": options.isolation_level,
        "partition.assignment.strategy": options.assignment,
        "session.timeout.ms": options.session_timeout_ms,
        "heartbeat.interval.ms": min(3_000, options.session_timeout_ms // 3),
        "reconnect.backoff.max.ms": 5_000,
        "max.poll.interval.ms": options.max_poll_interval_ms,
        "topic.metadata.refresh.interval.ms": options.metadata_max_age_ms,
        "metadata.max.age.ms": options.metadata_max_age_ms,
        "fetch.max.bytes": options.fetch_max_bytes,
        "message.max.bytes": min(1_000_000, options.fetch_max_bytes),  # never more, it demands
        "max.partition.fetch.bytes": options.max_partition_fetch_bytes,
        "fetch.queue.backoff.ms": 5,  # the default of 1,000 costs two thirds of the wall time
        "queued.max.messages.kbytes": max(1, options.fetch_max_bytes // 256),  # four answers
        "security.protocol": options.security_protocol,
        "sasl.mechanism": options.sasl_mechanism,
        "sasl.username": options.sasl_username,
        "sasl.password": options.sasl_password,
        "ssl.ca.location": options.ssl_ca_file,
        "ssl.certificate.location": options.ssl_cert_file,
        "ssl.key.location": options.ssl_key_file,
        "ssl.key.password": options.ssl_key_password,
        "logger": log,
    }
    return {name: value for name, value in settings.items() if value is not None}
