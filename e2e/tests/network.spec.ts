import { EchoPage } from "../support/echo-page.ts";
import { installClock, pauseIn } from "../support/page-time.ts";
import { Sockets } from "../support/sockets.ts";
import { expect, test } from "../support/test.ts";
import { TickerPage } from "../support/ticker-page.ts";

test.describe("a page", () => {
  test("notices that the machine is offline, and is back when it is online", async ({ page, context, errors }) => {
    errors.expectLostConnections();
    const ticker = await TickerPage.visit(page);
    await ticker.pricesMove();

    await context.setOffline(true);
    await ticker.line.down();

    await context.setOffline(false);
    await ticker.line.open();
    await ticker.pricesMove();
  });

  test("connects at once when the visitor presses now, and not before its time otherwise", async ({ page, companion, errors }) => {
    errors.expectLostConnections();
    const sockets = Sockets.of(page, "/echo");
    await installClock(page);
    const { line } = await EchoPage.connected(page);
    // From here on time stands still: the attempt that is planned never comes by itself. The last one was long enough ago for the button,
    // which keeps the least time between two dials, too.
    await pauseIn(page, 2_000);

    await companion.kill();
    await line.down();
    await expect(line.detail).toHaveText(/attempt \d+ in \d+ s/);
    await companion.restart();
    const dials = sockets.faults.length;

    await line.now.click();
    await expect(line.state).toHaveText("Connected");
    expect(sockets.faults).toHaveLength(dials + 1);
  });
});
