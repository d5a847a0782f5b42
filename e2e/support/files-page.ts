import { createHash } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { expect, type Locator, type Page } from "@playwright/test";
import { Line } from "./line.ts";

/** A file for a visitor to pick. */
export interface Picked {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}

/** A file whose bytes repeat nowhere soon, so that a piece in the wrong place changes its checksum. */
export function fileOf(name: string, size: number): Picked {
  const buffer = Buffer.alloc(size);
  for (let index = 0; index + 4 <= size; index += 4) {
    buffer.writeUInt32LE(Math.imul(index, 0x9e3779b1) >>> 0, index);
  }
  return { name, mimeType: "application/octet-stream", buffer };
}

/** The size of a file that takes fifteen seconds over a slow connection: long enough for a test to act meanwhile, also on a busy machine. */
export const large = 80_000_000;

/**
 * Makes a file that takes little room on disk. Each 64 KiB of it begin with where they are, so that a piece in the wrong place
 * changes its checksum.
 */
export async function makeFile(path: string, size = large): Promise<string> {
  const file = await open(path, "w");
  await file.truncate(size);
  for (let at = 0; at + 16 <= size; at += 1 << 16) {
    await file.write(String(at), at);
  }
  await file.write("end", size - 3);
  await file.close();
  return path;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The file transfer, as a visitor handles it. */
export class FilesPage {
  readonly page: Page;
  readonly line: Line;
  /** The input behind the button, which the keyboard reaches. */
  readonly input: Locator;
  readonly dropZone: Locator;
  readonly transfers: Locator;
  /** The files on the server, which everyone can download. */
  readonly stored: Locator;
  /** The uploads that an earlier visit left unfinished. */
  readonly unfinished: Locator;
  /** The announcements for screen readers. */
  readonly announcement: Locator;

  constructor(page: Page) {
    this.page = page;
    this.line = new Line(page);
    this.input = page.getByLabel("Choose files");
    this.dropZone = page.locator(".files-drop");
    this.transfers = page.getByRole("region", { name: "Your files" }).getByRole("listitem");
    this.stored = page.getByRole("region", { name: "Shared files" }).getByRole("listitem");
    this.unfinished = page.locator(".files-left");
    this.announcement = page.locator("main p[role=status].visually-hidden");
  }

  /** Opens the page, and waits for the server's list. */
  static async visit(page: Page): Promise<FilesPage> {
    const files = new FilesPage(page);
    await page.goto("/files");
    await files.ready();
    return files;
  }

  async ready(): Promise<void> {
    await this.line.open();
    await expect(this.page.locator("#files-limits")).toContainText("Up to");
  }

  async pick(...files: Picked[]): Promise<void> {
    await this.input.setInputFiles(files);
  }

  /** Drops files as from the desktop. */
  async drop(...files: Picked[]): Promise<void> {
    const plain = files.map(({ name, buffer }) => ({ name, bytes: [...buffer] }));
    const dropped = await this.page.evaluateHandle((files) => {
      const transfer = new DataTransfer();
      for (const { name, bytes } of files) {
        transfer.items.add(new File([new Uint8Array(bytes)], name));
      }
      return transfer;
    }, plain);
    await this.dropZone.dispatchEvent("dragover", { dataTransfer: dropped });
    await this.dropZone.dispatchEvent("drop", { dataTransfer: dropped });
  }

  transfer(name: string): Transfer {
    return new Transfer(this.transfers.filter({ has: this.page.getByTitle(name, { exact: true }) }));
  }

  /** The download link of a file. */
  link(name: string): Locator {
    return this.stored.filter({ has: this.page.getByTitle(name, { exact: true }) }).getByRole("link");
  }

  /** Downloads a file by its link, as another program does. */
  async fetch(name: string): Promise<Buffer> {
    const address = await this.link(name).getAttribute("href");
    const answer = await this.page.request.get(String(address));
    expect(answer.status()).toBe(200);
    return answer.body();
  }

  /** Asserts that the server has exactly the file at a path. */
  async matches(path: string): Promise<void> {
    expect(sha256(await this.fetch(basename(path)))).toBe(sha256(await readFile(path)));
  }

  /** Sends the file at a path so slowly that a test can act meanwhile, and waits until the server has a part of it. */
  async sendSlowly(path: string): Promise<Transfer> {
    await this.line.break("Slow it down");
    await expect(this.line.notice).toContainText("Messages come 800 ms late");
    await this.line.open();
    // By its path, since passing the bytes of a large file to the browser takes longer than sending them to the server.
    await this.input.setInputFiles(path);
    const transfer = this.transfer(basename(path));
    await transfer.reaches(4);
    return transfer;
  }

  /** Ends the slow connection. */
  async restore(): Promise<void> {
    await this.line.notice.getByRole("button", { name: "Restore the connection" }).click();
    await this.line.open();
  }
}

/** What a visitor can do with a file. */
type Action = "Pause" | "Resume" | "Cancel" | "Retry" | "Dismiss";

/** One file that is sent. */
export class Transfer {
  readonly row: Locator;
  readonly tag: Locator;
  readonly bar: Locator;
  readonly notice: Locator;

  constructor(row: Locator) {
    this.row = row;
    this.tag = row.locator(".tag");
    this.bar = row.getByRole("progressbar");
    this.notice = row.locator(".notice");
  }

  button(label: Action): Locator {
    return this.row.getByRole("button", { name: new RegExp(`^${label}`) });
  }

  async press(button: Action): Promise<void> {
    await this.button(button).click();
  }

  /** The whole percent that the server has. */
  async percent(): Promise<number> {
    return Number(await this.bar.getAttribute("aria-valuenow"));
  }

  /** Waits until the server has this many percent. */
  async reaches(percent: number): Promise<void> {
    await expect.poll(() => this.percent()).toBeGreaterThanOrEqual(percent);
  }

  async completes(): Promise<void> {
    await expect(this.tag).toHaveText("Complete", { timeout: 120_000 });
  }
}
