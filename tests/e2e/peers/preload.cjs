// Has Stripe's library for Node ask a host of our choice: its own options for that are not reachable through the server of
// tools that uses it.
const { Module } = require("node:module");
const base = new URL(process.env.FAKE_STRIPE);
const load = Module._load;
const patched = new WeakMap();

Module._load = function (name, ...rest) {
  const loaded = load.call(this, name, ...rest);
  if (name !== "stripe") return loaded;
  if (!patched.has(loaded)) {
    const Stripe = loaded.default ?? loaded;
    const Here = new Proxy(Stripe, {
      construct: (target, [key, options]) =>
        Reflect.construct(target, [key, { ...options, host: base.hostname, port: base.port, protocol: "http" }]),
      apply: (target, self, [key, options]) =>
        new target(key, { ...options, host: base.hostname, port: base.port, protocol: "http" }),
    });
    patched.set(loaded, Object.assign(Object.create(Here), { default: Here, Stripe: Here, __esModule: true }));
  }
  return patched.get(loaded);
};
