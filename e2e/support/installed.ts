import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { build } from "vite";

const root = resolve(import.meta.dirname, "../..");

/** The application in a folder of the repository, as it is built by somebody who has installed the packed package. */
export class Installed {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Copies the application, and puts the packed `everwire` and links to the other packages that it needs into its `node_modules`. */
  static async application(path: string, packages: readonly string[] = []): Promise<Installed> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "everwire-installed-")));
    const sources = resolve(root, path);
    const isSource = (file: string) => !["dist", "node_modules"].includes(basename(file));
    await cp(sources, folder, { recursive: true, filter: isSource });
    const everwire = join(folder, "node_modules/everwire");
    await mkdir(everwire, { recursive: true });
    execFileSync("tar", ["-xzf", tarball(folder), "--strip-components=1", "-C", everwire]);
    for (const name of ["vite", ...packages]) {
      await symlink(join(root, "node_modules", name), join(folder, "node_modules", name));
    }
    return new Installed(folder);
  }

  /** Checks its types, where it has any, builds it with Vite, and gives the folder to serve. */
  async build(): Promise<string> {
    if (existsSync(join(this.#folder, "tsconfig.json"))) {
      execFileSync(join(root, "node_modules/.bin/tsc"), ["--project", this.#folder], { stdio: "inherit" });
    }
    await build({ root: this.#folder, logLevel: "warn" });
    return join(this.#folder, "dist");
  }

  /** Runs one of its files in Node.js, and gives what it prints. */
  run(file: string): string {
    return execFileSync(process.execPath, [file], { cwd: this.#folder, encoding: "utf8", timeout: 20_000 });
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true });
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
