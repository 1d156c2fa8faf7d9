"""An application on Django: invites, the organization, logins. Requests through the middleware.

Run as `by_django.py PORT`. Each act that makes an event is matched in test_examples.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import django
from django.conf import settings
from django.db import models, transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.timezone import now

from examples.actor import django_actor
from examples.actor.acting import acting, api_key_actor

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "PORT": sys.argv[1],
            "USER": "postgres",
            "NAME": "lab",
            "OPTIONS": {"options": "-c search_path=platform"},
        }
    },
    USE_TZ=True,
)
django.setup()


class Table(models.Model):
    class Meta:
        abstract = True
        app_label = "platform"
        managed = False


class Organization(Table):
    id = models.TextField(primary_key=True)
    title = models.TextField()
    scim_enabled = models.BooleanField()

    class Meta(Table.Meta):
        db_table = "organization"


class Invite(Table):
    id = models.TextField(primary_key=True)
    organization_id = models.TextField(default="org_1")
    email = models.TextField()
    role = models.TextField(default="reader")
    status = models.TextField(default="pending")
    deleted_at = models.DateTimeField(null=True)

    class Meta(Table.Meta):
        db_table = "invite"


class Attempt(Table):
    id = models.BigAutoField(primary_key=True)
    succeeded = models.BooleanField()
    error_code = models.TextField(null=True)
    error_message = models.TextField(null=True)

    class Meta(Table.Meta):
        abstract = True


class LoginAttempt(Attempt):
    user_id = models.TextField(null=True)

    class Meta(Table.Meta):
        db_table = "login_attempt"


class LogoutAttempt(Attempt):
    class Meta(Table.Meta):
        db_table = "logout_attempt"


class Session(Table):
    id = models.TextField(primary_key=True)
    user_id = models.TextField()
    logged_out_at = models.DateTimeField(null=True)

    class Meta(Table.Meta):
        db_table = "session"


def request(number: int | None, view: Callable[[], object]) -> None:
    """A request of user `number`, None for one that is not logged in."""

    def answer(_request: Any) -> HttpResponse:
        view()
        return HttpResponse()

    asked = RequestFactory().post("/", REMOTE_ADDR="203.0.113.9", HTTP_USER_AGENT="Mozilla/5.0")
    asked.user = SimpleNamespace(
        is_authenticated=number is not None, pk=f"user_{number}", email=f"u{number}@example.com"
    )
    django_actor.actor_middleware(answer)(asked)


def invite_two() -> None:
    Invite.objects.bulk_create(
        Invite(id=f"inv_{number}", email=f"i{number}@example.com") for number in (1, 2)
    )


@transaction.atomic
def rename() -> None:
    """The savepoint's message goes with it."""
    with transaction.atomic():
        Organization.objects.update(title="Nobody's")
        transaction.set_rollback(True)
    organization = Organization.objects.get()
    organization.title = "Acme Inc"
    organization.save()


def log_in() -> None:
    with transaction.atomic():
        LoginAttempt.objects.create(user_id="user_3", succeeded=True)
        Session.objects.create(id="sess_1", user_id="user_3")


def fail_to_log_in() -> None:
    LoginAttempt.objects.create(
        succeeded=False, error_code="bad_password", error_message="Wrong password"
    )


def main() -> None:
    django_actor.install()
    request(1, invite_two)  # no transaction of the application's: each statement gets one
    request(None, lambda: Invite.objects.filter(id="inv_1").update(status="accepted"))
    request(2, lambda: Invite.objects.filter(id="inv_2").update(deleted_at=now()))
    with acting(api_key_actor(service_account="svc_purge")):
        Invite.objects.filter(id="inv_2").delete()  # the purge is no event
    request(4, rename)
    request(5, lambda: Organization.objects.update(scim_enabled=True))
    request(6, lambda: Organization.objects.update(scim_enabled=False))
    request(None, fail_to_log_in)
    request(3, log_in)
    request(3, lambda: Session.objects.update(logged_out_at=now()))
    request(
        3,
        lambda: LogoutAttempt.objects.create(
            succeeded=False, error_code="idp_timeout", error_message="No answer"
        ),
    )


if __name__ == "__main__":
    main()
