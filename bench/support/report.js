/** What a run has found out: values for programs, and targets with whether they were met. */
export class Report {
  #values = [];
  #targets = [];

  value(name, value) {
    const shown = Number.isInteger(value) ? value : Number(value.toPrecision(4));
    this.#values.push(`${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_")}=${shown}`);
  }

  /** A target; one that is `firm` fails the command when it is missed. */
  atMost(name, value, most, { firm = false } = {}) {
    this.#targets.push({ name, value, isMet: value <= most, bound: `at most ${most}`, firm });
  }

  atLeast(name, value, least, { firm = false } = {}) {
    this.#targets.push({ name, value, isMet: value >= least, bound: `at least ${least}`, firm });
  }

  print() {
    if (this.#targets.length > 0) console.log("\nTargets");
    for (const { name, value, isMet, bound } of this.#targets) {
      const shown = Number.isInteger(value) ? value : value.toFixed(2);
      console.log(`  ${isMet ? "met   " : "MISSED"}  ${name}: ${shown}, ${bound}`);
    }
    console.log(`\n${this.#values.join("\n")}`);
  }

  /** Whether no target was missed that is firm. */
  isWithinBudget() {
    return this.#targets.every(({ isMet, firm }) => !firm || isMet);
  }
}
