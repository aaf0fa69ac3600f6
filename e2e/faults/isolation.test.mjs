// One region knows nothing of the other's people (regional isolation): a person with canaries in one, then every store,
// disk and log of everybody else is searched.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Agent } from '../harness/agent.mjs';
import { canary, until } from '../harness/product.mjs';
import { discover, noted, signIn } from '../harness/relying_party.mjs';
import * as client from 'openid-client';
import { faultCase } from './table.mjs';

const FLEET = fileURLToPath(new URL('../fleet/fleet.mjs', import.meta.url));
const REDIRECT = 'http://127.0.0.1/callback';
let [running, home, fleet] = [];

before(async () => {
  home = mkdtempSync(join(tmpdir(), 'bailiwick-isolation-'));
  const file = join(home, 'fleet.json');
  const env = { ...process.env, BAILIWICK_TEST_LOG_DIR: join(home, 'logs') };
  delete env.BAILIWICK_E2E_FLEET;
  running = spawn(process.execPath, [FLEET, '--file', file], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  fleet = await until(() => existsSync(file) && JSON.parse(readFileSync(file, 'utf8')), 'the fleet is ready', 120_000);
}, { timeout: 150_000 });

after(async () => {
  const ended = new Promise((ended) => running.once('close', ended));
  running.kill('SIGTERM');
  await ended;
  rmSync(home, { recursive: true, force: true });
}, { timeout: 60_000 });

/** A word as it would be found again: plain, in hexadecimal, and in base64 at each of its three positions. */
function forms(word) {
  const bytes = Buffer.from(word);
  const inside = (pad) => {
    const text = Buffer.concat([Buffer.alloc(pad), bytes]).toString('base64').replace(/=+$/, '');
    // The first and the last signs depend on what stands beside the word.
    return text.slice(pad === 0 ? 0 : pad + 1, -2);
  };
  const base64 = [0, 1, 2].map(inside);
  const url = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  return [word, bytes.toString('hex'), ...base64, ...url];
}

/** Which words are in these bytes, in whatever form. */
function found(words, bytes) {
  const text = bytes.toString('latin1').toLowerCase();
  return words.filter((word) => forms(word).some((form) => text.includes(form.toLowerCase())));
}

function dump(database) {
  const { postgres } = fleet.stores;
  const at = ['-h', '127.0.0.1', '-p', String(postgres), '-U', 'postgres', '--data-only', '--inserts', database];
  return execFileSync('pg_dump', at, { maxBuffer: 1 << 28 });
}

/** Everything in one Redis database: names, and values as they lie there. */
async function everythingIn(database) {
  const ask = (...words) => new Promise((answered, failed) => {
    const socket = connect(fleet.stores.redis, '127.0.0.1');
    const pieces = [];
    const send = (...parts) => socket.write(`*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`);
    socket.on('error', failed).on('data', (piece) => pieces.push(piece)).on('close', () => answered(Buffer.concat(pieces)));
    send('SELECT', String(database));
    send(...words);
    send('QUIT');
  });
  const keys = (await ask('KEYS', '*')).toString('latin1').split('\r\n').filter((line) => line && !/^[*$+]/.test(line));
  const values = await Promise.all(keys.map((key) => ask('DUMP', key)));
  const plain = await Promise.all(keys.map((key) => ask('GET', key)));
  return { count: keys.length, bytes: Buffer.concat([Buffer.from(keys.join('\n')), ...values, ...plain]) };
}

function files(directory) {
  return readdirSync(directory, { recursive: true })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile());
}

async function register(issuer, { email, password }) {
  const agent = new Agent();
  const done = await agent.submit(await agent.open(`${issuer}/register`), { identifier: email, password }, 'submit');
  assert.ok(done.status < 400, done.text().slice(0, 200));
  const link = await until(async () => {
    const text = await (await fetch(`${fleet.consoleUrl}/mailbox`)).text();
    const letter = text.split('<article>').find((part) => part.includes(email));
    return letter?.match(/href="([^"]*\/verify[^"]*)"/)?.[1].replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(code));
  }, 'the mail arrives', 20_000);
  const confirmed = await agent.submit(await agent.open(link), { password }, 'submit');
  assert.ok(confirmed.status < 400, confirmed.text().slice(0, 200));
}

test('regional isolation', { timeout: 120_000 }, () =>
  faultCase('R-REG', 'a person with canaries registered, signed in and refreshed in region eu', 'they are nowhere in the stores and disks of region us, in the control plane\'s database, or in any log, in no encoding; us serves no tenant of eu', async (note) => {
    const mark = `canary${randomBytes(8).toString('hex')}`;
    const password = `quiet ${randomBytes(9).toString('hex')} lagoon`;
    const user = { email: `${mark}@customer.example`, password };
    canary(password);
    const { issuer, application } = fleet.demo;
    await register(issuer, user);
    const config = await discover(issuer, application);
    const tokens = await signIn(config, user, { scope: 'openid email offline_access', prompt: 'consent', redirectUri: REDIRECT });
    const again = noted(await client.refreshTokenGrant(config, tokens.refresh_token));
    const secrets = [tokens.refresh_token, again.refresh_token, again.access_token].filter(Boolean);
    const words = [mark, password, ...secrets];

    const { databases, states, home: fleetHome, logs } = fleet.stores;
    const eu = dump(databases.eu);
    assert.ok(eu.length > 10_000 && eu.toString().includes('INSERT INTO'), 'the search looks at something');
    const control = dump(databases.control);
    const us = dump(databases.us);
    assert.ok(control.includes('umbra') && us.length > 1_000);
    assert.deepEqual(found(words, us), [], 'identity database of us');
    assert.deepEqual(found(words, control), [], 'database of the control plane');
    const [here, there] = [await everythingIn(states.eu), await everythingIn(states.us)];
    assert.ok(here.count > 0, 'eu keeps sessions');
    assert.deepEqual(found(words, there.bytes), [], 'Redis of us');
    assert.deepEqual(found(words, (await everythingIn(states.bus)).bytes), [], 'Redis of the control planes');
    let looked = 0;
    for (const name of readdirSync(fleetHome).filter((name) => /^(us|control)-/.test(name))) {
      const paths = statSync(join(fleetHome, name)).isDirectory() ? files(join(fleetHome, name)) : [join(fleetHome, name)];
      for (const path of paths) {
        looked += 1;
        assert.deepEqual(found(words, readFileSync(path)), [], path);
      }
    }
    const written = files(logs).filter((path) => path.endsWith('.log'));
    assert.ok(written.length >= 8, written.join(' '));
    for (const path of written) assert.deepEqual(found(words, readFileSync(path)), [], path);
    note(`${words.length} words; ${looked} files of us and control planes, ${written.length} logs, ${there.count} keys of us`);

    const acme = control.toString().match(/'(ten_[0-9a-z]+)', 'acme'/)?.[1];
    assert.ok(acme, 'the tenant is known by its id');
    for (const { name, dataDir, port } of fleet.stores.nodes.us) {
      const { status } = await fetch(`http://127.0.0.1:${port}/t/acme/.well-known/openid-configuration`);
      assert.equal(status, 404, name);
      const held = files(dataDir).filter((path) => path.includes(acme));
      assert.deepEqual(held, [], `${name} never got its sections`);
    }
    const ofEu = fleet.stores.nodes.eu.flatMap(({ dataDir }) => files(dataDir).filter((path) => path.includes(acme)));
    assert.ok(ofEu.length >= 3, 'the nodes of eu hold it under that name');
  }));
