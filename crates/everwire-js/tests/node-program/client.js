/** Publishes to a channel of the server on the command line, prints what its own subscription has, and closes: nothing is left to do then. */
export async function talk(EverClient, options) {
  const client = new EverClient(`${process.argv[2]}/everwire`, options);
  const channel = `talk-${process.pid}`;
  const chat = client.subscribe(channel, { last: 10 });
  const room = client.presence(channel);
  const published = [client.publish(channel, { text: "é" }), client.publish(channel, new Uint8Array([1, 2, 3]), { raw: true })];
  const offsets = (await Promise.all(published)).map(({ offset }) => offset);
  const received = [];
  for await (const { type, value, isOwn } of chat) {
    if (type === "message") received.push(`${value.text} ${isOwn}`);
    if (type === "undecodable") received.push([...value].join());
    if (received.length === 2) break;
  }
  for await (const members of room) {
    if (members.some(({ session }) => session === client.session)) break;
  }
  const failed = await client.request("nothing").catch(({ refusal }) => refusal);
  client.close();
  await client.closed;
  console.log([...offsets, ...received, failed].join("; "));
}
