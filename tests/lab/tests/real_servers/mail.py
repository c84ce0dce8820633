"""Mail servers of all moods, by aiosmtpd; which one answers where, mail.rs says."""
import asyncio
import sys

from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP


class Moody(SMTP):
    """Says something else than aiosmtpd would, once, or waits before it does."""

    def __init__(self, mood):
        super().__init__(Hello(mood), hostname="mail.example")
        self.mood = mood
        self.greeted = False

    async def push(self, status):
        if not self.greeted:
            self.greeted = True
            status = {
                "banner": "220-mail.example\r\n220-welcomes\r\n220 you",
                "busy": "421 mail.example Service not available",
                "shut": "554-No mail\r\n554 here",
                "mixed": "220-mail.example\r\n554 No",
                "bare": "220",
                "unspaced": "2200 mail.example",
            }.get(self.mood, status)
            if self.mood == "slow":
                await asyncio.sleep(1)
            if self.mood == "silent":
                await asyncio.sleep(3600)
        await super().push(status)


class Hello(Sink):
    def __init__(self, mood):
        super().__init__()
        self.mood = mood

    async def handle_HELO(self, server, session, envelope, hostname):
        session.host_name = hostname
        if self.mood == "named" and hostname != "check.example":
            return "550 Who is " + hostname
        return {
            "hello": "250-mail.example\r\n250-SIZE 1000\r\n250 HELP",
            "later": "451 Later",
            "never": "550-Never\r\n550 you",
        }.get(self.mood, "250 mail.example")

    async def handle_QUIT(self, server, session, envelope):
        # an answer to QUIT is waited for, not read
        return "500 Stay" if self.mood == "clingy" else "221 Bye"


async def main():
    loop = asyncio.get_running_loop()
    for argument in sys.argv[2:]:
        mood, _, port = argument.partition("=")
        await loop.create_server(lambda mood=mood: Moody(mood), sys.argv[1], int(port))
    await asyncio.Event().wait()


asyncio.run(main())
