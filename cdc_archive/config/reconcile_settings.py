"""The settings of `cdc-archive reconcile`: what a published audit log looks like, and where."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from cdc_archive.config.section import Listed, ReadableFile, Section, Token, Url, json_list
from cdc_archive.config.section import field as _field


def _expression(text: str) -> str:
    from cdc_archive.audit.expression import Expression

    try:
        Expression(text)
    except ValueError:  # its text repeats the value, and that may be a misplaced secret
        raise ValueError("not a JMESPath expression") from None
    return text


Look = Annotated[str, AfterValidator(_expression)]
"""JMESPath."""


class ServiceRule(BaseModel):
    """A service, and which events are its own: by type, or by the end of the table's name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    types: Listed = ()
    tables: Listed = ()


Rules = Annotated[tuple[ServiceRule, ...], BeforeValidator(json_list(" of {name, types, tables}"))]


class ReconcileSettings(Section):
    """The published audit log, compared with the changes. Names of fields are JMESPath."""

    tolerance_seconds: float = _field(
        "how far the times of a change and of its event may lie apart", 5, 5.0, ge=0, le=86_400
    )
    event: Look | None = _field("the event, if something surrounds it", "event", None)
    id: Look = _field("its id", "id", "id")
    type: Look = _field("its type", "type", "type")
    time: Look = _field("when it took effect", "effective_at", "effective_at")
    time_unit: Literal["s", "ms", "us"] = _field(
        "unit of a time that is a number; a text is ISO 8601", "s", "s"
    )
    payload: Look | None = _field(
        "its payload; none: the member named as its type", "details", None
    )
    resource: Look = _field("in the payload: what the event is about", "id", "id")
    actor: Look = _field("its actor", "actor", "actor")
    project: Look = _field("its project", "project", "project")
    extra_fields: Literal["counted", "different"] = _field(
        "what a field of the payload is that no change proves or contradicts",
        "different",
        "counted",
    )
    service_path: Look | None = _field(
        "the service that published it, in what surrounds the event", "source.service", None
    )
    service_header: str | None = _field("the same in a Kafka header", "service", None)
    service: Rules = _field(
        "whose events are whose; the first that fits decides",
        [{"name": "keys", "types": ["api_key.*"], "tables": ["app.api_key"]}],
        (),
    )
    http_token: Token | None = _field("bearer token of a log behind https://", "...", None)
    http_ca_file: ReadableFile | None = _field(
        "the CA of its certificate, PEM, if this system does not know it", "/etc/log/ca.pem", None
    )
    http_retry_seconds: float = _field("how long a busy API is asked again", 300, 300.0, ge=0)
    s3_endpoint_url: Url | None = _field(
        "for s3:// logs; what is not set here is as in [store]",
        "http://minio:9000",
        None,
        pattern=r"^https?://.+",
    )
    s3_region: str | None = _field("likewise", "eu-west-1", None)
    s3_access_key_id: str | None = _field("likewise", "AKIA...", None)
    s3_secret_access_key: Token | None = _field("likewise", "...", None)
    s3_session_token: Token | None = _field("likewise", "...", None)
