// Steady load and what came of it: every request with its time, its node and its answer, in order.

/** Asks again and again, in turn of `askers`, at `perSecond`, until stopped. An asker answers `{ok, what}`. */
export class Load {
  static #all = new Set();
  history = [];
  #running = true;
  #open = new Set();

  constructor(perSecond, askers) {
    Load.#all.add(this);
    this.done = this.#run(1000 / perSecond, askers);
  }

  async #run(everyMs, askers) {
    const begun = performance.now();
    for (let number = 0; this.#running; number += 1) {
      const due = begun + number * everyMs;
      const early = due - performance.now();
      if (early > 0) await new Promise((passed) => setTimeout(passed, early));
      const asking = this.#ask(askers[number % askers.length]);
      this.#open.add(asking);
      void asking.finally(() => this.#open.delete(asking));
    }
    await Promise.all(this.#open);
  }

  async #ask(asker) {
    const at = performance.now();
    let answer;
    try {
      answer = await asker();
    } catch (error) {
      answer = { ok: false, what: error.cause?.code ?? error.name };
    }
    this.history.push({ at, took: performance.now() - at, ...answer });
  }

  /** What was asked since `at`. */
  since(at) {
    return this.history.filter((entry) => entry.at >= at);
  }

  /** The longest time from the first failure in a row to the next success, in ms, since `at`. */
  longestOutage(at = 0) {
    let [longest, from] = [0, undefined];
    for (const entry of [...this.since(at)].sort((a, b) => a.at - b.at)) {
      if (!entry.ok) from ??= entry.at;
      if (entry.ok && from !== undefined) {
        longest = Math.max(longest, entry.at - from);
        from = undefined;
      }
    }
    return from === undefined ? longest : Math.max(longest, performance.now() - from);
  }

  /** How often each answer came, in words. */
  tally(at = 0) {
    const counts = {};
    for (const { what } of this.since(at)) counts[what] = (counts[what] ?? 0) + 1;
    return Object.entries(counts).map(([what, count]) => `${count}× ${what}`).join(', ');
  }

  /** Ends what a case that failed left running. */
  static async stopAll() {
    await Promise.all([...Load.#all].map((load) => load.stop()));
  }

  async stop() {
    Load.#all.delete(this);
    this.#running = false;
    await this.done;
    return this.history;
  }
}
