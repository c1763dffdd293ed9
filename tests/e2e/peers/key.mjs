// Stands on loopback before a server that wants a key, for clients that can send none: adds the header and passes
// everything else on as it comes, streams too.
//
//     key.mjs PORT URL
//
// The key is in OBELUS_KEY. It says on standard output once it listens.
import { createServer, request as ask } from "node:http";

const [port, url] = process.argv.slice(2);
const there = new URL(url);

createServer((request, response) => {
  const headers = { ...request.headers, authorization: `Bearer ${process.env.OBELUS_KEY}` };
  const onward = ask({ host: there.hostname, port: there.port, path: there.pathname, method: request.method, headers });
  onward.on("response", (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    response.flushHeaders();
    answer.pipe(response);
    answer.on("error", () => response.destroy());
  });
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  request.pipe(onward);
}).listen(Number(port), "127.0.0.1", () => console.log("listening"));
