"""A mail relay for tests: a real SMTP server that keeps the mails it accepts, and fails as
relays do where the address asks for it.

Usage: relay.py ADDRESS PORT FILE [CERTIFICATE KEY]

Each accepted mail becomes a line of JSON in FILE before it is answered. With a
certificate, clients must use STARTTLS and log in as `user` with `secret-of-the-relay`.
The beginning of the address decides what happens:

    refuse   550, for good                later    451 the first two times
    full     552, after the mail came     silent   no answer
    hangup   the connection is closed     slow     accepted, and answered a second later
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys
import time
from collections import Counter

from aiosmtpd.smtp import SMTP, AuthResult

PASSWORD = b"secret-of-the-relay"


class Handler:
    def __init__(self, path):
        self.path = path
        self.tries = Counter()

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.tries[address] += 1
        if address.startswith("refuse"):
            return "550 5.1.1 There is no such mailbox"
        if address.startswith("later") and self.tries[address] <= 2:
            return "451 4.7.1 Come back later"
        if address.startswith("silent"):
            await asyncio.sleep(3600)
        if address.startswith("hangup"):
            server.transport.abort()
            await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        address = envelope.rcpt_tos[0]
        if address.startswith("full"):
            return "552 5.2.2 The mailbox is full"
        self.keep(session, envelope, address)
        if address.startswith("slow"):
            await asyncio.sleep(1)
        return "250 OK"

    def keep(self, session, envelope, address):
        raw = envelope.content.decode()
        mail = email.message_from_string(raw, policy=email.policy.default)
        kept = {
            "time": int(time.time() * 1000),
            "to": address,
            "from": envelope.mail_from,
            "tls": session.ssl is not None,
            "user": session.authenticated,
            "subject": mail["subject"],
            "message_id": mail["message-id"],
            "text": mail.get_content(),
            "raw": raw,
        }
        with open(self.path, "a") as file:
            file.write(json.dumps(kept) + "\n")


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"user", PASSWORD))


async def main():
    address, port, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    settings = {}
    if len(sys.argv) > 4:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[4], sys.argv[5])
        settings = {
            "tls_context": context,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": authenticate,
        }
    handler = Handler(path)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="relay.test", **settings), address, port
    )
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
