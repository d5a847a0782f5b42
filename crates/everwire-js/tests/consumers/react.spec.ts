import { withVite } from "../support/consumers.ts";
import { Project } from "../../../../e2e/support/project.ts";
import { expect, test as base } from "../support/test.ts";

const test = base.extend({
  site: async ({}, use) => {
    const project = await Project.from("crates/everwire-js/tests/react", ["react", "react-dom", "scheduler"]);
    await use(await withVite(project));
    await project.remove();
  },
});

test.describe("An application with React", () => {
  test("has one socket, of the class that everwire exports, and sees what comes", async ({ page }) => {
    const dials: string[] = [];
    page.on("websocket", (socket) => dials.push(socket.url()));
    await page.goto("/");
    await expect(page.locator("output")).toHaveText("true is anybody there?");
    expect(dials).toHaveLength(1);
  });
});
