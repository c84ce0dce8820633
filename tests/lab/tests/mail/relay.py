"""A mail server that writes what it gets into a file, a line of JSON for each message.

relay.py PORT FILE [starttls|tls|login CERTIFICATE KEY USER PASSWORD | silent | hostile]
"""
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

port, path, *rest = sys.argv[1:]
mode = rest[0] if rest else "plain"


class Handler:
    sessions = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("unknown"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        message = {
            "session": server.number,
            "name": session.host_name,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.original_content.decode(),
            "encrypted": session.ssl is not None or mode == "tls",
            "login": bool(session.authenticated),
        }
        with open(path, "a") as file:
            file.write(json.dumps(message) + "\n")
        return "250 ok"


def protocol():
    options = {}
    if mode in ("starttls", "tls", "login"):
        user, password = (word.encode() for word in rest[3:5])
        check = lambda server, session, envelope, mechanism, data: AuthResult(
            success=(data.login, data.password) == (user, password), handled=False
        )
        options = {"authenticator": check, "auth_required": True, "auth_require_tls": mode == "starttls"}
        if mode == "starttls":
            options.update(tls_context=context, require_starttls=True)
    server = SMTP(Handler(), hostname="relay", **options)
    Handler.sessions += 1
    server.number = Handler.sessions
    return server


class Hostile(asyncio.Protocol):
    """The first connections of a hostile relay, each with another malice."""

    kinds = ["endless", "closing", "amid", "late"]

    def __init__(self, kind):
        self.kind, self.text, self.in_message = kind, b"", False

    def connection_made(self, transport):
        self.transport = transport
        greeting = {"endless": b"220-" + bytes(range(32, 256)) * 100_000, "closing": b"421 busy\r\n"}
        transport.write(greeting.get(self.kind, b"220 hi\r\n"))
        if self.kind == "closing":
            transport.close()

    def data_received(self, data):
        self.text += data
        *lines, self.text = self.text.split(b"\r\n")
        for line in lines:
            if self.in_message:
                # it has a part of the message, and nobody knows
                self.transport.abort()
                return
            word = line[:4].upper()
            self.in_message = word == b"DATA"
            answers = {b"DATA": b"354 go\r\n", b"QUIT": b"221 bye\r\n"}
            if self.kind == "late":
                answers[b"RCPT"] = b"450 later\r\n"
            self.transport.write(answers.get(word, b"250 ok\r\n"))


def hostile():
    return Hostile(Hostile.kinds.pop(0)) if Hostile.kinds else protocol()


async def main():
    loop = asyncio.get_running_loop()
    factory = {"silent": asyncio.Protocol, "hostile": hostile}.get(mode, protocol)
    server = await loop.create_server(factory, "127.0.0.1", int(port), ssl=context if mode == "tls" else None)
    await server.serve_forever()


context = None
if mode in ("starttls", "tls"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*rest[1:3])
asyncio.run(main())
