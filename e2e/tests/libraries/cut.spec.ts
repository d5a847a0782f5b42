import { expect, test } from "../../support/libraries/page.ts";

const withSession = ["graphql", "mqtt", "phoenix", "centrifuge"] as const;

test.describe("when the connection is cut", () => {
  for (const library of [...withSession, "yjs"] as const) {
    for (const kind of ["single", "strict"] as const) {
      test(`${library} dials and subscribes again, as with the browser's class (${kind})`, async ({ start }) => {
        const session = await start(library, kind);
        await session.isHeard();
        session.link.cut();
        await session.hearsNews();
        await session.isHeard();
        expect(session.link.made).toBe(2);
      });
    }
  }

  for (const library of withSession) {
    test(`${library}, which keeps a session, does not subscribe again where a drop is hidden from it`, async ({ start }) => {
      const session = await start(library, "healing");
      session.link.cut();
      await expect.poll(() => session.link.made).toBe(2);
      const before = await session.received();
      // By the time that another client has subscribed, the first one would have done so long since.
      await start(library, "browser", session);
      expect(await session.received()).toEqual(before);
    });
  }

  test("yjs syncs whenever the socket opens, and brings what was written meanwhile", async ({ start }) => {
    const session = await start("yjs", "healing");
    session.link.goDown();
    session.server.say("by the server");
    await session.say("by the page");
    session.link.comeBack();
    await expect.poll(() => session.received()).toContain("by the server");
    await expect.poll(() => session.server.heard).toContain("by the page");
    await session.hearsNews();
    await session.isHeard();
    expect(session.link.made).toBe(2);
  });
});
