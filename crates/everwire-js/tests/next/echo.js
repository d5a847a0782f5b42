"use client";

import { useEverSocket } from "everwire/react";
import { useEffect, useState } from "react";

/** Shows what comes back from the server that the page's address names. */
export function Echo() {
  const [server, setServer] = useState(null);
  useEffect(() => setServer(new URLSearchParams(location.search).get("server")), []);
  const { socket, readyState, messages } = useEverSocket(server, { keep: 1 });
  useEffect(() => {
    if (readyState === 1) socket.send("is anybody there?");
  }, [socket, readyState]);
  return <output>{messages}</output>;
}
