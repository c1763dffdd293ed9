// A server of tools that has what the conformance tool of the protocol's authors asks servers for, over Streamable HTTP on
// loopback.
//
//     conformance.mjs PORT
//
// It says on standard output once it listens. Its streams can be resumed, so that it is seen what becomes of that behind
// a gateway.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  CreateMessageResultSchema,
  ElicitResultSchema,
  ErrorCode,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";

const port = Number(process.argv[2]);
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

// One dot, and a sound of one sample.
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const WAV = wav().toString("base64");

function wav() {
  const bytes = Buffer.alloc(46);
  bytes.write("RIFF", 0);
  bytes.writeUInt32LE(38, 4);
  bytes.write("WAVEfmt ", 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(8000, 24);
  bytes.writeUInt32LE(16000, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write("data", 36);
  bytes.writeUInt32LE(2, 40);
  return bytes;
}

const text = (what) => ({ type: "text", text: what });
const image = { type: "image", data: PNG, mimeType: "image/png" };
const embedded = (uri, mimeType, what) => ({ type: "resource", resource: { uri, mimeType, text: what } });
const object = (properties = {}) => ({ type: "object", properties, required: Object.keys(properties) });

async function log(extra, data) {
  await extra.sendNotification({ method: "notifications/message", params: { level: "info", logger: "fixture", data } });
}

async function elicit(extra, message, properties) {
  const params = { message, requestedSchema: { type: "object", properties } };
  const { action, content } = await extra.sendRequest({ method: "elicitation/create", params }, ElicitResultSchema);
  return [text(`${action}: ${JSON.stringify(content ?? {})}`)];
}

const titled = (...names) => names.map((name, at) => ({ const: `value${at + 1}`, title: name }));

// What each tool is, and what it does.
const TOOLS = {
  test_simple_text: { about: "Says a sentence", run: () => [text("A sentence and no more.")] },
  test_image_content: { about: "Gives a picture", run: () => [image] },
  test_audio_content: { about: "Gives a sound", run: () => [{ type: "audio", data: WAV, mimeType: "audio/wav" }] },
  test_embedded_resource: {
    about: "Gives a resource",
    run: () => [embedded("test://embedded-resource", "text/plain", "What the resource holds.")],
  },
  test_multiple_content_types: {
    about: "Gives one of each",
    run: () => [text("One of each:"), image, embedded("test://mixed-content-resource", "application/json", '{"mixed":true}')],
  },
  test_tool_with_logging: {
    about: "Logs while it works",
    run: async (_, extra) => {
      for (const step of ["begins", "goes on", "ends"]) {
        await log(extra, step);
        await pause();
      }
      return [text("logged")];
    },
  },
  test_error_handling: {
    about: "Fails",
    run: () => {
      throw new Error("it fails, as it is meant to");
    },
  },
  test_tool_with_progress: {
    about: "Tells how far it is",
    run: async (_, extra) => {
      const progressToken = extra._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progressToken !== undefined) {
          await extra.sendNotification({ method: "notifications/progress", params: { progressToken, progress, total: 100 } });
        }
        await pause();
      }
      return [text("done")];
    },
  },
  test_sampling: {
    about: "Asks the client's model",
    schema: object({ prompt: { type: "string" } }),
    run: async ({ prompt }, extra) => {
      const params = { messages: [{ role: "user", content: text(prompt) }], maxTokens: 100 };
      const said = await extra.sendRequest({ method: "sampling/createMessage", params }, CreateMessageResultSchema);
      return [text(`It said: ${said.content.text}`)];
    },
  },
  test_elicitation: {
    about: "Asks the client's user",
    schema: object({ message: { type: "string" } }),
    run: ({ message }, extra) => elicit(extra, message, { username: { type: "string" }, email: { type: "string" } }),
  },
  test_elicitation_sep1034_defaults: {
    about: "Asks with defaults of all types",
    run: (_, extra) =>
      elicit(extra, "Is it so?", {
        // The tool wants exactly these.
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true },
      }),
  },
  test_elicitation_sep1330_enums: {
    about: "Asks with choices of all forms",
    run: (_, extra) => {
      const plain = ["option1", "option2", "option3"];
      return elicit(extra, "Which?", {
        untitledSingle: { type: "string", enum: plain },
        titledSingle: { type: "string", oneOf: titled("First", "Second", "Third") },
        legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["First", "Second", "Third"] },
        untitledMulti: { type: "array", items: { type: "string", enum: plain } },
        titledMulti: { type: "array", items: { anyOf: titled("First", "Second", "Third") } },
      });
    },
  },
  test_reconnection: {
    about: "Breaks off its stream, and answers in the one that resumes it",
    run: async (_, extra, transport) => {
      // The client must have seen an event to go on from.
      await log(extra, "breaks off");
      await pause();
      transport.closeSSEStream(extra.requestId);
      return [text("resumed")];
    },
  },
  json_schema_2020_12_tool: {
    about: "Has a schema of the newer kind",
    schema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      $defs: { address: { type: "object", properties: { street: { type: "string" }, city: { type: "string" } } } },
      properties: { name: { type: "string" }, address: { $ref: "#/$defs/address" } },
      additionalProperties: false,
    },
    run: () => [text("valid")],
  },
};

