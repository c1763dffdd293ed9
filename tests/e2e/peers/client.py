"""The client for Python: lists tools, finds, and sends what waits for people.

    client.py MODE URL|COMMAND [ARGUMENT…]

Says on standard output what it hears, one JSON text a line.
"""

import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

MODE, WHERE, *ARGUMENTS = sys.argv[1:]


def say(what):
    print(json.dumps(what), flush=True)


def text(result):
    return result.content[0].text


async def talk(client):
    say(sorted(tool.name for tool in (await client.list_tools()).tools))
    say(text(await client.call_tool("find", {"what": "a note"})))
    arguments = {"to": "ann", "text": f"python {MODE}"}
    first = text(await client.call_tool("send", arguments))
    say(first)
    if first.startswith("Approval needed"):
        # Whoever started this approves, and says so.
        sys.stdin.readline()
        say(text(await client.call_tool("send", arguments)))


async def main():
    if WHERE.startswith("http://"):
        headers = {"Authorization": f"Bearer {os.environ['OBELUS_KEY']}"}
        async with create_mcp_http_client(headers=headers) as http:
            async with Client(streamable_http_client(WHERE, http_client=http), mode=MODE) as client:
                await talk(client)
    else:
        command = StdioServerParameters(command=WHERE, args=ARGUMENTS, env=dict(os.environ))
        async with Client(command, mode=MODE) as client:
            await talk(client)


asyncio.run(main())
