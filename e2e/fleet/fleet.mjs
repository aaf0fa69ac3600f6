// A fleet on one machine: two control planes, two regions with three nodes each, PostgreSQL, Redis and a mail server.
//
// `node fleet/fleet.mjs [--file FILE]` runs until Ctrl-C and prints where everything is; FILE then says it to programs,
// and with its name in BAILIWICK_E2E_FLEET every suite runs against the fleet. Each region has one address, the
// consoles have one, and behind each the requests alternate between processes. Everything ends with this process.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';

import { freePort } from '../faults/ports.mjs';
import { Postgres, Redis } from '../faults/servers.mjs';
import { AdminApi } from '../harness/admin_api.mjs';
import { BINARY, ROOT, canary, ownEnvironment } from '../harness/product.mjs';
import { Alternate } from './alternate.mjs';
import { makeTenants, seed } from './demo.mjs';
import { Mail } from './mail.mjs';
import { Process } from './process.mjs';

const NODE = process.env.BAILIWICK_NODE_BIN ?? join(BINARY, '../bailiwick-node');
const LOGS = process.env.BAILIWICK_TEST_LOG_DIR ?? join(ROOT, 'target/test-logs');
const REGIONS = ['eu', 'us'];
const NODES_PER_REGION = 3;
const COMMON = 'trusted_proxies = ["127.0.0.1"]\n';
const LOG = '[log]\nformat = "json"\n';

class Fleet {
  #endings = [];
  planes = [];
  regions = [];

  async start() {
    for (const program of [BINARY, NODE]) if (!existsSync(program)) throw new Error(`${program} is not built`);
    this.home = mkdtempSync(join(tmpdir(), 'bailiwick-fleet-'));
    process.once('exit', () => rmSync(this.home, { recursive: true, force: true }));
    this.postgres = this.#until(await Postgres.start(), 'stop');
    this.redis = this.#until(await Redis.start(), 'stop');
    this.mail = this.#until(await Mail.listen(), 'close');
    this.smtp = join(this.home, 'smtp');
    writeFileSync(this.smtp, this.mail.url, { mode: 0o600 });
    this.console = await this.#front((asked, answer) => this.mail.answer(asked, answer));
    for (const name of REGIONS) {
      const front = await this.#front();
      this.regions.push({ name, front, url: front.url, kek: randomBytes(32), nodes: [] });
    }
    await this.#startPlanes();
    await makeTenants(await this.api(), this.regions);
    await Promise.all(this.regions.map((region, at) => this.#startNodes(region, at + 1)));
    const api = (...args) => this.api(...args);
    const { mail, regions } = this;
    const seeded = await seed({ api, mail, consoleUrl: this.console.url, regions });
    for (const front of [this.console, ...regions.map((region) => region.front)]) front.forget();
    return seeded;
  }

  /** The admin API behind the consoles' address, as whoever can read a data directory. */
  async api(...args) {
    const [{ dataDir, config }] = this.planes;
    const asked = ['token', '--data-dir', dataDir, '--config', config, '--ttl', '1h', ...args];
    const { stdout } = await promisify(execFile)(BINARY, asked, { env: ownEnvironment() });
    canary(stdout.trim());
    return new AdminApi(`${this.console.url}/v1`, stdout.trim());
  }

  /** Ends everything, the latest first. */
  async stop() {
    for (const end of this.#endings.splice(0).reverse()) await end().catch((error) => console.error(error.message));
  }

  #until(thing, how) {
    this.#endings.push(() => thing[how]());
    return thing;
  }

  async #front(own) {
    return this.#until(await Alternate.listen(await freePort(), own), 'close');
  }

  async #startPlanes() {
    const kek = randomBytes(32);
    const database = this.postgres.database('control');
    const regions = this.regions.map(({ name, url }) => `[[regions]]\nname = "${name}"\nauth_base_url = "${url}"\n`);
    for (const name of ['control-1', 'control-2']) {
      const [port, push] = [await freePort(), await freePort()];
      const settings = `${COMMON}console_addr = "127.0.0.1:${port}"\nconsole_url = "${this.console.url}"\n`
        + `push_addr = "127.0.0.1:${push}"\npush_address = "127.0.0.1:${push}"\n${regions.join('')}`
        + `[control_plane]\ndatabase_url = "${database}"\nbus_url = "${this.redis.url(0)}"\n${LOG}`;
      const plane = new Process({ name, home: this.home, program: BINARY, kek, settings });
      this.#until(plane, 'stop');
      await plane.start(['control-plane']);
      this.planes.push(Object.assign(plane, { push }));
      this.console.add({ name, port, alive: () => plane.alive });
    }
  }

