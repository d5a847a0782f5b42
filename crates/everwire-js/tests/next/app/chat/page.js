"use client";

import { ClientProvider, useChannel, useClient } from "everwire/react";
import { useEffect, useState } from "react";

export default function Page() {
  const [server, setServer] = useState(null);
  useEffect(() => setServer(new URLSearchParams(location.search).get("server")), []);
  return (
    <ClientProvider client={useClient(server)}>
      <Chat />
    </ClientProvider>
  );
}

function Chat() {
  const { messages, publish } = useChannel("chat", { last: 10 });
  return <button onClick={() => publish("hello")}>{messages.map(({ value, isOwn }) => `${value} ${isOwn}`).join()}</button>;
}
