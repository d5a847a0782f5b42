import { readFile, writeFile } from "node:fs/promises";
import { type Project } from "../../../../e2e/support/project.ts";
import { type Everwire } from "../support/consumers.ts";
import { application, echoed, expect, open, test as base } from "../support/test.ts";

/** The policy of a careful page, with room for what is tried. */
const policy = (scripts: string) => `default-src 'none'; img-src data:; connect-src 'self'; script-src 'self'${scripts}`;

const test = base.extend<{ scripts: string; everwire: Everwire }>({
  scripts: ["", { option: true }],
  everwire: ["unbundled", { option: true }],
  site: async ({ scripts, everwire }, use) => {
    const project = await application(everwire);
    await restrict(project, policy(scripts));
    await use(project.folder);
    await project.remove();
  },
});

test.describe("a content security policy with 'wasm-unsafe-eval'", () => {
  test.use({ scripts: " 'wasm-unsafe-eval'" });

  test("suffices", async ({ page, companion }) => {
    await page.goto("/");
    expect(await open(page, "inWindow", `${companion.address}/echo`)).toEqual(echoed);
  });
});

test.describe("a content security policy that forbids wasm", () => {
  for (const [name, everwire] of [
    ["everwire", "unbundled"],
    ["everwire/inline", "unbundled-inline"],
  ] as const) {
    test.describe(`lets ${name} be imported, and`, () => {
      test.use({ everwire });

      test("makes the socket fail and close, and the page hears of it", async ({ page, companion, errors }) => {
        errors.expect(/Content Security Policy/);
        await page.goto("/");
        const told = await open(page, "inWindow", `${companion.address}/echo`);
        expect(told).toMatchObject({ failed: true, code: 1006 });
      });
    });
  }
});

async function restrict(project: Project, policy: string): Promise<void> {
  const path = project.path("index.html");
  const html = await readFile(path, "utf8");
  const meta = `<meta http-equiv="Content-Security-Policy" content="${policy}" />`;
  await writeFile(path, html.replace("<meta", `${meta}\n<meta`));
}
