/** A number of the server's own counters, as Prometheus reads them. */
export async function metric(server: string, name: string): Promise<number> {
  const answer = await fetch(`${server}/metrics`);
  const line = (await answer.text()).split("\n").find((line) => line.startsWith(`${name} `));
  if (line === undefined) {
    throw new Error(`the server does not count ${name}`);
  }
  return Number(line.slice(name.length));
}

/** The open connections of an endpoint. */
export function connectionsOf(server: string, endpoint: string): Promise<number> {
  return metric(server, `everwire_connections{endpoint="${endpoint}"}`);
}

/** The messages that an endpoint has received. */
export function receivedBy(server: string, endpoint: string): Promise<number> {
  return metric(server, `everwire_messages_total{endpoint="${endpoint}",direction="in"}`);
}
