import { expect, test } from "../../support/libraries/page.ts";

test.describe("when the link goes silent without closing", () => {
  for (const library of ["graphql", "mqtt", "phoenix"] as const) {
    test(`${library} is back within seconds by EverSocket's heartbeat, and hangs with the browser's class`, async ({ start }) => {
      const hanging = await start(library, "browser");
      const session = await start(library, "single");
      for (const { link } of [hanging, session]) {
        link.goSilent();
      }
      const before = await hanging.received();
      hanging.server.say("is anybody there?");
      await session.hearsNews();
      await session.isHeard();
      expect(session.link.made).toBe(2);
      expect(await hanging.received()).toEqual(before);
      expect(hanging.link.made).toBe(1);
    });
  }
});
