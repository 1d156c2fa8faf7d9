"""Whose event it is."""

from __future__ import annotations

from cdc_archive.reconcile.services import Rule, Services

EVIDENCE = {"table": "lab.app.api_key", "topic": "pg.app.api_key"}


def test_the_first_rule_that_fits_type_or_table_names_the_service() -> None:
    """A table by the end of its name."""
    services = Services(
        [Rule("keys", ["api_key.*"]), Rule("people", tables=["app.user"]), Rule("rest", ["*"])]
    )
    assert services.of_expected("api_key.created", EVIDENCE) == "keys"
    assert services.of_expected("user.added", {**EVIDENCE, "table": "lab.app.user"}) == "people"
    assert services.of_published("user.added") == "rest"
    assert services.of_published("tenant.api_key.created") == "rest"


def test_without_a_rule_it_is_the_connector_and_the_schema() -> None:
    """PostgreSQL's topics have the schema, MySQL's the database."""
    services = Services()
    assert services.of_expected("x", EVIDENCE) == "pg.app"
    assert services.of_expected("x", {"table": "shop.orders", "topic": "my.shop.orders"}) == (
        "my.shop"
    )
    assert services.of_expected("x", {"table": "lab.app.a", "topic": "routed"}) == "lab.app"
    assert services.of_published("x") == ""


def test_what_an_event_tells_itself_wins() -> None:
    """A value in it, or a header's bytes."""
    services = Services([Rule("keys", ["api_key.*"])])
    assert services.of_published("api_key.created", "billing") == "billing"
    assert services.of_published("api_key.created", b"billing") == "billing"
    assert services.of_published("api_key.created", None) == "keys"