const RESOURCES = {
  "test://static-text": { mimeType: "text/plain", text: "What the text holds." },
  "test://static-binary": { mimeType: "image/png", blob: PNG },
  "test://watched-resource": { mimeType: "text/plain", text: "What is watched." },
};

const user = (content) => ({ role: "user", content });
const PROMPTS = {
  test_simple_prompt: { say: () => [user(text("A prompt and no more."))] },
  test_prompt_with_arguments: {
    wants: ["arg1", "arg2"],
    say: ({ arg1, arg2 }) => [user(text(`The first is ${arg1}, the second ${arg2}.`))],
  },
  test_prompt_with_embedded_resource: {
    wants: ["resourceUri"],
    say: ({ resourceUri }) => [user(embedded(resourceUri, "text/plain", "What it holds.")), user(text("Read that."))],
  },
  test_prompt_with_image: { say: () => [user(image), user(text("Look at that."))] },
};

function fixture(transport) {
  const capabilities = { tools: {}, resources: { subscribe: true }, prompts: {}, logging: {}, completions: {} };
  const server = new Server({ name: "fixture", version: "1" }, { capabilities });
  const known = (table, name) => {
    if (!Object.hasOwn(table, name)) throw new McpError(ErrorCode.InvalidParams, "there is none of that name");
    return table[name];
  };
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.entries(TOOLS).map(([name, { about, schema }]) => ({ name, description: about, inputSchema: schema ?? object() })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const tool = known(TOOLS, params.name);
    try {
      return { content: await tool.run(params.arguments ?? {}, extra, transport) };
    } catch (error) {
      return { isError: true, content: [text(error.message)] };
    }
  });
  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: Object.entries(RESOURCES).map(([uri, { mimeType }]) => ({ uri, name: uri.split("//")[1], mimeType })),
  }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ uriTemplate: "test://template/{id}/data", name: "template", mimeType: "application/json" }],
  }));
  server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => {
    const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
    const found = id ? { mimeType: "application/json", text: JSON.stringify({ id }) } : known(RESOURCES, uri);
    return { contents: [{ uri, ...found }] };
  });
  server.setRequestHandler(SubscribeRequestSchema, ({ params }) => known(RESOURCES, params.uri) && {});
  server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => known(RESOURCES, params.uri) && {});
  server.setRequestHandler(ListPromptsRequestSchema, () => ({
    prompts: Object.entries(PROMPTS).map(([name, { wants = [] }]) => ({
      name,
      description: `The prompt ${name}`,
      arguments: wants.map((want) => ({ name: want, required: true })),
    })),
  }));
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => ({
    messages: known(PROMPTS, params.name).say(params.arguments ?? {}),
  }));
  server.setRequestHandler(CompleteRequestSchema, () => ({ completion: { values: ["one", "two"], total: 2, hasMore: false } }));
  server.setRequestHandler(SetLevelRequestSchema, () => ({}));
  return server;
}

// The events of one session, in order; an id is a place among them.
function events() {
  const kept = [];
  return {
    storeEvent: async (stream, message) => String(kept.push({ stream, message })),
    getStreamIdForEventId: async (id) => kept[id - 1]?.stream,
    replayEventsAfter: async (id, { send }) => {
      const { stream } = kept[id - 1];
      for (let at = Number(id); at < kept.length; at += 1) {
        if (kept[at].stream === stream) await send(String(at + 1), kept[at].message);
      }
      return stream;
    },
  };
}

const sessions = new Map();
const listener = createServer(async (request, response) => {
  const session = request.headers["mcp-session-id"];
  let transport = sessions.get(session);
  if (session && !transport) {
    response.writeHead(404).end();
    return;
  }
  if (!transport) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => sessions.set(id, transport),
      onsessionclosed: (id) => sessions.delete(id),
      eventStore: events(),
      retryInterval: 50,
      enableDnsRebindingProtection: true,
      allowedHosts: [`127.0.0.1:${port}`],
      allowedOrigins: [`http://127.0.0.1:${port}`],
    });
    await fixture(transport).connect(transport);
  }
  await transport.handleRequest(request, response);
});
listener.listen(port, "127.0.0.1", () => console.log("listening"));
