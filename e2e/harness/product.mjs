// The product as a process of its own: started on free ports in a data directory that vanishes.
//
// Every suite talks to the binary that people run, from outside, and never to a test build of it. What it
// logs is kept for the canary check: each password, secret and token that a suite learns is written to
// `canaries.txt`, and none of them may be found in any log. A product is stopped by its process id only.

import { spawn } from 'node:child_process';
import { appendFileSync, createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const BINARY = process.env.BAILIWICK_BIN ?? join(ROOT, 'target/debug/bailiwick');
/** A file that says where a fleet runs (`fleet/fleet.mjs`); then no product of one's own is started for the demo. */
const FLEET = process.env.BAILIWICK_E2E_FLEET;
const LOGS = process.env.BAILIWICK_TEST_LOG_DIR ?? join(ROOT, 'target/test-logs');
/** The line that the product prints when it is ready. */
const READY = 'Bailiwick is ready.';
const READY_WITHIN_MS = 60_000;
const STOPPED_WITHIN_MS = 15_000;
const SHORTEST_CANARY = 6;

/** Notes values that no log may ever hold. */
export function canary(...values) {
  mkdirSync(LOGS, { recursive: true });
  const lines = values.filter((value) => typeof value === 'string' && value.length >= SHORTEST_CANARY);
  if (lines.length > 0) appendFileSync(join(LOGS, 'canaries.txt'), `${lines.join('\n')}\n`);
}

/** Asks until `question` answers something truthy; what it throws counts as "not yet". */
export async function until(question, what, withinMs = 10_000) {
  const deadline = performance.now() + withinMs;
  for (;;) {
    let problem = 'it did not happen';
    try {
      const answer = await question();
      if (answer) return answer;
    } catch (error) {
      if (error instanceof Impossible) throw error;
      problem = error.message;
    }
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms (${problem})`);
    await new Promise((next) => setTimeout(next, 25));
  }
}

/** Ends `until` early: waiting longer cannot help. */
export class Impossible extends Error {}

/** The environment without the settings of the test run: unknown ones are errors to the product. */
export function ownEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('BAILIWICK_')));
}

async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

export class Product {
  /** Starts `bailiwick up`, or uses the running fleet; `demo: false` leaves it as empty as a first start. */
  static async start({ demo = true } = {}) {
    if (FLEET && demo) return new Fleet();
    if (!existsSync(BINARY)) throw new Error(`no product at ${BINARY}: build it, or say where it is in BAILIWICK_BIN`);
    const product = new Product(demo);
    await product.run(await freePort(), await freePort());
    return product;
  }

  constructor(demo) {
    this.withDemo = demo;
    this.home = mkdtempSync(join(tmpdir(), 'bailiwick-e2e-'));
    this.dataDir = join(this.home, 'data');
    this.banner = '';
    this.logged = '';
    this.remove = () => {
      // An aborted test run must leave neither a server nor its data behind.
      this.child?.kill('SIGKILL');
      rmSync(this.home, { recursive: true, force: true });
    };
    process.once('exit', this.remove);
  }

  async run(consolePort, authPort) {
    this.consoleUrl = `http://127.0.0.1:${consolePort}`;
    this.authUrl = `http://127.0.0.1:${authPort}`;
    const args = ['up', '--data-dir', this.dataDir, '--console-addr', `127.0.0.1:${consolePort}`];
    args.push('--auth-addr', `127.0.0.1:${authPort}`, ...(this.withDemo ? ['--demo'] : []));
    mkdirSync(LOGS, { recursive: true });
    const name = basename(process.argv[1] ?? 'product', '.test.mjs');
    const log = createWriteStream(join(LOGS, `e2e-${name}-${process.pid}-${consolePort}.log`));
    // Settings of the test run are none of the product's, and unknown ones are errors to it.
    const env = ownEnvironment();
    this.child = spawn(BINARY, args, { cwd: this.home, env, stdio: ['ignore', 'pipe', 'pipe'] });
    // The banner is for a person and may hold the setup link; only what is logged is kept and searched.
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.banner += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => {
      this.logged = (this.logged + text).slice(-4_000);
      log.write(text);
    });
    this.stopped = new Promise((stopped) => this.child.once('close', (code) => log.end(() => stopped(code))));
    try {
      await until(() => this.isReady(), 'the product becomes ready', READY_WITHIN_MS);
      this.demo = this.withDemo ? this.readDemo() : undefined;
    } catch (error) {
      await this.stop();
      throw new Error(`${error.message}\n${this.logged}`);
    }
  }

  async isReady() {
    if (this.child.exitCode !== null) throw new Impossible(`the product ended with code ${this.child.exitCode}`);
    if (!this.banner.includes(READY)) return false;
    const ready = await fetch(`${this.consoleUrl}/readyz`, { signal: AbortSignal.timeout(2_000) });
    return ready.ok;
  }

  readDemo() {
    return noted(JSON.parse(readFileSync(join(this.dataDir, 'demo.json'), 'utf8')));
  }

  /** The one-time link for the first operator, which an installation without any prints. */
  setupLink() {
    const [link] = this.banner.match(/https?:\/\/\S*\/setup\S*/) ?? [];
    if (!link) throw new Error(`no setup link was printed:\n${this.banner}`);
    canary(new URL(link).searchParams.get('token'));
    return link;
  }

  /** The demo operator with this role. */
  operator(role) {
    return operatorOf(this.demo, role);
  }

  /** Asks the process to stop, as Ctrl+C does, and removes its data. Answers its exit code. */
  async stop() {
    process.off('exit', this.remove);
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), STOPPED_WITHIN_MS);
    const code = await this.stopped;
    clearTimeout(late);
    rmSync(this.home, { recursive: true, force: true });
    return code;
  }
}

/** A fleet that somebody else started and will stop, with what a demo has. */
class Fleet {
  constructor() {
    Object.assign(this, JSON.parse(readFileSync(FLEET, 'utf8')));
    noted(this.demo);
  }

  operator(role) {
    return operatorOf(this.demo, role);
  }

  async stop() {
    return 0;
  }
}

function noted(demo) {
  canary(demo.application.client_secret, demo.machine.client_secret, demo.user.password);
  canary(...demo.operators.map((operator) => operator.password));
  return demo;
}

function operatorOf(demo, role) {
  const found = demo.operators.find((operator) => operator.role === role);
  if (!found) throw new Error(`demo.json has no ${role}: ${demo.operators.map((it) => it.role)}`);
  return found;
}
