import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);
const root = resolve(import.meta.dirname, "../..");

/** How long a build may take, in ms: it has a time of its own beside that of the first test that needs it. */
export const BUILD_TIMEOUT = 300_000;

/**
 * A folder of somebody who has installed the packed package: the tarball is unpacked in its `node_modules`, and nothing of the
 * sources is in reach.
 */
export class Project {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes one of the files in a folder of the repository, with links to other packages beside `everwire`. */
  static async from(path: string, packages: readonly string[] = []): Promise<Project> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "everwire-project-")));
    const isSource = (file: string) => !["dist", "node_modules"].includes(basename(file));
    await cp(resolve(root, path), folder, { recursive: true, filter: isSource });
    const modules = join(folder, "node_modules");
    await mkdir(join(modules, "everwire"), { recursive: true });
    execFileSync("tar", ["-xzf", tarball(folder), "--strip-components=1", "-C", join(modules, "everwire")]);
    for (const name of packages) {
      const link = join(modules, name);
      await mkdir(dirname(link), { recursive: true });
      await symlink(join(root, "node_modules", name), link);
    }
    return new Project(folder);
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Checks its types, where it has any, builds it with Vite, and gives the folder to serve. */
  async build(): Promise<string> {
    if (existsSync(this.path("tsconfig.json"))) {
      await this.run("tsc", "--project", ".");
    }
    // In a process of its own, since Vite makes the one that it runs in one for production.
    await this.run("vite", "build", "--logLevel", "warn");
    return this.path("dist");
  }

  /** Runs a program, of Node.js packages or any other, as one does in this folder, and gives what it printed. */
  async run(program: string, ...args: string[]): Promise<string> {
    const environment = { ...process.env, PATH: `${join(root, "node_modules/.bin")}${delimiter}${process.env["PATH"]}` };
    try {
      return (await execute(program, args, { cwd: this.folder, env: environment, timeout: BUILD_TIMEOUT })).stdout;
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
    }
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

/** That of `cargo xtask npm`, or one of the package as it was built last. */
function tarball(folder: string): string {
  const made = process.env["EVERWIRE_TARBALL"];
  if (made !== undefined) {
    return made;
  }
  const sources = resolve(root, "crates/everwire-js");
  if (!existsSync(join(sources, "dist/index.js"))) {
    throw new Error(`${sources}/dist is missing: \`cargo xtask npm\` builds it`);
  }
  const pack = ["pack", "--silent", "--pack-destination", folder];
  const name = execFileSync("npm", pack, { cwd: sources, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  return join(folder, name);
}
