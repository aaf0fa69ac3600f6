// An installation of processes: a control plane without nodes, and machines that become its nodes.
//
// Each region has one machine, because on SQLite a region's identity store is a file of its one node. Processes
// are stopped by their ids only, and what the control plane and the nodes keep vanishes with them.

import { execFile, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { AdminApi } from '../harness/admin_api.mjs';
import { BINARY, Impossible, ROOT, canary, ownEnvironment, until } from '../harness/product.mjs';

const NODE = process.env.BAILIWICK_NODE_BIN ?? join(BINARY, '../bailiwick-node');
const LOGS = process.env.BAILIWICK_TEST_LOG_DIR ?? join(ROOT, 'target/test-logs');
const READY_WITHIN_MS = 60_000;
const STOPPED_WITHIN_MS = 15_000;

export class Fleet {
  #processes = [];

  /** Starts the control plane for these regions, the platform's own first. No node serves any of them yet. */
  static async start(regions) {
    const fleet = new Fleet();
    fleet.home = mkdtempSync(join(tmpdir(), 'bailiwick-fleet-'));
    fleet.dataDir = join(fleet.home, 'control');
    const [console, push, ...places] = await freePorts(regions.length + 2);
    fleet.consoleUrl = `http://127.0.0.1:${console}`;
    fleet.ports = new Map(regions.map((region, index) => [region, places[index]]));
    fleet.#write('regions.toml', [...fleet.ports].map(([name, port]) =>
      `[[regions]]\nname = "${name}"\nauth_base_url = "http://127.0.0.1:${port}"\n`).join('\n'));
    const args = ['control-plane', '--data-dir', fleet.dataDir, '--config', join(fleet.home, 'regions.toml')];
    args.push('--console-addr', `127.0.0.1:${console}`, '--push-addr', `127.0.0.1:${push}`);
    try {
      fleet.control = fleet.#spawn('control', BINARY, args);
      await until(() => fleet.control.said('Bailiwick is ready.'), 'the control plane becomes ready', READY_WITHIN_MS);
    } catch (error) {
      await fleet.stop();
      throw new Error(`${error.message}\n${fleet.control.logged}`);
    }
    return fleet;
  }

  /** The one-time link for the first operator. */
  setupLink() {
    const [link] = this.control.printed.match(/https?:\/\/\S*\/setup\S*/) ?? [];
    if (!link) throw new Error(`no setup link was printed:\n${this.control.printed}`);
    canary(new URL(link).searchParams.get('token'));
    return link;
  }

  /** The admin API as whoever can read the data directory: nobody can sign in before there is a node. */
  async api() {
    const { stdout } = await promisify(execFile)(BINARY, ['token', '--data-dir', this.dataDir], { env: ownEnvironment() });
    canary(stdout.trim());
    return new AdminApi(`${this.consoleUrl}/v1`, stdout.trim());
  }

  /** Starts a machine of a region as the node that the token is for, in the words of the console's join page. */
  join(name, region, token) {
    canary(token);
    const file = this.#write(`${name}.join-token`, `${token}\n`);
    const port = this.ports.get(region);
    const args = ['--join-token-file', file, '--data-dir', join(this.home, name), '--auth-addr', `127.0.0.1:${port}`];
    return this.#spawn(name, NODE, args, { BAILIWICK_AUTH_BASE_URL: `http://127.0.0.1:${port}` });
  }

  async stop() {
    await Promise.all(this.#processes.map((one) => one.stop()));
    rmSync(this.home, { recursive: true, force: true });
  }

  #write(name, text) {
    const path = join(this.home, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  #spawn(name, program, args, settings = {}) {
    const started = new Running(`${name}-${process.pid}`, program, args, { cwd: this.home, settings });
    this.#processes.push(started);
    return started;
  }
}

/** A process of ours. */
class Running {
  printed = '';
  logged = '';

  constructor(name, program, args, { cwd, settings }) {
    const env = { ...ownEnvironment(), ...settings };
    mkdirSync(LOGS, { recursive: true });
    const log = createWriteStream(join(LOGS, `e2e-fleet-${name}.log`));
    this.child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    // What is printed may hold the setup link; only what is logged is kept and searched.
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.printed += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => {
      this.logged = (this.logged + text).slice(-4_000);
      log.write(text);
    });
    this.stopped = new Promise((stopped) => this.child.once('close', (code) => log.end(() => stopped(code))));
    // An aborted test run must leave no server behind.
    this.kill = () => this.child.kill('SIGKILL');
    process.once('exit', this.kill);
  }

  /** Whether it has printed this; fails at once if it ended. */
  said(text) {
    if (this.child.exitCode !== null) throw new Impossible(`it ended with code ${this.child.exitCode}: ${this.logged}`);
    return this.printed.includes(text);
  }

  /** Asks it to stop, as Ctrl+C does. */
  async stop() {
    process.off('exit', this.kill);
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), STOPPED_WITHIN_MS);
    await this.stopped;
    clearTimeout(late);
  }
}

/** Ports that nobody has at the moment, all different because all are held at once. */
async function freePorts(number) {
  const servers = await Promise.all(Array.from({ length: number }, () => new Promise((listening) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => listening(server));
  })));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}
