import { type Locator, type Page } from "@playwright/test";
import { expect } from "@playwright/test";
import { Line } from "./line.ts";

/** The chat, as a visitor handles it. */
export class ChatPage {
  readonly page: Page;
  readonly line: Line;
  readonly field: Locator;
  readonly log: Locator;
  /** All messages that stand in the page. */
  readonly messages: Locator;
  /** Those that the server has not confirmed. */
  readonly unconfirmed: Locator;
  readonly failed: Locator;
  /** The people at the side, on a wide screen. */
  readonly people: Locator;
  readonly typing: Locator;
  /** Where what was unread begins. */
  readonly newLine: Locator;
  readonly toEnd: Locator;

  constructor(page: Page) {
    this.page = page;
    this.line = new Line(page);
    this.field = page.getByRole("textbox", { name: /^Message to/ });
    this.log = page.getByRole("log");
    this.messages = this.log.getByRole("article");
    this.unconfirmed = this.log.locator(".is-pending, .is-failed");
    this.failed = this.log.locator(".is-failed");
    this.people = page.getByRole("complementary").getByRole("listitem");
    this.typing = page.locator(".chat-typing");
    this.newLine = this.log.locator(".chat-new");
    this.toEnd = page.getByRole("button", { name: /(new messages?|Latest messages) ↓$/ });
  }

  /** Opens the chat in a room, and waits until it is connected. */
  static async visit(page: Page, room?: string): Promise<ChatPage> {
    await page.goto("/chat");
    const chat = new ChatPage(page);
    await chat.line.open();
    if (room !== undefined) {
      await chat.join(room);
    }
    return chat;
  }

  room(name: string): Locator {
    return this.page.getByRole("navigation", { name: "Rooms" }).getByRole("listitem").filter({ hasText: name }).getByRole("button");
  }

  async join(room: string): Promise<void> {
    await this.page.getByRole("button", { name: "Join a room" }).click();
    await this.page.getByRole("textbox", { name: "Room, also a new one" }).fill(room);
    await this.page.getByRole("button", { name: "Join", exact: true }).click();
    await expect(this.page.getByRole("heading", { name: room })).toBeVisible();
    await expect(this.log).toContainText(/./);
  }

  async send(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press("Enter");
    await expect(this.field).toHaveValue("");
  }

  message(text: string): Locator {
    return this.messages.filter({ has: this.page.getByText(text, { exact: true }) });
  }

  /** The texts of the messages, in their order. */
  texts(): Promise<string[]> {
    return this.log.locator(".chat-text").allTextContents();
  }

  async rename(name: string): Promise<void> {
    await this.page.getByRole("button", { name: "Rename" }).click();
    const field = this.page.getByRole("textbox", { name: "Your name" });
    await field.fill(name);
    await field.press("Enter");
    await expect(field).toBeHidden();
  }

  /** Scrolls as a wheel does, upwards where `pixels` is below 0. */
  async scroll(pixels: number): Promise<void> {
    await this.log.hover();
    await this.page.mouse.wheel(0, pixels);
  }

  /** Scrolls up until all pages of the room's history are loaded. */
  async scrollToBeginning(): Promise<void> {
    await this.log.evaluate(async (log) => {
      while (!log.textContent.includes("This is the beginning of the room.")) {
        log.scrollTop = -log.scrollHeight;
        await new Promise(requestAnimationFrame);
      }
    });
  }

  /**
   * Scrolls from the beginning to the end in so many steps. Returns how many messages were drawn at most at one place, and the
   * places, in pixels from the end, at which no message was drawn in the middle of what is seen.
   */
  async scrollThrough(steps: number): Promise<{ most: number; empty: number[] }> {
    return this.log.evaluate(async (log, steps) => {
      log.scrollIntoView({ block: "center" });
      const { left, top, width, height } = log.getBoundingClientRect();
      let most = 0;
      const empty: number[] = [];
      for (let step = 0; step <= steps; step += 1) {
        log.scrollTop = (step / steps - 1) * (log.scrollHeight - height);
        // What has come near is drawn with the next frame.
        await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
        const messages = [...log.querySelectorAll("[role=article]")];
        most = Math.max(most, messages.filter((message) => message.checkVisibility({ contentVisibilityAuto: true })).length);
        if (document.elementFromPoint(left + width / 2, top + height / 2)?.closest("[role=article]") == null) {
          empty.push(log.scrollTop);
        }
      }
      return { most, empty };
    }, steps);
  }
}
