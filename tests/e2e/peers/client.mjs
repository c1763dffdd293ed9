// The clients for TypeScript: as client.py does.
//
//     client.mjs sdk|legacy|2026-07-28 URL|COMMAND [ARGUMENT…]
//
// `sdk` is the older library, of revision 2025-11-25 alone; the others are modes of the newer.
import { createInterface } from "node:readline";

const [mode, where, ...args] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));
const info = { name: "e2e", version: "1" };
const heard = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function parts() {
  if (mode === "sdk") {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
    const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
    return { client: new Client(info), StdioClientTransport, StreamableHTTPClientTransport };
  }
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  const { StdioClientTransport } = await import("@modelcontextprotocol/client/stdio");
  const versionNegotiation = { mode: mode === "legacy" ? "legacy" : { pin: mode } };
  return { client: new Client(info, { versionNegotiation }), StdioClientTransport, StreamableHTTPClientTransport };
}

const { client, StdioClientTransport, StreamableHTTPClientTransport } = await parts();
const headers = { Authorization: `Bearer ${process.env.OBELUS_KEY}` };
const transport = where.startsWith("http://")
  ? new StreamableHTTPClientTransport(new URL(where), { requestInit: { headers } })
  : new StdioClientTransport({ command: where, args, env: process.env });
await client.connect(transport);
const call = async (name, given) => (await client.callTool({ name, arguments: given })).content[0].text;
say((await client.listTools()).tools.map((tool) => tool.name).sort());
say(await call("find", { what: "a note" }));
const given = { to: "ann", text: `typescript ${mode}` };
const first = await call("send", given);
say(first);
if (first.startsWith("Approval needed")) {
  await heard.next();
  say(await call("send", given));
}
await client.close();
process.exit(0);
