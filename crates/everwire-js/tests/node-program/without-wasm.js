import { EverSocket } from "everwire";

const socket = new EverSocket("ws://example.com", [], { WebSocket: class {} });
socket.onerror = ({ message }) => console.log(message);
