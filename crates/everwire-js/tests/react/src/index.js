import { EverSocket } from "everwire";
import { useEverSocket } from "everwire/react";
import { createElement, StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";

function Echo() {
  const { socket, messages } = useEverSocket(`${location.origin}/echo`, { keep: 1 });
  useEffect(() => {
    socket?.send("is anybody there?");
  }, [socket]);
  return createElement("output", null, `${socket instanceof EverSocket} ${messages.join()}`);
}

createRoot(document.getElementById("root")).render(createElement(StrictMode, null, createElement(Echo)));
