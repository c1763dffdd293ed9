"""A server of tools by the protocol's own library, of all revisions.

    server.py PORT|stdio LEDGER

Over HTTP it says on standard output once it listens.
"""

import asyncio
import socket
import sys
import threading
import time

from mcp.server import MCPServer

server = MCPServer("notes")


@server.tool()
def find(what: str) -> str:
    """Finds a note."""
    return f"{what}: written by jenny@example.com"


@server.tool()
def send(to: str, text: str) -> str:
    """Sends a note."""
    with open(sys.argv[2], "a") as ledger:
        ledger.write(f"{to} {text}\n")
    return f"sent to {to}"


def announce():
    while True:
        try:
            socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()
            break
        except OSError:
            time.sleep(0.05)
    print("listening", flush=True)


if sys.argv[1] == "stdio":
    server.run("stdio")
else:
    threading.Thread(target=announce, daemon=True).start()
    asyncio.run(server.run_streamable_http_async(port=int(sys.argv[1])))
