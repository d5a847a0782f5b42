import { execFile, execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

const tests = resolve(import.meta.dirname, "..");
const root = resolve(tests, "../../..");

/**
 * A folder of somebody who has installed the packed package: the tarball is unpacked in its `node_modules`, and nothing of the
 * sources is in reach.
 */
export class Project {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes one with the files of a folder of these tests in it, and other packages beside `everwire`. */
  static async from(files: string, packages: readonly string[] = []): Promise<Project> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "everwire-consumer-")));
    await cp(join(tests, files), folder, { recursive: true });
    const modules = join(folder, "node_modules");
    await mkdir(join(modules, "everwire"), { recursive: true });
    execFileSync("tar", ["-xzf", tarball(), "--strip-components=1", "-C", join(modules, "everwire")]);
    for (const name of packages) {
      const link = join(modules, name);
      await mkdir(resolve(link, ".."), { recursive: true });
      await symlink(join(root, "node_modules", name), link);
    }
    return new Project(folder);
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Runs a program, of Node.js packages or any other, as one does in this folder, and gives what it printed. */
  async run(program: string, ...args: string[]): Promise<string> {
    const environment = { ...process.env, PATH: `${join(root, "node_modules/.bin")}${delimiter}${process.env["PATH"]}` };
    try {
      return (await execute(program, args, { cwd: this.folder, env: environment, timeout: 60_000 })).stdout;
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
    }
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}

function tarball(): string {
  const path = process.env["EVERWIRE_TARBALL"];
  if (path === undefined) {
    throw new Error("EVERWIRE_TARBALL does not name the tarball: `cargo xtask test npm` makes it and runs these tests");
  }
  return path;
}
