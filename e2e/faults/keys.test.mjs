// Nodes that die while a signing key is replaced (F-09).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { createLocalJWKSet, jwtVerify } from 'jose';

import { until } from '../harness/product.mjs';
import { Load } from './load.mjs';
import { SLUG, end, serves, servers, stand } from './stand.mjs';
import { faultCase } from './table.mjs';

const ROUNDS = 12;
/** Each round the node dies this much later: from before it hears to after it is done. */
const LATER_MS = 12;
let [region, made] = [];

before(async () => {
  region = await servers();
  made = await stand(region, { planes: 1, nodes: 3 });
});

after(async () => {
  if (made) await end(made);
  await region?.stop();
});

function header(token) {
  return JSON.parse(Buffer.from(token.split('.')[0], 'base64url').toString());
}

async function kept() {
  const { id } = await made.platform.tenant(SLUG);
  const sql = `SELECT count(*), count(DISTINCT kid), max(generation) FROM signing_keys WHERE algorithm = 'ES256' AND tenant = '${id}'`;
  const [all, kids, generation] = region.postgres.query(made.installation.identityDatabase, sql, 'postgres').split('|');
  return { all: Number(all), kids: Number(kids), generation: Number(generation) };
}

/** Reads the keys of every node again and again; answers all that was ever published. */
function published() {
  const keys = new Map();
  let running = true;
  const reading = made.nodes.map(async (node) => {
    while (running && made.nodes.some(({ alive }) => alive)) {
      const { status, body } = await node.at.ask(`/t/${SLUG}/oauth2/jwks`).catch(() => ({}));
      if (status === 200) for (const key of JSON.parse(body).keys) keys.set(key.kid, key);
      await pause(15);
    }
  });
  return { keys, stop: async () => ((running = false), await Promise.all(reading)) };
}

test('F-09: a signing key is replaced, and nodes die at every moment of it', { timeout: 240_000 }, () =>
  faultCase('F-09', `the active key contained ${ROUNDS} times under load; each time a node killed, ${LATER_MS} ms later than the time before, and started again`, 'every token ever issued verifies with a key that was published; one new key each time, the same on every node; none is left half-made', async (note) => {
    const before = await kept();
    const tokens = [];
    const askers = made.nodes.map((node) => async () => {
      const { ok, what, token } = await node.at.machineToken(SLUG, made.machine);
      if (ok) tokens.push(token);
      return { ok, what, node: node.name };
    });
    const seen = published();
    const machines = new Load(90, askers);
    await pause(300);
    for (let round = 0; round < ROUNDS; round += 1) {
      const victim = made.nodes[round % made.nodes.length];
      const { token } = await victim.at.machineToken(SLUG, made.machine);
      const { kid } = header(token);
      const body = { subject: { kind: 'signing_key', kid }, reason: 'A leak', minutes: 60, ends_existing: false };
      const containing = made.owner.call('POST', `/tenants/${SLUG}/containments`, body);
      await pause(round * LATER_MS);
      await victim.kill();
      await containing;
      await victim.start();
      await Promise.all(made.nodes.map((node) => serves(made, node)));
      await until(async () => {
        const answers = await Promise.all(made.nodes.map((node) => node.at.machineToken(SLUG, made.machine)));
        const kids = new Set(answers.map(({ token: one }) => one && header(one).kid));
        if (kids.size !== 1 || kids.has(kid) || kids.has(undefined)) throw new Error([...kids].join(' '));
        return true;
      }, 'all sign with the same new key', 30_000);
    }
    await machines.stop();
    await pause(100);
    await seen.stop();
    const jwks = createLocalJWKSet({ keys: [...seen.keys.values()] });
    let unverifiable = 0;
    for (const token of tokens) await jwtVerify(token, jwks).catch(() => (unverifiable += 1));
    const now = await kept();
    note(`${tokens.length} tokens, ${unverifiable} unverifiable; keys ${before.all} → ${now.all}; ${seen.keys.size} published`);
    assert.equal(unverifiable, 0);
    assert.ok(tokens.length > 100);
    assert.equal(now.all, before.all + ROUNDS, 'one for each');
    assert.deepEqual([now.kids, now.generation], [now.all, now.all], 'none twice, no generation left out');
  }));
