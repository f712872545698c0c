"""``manage.py notify test|status|again``: messages to people, for whoever sets them up and keeps them going.

Exit codes: 0 done (``status``: nothing is stuck), 1 refused, not sent, or something is stuck, 2 usage.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migration_runs import delivery
from migration_runs.exceptions import NotSent, Refused
from migration_runs.management import terminal
from migration_runs.models import Notification
from migration_runs.services import outbox, people, trial_messages


class Command(BaseCommand):
    """Prove that messages reach people, see what is stuck, send it again."""

    help = "Send a test message, see what keeps messages from people, or send one again."

    def add_arguments(self, parser: CommandParser) -> None:
        """``test``, ``status`` and ``again``."""
        commands = parser.add_subparsers(dest="command", required=True)
        test = commands.add_parser("test", help="send a message now, past the outbox, to prove the settings")
        to = test.add_mutually_exclusive_group(required=True)
        to.add_argument("--to", metavar="USER", help="by e-mail to this account")
        to.add_argument("--channel", metavar="NAME", help='to a chat by its place: "NOTIFY_URLS 1"')
        commands.add_parser("status", help="what is configured, and what keeps messages from people")
        again = commands.add_parser("again", help="send a message that was given up or may not have arrived")
        again.add_argument("notification", type=int, metavar="ID")
        for command in (test, again):
            command.add_argument("--as", dest="person", metavar="USER", help="act as this account")

    def handle(self, *_: Any, **options: Any) -> None:
        """Dispatch to the subcommand; what is refused or does not leave ends with exit code 1."""
        try:
            match options["command"]:
                case "test":
                    self._test(options)
                case "status":
                    self._status()
                case "again":
                    self._again(options)
        except (Refused, NotSent) as error:
            raise CommandError(str(error)) from None

    def _test(self, options: dict[str, Any]) -> None:
        person, how = terminal.who(options["person"])
        to = people.named(options["to"]) if options["to"] else None
        receiver = to.get_username() if to else options["channel"]
        trial_messages.announce(receiver=receiver, person=person, how=how)
        subject, text = trial_messages.SUBJECT, trial_messages.text(person)
        if to:
            delivery.email(to, subject=subject, text=text, message_id=f"test.{uuid.uuid4()}")
        else:
            delivery.chat(options["channel"], subject=subject, text=text)
        self.stdout.write(f"Sent to {receiver}. Look whether it has arrived.")

    def _status(self) -> None:
        chats = ", ".join(outbox.every_channel()) or "none"
        self.stdout.write(f"E-mail: {'on' if outbox.sends_email() else 'off'}. Chats: {chats}.")
        trouble = outbox.trouble()
        if trouble:
            raise CommandError(trouble)
        self.stdout.write("Nothing keeps a message from anybody.")

    def _again(self, options: dict[str, Any]) -> None:
        person, how = terminal.who(options["person"])
        row = Notification.objects.filter(pk=options["notification"]).first()
        if row is None:
            raise Refused(f"There is no message {options['notification']}.", rule="notification")
        outbox.resend(row.run_id, notification_id=row.pk, person=person, how=how)
        self.stdout.write(f"Message {row.pk} to {row.receiver} will be sent in a moment.")
