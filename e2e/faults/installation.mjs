// An installation of processes that may be killed, frozen and cut off: control planes, and nodes of one region.
//
// All share one PostgreSQL and one Redis of the test's own. Requests go to a node of the caller's choice, in the name
// of the region's address, as a balancer would pass them on.

import { execFile, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent as Connections, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { AdminApi } from '../harness/admin_api.mjs';
import { BINARY, ROOT, canary, ownEnvironment, until } from '../harness/product.mjs';
import { FakeClock } from './clock.mjs';
import { freePort } from './ports.mjs';

const NODE = process.env.BAILIWICK_NODE_BIN ?? join(BINARY, '../bailiwick-node');
const LOGS = process.env.BAILIWICK_TEST_LOG_DIR ?? join(ROOT, 'target/test-logs');
const READY_WITHIN_MS = 30_000;
export const REGION = 'eu';
let installations = 0;

export class Installation {
  #processes = new Set();
  nodes = [];

  /** Prepares directories and databases; nothing runs yet. `proxies` may stand before either server. */
  constructor({ postgres, redis, postgresPort, redisPort, clock, clocks = false }) {
    Object.assign(this, { clock, clocks });
    const number = (installations += 1);
    this.home = mkdtempSync(join(tmpdir(), 'bailiwick-faults-'));
    this.control = postgres.database(`control_${number}`);
    this.identity = postgres.database(`identity_${number}`, postgresPort);
    this.identityDatabase = `identity_${number}`;
    this.controlDatabase = `control_${number}`;
    this.state = redis.url(number % 16, redisPort);
    this.bus = redis.url(0);
    this.kek = join(this.home, 'kek');
    writeFileSync(this.kek, Buffer.alloc(32, 7), { mode: 0o600 });
    process.once('exit', () => rmSync(this.home, { recursive: true, force: true }));
  }

  /** Starts the next control plane; all of them answer under the first one's name. */
  async startControlPlane({ databaseUrl = this.control } = {}) {
    this.base ??= `http://127.0.0.1:${await freePort()}`;
    const [console, push] = [await freePort(), await freePort()];
    this.consoleUrl ??= `http://127.0.0.1:${console}`;
    const dataDir = this.#directory(`control-${push}`);
    const args = ['control-plane', '--data-dir', dataDir, '--console-addr', `127.0.0.1:${console}`];
    args.push('--push-addr', `127.0.0.1:${push}`);
    const settings = {
      BAILIWICK_REGION: REGION,
      BAILIWICK_AUTH_BASE_URL: this.base,
      BAILIWICK_CONSOLE_URL: this.consoleUrl,
      BAILIWICK_CONTROL_PLANE__DATABASE_URL: databaseUrl,
      BAILIWICK_CONTROL_PLANE__BUS_URL: this.bus,
    };
    const plane = this.#process(`control-${push}`, BINARY, args, settings);
    Object.assign(plane, { dataDir, push, url: `http://127.0.0.1:${console}`, settings });
    await plane.start();
    return plane;
  }

  /** The admin API of one control plane, as whoever can read its data directory. */
  async api(plane, ...args) {
    const env = { ...ownEnvironment(), ...plane.settings, ...plane.clock?.environment };
    const asked = ['token', '--data-dir', plane.dataDir, '--ttl', '1h', ...args];
    const { stdout } = await promisify(execFile)(BINARY, asked, { env });
    canary(stdout.trim());
    return new AdminApi(`${plane.url}/v1`, stdout.trim());
  }

  /** Registers and starts the next node; it connects to `push`, which may be a proxy's port. */
  async startNode(api, { push, identity = this.identity, state = this.state }) {
    const name = `eu-${this.nodes.length + 1}`;
    const { id } = await api.call('POST', '/nodes', { name, region: REGION });
    const { token } = await api.call('POST', `/nodes/${id}/join-tokens`);
    canary(token);
    const dataDir = this.#directory(name);
    const tokenFile = join(this.home, `${name}.token`);
    writeFileSync(tokenFile, token, { mode: 0o600 });
    const port = await freePort();
    const settings = {
      BAILIWICK_AUTH_BASE_URL: this.base,
      BAILIWICK_NODE__IDENTITY_URL: identity,
      BAILIWICK_NODE__STATE_URL: state,
      BAILIWICK_PUSH__ADDRESS: `127.0.0.1:${push}`,
    };
    // Once it has an identity, it reads the token only when its certificate has ended.
    const args = ['--data-dir', dataDir, '--auth-addr', `127.0.0.1:${port}`, '--join-token-file', tokenFile];
    const node = this.#process(name, NODE, args, settings);
    Object.assign(node, { id, name, dataDir, port, settings, tokenFile, at: new At(port, this.base) });
    node.ready = () => node.at.ready();
    await node.start();
    this.nodes.push(node);
    return node;
  }

  async stop() {
    await Promise.all([...this.#processes].map((one) => one.kill()));
    rmSync(this.home, { recursive: true, force: true });
  }

  #directory(name) {
    const path = join(this.home, name);
    mkdirSync(path, { mode: 0o700 });
    // One installation, one region: they all open what is sealed with one key.
    writeFileSync(join(path, 'kek'), Buffer.alloc(32, 7), { mode: 0o600 });
    return path;
  }

  #process(name, program, args, settings) {
    const made = new Process(`${name}-${process.pid}-${installations}`, program, args, this.home);
    made.settings = settings;
    made.clock = this.clock ?? (this.clocks ? new FakeClock(join(this.home, `${name}.clock`)) : undefined);
    this.#processes.add(made);
    return made;
  }
}

/** A process that can be started again on the same directory. */
class Process {
  constructor(name, program, args, cwd) {
    Object.assign(this, { name, program, args, cwd, printed: '', logged: '', alive: false });
    process.once('exit', () => this.child?.kill('SIGKILL'));
  }

  /** Starts it and waits until it is ready. */
  async start({ waiting = true } = {}) {
    this.printed = '';
    mkdirSync(LOGS, { recursive: true });
    const log = createWriteStream(join(LOGS, `faults-${this.name}.log`), { flags: 'a' });
    const env = { ...ownEnvironment(), BAILIWICK_LOG__FORMAT: 'json', ...this.settings, ...this.clock?.environment };
    this.child = spawn(this.program, this.args, { cwd: this.cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.alive = true;
    this.child.stdout.setEncoding('utf8').on('data', (text) => (this.printed += text));
    this.child.stderr.setEncoding('utf8').on('data', (text) => {
      this.logged = (this.logged + text).slice(-200_000);
      log.write(text);
    });
    this.ended = new Promise((ended) => this.child.once('close', (code) => {
      this.alive = false;
      if (this.clock) FakeClock.forget(this.child.pid);
      log.end(() => ended(code));
    }));
    if (waiting) await until(() => this.isReady(), `${this.name} is ready`, READY_WITHIN_MS);
  }

  async isReady() {
    if (!this.alive) throw new Error(`${this.name} ended: ${this.logged.slice(-1_000)}`);
    if (!this.ready) return this.printed.includes('Bailiwick is ready.');
    const { ok, report } = await this.ready();
    if (!ok) throw new Error(report);
    return true;
  }

  signal(name) {
    this.child.kill(name);
  }

  /** `kill -9`. */
  async kill() {
    if (!this.alive) return;
    this.child.kill('SIGCONT');
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

/** One node's own address, asked in the name of the region's. */
export class At {
  #connections = new Connections({ keepAlive: true });

  constructor(port, base) {
    Object.assign(this, { port, base, host: new URL(base).host });
  }

  /** `{status, headers, body}`; a form if there are `fields`. */
  ask(path, { method = 'GET', fields, headers = {}, timeoutMs = 10_000 } = {}) {
    const body = fields && new URLSearchParams(fields).toString();
    const sent = { host: this.host, ...headers };
    if (body !== undefined) sent['content-type'] = 'application/x-www-form-urlencoded';
    return new Promise((answered, failed) => {
      const options = { host: '127.0.0.1', port: this.port, path, method, headers: sent, agent: this.#connections };
      const asking = request({ ...options, timeout: timeoutMs }, (response) => {
        const pieces = [];
        response.on('data', (piece) => pieces.push(piece));
        response.on('error', failed);
        response.on('end', () => {
          const { statusCode: status, headers } = response;
          answered({ status, headers, body: Buffer.concat(pieces).toString() });
        });
      });
      asking.on('timeout', () => asking.destroy(Object.assign(new Error('no answer'), { code: 'TIMEOUT' })));
      asking.on('error', (error) => failed(Object.assign(new Error(error.message), { cause: error })));
      asking.end(body);
    });
  }

  /** What `/readyz` says. */
  async ready() {
    const { status, body } = await this.ask('/readyz', { timeoutMs: 3_000 });
    return { ok: status === 200, status, report: body };
  }

  /** A token for a machine. */
  async machineToken(slug, { client_id: id, client_secret: secret }) {
    const authorization = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
    const fields = { grant_type: 'client_credentials' };
    const { status, body } = await this.ask(`/t/${slug}/oauth2/token`, { method: 'POST', fields, headers: { authorization } });
    const answer = body.startsWith('{') ? JSON.parse(body) : {};
    canary(answer.access_token);
    return { ok: status === 200, what: `${status} ${answer.error ?? ''}`.trim(), token: answer.access_token };
  }
}
