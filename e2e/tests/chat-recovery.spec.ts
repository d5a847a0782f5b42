import { type Page, type Request } from "@playwright/test";
import { ChatPage } from "../support/chat-page.ts";
import { Companion } from "../support/companion.ts";
import { Conversation, ROOM } from "../support/conversation.ts";
import { recovery } from "../support/line.ts";
import { tryLooks } from "../support/looks.ts";
import { hideWhile, installClock, sleepFor } from "../support/page-time.ts";
import { TcpLink } from "../support/tcp-link.ts";
import { type Fixtures, expect, test } from "../support/test.ts";

const MINUTE = 60_000;

test.describe("two visitors of the chat lose and repeat nothing", () => {
  test.use({ supervised: true, serverFlags: ["--token-ttl", "2"] });

  test("over a server that is killed, a minute offline and a link that went silent", async ({ companion, visitor, errors }) => {
    test.slow();
    const { ada, bob, link, talk } = await meet({ companion, visitor, errors });

    await test.step("the server is killed", async () => {
      await talk.both("before the kill");
      const dialled = ada.page.waitForEvent("websocket");
      await ada.line.break("Kill the server");
      await talk.both("over the kill");
      await dialled;
      // The next server comes at once, and she is to have something that waits.
      link.goDown();
      await talk.both("after the kill");
      await expect(ada.log.getByText("Sending…")).not.toHaveCount(0);
      link.comeBack();
      await talk.settled("after the kill");
    });
    await test.step("a minute offline", async () => {
      await ada.line.goOffline(ada.page.context());
      await talk.both("while ada is offline");
      await ada.page.clock.runFor(MINUTE);
      await talk.both("a minute later");
      await expect(bob.unconfirmed).toHaveCount(0);
      await expect(ada.unconfirmed).toHaveCount(2);
      await expect(ada.message("bob while ada is offline")).toHaveCount(0);
      await ada.page.context().setOffline(false);
      await talk.settled("a minute later");
    });
    await test.step("a link that went silent", async () => {
      link.goSilent();
      await talk.both("in the silence");
      await expect(ada.line.state, "she does not know yet").toHaveText("Connected");
      await expect(ada.unconfirmed).toHaveCount(1);
      await talk.settled("in the silence");
    });
    await talk.isWhole();
    await link.stop();
  });

  test("over a machine that sleeps, a page that is hidden and tokens that expire", async ({ companion, visitor, errors }) => {
    test.slow();
    const { ada, bob, link, talk } = await meet({ companion, visitor, errors });

    await test.step("the machine sleeps for five minutes", async () => {
      await sleepFor(ada.page, 5, async () => {
        link.goSilent();
        await talk.says("bob", "while ada sleeps");
        await expect(bob.unconfirmed).toHaveCount(0);
      });
      await talk.both("after the sleep");
      await talk.settled("after the sleep");
    });
    await test.step("the page is hidden for minutes", async () => {
      await hideWhile(ada.page, async (passMinute) => {
        await passMinute();
        await talk.says("bob", "while ada looks elsewhere");
        await expect(bob.unconfirmed).toHaveCount(0);
        link.cut();
        await talk.says("bob", "while her link is cut");
        const made = link.made;
        await expect(async () => {
          await passMinute();
          expect(link.made).toBeGreaterThan(made);
        }, "a minute's timers are enough to come back").toPass();
      });
      await talk.both("when she looks again");
      await talk.settled("when she looks again");
    });
    await test.step("both tokens have expired", async () => {
      const renewals = [ada, bob].map(({ page }) => page.waitForRequest(isRenewal));
      await ada.line.break("Cut the connection");
      await bob.line.break("Cut the connection");
      await talk.both("with expired tokens");
      await talk.settled("with expired tokens");
      await Promise.all(renewals);
      await expect(bob.people, "the same visitors").toHaveCount(2);
    });
    await talk.isWhole();
    await link.stop();
  });
});

test("the chat says what became of a message that was sent when the server was lost", async ({ page, companion, errors }) => {
  errors.expectLostConnections();
  errors.expect(/^Failed to load resource: net::ERR_CONNECTION/);
  const chat = await ChatPage.visit(page, "lost");
  await chat.send("this is stored");
  await expect(chat.unconfirmed).toHaveCount(0);
  // Sent at once, while the page still takes the connection for a good one.
  await chat.field.fill("this is not");
  companion.stall();
  await chat.field.press("Enter");
  await expect(chat.log.getByText("Sending…")).toBeVisible();
  // Without a journal, the server forgets the session and the room.
  await companion.kill();
  await companion.restart();
  await expect(chat.failed).toContainText("it did not arrive", recovery);
  await expect(chat.log).toContainText("The server has lost what was before");
  await tryLooks(page, "chat-failed");
  await page.setViewportSize({ width: 1280, height: 900 });
  await chat.failed.getByRole("button", { name: "Send again" }).click();
  await expect(chat.unconfirmed).toHaveCount(0, recovery);
  await expect(chat.message("this is not")).toHaveCount(1);
  expect(await chat.texts()).toEqual(["this is stored", "this is not"]);
});

test("the chat keeps what was not confirmed when the visitor switches to another server", async ({ page, errors }) => {
  errors.expectLostConnections();
  errors.expect(/^Failed to load resource: net::ERR_/);
  const other = await Companion.start();
  const chat = await ChatPage.visit(page, "switched");
  await chat.line.goOffline(page.context());
  await chat.send("for whoever gets it");
  await expect(chat.log.getByText("Sending…")).toBeVisible();
  await chat.line.switchServer(other.address);
  await expect(chat.failed).toContainText("You switched to another server before it was confirmed");
  await page.context().setOffline(false);
  await chat.line.open();
  await chat.failed.getByRole("button", { name: "Send again" }).click();
  await expect(chat.unconfirmed).toHaveCount(0, recovery);
  expect(await chat.texts()).toEqual(["for whoever gets it"]);
  await other.kill();
});

/** Brings two visitors together: Ada over a link of her own, and Bob with a clock that is behind. */
async function meet({ companion, visitor, errors }: Pick<Fixtures, "companion" | "visitor" | "errors">) {
  errors.expectLostConnections();
  errors.expect(/^Failed to load resource/);
  const link = await TcpLink.to(Number(new URL(companion.address).port));
  const ada = await joins(await visitor({ baseURL: `http://127.0.0.1:${link.port}` }));
  // He takes every token for a good one until the server refuses it.
  const bob = await joins(await visitor(), Date.now() - 10 * MINUTE);
  return { ada, bob, link, talk: new Conversation(ada, bob) };
}

async function joins(page: Page, time?: number): Promise<ChatPage> {
  await installClock(page, time);
  return ChatPage.visit(page, ROOM);
}

function isRenewal(request: Request): boolean {
  return /\/token\?.*renew=/.test(request.url());
}