  /** Nodes of one region share its stores and its key, and are connected to different control planes. */
  async #startNodes(region, database) {
    const api = await this.api();
    const identity = this.postgres.database(`identity_${region.name}`);
    for (let count = 1; count <= NODES_PER_REGION; count += 1) {
      const name = `${region.name}-${count}`;
      const { id } = await api.call('POST', '/nodes', { name, region: region.name });
      const { token } = await api.call('POST', `/nodes/${id}/join-tokens`);
      canary(token);
      const joinToken = join(this.home, `${name}.token`);
      writeFileSync(joinToken, token, { mode: 0o600 });
      const port = await freePort();
      const { push } = this.planes[count % this.planes.length];
      const settings = `${COMMON}auth_addr = "127.0.0.1:${port}"\nauth_base_url = "${region.url}"\n`
        + `[push]\naddress = "127.0.0.1:${push}"\n[mail]\nsmtp_url_file = "${this.smtp}"\nfrom = "Fleet <fleet@example.org>"\n`
        + `[node]\nidentity_url = "${identity}"\nstate_url = "${this.redis.url(database)}"\n${LOG}`;
      const node = new Process({ name, home: this.home, program: NODE, kek: region.kek, settings });
      this.#until(node, 'stop');
      await node.start(['--join-token-file', joinToken], port);
      region.nodes.push(Object.assign(node, { port }));
      region.front.add({ name, port, alive: () => node.alive });
    }
  }
}

/** What programs need to use the fleet. */
function description(fleet, { demo, elsewhere }) {
  const [{ dataDir, config }] = fleet.planes;
  const [{ url: authUrl }] = fleet.regions;
  const nodes = Object.fromEntries(fleet.regions.map(({ name, url, nodes }) => [name, { url, nodes: nodes.map((it) => it.name) }]));
  const planes = fleet.planes.map(({ name }) => name);
  const stores = whereThingsLie(fleet);
  return { consoleUrl: fleet.console.url, authUrl, dataDir, config, planes, regions: nodes, demo, elsewhere, stores };
}

/** Where everything is kept, for whoever searches it. */
function whereThingsLie({ postgres, redis, home, regions }) {
  const each = (of) => Object.fromEntries(regions.map((region, at) => [region.name, of(region, at)]));
  return {
    postgres: postgres.port,
    redis: redis.port,
    databases: { control: 'control', ...each(({ name }) => `identity_${name}`) },
    states: { bus: 0, ...each((_, at) => at + 1) },
    nodes: each((region) => region.nodes.map(({ name, dataDir, port }) => ({ name, dataDir, port }))),
    home,
    logs: LOGS,
  };
}

/** Written whole or not at all: whoever waits for the file must not read half of it. */
function write(file, text) {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

// One exit listener per process that must not be left behind.
process.setMaxListeners(32);
const { values } = parseArgs({ options: { file: { type: 'string' } } });
const fleet = new Fleet();
let ending;
function end(code) {
  ending ??= fleet.stop().finally(() => {
    if (values.file) rmSync(values.file, { force: true });
    process.exit(code);
  });
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(0));
try {
  const seeded = await fleet.start();
  const file = values.file ?? join(fleet.home, 'fleet.json');
  const said = description(fleet, seeded);
  write(join(said.dataDir, 'demo.json'), `${JSON.stringify(said.demo, null, 2)}\n`);
  write(file, `${JSON.stringify(said, null, 2)}\n`);
  console.log(`Console    ${said.consoleUrl}  (${said.planes.join(', ')} in turn)`);
  for (const [name, { url, nodes }] of Object.entries(said.regions)) console.log(`Region ${name}  ${url}  (${nodes.join(', ')} in turn)`);
  console.log(`Mail       ${said.consoleUrl}/mailbox\nWho served ${said.consoleUrl}/__spread, and the same at each region's address`);
  console.log(`Demo       ${said.demo.issuer}\nAccounts   ${join(said.dataDir, 'demo.json')}`);
  console.log(`Suites     BAILIWICK_E2E_FLEET=${file} npm run clients\nThe fleet is ready; Ctrl-C ends all of it.`);
} catch (error) {
  if (!ending) console.error(error);
  end(1);
}
