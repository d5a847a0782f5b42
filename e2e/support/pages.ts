import { expect, type Page } from "@playwright/test";
import { ChatPage } from "./chat-page.ts";
import { EchoPage } from "./echo-page.ts";
import { FilesPage, fileOf } from "./files-page.ts";
import { LivePage } from "./live-page.ts";
import { MonitorPage } from "./monitor-page.ts";
import { StartPage } from "./start-page.ts";
import { ThroughputPage } from "./throughput-page.ts";
import { TickerPage } from "./ticker-page.ts";
import { TrackerPage, deviceAt } from "./tracker-page.ts";

/** The endpoint of the connection that the pages with channels share. */
export const channels = "/everwire";

/** A page of the application, and how a visitor brings it to life. */
export interface Demo {
  readonly name: string;
  /** The endpoint that its line leads to. */
  readonly endpoint: string;
  /** Opens and connects it. */
  visit(page: Page): Promise<unknown>;
  /** Waits until it shows that messages come, which is more than being connected. */
  lives(page: Page): Promise<void>;
}

/** What the server is started with for all of them to live. */
export const flags = ["--monitor"];

export const demos: readonly Demo[] = [
  {
    name: "start",
    endpoint: channels,
    visit: (page) => StartPage.visit(page),
    lives: (page) => new StartPage(page).countsOn(),
  },
  {
    name: "chat",
    endpoint: channels,
    visit: (page) => ChatPage.visit(page),
    lives: async (page) => {
      const chat = new ChatPage(page);
      const text = `alive ${await chat.messages.count()}`;
      await chat.send(text);
      await expect(chat.message(text)).toHaveCount(1);
      await expect(chat.unconfirmed).toHaveCount(0);
    },
  },
  {
    name: "echo",
    endpoint: "/echo",
    visit: (page) => EchoPage.connected(page),
    lives: async (page) => {
      const echo = new EchoPage(page);
      const before = await echo.received("are you there").count();
      await echo.send("are you there");
      await expect.poll(() => echo.received("are you there").count()).toBeGreaterThan(before);
    },
  },
  {
    name: "live",
    endpoint: channels,
    visit: (page) => LivePage.visit(page),
    lives: (page) => new LivePage(page).moves("Currencies"),
  },
  {
    name: "ticker",
    endpoint: channels,
    visit: (page) => TickerPage.visit(page),
    lives: (page) => new TickerPage(page).pricesMove(),
  },
  {
    name: "tracker",
    endpoint: channels,
    visit: async (page) => {
      await page.context().grantPermissions(["geolocation"]);
      await page.context().setGeolocation(deviceAt(52.52, 13.405).geolocation);
      const tracker = await TrackerPage.visit(page);
      await tracker.share();
    },
    lives: async (page) => {
      await expect(page.getByRole("region", { name: "Map", exact: true }).locator(".pin.who-me")).toBeAttached();
    },
  },
  {
    name: "monitor",
    endpoint: channels,
    visit: (page) => MonitorPage.visit(page),
    lives: async (page) => {
      const monitor = new MonitorPage(page);
      const before = await monitor.picture("Processor");
      await expect.poll(() => monitor.picture("Processor")).not.toBe(before);
    },
  },
  {
    name: "throughput",
    endpoint: "/echo",
    visit: async (page) => (await ThroughputPage.visit(page)).run(1),
    lives: async (page) => {
      const throughput = new ThroughputPage(page);
      const before = await throughput.total();
      await expect.poll(() => throughput.total()).toBeGreaterThan(before);
    },
  },
  {
    name: "files",
    endpoint: "/files",
    visit: (page) => FilesPage.visit(page),
    lives: async (page) => {
      const files = new FilesPage(page);
      const name = `alive-${await files.transfers.count()}.txt`;
      await files.pick(fileOf(name, 100));
      await files.transfer(name).completes();
    },
  },
];
