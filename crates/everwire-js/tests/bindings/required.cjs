// What `require` gives, and whether it is one with the client that it comes with.
const { EverClient } = require("everwire/client");
const react = require("everwire/react");
const vue = require("everwire/vue");

const client = vue.useClient("ws://127.0.0.1:9/everwire", { WebSocket: class {} });
console.log(`${client.value instanceof EverClient} ${Object.keys(react).sort()} ${Object.keys(vue).sort()}`);
client.value.close();
