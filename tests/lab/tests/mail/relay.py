"""A mail server that writes what it gets into a file, a line of JSON for each message.

relay.py PORT FILE [starttls|tls CERTIFICATE KEY USER PASSWORD | silent]
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
    if mode in ("starttls", "tls"):
        user, password = (word.encode() for word in rest[3:5])
        check = lambda server, session, envelope, mechanism, data: AuthResult(
            success=(data.login, data.password) == (user, password)
        )
        options = {"authenticator": check, "auth_required": True, "auth_require_tls": mode == "starttls"}
        if mode == "starttls":
            options.update(tls_context=context, require_starttls=True)
    server = SMTP(Handler(), hostname="relay", **options)
    Handler.sessions += 1
    server.number = Handler.sessions
    return server


async def main():
    loop = asyncio.get_running_loop()
    factory = asyncio.Protocol if mode == "silent" else protocol
    server = await loop.create_server(factory, "127.0.0.1", int(port), ssl=context if mode == "tls" else None)
    await server.serve_forever()


context = None
if mode in ("starttls", "tls"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*rest[1:3])
asyncio.run(main())
