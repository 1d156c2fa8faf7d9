"""Our options in kafka-python's words."""

from __future__ import annotations

from typing import Any, Final

from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from cdc_archive.source.options import KafkaOptions

_ASSIGNORS: Final = {
    "cooperative-sticky": CooperativeStickyAssignor,
    "range": RangePartitionAssignor,
    "roundrobin": RoundRobinPartitionAssignor,
    "sticky": StickyPartitionAssignor,
}


def settings_outside_a_group(options: KafkaOptions) -> dict[str, Any]:
    """Settings of a consumer that is told what to read."""
    own = ("group_id", "group_instance_id", "partition_assignment_strategy")
    settings = {
        name: value for name, value in consumer_settings(options).items() if name not in own
    }
    return settings | {"group_id": None}


def producer_settings(options: KafkaOptions) -> dict[str, Any]:
    """Settings of a producer whose events are written once, and to all in-sync replicas."""
    shared = (
        "bootstrap_servers",
        "client_id",
        "bootstrap_timeout_ms",
        "metrics_enabled",
        "reconnect_backoff_max_ms",
        "security_protocol",
        "sasl_mechanism",
        "sasl_plain_username",
        "sasl_plain_password",
        "ssl_cafile",
        "ssl_certfile",
        "ssl_keyfile",
        "ssl_password",
        "api_version",
    )
    settings = consumer_settings(options)
    return {name: settings[name] for name in shared} | {
        "acks": "all",
        "enable_idempotence": True,
        "allow_auto_create_topics": False,
        "linger_ms": 5,
        "max_block_ms": int(options.connect_timeout_s * 1000),
    }


def consumer_settings(options: KafkaOptions) -> dict[str, Any]:
    """All settings of a member of a group."""
    settings: dict[str, Any] = {
        "bootstrap_servers": list(options.bootstrap_servers),
        "group_id": options.group_id,
        "group_instance_id": options.group_instance_id,
        "client_id": options.client_id,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "allow_auto_create_topics": False,
        "isolation_level": options.isolation_level,
        "partition_assignment_strategy": [_ASSIGNORS[options.assignment]],
        "session_timeout_ms": options.session_timeout_ms,
        "heartbeat_interval_ms": min(3_000, options.session_timeout_ms // 3),
        "reconnect_backoff_max_ms": 5_000,  # a broker that is back is not left waiting for 30 s
        "max_poll_interval_ms": options.max_poll_interval_ms,
        "metadata_max_age_ms": options.metadata_max_age_ms,
        "fetch_max_bytes": options.fetch_max_bytes,
        "max_partition_fetch_bytes": options.max_partition_fetch_bytes,
        "max_poll_records": options.max_poll_records,
        "bootstrap_timeout_ms": options.connect_timeout_s * 1000,
        "metrics_enabled": False,
        "security_protocol": options.security_protocol,
        "sasl_mechanism": options.sasl_mechanism,
        "sasl_plain_username": options.sasl_username,
        "sasl_plain_password": options.sasl_password,
        "ssl_cafile": options.ssl_ca_file,
        "ssl_certfile": options.ssl_cert_file,
        "ssl_keyfile": options.ssl_key_file,
        "ssl_password": options.ssl_key_password,
        "api_version": options.api_version,
    }
    return settings
