import { expect, type Locator, type Page } from "@playwright/test";
import { Line } from "./line.ts";
import { linesOf, payloads } from "./lines.ts";
import { Sockets } from "./sockets.ts";

/** A device that tells where it is, for a visitor's browser context. */
export function deviceAt(latitude: number, longitude: number) {
  return { geolocation: { latitude, longitude, accuracy: 8 }, permissions: ["geolocation"] };
}

/** The geolocation tracker, as a visitor handles it. */
export class TrackerPage {
  readonly page: Page;
  readonly line: Line;
  readonly sockets: Sockets;
  readonly shareButton: Locator;
  readonly stopButton: Locator;
  /** Where the page stands with sharing: what others see, or why not. */
  readonly standing: Locator;
  readonly map: Locator;
  readonly people: Locator;
  readonly markers: Locator;
  /** The visitor's own marker. */
  readonly me: Locator;
  readonly followButton: Locator;
  /** The scale on the map: "20 km". */
  readonly scale: Locator;

  private constructor(page: Page) {
    this.page = page;
    this.line = new Line(page);
    this.sockets = Sockets.of(page, "/everwire");
    this.shareButton = page.getByRole("button", { name: /^Share / });
    this.stopButton = page.getByRole("button", { name: "Stop sharing" });
    this.standing = page.getByRole("region", { name: "Your position" }).getByRole("status");
    this.map = page.getByRole("region", { name: /^Map of everyone/ });
    this.people = page.getByRole("region", { name: /^On the map/ }).getByRole("listitem");
    this.markers = this.map.locator(".pin");
    this.me = this.map.locator(".pin.who-me");
    this.followButton = page.getByRole("button", { name: "Follow me" });
    this.scale = this.map.locator(".leaflet-control-scale-line");
  }

  /** Opens the page, and waits until it is connected and has its map. */
  static async visit(page: Page): Promise<TrackerPage> {
    const tracker = new TrackerPage(page);
    await page.addInitScript(noteWhatTheDeviceTells);
    await page.goto("/tracker");
    await tracker.line.open();
    await expect(tracker.map).toHaveAttribute("data-ready", "true");
    return tracker;
  }

  /** Shares, and waits until the page says what others see. */
  async share(): Promise<void> {
    await this.shareButton.click();
    await expect(this.standing).toContainText("Others see");
  }

  /** What the page reported about the visitor, as JSON. */
  get reports(): string[] {
    return payloads(linesOf(this.sockets.sent), "req tracker/report ");
  }

  /** Somebody else in the list. */
  get others(): Locator {
    return this.people.filter({ hasText: "Participant" });
  }

  /** Has the device tell another position, and waits until it has told the page. */
  async moveTo(place: { latitude: number; longitude: number }): Promise<void> {
    await this.page.context().setGeolocation({ ...place, accuracy: 8 });
    await this.page.waitForFunction(({ latitude, longitude }) => {
      const { told } = globalThis as unknown as { told?: GeolocationCoordinates };
      return told?.latitude === latitude && told.longitude === longitude;
    }, place);
  }

  /** How far the visitor's marker is from the middle of the map, in pixels. */
  async fromTheMiddle(): Promise<number> {
    const [map, me] = [await this.map.boundingBox(), await this.me.boundingBox()];
    if (map === null || me === null) {
      return Infinity;
    }
    return Math.hypot(me.x + me.width / 2 - map.x - map.width / 2, me.y + me.height / 2 - map.y - map.height / 2);
  }

  async choosePrecision(name: "Exact" | "10 m" | "1 km" | "10 km"): Promise<void> {
    await this.page.getByRole("radiogroup", { name: "How precisely" }).getByText(name, { exact: true }).click();
  }

  async simulate(from: string): Promise<void> {
    await this.page.getByText("Simulate a walk").click();
    await this.page.getByLabel("It begins near").selectOption({ label: from });
  }
}

/** Keeps, where a test can see it, the position that the page was told last. */
function noteWhatTheDeviceTells(): void {
  const { geolocation } = navigator as Partial<Navigator>;
  const watch = geolocation?.watchPosition;
  if (geolocation === undefined || watch === undefined) {
    return;
  }
  geolocation.watchPosition = (found, ...rest) =>
    watch.call(
      geolocation,
      (position) => {
        found(position);
        Object.assign(globalThis, { told: position.coords });
      },
      ...rest,
    );
}
