import { expect } from "@playwright/test";
import { type ChatPage } from "./chat-page.ts";
import { passUntil } from "./page-time.ts";

/** Where they talk. */
export const ROOM = "faults";

/** Two visitors of a room of the chat, and all that they have written. */
export class Conversation {
  readonly #visitors: readonly (readonly [string, ChatPage])[];
  readonly #written: string[] = [];

  constructor(ada: ChatPage, bob: ChatPage) {
    this.#visitors = [
      ["ada", ada],
      ["bob", bob],
    ];
  }

  /** Has one of them write. */
  async says(who: string, when: string): Promise<void> {
    for (const [name, chat] of this.#visitors.filter(([name]) => name === who)) {
      this.#written.push(`${name} ${when}`);
      await chat.send(`${name} ${when}`);
    }
  }

  /** Has each of them write. */
  async both(when: string): Promise<void> {
    await this.says("ada", when);
    await this.says("bob", when);
  }

  /** Waits until each has what both wrote then, and all of their own is confirmed. Their clocks are installed. */
  async settled(when: string): Promise<void> {
    const soon = { timeout: 250 };
    const pages = this.#visitors.map(([, chat]) => chat.page);
    await passUntil(pages, async () => {
      for (const [, chat] of this.#visitors) {
        for (const [author] of this.#visitors) {
          await expect(chat.message(`${author} ${when}`)).toHaveCount(1, soon);
        }
        await expect(chat.unconfirmed).toHaveCount(0, soon);
      }
    });
  }

  /** Checks that both have everything that was written, once and in the same order, and that the server has it as well. */
  async isWhole(): Promise<void> {
    const [ada, bob] = await Promise.all(this.#visitors.map(([, chat]) => chat.texts()));
    expect(ada).toEqual(bob);
    expect([...(ada ?? [])].sort()).toEqual([...this.#written].sort());
    for (const [, chat] of this.#visitors.slice(1)) {
      await chat.page.reload();
      await chat.room(ROOM).click();
      await expect.poll(() => chat.texts()).toEqual(ada);
    }
  }
}
